"""The live frame: pixels to finished terminal lines, and a Strip that carries one.

A frame of 80x40 cells as Segments with Styles costs tens of milliseconds and every keystroke behind it feels
that, so a live line is a string from the start. `LiveStrip` hands it to Textual as a strip whose render cache
is already filled; segments are made only if something is laid over it. This leans on private attributes of
`textual.strip.Strip`; where they are missing, `live_strip` returns a plain Strip of segments instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from rich.segment import Segment
from textual.strip import Strip

from tui.term.cells import CellLine, cell_lines
from tui.term.palette import LIVE_BITS, Depth, depth_of, quantise

if TYPE_CHECKING:
    from rich.console import Console
    from textual.app import App

    from tui.term.palette import Bytes, Codes

_NEEDED: Final = frozenset({"_segments", "_cell_length", "_cell_count", "_render_cache"})
STRIP_IS_KNOWN: Final = _NEEDED.issubset(getattr(Strip, "__slots__", ()))
"""Whether this Textual's Strip has the attributes that a `LiveStrip` fills."""


def depth_for(app: App[object]) -> Depth:
    """The depth to draw in: what the app's console has; truecolor if headless, where the output is an SVG."""
    return "truecolor" if app.is_headless else depth_of(app.console.color_system)


def frame_codes(pixels: Bytes, depth: Depth, bits: int = LIVE_BITS) -> Codes:
    """Colour codes (2 * rows, columns) of `pixels` (2 * rows, columns, 3) uint8."""
    return quantise(pixels, depth, bits)


def ansi_lines(codes: Codes, depth: Depth) -> list[str]:
    """A finished line for every two rows of codes: only colour changes are written, and a line ends reset."""
    return [line.whole() for line in cell_lines(codes, depth)]


class LiveStrip(Strip):
    """A strip that is a finished string; `make_segments` is called only when something cuts or styles it.

    A string that is given as a function is made when it is asked for. `parts` are what the strip is made of, from left
    to right, where that is known: the screen's copy tells these apart.
    """

    __slots__ = ("_made", "_make_ansi", "_make_segments", "parts")

    def __init__(
        self,
        ansi: str | Callable[[], str],
        cell_length: int,
        make_segments: Callable[[], list[Segment]],
        parts: Sequence[Strip | CellLine] = (),
    ) -> None:
        self._made: list[Segment] | None = None
        self._make_segments = make_segments
        self.parts = parts
        super().__init__((), cell_length)
        self._make_ansi = (lambda: ansi) if isinstance(ansi, str) else ansi
        self._cell_count = cell_length

    def render(self, console: Console) -> str:
        """The finished string, whatever the console."""
        if self._render_cache is None:
            self._render_cache = self._make_ansi()
        return self._render_cache

    if not TYPE_CHECKING:

        @property
        def _segments(self) -> list[Segment]:
            if self._made is None:
                self._made = self._make_segments()
            return self._made

        @_segments.setter
        def _segments(self, segments: list[Segment]) -> None:
            # Strip.__init__ sets the empty list that we gave it: the segments are still to be made
            self._made = segments or None

    def __bool__(self) -> bool:
        return True


def live_strip(
    ansi: str | Callable[[], str],
    cell_length: int,
    make_segments: Callable[[], list[Segment]],
    parts: Sequence[Strip | CellLine] = (),
    *,
    plain: bool = False,
) -> Strip:
    """A `LiveStrip`; a plain Strip of segments if `plain` or where Textual's Strip is not the one we know."""
    if plain or not STRIP_IS_KNOWN:
        return Strip(make_segments(), cell_length)
    return LiveStrip(ansi, cell_length, make_segments, parts)


def frame_strips(
    codes: Codes, depth: Depth, left: Segment, right: Segment, plain: bool = False
) -> list[Strip]:
    """Strips of a frame, each with `left` and `right` (spaces with a background; may be empty) around it."""
    from tui.term.pixels import segments_of

    width = len(left.text) + codes.shape[1] + len(right.text)
    before, after = (blank_ansi(segment, depth) for segment in (left, right))
    margins = [
        live_strip(blank, len(segment.text), lambda segment=segment: [segment], plain=plain)  # type: ignore[misc]
        for blank, segment in ((before, left), (after, right))
    ]

    def strip(row: int, line: CellLine) -> Strip:
        def make() -> list[Segment]:
            middle = segments_of(codes[2 * row : 2 * row + 2], depth)[:-1]
            return [segment for segment in (left, *middle, right) if segment.text]

        def ansi() -> str:
            return f"{before}{line.whole()}{after}"

        return live_strip(ansi, width, make, (margins[0], line, margins[1]), plain=plain)

    return [strip(row, line) for row, line in enumerate(cell_lines(codes, depth))]


def joined(strips: Sequence[Strip], console: Console) -> Strip:
    """Strips side by side as one; where some are finished strings the whole is, so that nothing is taken apart."""
    if not any(isinstance(strip, LiveStrip) for strip in strips):
        return Strip.join(strips)
    width = sum(strip.cell_length for strip in strips)

    def ansi() -> str:
        return "".join(strip.render(console) for strip in strips)

    return LiveStrip(ansi, width, lambda: [segment for strip in strips for segment in strip], strips)


def blank_ansi(segment: Segment, depth: Depth) -> str:
    """Spaces with a background, as a finished string."""
    from rich.color import ColorSystem

    systems: dict[str, Any] = {
        "truecolor": ColorSystem.TRUECOLOR,
        "256": ColorSystem.EIGHT_BIT,
        "standard": ColorSystem.STANDARD,
    }
    if not segment.text or segment.style is None:
        return segment.text
    return Strip.render_style(segment.style, segment.text, color_system=systems[depth])
