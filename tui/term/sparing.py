"""Only what changed goes over the line: what a frame would write once more, in the same place, is left out.

Textual redraws a widget whole. To move the cursor in a prompt of fifteen lines is then 3.7 KB; what has changed is some
hundred bytes. So a copy of the screen is kept, as the pieces of text that were written and where, and of an update only
those pieces are written that differ from it. This leans on `textual._compositor`'s updates, whose contents are not
public: an update of another kind is written as it is, and the copy forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rich.color import ColorSystem
from textual._cells import cell_len
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate

from tui.term.frames import LiveStrip

if TYPE_CHECKING:
    from rich.console import Console
    from textual.geometry import Region
    from textual.strip import Strip

_Piece = tuple[int, object]
"""Where a piece ends (the column behind it), and what it is: equal if its text and style are."""


class ScreenCopy:
    """What the terminal shows, as far as it is known."""

    def __init__(self) -> None:
        self._lines: dict[int, dict[int, _Piece]] = {}

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
        line = self._lines.setdefault(y, {})
        for begin, end, key, text in _pieces(x, strip, console):
            piece = (end, key)
            if line.get(begin) == piece:
                continue
            for at in [at for at, (until, _) in line.items() if at < end and until > begin]:
                del line[at]
            line[begin] = piece
            yield begin, end, text

    def take(self, y: int, x: int, strip: Strip, console: Console) -> None:
        """Take a strip into the copy that is written whole."""
        for _ in self.note(y, x, strip, console):
            pass


def _pieces(x: int, strip: Strip, console: Console) -> Iterator[tuple[int, int, object, str]]:
    """The pieces of a strip: first column, column behind it, what it is, and how it is written.

    A finished string is one piece. So is a strip with characters that terminals do not agree about the width of: where
    one of them is wider than thought, only a line that is written in one go stays together.
    """
    if isinstance(strip, LiveStrip):
        text = strip.render(console)
        yield x, x + strip.cell_length, text, text
        return
    segments = list(strip)
    if any(
        segment.control or (not segment.text.isascii() and _is_doubtful(segment.text)) for segment in segments
    ):
        yield x, x + strip.cell_length, tuple(segments), strip.render(console)
        return
    system = console._color_system or ColorSystem.TRUECOLOR
    for text, style, _ in segments:
        end = x + len(text)
        if text:
            written = text if style is None else strip.render_style(style, text, color_system=system)
            yield x, end, (text, style), written
        x = end


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
        at = (-1, -1)
        for y, x, strip in self._strips():
            for begin, end, text in self._copy.note(y, x, strip, console):
                if at != (y, begin):
                    written.append(f"\x1b[{y + 1};{begin + 1}H")
                written.append(text)
                at = (y, end)
        return "".join(written)

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
        return update.render_segments(console)
