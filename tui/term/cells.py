"""A line of half blocks, and how few bytes show it: whole, or where another line of them stands already.

A cell is two pixels in two colours: either may be the foreground (▄, ▀), and where they are the same it may be all
foreground or all background. Whatever needs fewest colours that are not set already is written; what is shown already
is passed over with the cursor.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from itertools import repeat
from typing import TYPE_CHECKING, Final

from tui.term.palette import SgrCodes, sgr_codes

if TYPE_CHECKING:
    from tui.term.palette import Codes, Depth

RESET: Final = "\x1b[0m"
_UNSET: Final = -1


class CellLine:
    """Colour codes of the upper and the lower pixels of a line of cells, in the colours of `depth`. `cells` are both in
    one number: to see what is new is most of the work."""

    __slots__ = ("cells", "depth", "lower", "upper")

    def __init__(self, upper: list[int], lower: list[int], cells: list[int], depth: Depth) -> None:
        self.upper = upper
        self.lower = lower
        self.cells = cells
        self.depth = depth

    @property
    def cell_length(self) -> int:
        """How many cells it has."""
        return len(self.cells)

    def whole(self) -> str:
        """All of it, as a finished string that ends reset."""
        return _written(zip(self.upper, self.lower, self.cells, repeat(_UNSET), strict=False), self.depth)[1]

    def over(self, shown: CellLine) -> tuple[int, int, str]:
        """What is new where `shown` stands: the first new cell, the one behind the last, and what is to be written from
        the first on. Where nothing is new the string is empty."""
        if shown.depth != self.depth or shown.cell_length != self.cell_length:
            return 0, self.cell_length, self.whole()
        if shown.cells == self.cells:
            return 0, 0, ""
        first, text, left = _written(
            zip(self.upper, self.lower, self.cells, shown.cells, strict=True), self.depth
        )
        return first, self.cell_length - left, text


def cell_lines(codes: Codes, depth: Depth) -> list[CellLine]:
    """A line for every two rows of colour codes (2 * rows, columns)."""
    import numpy as np

    upper, lower = codes[::2], codes[1::2]
    cells = upper.astype(np.int64) << 24 | lower
    rows = zip(upper.tolist(), lower.tolist(), cells.tolist(), strict=True)
    return [CellLine(*row, depth) for row in rows]


class _Texts(dict[int, str]):
    """Escape sequences by colour code, made when first asked for."""

    def __init__(self, codes: SgrCodes, before: str, after: str) -> None:
        super().__init__()
        self._codes = codes
        self._before = before
        self._after = after

    def __missing__(self, code: int) -> str:
        text = self[code] = f"{self._before}{self._codes[code]}{self._after}"
        return text


@cache
def _texts(depth: Depth) -> tuple[_Texts, _Texts, _Texts, _Texts]:
    """What sets the foreground, what the background, and the two halves of a cell that sets both."""
    foreground, background = sgr_codes(depth)
    return (
        _Texts(foreground, "\x1b[", "m"),
        _Texts(background, "\x1b[", "m"),
        _Texts(foreground, "\x1b[", ";"),
        _Texts(background, "", "m▄"),
    )


def _written(cells: Iterable[tuple[int, int, int, int]], depth: Depth) -> tuple[int, str, int]:
    """The first new cell of `cells` (upper, lower, both, and both as they are shown), what is to be written, and how
    many cells are left behind it."""
    front, back, front_and, and_back = _texts(depth)
    parts: list[str] = []
    append = parts.append
    fg = bg = _UNSET
    first = passed = 0
    for upper, lower, cell, shown in cells:
        if cell == shown:
            passed += 1
            continue
        if passed:
            if parts:
                append("\x1b[C" if passed == 1 else f"\x1b[{passed}C")
            else:
                first = passed
            passed = 0
        if upper == lower:
            if upper == bg:
                append(" ")
            elif upper == fg:
                append("█")
            else:
                append(back[upper])
                append(" ")
                bg = upper
        elif upper == bg:
            if lower != fg:
                append(front[lower])
                fg = lower
            append("▄")
        elif lower == fg:
            append(back[upper])
            append("▄")
            bg = upper
        elif upper == fg:
            if lower != bg:
                append(back[lower])
                bg = lower
            append("▀")
        elif lower == bg:
            append(front[upper])
            append("▀")
            fg = upper
        else:
            append(front_and[lower])
            append(and_back[upper])
            fg = lower
            bg = upper
    if parts:
        append(RESET)
    return first, "".join(parts), passed
