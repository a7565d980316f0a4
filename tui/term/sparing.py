"""Only what changed goes over the line: what a frame would write once more, in the same place, is left out.

Textual redraws a widget whole. To move the cursor in a prompt of fifteen lines is then 3.7 KB; what has changed is some
hundred bytes. So a copy of the screen is kept, as the pieces of text that were written and where, and of an update only
those pieces are written that differ from it. This leans on `textual._compositor`'s updates, whose contents are not
public: an update of another kind is written as it is, and the copy forgotten.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeVar

from rich.color import ColorSystem
from rich.segment import Segment
from textual._cells import cell_len
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.strip import Strip

from tui.term.cells import RESET, CellLine
from tui.term.frames import LiveStrip

if TYPE_CHECKING:
    from rich.console import Console
    from textual.geometry import Region

_COLOURS: Final = re.compile(r"\x1b\[(38;(?:5;\d+|2;\d+;\d+;\d+));(48;(?:5;\d+|2;\d+;\d+;\d+))m")

_Part = str | CellLine | Segment | tuple[Segment, ...]
"""Something that is written in one go: a finished string, cells, or text in a style."""

_Piece = tuple[int, _Part]
"""Where it ends (the column behind it), and what it is."""

_T = TypeVar("_T")


class _Line:
    """What is shown in a line, by its first column: the strips as they came, and the pieces they are made of. Each with
    where it ends; none lies over another."""

    def __init__(self) -> None:
        self.strips: dict[int, tuple[int, Strip]] = {}
        self.pieces: dict[int, _Piece] = {}


class ScreenCopy:
    """What the terminal shows, as far as it is known."""

    def __init__(self, spend: Callable[[int], object] = lambda count: None) -> None:
        self._lines: dict[int, _Line] = {}
        self.spend = spend
        """Hears how many bytes each update takes."""

    def forget(self) -> None:
        """Something else wrote to the terminal: all that comes is written whole once more."""
        self._lines.clear()

    def forget_region(self, region: Region) -> None:
        """Something else wrote there, as a picture that lies over the cells."""
        for y in range(region.y, region.bottom):
            self._lines.pop(y, None)

    def sparing(self, update: Any) -> Any:
        """`update` as one that writes only what differs; another kind of thing as it is."""
        if isinstance(update, ChopsUpdate):
            return _Difference(update, self)
        if isinstance(update, LayoutUpdate):
            return _Whole(update, self)
        self.forget()
        return update

    def note(self, y: int, x: int, strip: Strip, console: Console) -> Iterator[tuple[int, int, str]]:
        """Take a strip at column `x` of line `y` into the copy; yields what is new: its first column, the one behind
        it, and what is to be written."""
        if (line := self._lines.get(y)) is None:
            line = self._lines[y] = _Line()
        known = line.strips.get(x)
        if known is not None and known[1] is strip:
            return
        _put(line.strips, x, (x + strip.cell_length, strip))
        for begin, end, part in _pieces(x, strip, console):
            piece, shown = (end, part), line.pieces.get(begin)
            if shown == piece:
                continue
            first, last = begin, end
            if not isinstance(part, CellLine):
                text = _written(part, console)
            elif shown is not None and shown[0] == end and isinstance(shown[1], CellLine):
                first_new, behind, text = part.over(shown[1])
                first, last = begin + first_new, begin + behind
            else:
                text = part.whole()
            _put(line.pieces, begin, piece)
            if text:
                yield first, last, text

    def take(self, y: int, x: int, strip: Strip, console: Console) -> None:
        """Take a strip into the copy that is written whole."""
        for _ in self.note(y, x, strip, console):
            pass


def _put(shown: dict[int, tuple[int, _T]], begin: int, new: tuple[int, _T]) -> None:
    """Have something shown from a column on, in place of all that it covers."""
    before = shown.get(begin)
    if before is None or before[0] != new[0]:
        for at in [at for at, (until, _) in shown.items() if at < new[0] and until > begin]:
            del shown[at]
    shown[begin] = new


def _pieces(x: int, strip: Strip, console: Console) -> Iterator[tuple[int, int, _Part]]:
    """The pieces of a strip: first column, column behind it, and what it is.

    A finished string is one piece, or as many as it was made of; of half blocks it is seen cell by cell what is new.
    All characters are one piece, too, of a strip with some that terminals do not agree about the width of: where one is
    wider than thought, only a line that is written in one go stays together.
    """
    if isinstance(strip, LiveStrip):
        for part in strip.parts or (strip,):
            end = x + part.cell_length
            if isinstance(part, CellLine):
                yield x, end, part
            elif part is strip:
                yield x, end, strip.render(console)
            elif part.cell_length:
                yield from _pieces(x, part, console)
            x = end
        return
    segments = list(strip)
    for text, _, control in segments:
        if control or (not text.isascii() and _is_doubtful(text)):
            yield x, x + strip.cell_length, tuple(segments)
            return
    for segment in segments:
        if segment.text:
            end = x + len(segment.text)
            yield x, end, segment
            x = end


def _written(part: str | Segment | tuple[Segment, ...], console: Console) -> str:
    if isinstance(part, str):
        return part
    system = console._color_system or ColorSystem.TRUECOLOR
    return "".join(
        text if style is None else Strip.render_style(style, text, color_system=system)
        for text, style, _ in ([part] if isinstance(part, Segment) else part)
    )


def _colours_of(text: str) -> tuple[str, str]:
    """What sets the foreground and the background of a text that has these throughout and nothing else; empty if it is
    another."""
    if text.count("\x1b") == 2 and text.endswith(RESET) and (found := _COLOURS.match(text)):
        return found[1], found[2]
    return "", ""


@lru_cache(maxsize=4096)
def _is_doubtful(text: str) -> bool:
    return any(cell_len(character) != 1 for character in text)


class _Difference(CompositorUpdate):
    """An update of parts of the screen, less what is there already."""

    def __init__(self, update: ChopsUpdate, copy: ScreenCopy) -> None:
        self._update = update
        self._copy = copy

    def render_segments(self, console: Console) -> str:
        """What is to be written."""
        written: list[str] = []
        at, colours = (-1, -1), ("", "")
        for y, x, strip in self._strips():
            for begin, end, text in self._copy.note(y, x, strip, console):
                before, colours = colours, _colours_of(text)
                if all(before) and all(colours):
                    # what is set already is neither ended nor set again
                    written[-1] = written[-1][: -len(RESET)]
                    changes = ";".join(new for new, old in zip(colours, before, strict=True) if new != old)
                    text = (f"\x1b[{changes}m" if changes else "") + text[text.index("m") + 1 :]
                if at != (y, begin):
                    written.append(f"\x1b[{y + 1};{begin + 1}H")
                written.append(text)
                at = (y, end)
        text = "".join(written)
        self._copy.spend(len(text.encode()))
        return text

    def _strips(self) -> Iterator[tuple[int, int, Strip]]:
        """Line, column and content of every part of the update."""
        update = self._update
        for y, x1, x2 in update.spans:
            for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
                if strip is None or x > x2 or end <= x1:
                    continue
                whole = x2 > x >= x1 and end <= x2
                yield y, x, strip if whole else strip.crop(0, min(end, x2) - x)


class _Whole(CompositorUpdate):
    """An update that is written whole: the screen was resized, or another one is shown."""

    def __init__(self, update: LayoutUpdate, copy: ScreenCopy) -> None:
        self._update = update
        self._copy = copy

    def render_segments(self, console: Console) -> str:
        """What is to be written."""
        update = self._update
        update.strips = [list(line) for line in update.strips]
        for y, line in enumerate(update.strips, update.region.y):
            x = update.region.x
            for strip in line:
                self._copy.take(y, x, strip, console)
                x += strip.cell_length
        text = update.render_segments(console)
        self._copy.spend(len(text.encode()))
        return text
