"""The lines of a grid of thumbnails, from one change of it to the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.term.frames import joined
from tui.widgets.thumb_layout import SCROLLBAR, ThumbLayout

if TYPE_CHECKING:
    from rich.console import Console

    from tui.thumbs import Lines


class View(msgspec.Struct, frozen=True):
    """What is seen of the grid: `count` images, `top` the first row in view, `frame` the colour of the cursor's."""

    layout: ThumbLayout
    count: int
    cursor: int
    top: int
    frame: str


class Paint(msgspec.Struct, frozen=True):
    """What it is drawn with: colours by their names in the theme, on the style of the ground."""

    ground: Style
    colours: Mapping[str, str]
    console: Console


class Images(msgspec.Struct, frozen=True):
    """What there is to draw at a place: the lines of its thumbnail, or the sign that stands for it; the signs under it;
    whether it is marked."""

    pixels: Callable[[int], Lines | str]
    signs: Callable[[int], str]
    is_marked: Callable[[int], bool]


class ThumbLines:
    """Draws each line, and each piece of one, when it is first asked for, and once: more of the screen is drawn anew
    than has changed. Whoever changes the grid makes this anew."""

    def __init__(self, view: View, paint: Paint, images: Images) -> None:
        self._view = view
        self._paint = paint
        self._images = images
        self._lines: dict[tuple[int, int, int], Strip] = {}
        self._thumbs: dict[int, Lines] = {}
        self._pieces: dict[tuple[str, str], Strip] = {}

    def line(self, y: int, begin: int, end: int) -> Strip:
        """The cells `begin` to before `end` of line `y`."""
        key = y, begin, end
        if key not in self._lines:
            self._lines[key] = self._make_line(*key)
        return self._lines[key]

    def _make_line(self, y: int, begin: int, end: int) -> Strip:
        """Only the images that it touches are looked at."""
        layout = self._view.layout
        first = min(layout.columns, max(0, (begin - layout.left) // layout.pitch))
        last = max(first, min(layout.columns, -(-(end - layout.left) // layout.pitch)))
        pieces = list(self._across(y, first, last))
        left = layout.left + first * layout.pitch
        if left > begin:
            pieces.insert(0, self._blank(left - begin))
        right = left + (last - first) * layout.pitch
        if end > right:
            edge = layout.pane_width - SCROLLBAR
            pieces.append(self._blank(min(end, edge) - right))
            if end > edge:
                pieces.append(self._scrollbar(y))
        line = joined([piece for piece in pieces if piece.cell_length], self._paint.console)
        fits = begin <= left and right <= end
        return line if fits else line.crop(max(0, begin - left), end - min(begin, left))

    def _across(self, y: int, first: int, last: int) -> Iterator[Strip]:
        """Line `y` of the columns `first` to before `last`, each with its sides."""
        view, layout = self._view, self._view.layout
        row, line = divmod(y, layout.height + 1)
        row += view.top
        for column in range(first, last):
            place = row * layout.columns + column
            if line == 0:
                yield self._between(place - layout.columns, place)
            elif place < view.count:
                side = self._side(place)
                yield from (self._piece("▐", side), self._pixels(place)[line - 1], self._piece("▌", side))
            else:
                yield self._blank(layout.pitch)

    def _between(self, above: int, below: int) -> Strip:
        """The line under one image and over another: an edge of the frame, and the signs of the one above."""
        view, width = self._view, self._view.layout.pitch
        edge = "▀" if above == view.cursor else "▄" if below == view.cursor else " "
        signs = self._images.signs(above) if 0 <= above < view.count else ""
        frame = view.frame if edge != " " else ""
        if not signs:
            return self._piece(edge * width, frame)
        return Strip([Segment(edge, self._style(frame)), Segment(f" {signs} ", self._style("bright")),
                      Segment(edge * (width - len(signs) - 3), self._style(frame))], width)  # fmt: skip

    def _side(self, place: int) -> str:
        """The colour of the bars beside an image, "" where it has none."""
        if place == self._view.cursor:
            return self._view.frame
        return "bright" if self._images.is_marked(place) else ""

    def _pixels(self, place: int) -> Lines:
        if place not in self._thumbs:
            found = self._images.pixels(place)
            self._thumbs[place] = self._stand_in(found) if isinstance(found, str) else found
        return self._thumbs[place]

    def _stand_in(self, sign: str) -> Lines:
        layout = self._view.layout
        lines = [self._blank(layout.width)] * layout.height
        lines[layout.height // 2] = self._piece(sign.rjust(layout.width // 2).ljust(layout.width), "dim")
        return lines

    def _scrollbar(self, y: int) -> Strip:
        view, layout = self._view, self._view.layout
        rows = -(-view.count // layout.columns)
        if rows <= layout.rows:
            return self._blank(1)
        length = max(1, round(layout.pane_height * layout.rows / rows))
        begin = round((layout.pane_height - length) * view.top / (rows - layout.rows))
        return self._piece("▐" if begin <= y < begin + length else " ", "line")

    def _blank(self, width: int) -> Strip:
        return self._piece(" " * width, "")

    def _piece(self, text: str, colour: str) -> Strip:
        """A strip of a text whose characters take a cell each; nothing but ground where it has no colour."""
        key = text if colour else " " * len(text), colour
        if key not in self._pieces:
            self._pieces[key] = Strip([Segment(key[0], self._style(colour))], len(text))
        return self._pieces[key]

    def _style(self, colour: str) -> Style:
        ground = self._paint.ground
        return ground + Style(color=self._paint.colours[colour]) if colour else ground
