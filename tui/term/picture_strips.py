"""A finished picture as strips, of which the screen's copy tells the cells apart."""

from __future__ import annotations

from PIL import Image
from rich.segment import Segment
from rich_pixels import Pixels
from textual.strip import Strip

from tui.term.cells import CellLine, cell_lines
from tui.term.frames import live_strip
from tui.term.palette import Depth
from tui.term.pixels import HalfCellRenderer, resize


def picture_strips(image: Image.Image, columns: int, rows: int, depth: Depth, grain: int = 1) -> list[Strip]:
    """`image` resized to exactly `columns` x `rows` cells, as `rows` strips; its pixels are `grain` columns wide and as
    high, and of fewer colours where that is more than one."""
    renderer = HalfCellRenderer(depth=depth, bits=6 if grain == 1 else 4)
    rendered = Pixels.from_image(resize(image, columns, rows, grain), renderer=renderer)
    lines = Segment.split_lines(rendered._segments.segments if rendered._segments else [])

    def strip(segments: list[Segment], cells: CellLine) -> Strip:
        return live_strip(cells.whole, columns, lambda: segments, (cells,))

    return [strip(*both) for both in zip(lines, cell_lines(renderer.codes, depth), strict=True)]
