"""The grid of a sweep: a picture a cell, what it is called beside its row and above its column, and a cursor."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Final

import msgspec
from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.content import Content
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip

from sdcore.spec.sanitise import sanitise
from tui.screens.sweep.run import Place, Spot, SweepRun
from tui.shortening import shortened
from tui.term.frames import depth_for, joined
from tui.term.pacing import thumb_grain
from tui.thumbs import Thumb, Thumbs, make_lines
from tui.widgets.paced import Paced

_SIDES: Final = 2
_LEAST: Final = (8, 4)
"""Columns and rows of the smallest picture; with more of them than there is room for, the grid scrolls."""
_WIDEST_LABEL: Final = 24
_WORDS: Final = {"waiting": "·", "stopped": "stopped"}


class Layout(msgspec.Struct, frozen=True):
    """Where everything is, in cells: the labels beside the rows, the box of a picture, how many are wholly in view, and
    the blank on the left."""

    labels: int
    box: tuple[int, int]
    columns: int
    rows: int
    left: int


def arrange(run: SweepRun, width: int, height: int) -> Layout:
    """The layout with the largest pictures that shows all cells; with the smallest where it cannot."""
    columns, rows, _ = map(len, run.sweep.labels)
    widest = max(map(cell_len, run.sweep.labels[1]))
    labels = min(widest, _WIDEST_LABEL, width // 4) + 1 if run.sweep.names[1] else 0
    room = width - labels
    box_width = max(_LEAST[0], room // columns - _SIDES)
    box_height = max(_LEAST[1], (height - 2) // rows - 1)
    image = run.spots[0].cell.recipe.final_size()
    aspect = 2 * image[0] / image[1]
    box_width = max(_LEAST[0], min(box_width, round(box_height * aspect), room - _SIDES))
    box_height = max(2, min(box_height, round(box_width / aspect), height - 3))
    shown = max(1, min(columns, room // (box_width + _SIDES)))
    left = max(0, (width - labels - shown * (box_width + _SIDES)) // 2)
    return Layout(
        labels, (box_width, box_height), shown, max(1, min(rows, (height - 2) // (box_height + 1))), left
    )


class SweepGrid(Paced):
    """One page of a sweep. `show` gives it a run; `refresh_spot` draws a cell anew."""

    ALLOW_SELECT = False
    FPS = COVERED_FPS = 30.0

    class Moved(Message):
        """The cursor is on another cell."""

    class Chosen(Message):
        """The cell under the cursor was clicked again."""

    class _Came(Message):
        """A thumbnail was made."""

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, SweepGrid._Came)

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.can_focus = True
        self._thumbs = Thumbs(make_lines, self._tell_came)
        self._run: SweepRun | None = None
        self._cursor: Place = (0, 0, 0)
        self._first = (0, 0)
        self._undrawn = False
        self._waited: set[Place] = set()

    def _tell_came(self) -> None:
        self.post_message(self._Came())

    # What is shown

    def show(self, run: SweepRun) -> None:
        """Show a run from its first cell on, or the same again as it is now."""
        if run is not self._run:
            self._run, self._cursor, self._first = run, (0, 0, 0), (0, 0)
        self.redraw()

    @property
    def cursor(self) -> Place:
        """Column, row and page of the cell under the cursor."""
        return self._cursor

    @property
    def view(self) -> list[str]:
        """Which columns and rows are in view, where that is not all of them."""
        if self._run is None or not self.size:
            return []
        layout, labels = self._arranged, self._run.sweep.labels
        parts = zip(("columns", "rows"), self._first, (layout.columns, layout.rows), labels, strict=False)
        return [
            f"{name} {first + 1} to {first + shown} of {len(along)}"
            for name, first, shown, along in parts
            if shown < len(along)
        ]

    @property
    def spot(self) -> Spot | None:
        """The cell under the cursor."""
        return self._run.spot_at(self._cursor) if self._run is not None else None

    def redraw(self) -> None:
        """Draw everything anew, as soon as the terminal can take it."""
        self._reveal()
        self._undrawn = True
        self.draw_when_possible()

    def refresh_spot(self, spot: Spot) -> None:
        """Draw one cell anew; a picture that is new is made first."""
        if self._run is None or spot.place[2] != self._cursor[2]:
            return
        if spot.paths:
            self._fetch()
        if not self._undrawn and (region := self._region(spot.place)):
            self.refresh(region)

    # Moving

    def move(self, columns: int, rows: int, pages: int = 0) -> None:
        """Move the cursor, at most to the edges."""
        if self._run is None:
            return
        sizes = map(len, self._run.sweep.labels)
        moves = zip(self._cursor, (columns, rows, pages), sizes, strict=True)
        x, y, z = (max(0, min(at + by, size - 1)) for at, by, size in moves)
        self.go_to((x, y, z))

    def go_to(self, place: Place) -> None:
        """Put the cursor on a cell."""
        before, first = self._cursor, self._first
        if place == before:
            return
        self._cursor = place
        self._reveal()
        if self._first == first and before[2] == place[2]:
            regions = [region for one in (before, place) if (region := self._region(one))]
            self.refresh(*regions)
        else:
            self._undrawn = True
            self.draw_when_possible()
        self.post_message(self.Moved())

    # Where everything is

    @property
    def _arranged(self) -> Layout:
        assert self._run is not None  # nothing is laid out before there is a run
        return arrange(self._run, *self.size)

    def _reveal(self) -> None:
        if self._run is None or not self.size:
            return
        layout = self._arranged
        columns, rows, _ = map(len, self._run.sweep.labels)
        shown = (layout.columns, layout.rows)
        firsts = []
        for at, first, room, size in zip(self._cursor, self._first, shown, (columns, rows), strict=False):
            first = min(first, at, max(0, size - room))
            firsts.append(max(0, first, at - room + 1))
        self._first = firsts[0], firsts[1]
        self._fetch()

    def _region(self, place: Place) -> Region | None:
        """Where a cell is drawn, its frame included; None where it is out of view."""
        layout = self._arranged
        (width, height), column, row = layout.box, place[0] - self._first[0], place[1] - self._first[1]
        if not (0 <= column < layout.columns and 0 <= row < layout.rows):
            return None
        region = Region(layout.left + layout.labels + column * (width + _SIDES), 1 + row * (height + 1),
                        width + _SIDES, height + 2)  # fmt: skip
        return region.intersection(Region(0, 0, *self.size)) or None

    # Thumbnails

    def _thumb(self, spot: Spot) -> Thumb | None:
        if not spot.paths:
            return None
        box = self._arranged.box
        return Thumb(spot.paths[0], 0.0, *box, depth_for(self.app), thumb_grain(self.app))

    def _fetch(self) -> None:
        """Have the pictures made that are missing: those in view, then the others of the page."""
        if self._run is None or not self.size:
            return
        layout, (left, top), page = self._arranged, self._first, self._cursor[2]
        spots = [spot for spot in self._run.spots if spot.cell.z == page]
        spots.sort(key=lambda spot: not (left <= spot.cell.x < left + layout.columns
                                         and top <= spot.cell.y < top + layout.rows))  # fmt: skip
        self._thumbs.want(
            [thumb for spot in spots if (thumb := self._thumb(spot))], self.visual_style.rich_style
        )

    def on_sweep_grid__came(self, message: _Came) -> None:
        """Draw what came and is in view."""
        message.stop()
        run = self._run
        if run is None:
            return
        came = [place for place in self._waited if self._is_made(run.spot_at(place))]
        self._waited.difference_update(came)
        regions = [region for place in came if (region := self._region(place))]
        if regions and not self._undrawn:
            self.refresh(*regions)

    def _is_made(self, spot: Spot) -> bool:
        thumb = self._thumb(spot)
        return thumb is None or self._thumbs.get(thumb) is not None or self._thumbs.failed(thumb)

    # Drawing

    @property
    def picture_waits(self) -> bool:
        """Whether the view has changed since it was drawn."""
        return self._undrawn

    def draw_picture(self) -> None:
        self._undrawn = False
        self._waited.clear()
        self.refresh()

    def on_resize(self) -> None:
        """There is room for more, or less."""
        self.end_pause()
        self.redraw()

    def on_unmount(self) -> None:
        """Nobody waits for pictures any more."""
        super().on_unmount()
        self._thumbs.close()

    def notify_style_update(self) -> None:
        """Take up the colours of a new theme."""
        super().notify_style_update()
        if self.is_mounted and self.size:
            self.redraw()

    def render(self) -> Content:
        """Nothing, without a run."""
        return Content("")

    def finished(self, begin: int, end: int) -> list[Strip] | None:
        """The lines of the grid."""
        run = self._run
        return [self._line(run, y) for y in range(begin, end)] if run is not None else None

    def _line(self, run: SweepRun, y: int) -> Strip:
        layout = self._arranged
        pieces = [self._blank(layout.left), *self._pieces(run, layout, y)]
        used = sum(piece.cell_length for piece in pieces)
        pieces.append(self._blank(self.size.width - used))
        line = joined([piece for piece in pieces if piece.cell_length], self.app.console)
        return line if line.cell_length == self.size.width else line.crop(0, self.size.width)

    def _pieces(self, run: SweepRun, layout: Layout, y: int) -> Iterator[Strip]:
        width, height = layout.box
        (left, top), page = self._first, self._cursor[2]
        columns, rows, _ = map(len, run.sweep.labels)
        shown = range(left, min(columns, left + layout.columns))
        row, line = divmod(y - 1, height + 1)
        row += top
        if y == 0:
            yield self._text("", layout.labels, "dim")
            for column in shown:
                here = column == self._cursor[0]
                yield self._text(
                    run.sweep.labels[0][column], width + _SIDES, "bright" if here else "dim", middle=True
                )
            return
        if row - top > layout.rows or (row - top == layout.rows and line):
            return
        yield self._beside(run, layout, row, line) if row < rows else self._blank(layout.labels)
        for column in shown:
            if line == 0:
                yield self._between((column, row - 1, page), (column, row, page), width + _SIDES)
            elif row < rows:
                here = (column, row, page) == self._cursor
                yield self._bar("▐", here)
                yield self._pixels(run.spot_at((column, row, page)), line - 1, layout)
                yield self._bar("▌", here)

    def _beside(self, run: SweepRun, layout: Layout, row: int, line: int) -> Strip:
        """The label of a row, in the middle of its height."""
        if not layout.labels:
            return self._blank(0)
        lines = textwrap.wrap(sanitise(run.sweep.labels[1][row], newlines=False), layout.labels - 1)
        lines = lines[: layout.box[1]]
        at = line - 1 - (layout.box[1] - len(lines)) // 2
        text = lines[at] if line and 0 <= at < len(lines) else ""
        return self._text(text, layout.labels, "bright" if row == self._cursor[1] else "dim")

    def _between(self, above: Place, below: Place, width: int) -> Strip:
        edge = "▀" if above == self._cursor else "▄" if below == self._cursor else " "
        return Strip([Segment(edge * width, self._style(self._frame))], width)

    @property
    def _frame(self) -> str:
        return "accent" if self.has_focus else "dim"

    def _bar(self, mark: str, here: bool) -> Strip:
        return Strip([Segment(mark, self._style(self._frame))], 1) if here else self._blank(1)

    def _pixels(self, spot: Spot, line: int, layout: Layout) -> Strip:
        width, height = layout.box
        thumb = self._thumb(spot)
        lines = self._thumbs.get(thumb) if thumb else None
        if lines is not None:
            return lines[line]
        failed = thumb is not None and self._thumbs.failed(thumb)
        if thumb is not None and not failed:
            self._waited.add(spot.place)
        texts, colour = _said(spot, failed, width, height)
        at = line - (height - len(texts)) // 2
        return self._text(texts[at] if 0 <= at < len(texts) else "", width, colour, middle=True)

    def _text(self, text: str, width: int, colour: str, *, middle: bool = False) -> Strip:
        shown = shortened(sanitise(text, newlines=False), max(1, width - 1))
        before = (width - cell_len(shown)) // 2 if middle else 0
        return Strip([Segment(set_cell_size(" " * before + shown, width), self._style(colour))], width)

    def _style(self, name: str) -> Style:
        return self.visual_style.rich_style + Style(color=self.app.theme_variables[name])

    def _blank(self, width: int) -> Strip:
        return Strip.blank(max(0, width), self.visual_style.rich_style)

    # The mouse

    def on_click(self, event: events.Click) -> None:
        """Go to the cell clicked; a click on the one under the cursor opens it."""
        if self._run is None:
            return
        columns, rows, _ = map(len, self._run.sweep.labels)
        for row in range(self._first[1], rows):
            for column in range(self._first[0], columns):
                place = column, row, self._cursor[2]
                region = self._region(place)
                if region is not None and region.contains(event.x, event.y):
                    if place == self._cursor:
                        self.post_message(self.Chosen())
                    self.go_to(place)
                    return


def _said(spot: Spot, unreadable: bool, width: int, height: int) -> tuple[list[str], str]:
    """What stands in a cell without a picture, in lines, and its colour."""
    if spot.state == "done":
        return ["×" if unreadable else "·"], "dim"
    if spot.state == "running":
        return [f"{spot.share:.0%}", _bar(spot.share, min(width - 2, 16))], "accent"
    if spot.state in ("failed", "impossible"):
        lines = textwrap.wrap(sanitise(spot.reason, newlines=False), max(4, width - 1))
        if len(lines) > height:
            lines[height - 1 :] = ["…"]
        return lines, "alert" if spot.state == "failed" else "dim"
    return [_WORDS[spot.state]], "dim"


def _bar(share: float, width: int) -> str:
    full = round(share * width)
    return "━" * full + "─" * (width - full)
