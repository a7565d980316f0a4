"""Any number of thumbnails in rows, of which only those in view are made and drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Self

import msgspec
from rich.style import Style
from textual import events
from textual.content import Content
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip

from tui.term.frames import depth_for
from tui.term.pacing import thumb_grain
from tui.thumbs import Lines, Thumb, Thumbs
from tui.widgets.paced import Paced
from tui.widgets.thumb_layout import SIZES, USUAL_SIZE, ThumbLayout, lay_out
from tui.widgets.thumb_lines import Images, Paint, ThumbLines, View

_STAR: Final = "★"
_MARK: Final = "✓"
_FAILED: Final = "×"
_AWAITED: Final = "·"


class Cell(msgspec.Struct, frozen=True):
    """What the grid has to know of an image; `edited` tells versions of its file apart."""

    path: str
    edited: float = 0.0
    star: bool = False


if TYPE_CHECKING:
    from tui.line.library import ThumbSource

CellAt = Callable[[int], Cell | None]
IsMarked = Callable[[int], bool]


class ThumbGrid(Paced):
    """Images by their place, 0 being the first. `cell_at` is asked for those in view and answers None for what is not
    known yet; `InView` says what should be."""

    ALLOW_SELECT = False
    FPS = 60.0
    """A row further waits for the last frame's turn: with 30 a held key and the frames of its thumbnails wait for one
    another. A line that is slower than this is not hurried, for the terminal is asked what it has drawn."""
    COVERED_FPS = 30.0

    class Moved(Message):
        """The cursor is on the image at `place` now."""

        def __init__(self, place: int) -> None:
            super().__init__()
            self.place = place

    class Chosen(Message):
        """The image under the cursor was clicked again."""

    class InView(Message):
        """These places are in view, or soon will be: from `first` to before `end`."""

        def __init__(self, first: int, end: int) -> None:
            super().__init__()
            self.first = first
            self.end = end

    class _Came(Message):
        """A thumbnail was made."""

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, ThumbGrid._Came)

    def __init__(
        self, cell_at: CellAt, is_marked: IsMarked, source: ThumbSource, *, id: str | None = None
    ) -> None:
        super().__init__(id=id)
        self.can_focus = True
        self._cell_at = cell_at
        self._is_marked = is_marked
        self._source = source
        self._thumbs = Thumbs(source.make, lambda: self.post_message(self._Came()))
        self._hint = ""
        self._count = 0
        self._cursor = 0
        self._top = 0
        self._level = USUAL_SIZE
        self._layout_now: ThumbLayout = lay_out(1, 1, USUAL_SIZE)
        self._ground = Style.null()
        self._lines: ThumbLines | None = None
        """What was drawn since the last `refresh`."""
        self._undrawn = False
        self._waited: set[int] = set()
        """Places in view that were drawn without their thumbnail."""
        self._drawn: tuple[Cell | None, ...] = ()
        """What was known of those in view when they were drawn."""

    # What is shown

    @property
    def count(self) -> int:
        """How many images there are."""
        return self._count

    @property
    def cursor(self) -> int:
        """The place of the image under the cursor."""
        return self._cursor

    @property
    def hint(self) -> str:
        """The sentence that stands where there are no images."""
        return "" if self._count else self._hint

    @property
    def thumbs(self) -> Thumbs:
        """The finished thumbnails."""
        return self._thumbs

    @property
    def awaits_thumbs(self) -> bool:
        """Whether something is in view whose thumbnail is not there yet."""
        return self._undrawn or bool(self._waited)

    def show(self, count: int, cursor: int, hint: str = "") -> None:
        """There are `count` images now, and the cursor is on `cursor`; where there are none, say `hint`. The row under
        the cursor stays where it is on the screen."""
        offset = self._cursor // self.columns - self._top
        self._count, self._hint = count, hint
        self._cursor = max(0, min(cursor, count - 1))
        self._top = self._cursor // self.columns - offset
        self.redraw()

    def redraw(self) -> None:
        """Draw everything in view anew, as soon as the terminal can take it."""
        self._reveal()
        self._undrawn = True
        self.draw_when_possible()

    def rows_came(self) -> None:
        """More is known of the images than before: mostly of those that come into view next, which draws nothing."""
        self.fetch()
        if self._cells_in_view() != self._drawn:
            self._undrawn = True
            self.draw_when_possible()

    def refresh(
        self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False
    ) -> Self:
        """Something of it has changed: nothing that was drawn is used again."""
        self._lines = None
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def refresh_places(self, *places: int) -> None:
        """Draw the images at these places anew."""
        if not self._undrawn:
            regions = [region for place in places if (region := self._region(place))]
            if regions:
                self.refresh(*regions)

    # Moving

    def move(self, places: int) -> None:
        """Move the cursor by `places`, at most to either end."""
        self.go_to(max(0, min(self._cursor + places, self._count - 1)))

    def move_rows(self, rows: int) -> None:
        """Move it by rows, in its column; the last row may have nothing there, then to its last image."""
        wanted = self._cursor + rows * self.columns
        if wanted < 0:
            wanted = self._cursor % self.columns
        last_row = (self._count - 1) // self.columns
        if wanted >= self._count:
            wanted = last_row * self.columns + self._cursor % self.columns
        self.go_to(max(0, min(wanted, self._count - 1)))

    def page(self, pages: int) -> None:
        """Move it by as many rows as are wholly in view."""
        self.move_rows(pages * self._layout_now.rows)

    def go_to(self, place: int) -> None:
        """Put the cursor on the image at `place`."""
        before, top = self._cursor, self._top
        if place == before or not 0 <= place < self._count:
            return
        self._cursor = place
        self._reveal()
        if self._top == top:
            self.refresh_places(before, place)
        else:
            self._undrawn = True
            self.draw_when_possible()
        self.post_message(self.Moved(place))

    def resize_thumbs(self, sizes: int) -> None:
        """Larger thumbnails, or smaller ones; the cursor stays in view."""
        columns = self.columns
        while 0 <= self._level + sizes < len(SIZES) and self.columns == columns:
            self._level += sizes
            self._layout_now = lay_out(*self.size, self._level)
        self.redraw()

    # Where everything is

    @property
    def columns(self) -> int:
        """Images in a row."""
        return self._layout_now.columns

    @property
    def places_in_view(self) -> int:
        """How many images are in view at once, one that is cut off included."""
        return (self._layout_now.rows + 1) * self.columns

    def _cells_in_view(self) -> tuple[Cell | None, ...]:
        first = self._top * self.columns
        return tuple(map(self._cell_at, range(first, min(self._count, first + self.places_in_view))))

    def _region(self, place: int) -> Region | None:
        """Where the image at `place` is drawn, its frame included; None where it is out of view."""
        row, column = divmod(place, self.columns)
        return self._layout_now.region(row - self._top, column)

    def _reveal(self) -> None:
        """Scroll so that the cursor is in view, and have what is in view fetched."""
        if not self._count:
            return
        rows = self._layout_now.rows
        row, last = self._cursor // self.columns, (self._count - 1) // self.columns
        self._top = min(self._top, row, max(0, last - rows + 1))
        self._top = max(0, self._top, row - rows + 1)
        page = self.places_in_view
        first = self._top * self.columns
        self.post_message(self.InView(max(0, first - page), min(self._count, first + 2 * page)))
        self.fetch()

    def fetch(self) -> None:
        """Have the thumbnails made that are missing: in view, below, above."""
        if not self._count or not self.size:
            return
        self._ground = self.visual_style.rich_style
        page, first = self.places_in_view, self._top * self.columns
        places = (*range(first, first + 2 * page), *range(max(0, first - page), first))
        wanted = [thumb for place in places if (thumb := self._thumb(place))]
        self._thumbs.want(self._source.at_hand(wanted), self._ground)

    def _thumb(self, place: int) -> Thumb | None:
        cell = self._cell_at(place) if place < self._count else None
        if cell is None:
            return None
        layout = self._layout_now
        box = layout.width, layout.height
        return Thumb(cell.path, cell.edited, *box, depth_for(self.app), thumb_grain(self.app))

    def on_thumb_grid__came(self, message: _Came) -> None:
        """Draw what came and is in view."""
        message.stop()
        came = [place for place in self._waited if (thumb := self._thumb(place)) and self._is_made(thumb)]
        self._waited.difference_update(came)
        self.refresh_places(*came)

    def _is_made(self, thumb: Thumb) -> bool:
        return self._thumbs.get(thumb) is not None or self._thumbs.failed(thumb)

    # Drawing

    @property
    def picture_waits(self) -> bool:
        """Whether the view has changed since it was drawn."""
        return self._undrawn

    def draw_picture(self) -> None:
        self._ground = self.visual_style.rich_style
        self._undrawn = False
        self._waited.clear()
        self._drawn = self._cells_in_view()
        self.refresh()

    def on_mount(self) -> None:
        """Hear of thumbnails that come from elsewhere."""
        self._source.listen(self.fetch)

    def on_resize(self) -> None:
        """There is room for others."""
        self.end_pause()
        self._layout_now = lay_out(*self.size, self._level)
        self.redraw()

    def on_unmount(self) -> None:
        """Nobody waits for thumbnails any more."""
        super().on_unmount()
        self._source.listen(lambda: None)
        self._thumbs.close()

    def on_focus(self) -> None:
        """The frame is in the accent colour."""
        self.refresh_places(self._cursor)

    on_blur = on_focus

    def notify_style_update(self) -> None:
        """Take up the colours of a new theme."""
        super().notify_style_update()
        if self.is_mounted and self.size:
            self.redraw()

    def render(self) -> Content:
        """The hint, where there are no images."""
        return Content(self.hint)

    def finished(self, begin: int, end: int) -> list[Strip] | None:
        """The lines of the grid."""
        return [self._line(y, 0, self.size.width) for y in range(begin, end)] if self._count else None

    def render_lines(self, crop: Region) -> list[Strip]:
        """The lines inside `crop`: of many images only those that it touches are looked at."""
        if not self._count or self.gutter:
            return super().render_lines(crop)
        return [self._line(y, crop.x, crop.right) for y in crop.line_range]

    def _line(self, y: int, begin: int, end: int) -> Strip:
        if self._lines is None:
            frame = "accent" if self.has_focus else "dim"
            self._lines = ThumbLines(
                View(self._layout_now, self._count, self._cursor, self._top, frame),
                Paint(self._ground, self.app.theme_variables, self.app.console),
                Images(self._pixels, self._signs, self._is_marked),
            )
        return self._lines.line(y, begin, end)

    def _signs(self, place: int) -> str:
        cell = self._cell_at(place)
        return (_STAR if cell and cell.star else "") + (_MARK if self._is_marked(place) else "")

    def _pixels(self, place: int) -> Lines | str:
        thumb = self._thumb(place)
        if thumb is not None and (lines := self._thumbs.get(thumb)) is not None:
            return lines
        if thumb is not None and self._thumbs.failed(thumb):
            return _FAILED
        self._waited.add(place)
        return _AWAITED

    # The mouse

    def on_click(self, event: events.Click) -> None:
        """Go to the image clicked; a click on the one under the cursor looks at it."""
        spot = self._layout_now.at(event.x, event.y)
        place = (spot[0] + self._top) * self.columns + spot[1] if spot else -1
        if 0 <= place < self._count:
            if place == self._cursor:
                self.post_message(self.Chosen())
            self.go_to(place)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """A row further."""
        event.stop()
        self.move_rows(1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """A row back."""
        event.stop()
        self.move_rows(-1)
