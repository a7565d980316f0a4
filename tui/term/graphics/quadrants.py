"""Quadrants: four pixels a cell in two colours, with the one of sixteen blocks that loses least."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from rich.segment import Segment
from rich.style import Style

from tui.term.frames import blank_ansi, live_strip
from tui.term.palette import LIVE_BITS, Depth, quantise, rich_colors, sgr_codes

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from textual.strip import Strip

    from tui.term.palette import Bytes, Codes

# By the quarters in the foreground, as bits: upper left 1, upper right 2, lower left 4, lower right 8.
BLOCKS: Final = " ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█"
_HALVES: Final = range(8)
"""The blocks of which the lower right quarter is background; the others are these with the colours exchanged."""


def quadrant_cells(
    pixels: Bytes, depth: Depth, bits: int = LIVE_BITS
) -> tuple[npt.NDArray[np.uint8], Codes, Codes]:
    """Blocks, foreground and background codes (rows, columns) of `pixels` (2 * rows, 2 * columns, 3) uint8.

    Of the eight ways to part four pixels in two the one is taken in which both parts differ least from their means.
    """
    import numpy as np

    rows, columns = pixels.shape[0] // 2, pixels.shape[1] // 2
    quarters = (
        pixels.reshape(rows, 2, columns, 2, 3).transpose(0, 2, 1, 3, 4).reshape(-1, 4, 3).astype(np.float32)
    )
    masks = np.array([[block >> place & 1 for place in range(4)] for block in _HALVES], np.float32)
    counts = masks.sum(1)
    inside = np.einsum("mp,npc->nmc", masks, quarters)
    outside = quarters.sum(1)[:, None] - inside
    # the spread within both parts is the whole spread less this, which is the same for every way but for this
    kept = (inside**2).sum(-1) / np.maximum(counts, 1) + (outside**2).sum(-1) / (4 - counts)
    block = kept.argmax(1)
    cells = np.arange(block.size)
    foreground = inside[cells, block] / np.maximum(counts, 1)[block, None]
    background = outside[cells, block] / (4 - counts)[block, None]
    colours = np.stack([foreground, background]).round().astype(np.uint8).reshape(2, rows, columns, 3)
    ink, paper = quantise(colours[0], depth, bits), quantise(colours[1], depth, bits)
    blocks = np.where(ink == paper, 0, block.reshape(rows, columns)).astype(np.uint8)
    return blocks, ink, paper


def quadrant_strips(pixels: Bytes, depth: Depth, bits: int, left: Segment, right: Segment) -> list[Strip]:
    """Strips of a picture (2 * rows, 2 * columns, 3), each with `left` and `right` (spaces) around it."""
    blocks, ink, paper = quadrant_cells(pixels, depth, bits)
    width = len(left.text) + blocks.shape[1] + len(right.text)
    before, after = blank_ansi(left, depth), blank_ansi(right, depth)

    def segments_for(row: int) -> Callable[[], list[Segment]]:
        def make() -> list[Segment]:
            cells = zip(
                blocks[row].tolist(),
                rich_colors(ink[row], depth),
                rich_colors(paper[row], depth),
                strict=True,
            )
            middle = [Segment(BLOCKS[block], Style.from_color(fore, back)) for block, fore, back in cells]
            return [segment for segment in (left, *middle, right) if segment.text]

        return make

    lines = quadrant_lines(blocks, ink, paper, depth)
    return [live_strip(f"{before}{line}{after}", width, segments_for(row)) for row, line in enumerate(lines)]


def quadrant_lines(blocks: npt.NDArray[np.uint8], ink: Codes, paper: Codes, depth: Depth) -> list[str]:
    """A finished line for every row: only colour changes are written, and a line ends reset."""
    foreground, background = sgr_codes(depth)
    lines: list[str] = []
    for row in zip(blocks.tolist(), ink.tolist(), paper.tolist(), strict=True):
        parts: list[str] = []
        fg = bg = -1
        for block, fore, back in zip(*row, strict=True):
            changes = []
            if block and fore != fg:
                changes.append(foreground[fore])
                fg = fore
            if back != bg:
                changes.append(background[back])
                bg = back
            parts.append(f"\x1b[{';'.join(changes)}m{BLOCKS[block]}" if changes else BLOCKS[block])
        lines.append("".join([*parts, "\x1b[0m"]))
    return lines
