"""Where thumbnails stand in a pane."""

from __future__ import annotations

from typing import Final

import msgspec
from textual.geometry import Region

SIZES: Final = (3, 5, 7, 10, 14, 20, 28)
"""The least height of a thumbnail in cells; the columns are stretched to fill the pane."""
USUAL_SIZE: Final = 2
SIDES: Final = 2
"""Columns beside a thumbnail, for the sides of its frame."""
SCROLLBAR: Final = 1


class ThumbLayout(msgspec.Struct, frozen=True):
    """Rows of `columns` boxes of `width` x `height` cells in a pane, the first `left` cells from its edge. Every box
    has a bar on both sides and a line above; the line under it is that above the next one. `rows` of them are wholly
    in view."""

    pane_width: int
    pane_height: int
    columns: int
    rows: int
    width: int
    height: int
    left: int

    @property
    def pitch(self) -> int:
        """Cells from one thumbnail to the next in its row."""
        return self.width + SIDES

    def region(self, row: int, column: int) -> Region | None:
        """Where a thumbnail and its frame are, `row` counted from the first in view; None where that is out of view."""
        region = Region(self.left + column * self.pitch, row * (self.height + 1), self.pitch, self.height + 2)
        return region.intersection(Region(0, 0, self.pane_width, self.pane_height)) or None

    def at(self, x: int, y: int) -> tuple[int, int] | None:
        """Row and column of the thumbnail at a cell; None beside them."""
        column = (x - self.left) // self.pitch
        return (y // (self.height + 1), column) if 0 <= column < self.columns else None


def lay_out(pane_width: int, pane_height: int, level: int) -> ThumbLayout:
    """The layout for a pane and one of the `SIZES`."""
    room = max(1, pane_width - SCROLLBAR)
    columns = max(1, room // (2 * SIZES[level] + SIDES))
    width = max(2, room // columns - SIDES)
    height = max(1, min(width // 2, pane_height - 2))
    return ThumbLayout(
        pane_width=pane_width,
        pane_height=pane_height,
        columns=columns,
        rows=max(1, (pane_height - 1) // (height + 1)),
        width=width,
        height=height,
        left=max(0, (room - columns * (width + SIDES)) // 2),
    )
