"""Every image there is: found as one types, marked, sorted out, brought back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from textual.app import ComposeResult
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Input, Static

from tui.actions import Group, Moment, Scope, bindings, footer
from tui.image_text import told_by
from tui.marking import Marking, Marks
from tui.once_begun import once_begun
from tui.screens.library import words
from tui.screens.library.deeds import Deeds
from tui.screens.library.finding import Finding
from tui.screens.library.results import UNKNOWN, FoundImages, Results
from tui.screens.library.viewer import Viewer
from tui.shortening import shortened
from tui.widgets.head import HeadLine
from tui.widgets.image_details import ImageDetails
from tui.widgets.line_input import LineInput
from tui.widgets.panes import Row
from tui.widgets.status import FooterLine, MessageLine, Tone
from tui.widgets.thumb_grid import ThumbGrid

if TYPE_CHECKING:
    from sdcore.library.index import Progress
    from sdcore.library.index import Row as ImageRow
    from tui.app import SdtuiApp

_DETAILS_DELAY: Final = 0.06
"""Seconds that the cursor has to rest before the details follow: longer than from one key to the next while it is held,
for to lay out a text takes as long as to draw all images."""
_NEWS_DELAY: Final = 0.7
"""Seconds between two looks at whether the index has changed."""
_WIDTHS: Final = [(0, "-narrow"), (120, "-normal"), (160, "-wide")]


class LibraryScreen(Screen[None], inherit_bindings=False):
    """The images as a grid, the one under the cursor beside it, and a line to search them above."""

    BINDINGS = bindings("library")
    CSS_PATH = "library.tcss"
    AUTO_FOCUS = ""
    HORIZONTAL_BREAKPOINTS = _WIDTHS
    SCOPE: Scope = "library"
    GROUP: Group = "Library"
    HELP = words.HELP
    app: SdtuiApp

    def __init__(self) -> None:
        super().__init__()
        self.library = self.app.library
        self.results = Results(self.library)
        self.marks = Marks()
        self.finding = Finding(self)
        self._deeds = Deeds(self)
        self._window = (0, 0)
        self._fetched = (-1, -1)
        self._progress: Progress | None = None
        self._trouble, self._where = "", words.where(self.library.machine)
        self._moving = False
        self._spoke = False
        """Whether something was said since the cursor moved: it stays until it moves again."""

    def compose(self) -> ComposeResult:
        """The search above, grid and details in the middle."""
        yield HeadLine("library", id="head")
        with Row(id="library-search"):
            yield Static(Content.styled(" / ", "$dim"), id="library-slash")
            yield LineInput(hint="search", suggester=self.finding.suggester, id="library-line")
            yield Static(id="library-count", markup=False)
        with Row(id="library-main"):
            yield ThumbGrid(self.results.cell, self._is_marked, self.library.thumbs, id="library-grid")
            yield ImageDetails(self.library, id="library-details")
        yield MessageLine(id="message")
        yield FooterLine(id="footer")

    def on_mount(self) -> None:
        """Look for all images."""
        self.library.open()
        self._show_head()
        self.grid.focus()
        self.grid.show(0, 0, words.LOOKING)
        self.set_interval(_NEWS_DELAY, self._look_for_news)
        self.search()

    def on_unmount(self) -> None:
        """Nobody looks any more."""
        self.library.close()

    @property
    def grid(self) -> ThumbGrid:
        """The images."""
        return self.query_one(ThumbGrid)

    @property
    def line(self) -> LineInput:
        """What is searched for."""
        return self.query_one(LineInput)

    @property
    def here(self) -> int:
        """The id of the image under the cursor; `UNKNOWN` while it is not known, or there is none."""
        return self.results.ids[self.grid.cursor] if len(self.results) else UNKNOWN

    @property
    def row(self) -> ImageRow | None:
        """The image under the cursor; None while it is not known, or there is none."""
        return self.results.row(self.grid.cursor)

    def say(self, *wordings: str, tone: Tone = "bright") -> None:
        """Say a sentence in the message line, in the longest wording that fits, until the cursor moves."""
        self._spoke = True
        self.query_one(MessageLine).show(*wordings, tone=tone)

    def terminal_answered(self) -> None:
        """The terminal has drawn the last picture."""
        self.grid.terminal_answered()

    def _is_marked(self, place: int) -> bool:
        return place < len(self.results) and self.results.ids[place] in self.marks

    # Searching

    def on_input_changed(self, event: Input.Changed) -> None:
        """Search at once: of the searches that wait for their turn only the newest is made."""
        event.stop()
        self.search()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """To what was found."""
        event.stop()
        self.grid.focus()

    def search(self) -> None:
        """Look for what the line says."""
        self.run_worker(once_begun(self._search), group="search", exclusive=True)

    async def _search(self) -> None:
        text, before = self.line.value, self.results.text
        # an image that is gone leaves the cursor on the one that takes its place
        kept, at = (self.grid.cursor, self.here) if text == before else (0, UNKNOWN)
        done, place = await self.results.search(text, self.grid.places_in_view, at, kept)
        if not done:
            return
        if len(self.marks) and await self.results.learn_all():
            self.marks.keep(self.results.ids)
        self._fetched = (-1, -1)
        self.grid.show(len(self.results), kept if place is None else place, self._hint())
        if text != before:
            self.say("".join(self.results.notes[:1]), tone="quiet")
        self._show_head()
        self.set_class(not self.results.total, "-empty")
        self._show_footer()
        self._rest(self._show_details)

    def _hint(self) -> str:
        return words.hint(self.results.total, self._progress, self.library.machine)

    def _look_for_news(self) -> None:
        if self.is_current:
            self.run_worker(once_begun(self._take_news), group="news", exclusive=True)

    async def _take_news(self) -> None:
        changed, progress = await self.results.news()
        if self.library.trouble != self._trouble:
            self._trouble = self.library.trouble
            self.say(self._trouble, tone="alert")
        if progress != self._progress:
            self._progress = progress
            self._show_head()
            if not len(self.results):
                self.grid.show(0, 0, self._hint())
        if changed:
            self.search()

    # What is in view

    def on_thumb_grid_in_view(self, message: ThumbGrid.InView) -> None:
        """Fetch what is known of these."""
        self._window = (message.first, message.end)
        if self._window != self._fetched:
            self.run_worker(once_begun(self._fetch), group="rows")

    async def _fetch(self) -> None:
        while self._window != self._fetched:
            window = self._fetched = self._window
            if await self.results.fetch(*window):
                self.grid.rows_came()
                if not self._moving:
                    self._show_details()

    def rows_changed(self) -> None:
        """Other stars or tags: show them."""
        self.grid.rows_came()
        self._show_details()

    def on_thumb_grid_moved(self, message: ThumbGrid.Moved) -> None:
        """The cursor is on another image."""
        message.stop()
        if self.marks.in_range and self.results.complete:
            self._reach(message.place)
        elif self.marks.in_range:
            self.run_worker(once_begun(self._learn_to_reach), group="reach", exclusive=True)
        self._spoke = False
        self._rest(self._show_image)

    def _reach(self, place: int) -> None:
        before = len(self.marks)
        self.marks.reach(self.results.ids, place)
        if before != len(self.marks):
            self.marks_changed()

    async def _learn_to_reach(self) -> None:
        if await self.results.learn_all():
            self._reach(self.grid.cursor)

    def on_thumb_grid_chosen(self, message: ThumbGrid.Chosen) -> None:
        """A second click looks at it."""
        message.stop()
        self.action_look()

    def marks_changed(self) -> None:
        """Show what is marked now."""
        self.grid.redraw()
        self._show_head()
        self._show_footer()

    # Showing

    def _rest(self, show: Callable[[], None]) -> None:
        """Show the details once no key has come for a while."""
        self._moving = True
        self.run_worker(once_begun(self._rested, show), group="rest", exclusive=True)

    async def _rested(self, show: Callable[[], None]) -> None:
        await asyncio.sleep(_DETAILS_DELAY)
        self._moving = False
        show()

    def _show_details(self) -> None:
        row, details = self.row, self.query_one(ImageDetails)
        fetching = len(self.results) and row is None
        if details.display and not fetching:
            details.show(told_by(row) if row else None)

    def _show_image(self) -> None:
        """The details; where there is no room for them, a line at the foot."""
        self._show_details()
        if self._spoke:
            return
        row, line = self.row, self.query_one(MessageLine)
        if self.query_one(ImageDetails).display:
            line.show("")
        elif row is not None:
            facts = f"{row.width} × {row.height} · {row.prompt or Path(row.path).name}"
            line.show(shortened(" ".join(facts.split()), self.size.width - 2))

    def _show_head(self) -> None:
        shown = words.counted(len(self.results), self.results.total, bool(self.results.text.strip()))
        line = self.query_one("#library-count", Static)
        line.update(Content.styled(shown, "$dim"), layout=len(shown) != line.content_size.width)
        marked = f"{len(self.marks):,} marked" if len(self.marks) else ""
        self.query_one(HeadLine).show((self._where, marked), words.reading(self._progress))

    def _show_footer(self) -> None:
        moment: Moment = "library_empty" if self.has_class("-empty") else "library"
        if len(self.marks):
            moment = "library_marks"
        if self.focused is self.line:
            moment = "library_search"
        self.query_one(FooterLine).show(footer(moment))

    def on_descendant_focus(self) -> None:
        """The line of the search has keys of its own."""
        self._show_footer()

    async def on_footer_line_pressed(self, message: FooterLine.Pressed) -> None:
        """A key of the footer was clicked."""
        await self.app.action_do(message.name)

    # Moving

    def action_move(self, places: int) -> None:
        """To a neighbour."""
        self.grid.move(places)

    def action_move_rows(self, rows: int) -> None:
        """To another row; out of the search to the images."""
        if self.focused is self.line:
            self.grid.focus()
        else:
            self.grid.move_rows(rows)

    def action_page(self, pages: int) -> None:
        """By as much as is in view."""
        self.grid.page(pages)

    def action_edge(self, side: int) -> None:
        """To the newest, or the oldest."""
        self.grid.move(side * max(1, len(self.results)))

    def action_resize(self, sizes: int) -> None:
        """Larger thumbnails, or smaller ones."""
        self.grid.resize_thumbs(sizes)

    def action_scroll(self, lines: int) -> None:
        """Scroll the details."""
        self.query_one(ImageDetails).scroll_text(lines)

    def action_details(self) -> None:
        """The details beside the grid, or in its place where there is little room."""
        self.toggle_class("-details" if self.has_class("-narrow") else "-no-details")
        self.call_after_refresh(self._show_image)

    def on_resize(self) -> None:
        """The details may have come or gone."""
        self.call_after_refresh(self._show_image)

    # Marking

    def action_mark(self) -> None:
        """Mark the image under the cursor, and go on."""
        if self.here != UNKNOWN:
            self.marks.end()
            self.marks.toggle(self.here)
            self.marks_changed()
            self.grid.move(1)

    def action_range(self) -> None:
        """Open a range, or close it."""
        if self.marks.in_range:
            self.marks.end()
            self._spoke = False
            self._show_image()
        elif self.here != UNKNOWN:
            self.marks.begin(self.here)
            self.say("Everything from here to where you go is marked; v ends it.")
            self.marks_changed()

    def action_extend(self, places: int) -> None:
        """Mark what the cursor goes over."""
        if self.here != UNKNOWN and not self.marks.in_range:
            self.marks.begin(self.here)
            self.marks_changed()
        self.grid.move(places)

    def action_extend_rows(self, rows: int) -> None:
        """Mark what lies between two rows."""
        self.action_extend(rows * self.grid.columns)

    def action_mark_all(self) -> None:
        """Mark all that was found, or nothing."""
        self.run_worker(once_begun(self._mark_all), group="reach", exclusive=True)

    async def _mark_all(self) -> None:
        everything = len(self.marks) == len(self.results)
        if everything or await self.results.learn_all():
            self.marks.set(() if everything else self.results.ids)
            self.marks_changed()

    def action_back(self) -> None:
        """Out of the range, the marks, the search; at last to the studio."""
        if self.marks.in_range:
            self.action_range()
        elif self.focused is self.line or (self.line.value and not len(self.marks)):
            self.line.value = ""
            self.grid.focus()
        elif len(self.marks):
            self.marks.set(())
            self.marks_changed()
        elif self.has_class("-details"):
            self.action_details()
        else:
            self.dismiss(None)

    # The images

    def action_deed(self, name: str) -> None:
        """Do something with the marked images, or the one under the cursor."""
        self._deeds.do(name)

    def action_search(self) -> None:
        """To the line of the search."""
        self.line.focus()
        self.line.cursor_position = len(self.line.value)

    def action_look(self) -> None:
        """The whole screen for one image."""
        if len(self.results):
            images = FoundImages(self.library, self.results)
            viewer = Viewer(images, self.grid.cursor, Marking(images.ids, self.marks))
            self.app.push_screen(viewer, lambda place: self._looked(images, place))

    def _looked(self, images: FoundImages, place: int | None) -> None:
        """Back to the same image, wherever it is by now."""
        at = self.results.place_of(images.ids[place]) if place is not None else None
        if at is not None:
            self.grid.go_to(at)
        self.marks_changed()
