"""Any number of thumbnails in rows, of which only those in view are made and drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import msgspec
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.content import Content
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip

from tui.term.frames import depth_for, joined
from tui.thumbs import Thumb, Thumbs, make_lines
from tui.widgets.paced import Paced
from tui.widgets.thumb_layout import SCROLLBAR, SIZES, USUAL_SIZE, ThumbLayout, lay_out

_STAR: Final = "★"
_MARK: Final = "✓"


class Cell(msgspec.Struct, frozen=True):
    """What the grid has to know of an image; `edited` tells versions of its file apart."""

    path: str
    edited: float = 0.0
    star: bool = False


CellAt = Callable[[int], Cell | None]
IsMarked = Callable[[int], bool]


class ThumbGrid(Paced):
    """Images by their place, 0 being the first. `cell_at` is asked for those in view and answers None for what is not
    known yet; `InView` says what should be."""

    ALLOW_SELECT = False
    FPS = COVERED_FPS = 30.0

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

    def __init__(self, cell_at: CellAt, is_marked: IsMarked, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.can_focus = True
        self._cell_at = cell_at
        self._is_marked = is_marked
        self._thumbs = Thumbs(make_lines, lambda: self.post_message(self._Came()))
        self._hint = ""
        self._count = 0
        self._cursor = 0
        self._top = 0
        self._level = USUAL_SIZE
        self._layout_now: ThumbLayout = lay_out(1, 1, USUAL_SIZE)
        self._ground = Style.null()
        self._blanks: dict[tuple[int, Style], Strip] = {}
        self._undrawn = False
        self._waited: set[int] = set()
        """Places in view that were drawn without their thumbnail."""

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
        """More is known of the images than before."""
        self.fetch()
        self._undrawn = True
        self.draw_when_possible()

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
        page = (rows + 1) * self.columns
        first = self._top * self.columns
        self.post_message(self.InView(max(0, first - page), min(self._count, first + 2 * page)))
        self.fetch()

    def fetch(self) -> None:
        """Have the thumbnails made that are missing: in view, below, above."""
        if not self._count or not self.size:
            return
        self._ground = self.visual_style.rich_style
        page, first = (self._layout_now.rows + 1) * self.columns, self._top * self.columns
        places = (*range(first, first + 2 * page), *range(max(0, first - page), first))
        self._thumbs.want([thumb for place in places if (thumb := self._thumb(place))], self._ground)

    def _thumb(self, place: int) -> Thumb | None:
        cell = self._cell_at(place) if place < self._count else None
        if cell is None:
            return None
        layout = self._layout_now
        return Thumb(cell.path, cell.edited, layout.width, layout.height, depth_for(self.app))

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
        self.refresh()

    def on_resize(self) -> None:
        """There is room for others."""
        self.end_pause()
        self._layout_now = lay_out(*self.size, self._level)
        self.redraw()

    def on_unmount(self) -> None:
        """Nobody waits for thumbnails any more."""
        super().on_unmount()
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

    def render_lines(self, crop: Region) -> list[Strip]:
        """The lines inside `crop`, past Textual's styling, which would take every finished line apart."""
        if not self._count or self.gutter:
            return super().render_lines(crop)
        return [self._line(y, crop.x, crop.right) for y in crop.line_range]

    def render_line(self, y: int) -> Strip:
        """A line for Textual's own way of drawing."""
        return self._line(y, 0, self.size.width) if self._count else super().render_line(y)

    def _line(self, y: int, begin: int, end: int) -> Strip:
        """The cells `begin` to before `end` of line `y`: only the images that they touch are looked at."""
        layout = self._layout_now
        first = min(layout.columns, max(0, (begin - layout.left) // layout.pitch))
        last = max(first, min(layout.columns, -(-(end - layout.left) // layout.pitch)))
        pieces = list(self._pieces(y, first, last))
        left = layout.left + first * layout.pitch
        if left > begin:
            pieces.insert(0, self._blank(left - begin))
        right = left + (last - first) * layout.pitch
        if end > right:
            edge = layout.pane_width - SCROLLBAR
            pieces.append(self._blank(min(end, edge) - right))
            if end > edge:
                pieces.append(self._scrollbar(y))
        line = joined([piece for piece in pieces if piece.cell_length], self.app.console)
        fits = begin <= left and right <= end
        return line if fits else line.crop(max(0, begin - left), end - min(begin, left))

    def _pieces(self, y: int, first: int, last: int) -> Iterator[Strip]:
        """Line `y` of the columns `first` to before `last`, each with its sides."""
        row, line = divmod(y, self._layout_now.height + 1)
        row += self._top
        for column in range(first, last):
            place = row * self.columns + column
            if line == 0:
                yield self._between(place - self.columns, place)
            elif place < self._count:
                side = self._side(place)
                yield from (self._bar("▐", side), self._pixels(place, line - 1), self._bar("▌", side))
            else:
                yield self._blank(self._layout_now.pitch)

    def _between(self, above: int, below: int) -> Strip:
        """The line under one image and over another: an edge of the frame, and the signs of the one above."""
        width = self._layout_now.pitch
        edge = "▀" if above == self._cursor else "▄" if below == self._cursor else " "
        signs = self._signs(above) if 0 <= above < self._count else ""
        if edge == " " and not signs:
            return self._blank(width)
        frame = self._style(self._side(self._cursor)) if edge != " " else self._ground
        if not signs:
            return Strip([Segment(edge * width, frame)], width)
        return Strip([Segment(edge, frame), Segment(f" {signs} ", self._style("bright")),
                      Segment(edge * (width - len(signs) - 3), frame)], width)  # fmt: skip

    def _signs(self, place: int) -> str:
        cell = self._cell_at(place)
        return (_STAR if cell and cell.star else "") + (_MARK if self._is_marked(place) else "")

    def _side(self, place: int) -> str:
        """The colour of the bars beside an image; the ground's where it has none."""
        if place == self._cursor:
            return "accent" if self.has_focus else "dim"
        return "bright" if self._is_marked(place) else "background"

    def _pixels(self, place: int, line: int) -> Strip:
        thumb = self._thumb(place)
        lines = self._thumbs.get(thumb) if thumb else None
        if lines is not None:
            return lines[line]
        failed = thumb is not None and self._thumbs.failed(thumb)
        if not failed:
            self._waited.add(place)
        width = self._layout_now.width
        mark = ("×" if failed else "·") if line == self._layout_now.height // 2 else " "
        text = f"{' ' * (width // 2 - 1)}{mark}".ljust(width)
        return Strip([Segment(text, self._style("dim"))], width)

    def _bar(self, mark: str, colour: str) -> Strip:
        return self._blank(1) if colour == "background" else Strip([Segment(mark, self._style(colour))], 1)

    def _scrollbar(self, y: int) -> Strip:
        layout, rows = self._layout_now, -(-self._count // self.columns)
        if rows <= layout.rows:
            return self._blank(1)
        length = max(1, round(layout.pane_height * layout.rows / rows))
        begin = round((layout.pane_height - length) * self._top / (rows - layout.rows))
        inside = begin <= y < begin + length
        return Strip([Segment("▐" if inside else " ", self._style("line"))], 1)

    def _style(self, name: str) -> Style:
        return self._ground + Style(color=self.app.theme_variables[name])

    def _blank(self, width: int) -> Strip:
        """A strip of `width` cells of ground: drawn once, for every line has many of them."""
        key = max(0, width), self._ground
        if key not in self._blanks:
            self._blanks[key] = Strip.blank(*key)
        return self._blanks[key]

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
