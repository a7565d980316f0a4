"""A picture for a pane of cells, drawn in any of the ways that a terminal may have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from PIL import Image
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.term.frames import frame_codes, frame_strips
from tui.term.graphics.ways import IN_CELLS, Way
from tui.term.pacing import QUALITIES, Quality
from tui.term.palette import Depth
from tui.term.pixels import fit, flatten

if TYPE_CHECKING:
    from tui.term.graphics.kitty import Numbers
    from tui.term.palette import Bytes

FINE: Final = Quality(6, 1)
"""What a finished picture looks like."""


@dataclass(frozen=True, slots=True)
class Pane:
    """Where a picture goes: `columns` x `rows` cells of a background `style`, in the colours of `depth`."""

    columns: int
    rows: int
    style: Style
    depth: Depth
    plain: bool = False
    """Draw as plain segments, as on a Textual whose Strip we do not know."""
    grey: bool = False


@dataclass(frozen=True, slots=True)
class Means:
    """How a picture goes there. `cell` is the size of a cell in pixels, `numbers` are those of Kitty images."""

    way: Way
    numbers: Numbers
    tmux: bool = False
    cell: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Drawing:
    """What is written and drawn for a picture.

    `pieces` are written first, then `strips` are drawn, as wide as the pane and as many as the picture has rows, and
    `overlay` is written over them, with the cursor on the picture's first cell. `substitute` makes the strips that
    stand under a dialog, where they are tinted or cover the picture. `number` is that of the image in the terminal.
    """

    strips: Sequence[Strip]
    substitute: Callable[[], list[Strip]] | None = None
    pieces: Sequence[str] = ()
    overlay: str = ""
    number: int | None = None
    offset: tuple[int, int] = (0, 0)
    """Cells from the pane's corner to the picture's."""
    blank: bool = False
    """Whether `strips` show nothing, the picture being all in `overlay`."""

    def replaces(self, before: Drawing) -> bool:
        """Whether the cells are drawn as they were, and the overlay hides the one of `before`."""
        same = (len(self.strips), self.offset) == (len(before.strips), before.offset)
        return self.blank and before.blank and same


def draw(
    image: Image.Image, pane: Pane, means: Means, quality: Quality = FINE, *, live: bool = False
) -> Drawing:
    """`image` as large as the pane allows, its aspect kept, centred from left to right. A `live` frame is worth a few
    milliseconds; Sixel is none for those, and gives way to cells on a line that is too slow for it."""
    columns, rows = fit(*image.size, pane.columns, pane.rows)
    image = flatten(image)
    if pane.grey:
        image = image.convert("L").convert("RGB")
    draws = _WAYS[means.way]
    if means.way not in IN_CELLS and _unfit(means, columns, rows, quality, live=live):
        draws = _half_blocks
    return draws(image, columns, rows, pane, means, quality, live)


def _unfit(means: Means, columns: int, rows: int, quality: Quality, *, live: bool) -> bool:
    from tui.term.graphics.kitty import DIACRITICS

    return (means.way == "kitty" and max(columns, rows) > len(DIACRITICS)) or (
        means.way == "sixel" and (live or means.cell is None or quality.bits < QUALITIES[0].bits)
    )


def _margins(columns: int, pane: Pane) -> tuple[Segment, Segment]:
    left = (pane.columns - columns) // 2
    return Segment(" " * left, pane.style), Segment(" " * (pane.columns - columns - left), pane.style)


def _offset(columns: int, rows: int, pane: Pane) -> tuple[int, int]:
    return (pane.columns - columns) // 2, (pane.rows - rows) // 2


def _pixels(image: Image.Image, size: tuple[int, int], quality: Quality) -> Bytes:
    """`image` in `size` pixels; at a lower quality, neighbours in a row share a colour."""
    import numpy as np

    coarse = (max(1, size[0] // quality.columns_a_pixel), size[1])
    if image.size != coarse:
        shrinks = coarse[0] < image.width
        # reducing_gap lets Pillow average whole blocks first, which is what makes 1024 -> 80 pixels cheap
        how = Image.Resampling.LANCZOS if shrinks else Image.Resampling.BICUBIC
        image = image.resize(coarse, how, reducing_gap=3.0 if shrinks else None)
    return np.asarray(image if coarse == size else image.resize(size, Image.Resampling.NEAREST))


def _cells(image: Image.Image, columns: int, rows: int, pane: Pane, quality: Quality) -> list[Strip]:
    codes = frame_codes(_pixels(image, (columns, 2 * rows), quality), pane.depth, quality.bits)
    return frame_strips(codes, pane.depth, *_margins(columns, pane), plain=pane.plain)


def _half_blocks(
    image: Image.Image, columns: int, rows: int, pane: Pane, means: Means, quality: Quality, live: bool
) -> Drawing:
    return Drawing(_cells(image, columns, rows, pane, quality), offset=_offset(columns, rows, pane))


def _quadrants(
    image: Image.Image, columns: int, rows: int, pane: Pane, means: Means, quality: Quality, live: bool
) -> Drawing:
    from tui.term.graphics.quadrants import quadrant_strips

    pixels = _pixels(image, (2 * columns, 2 * rows), quality)
    strips = quadrant_strips(pixels, pane.depth, quality.bits, *_margins(columns, pane))
    return Drawing(strips, offset=_offset(columns, rows, pane))


def _substitute(
    image: Image.Image, columns: int, rows: int, pane: Pane, quality: Quality
) -> Callable[[], list[Strip]]:
    @cache
    def make() -> list[Strip]:
        return _cells(image, columns, rows, pane, quality)

    return make


def _kitty(
    image: Image.Image, columns: int, rows: int, pane: Pane, means: Means, quality: Quality, live: bool
) -> Drawing:
    from tui.term.graphics.kitty import placeholder_strips, transmission
    from tui.term.graphics.payload import png, scaled

    sent = scaled(image, columns, rows, means.cell)
    if live and quality.columns_a_pixel > 1:
        sent = sent.reduce(quality.columns_a_pixel)
    number = means.numbers.take(pane.depth)
    return Drawing(
        placeholder_strips(number, columns, rows, pane.depth, *_margins(columns, pane)),
        _substitute(image, columns, rows, pane, quality),
        transmission(number, png(sent, quick=live), columns, rows, tmux=means.tmux),
        number=number,
        offset=_offset(columns, rows, pane),
    )


def _iterm(
    image: Image.Image, columns: int, rows: int, pane: Pane, means: Means, quality: Quality, live: bool
) -> Drawing:
    from tui.term.graphics.iterm import inline
    from tui.term.graphics.payload import compact, scaled

    sent = scaled(image, columns, rows, means.cell)
    if live and quality.columns_a_pixel > 1:
        sent = sent.reduce(quality.columns_a_pixel)
    quick = live or quality.bits < QUALITIES[0].bits
    return Drawing(
        [Strip.blank(pane.columns, pane.style)] * rows,
        _substitute(image, columns, rows, pane, quality),
        overlay=inline(compact(sent, quick=quick), columns, rows),
        blank=True,
        offset=_offset(columns, rows, pane),
    )


def _sixel(
    image: Image.Image, columns: int, rows: int, pane: Pane, means: Means, quality: Quality, live: bool
) -> Drawing:
    from tui.term.graphics.payload import scaled
    from tui.term.graphics.sixel import BAND, sixels

    sent = scaled(image, columns, rows, means.cell, exact=True)
    # a band that is not full would reach into the line below
    sent = sent.crop((0, 0, sent.width, max(BAND, sent.height - sent.height % BAND)))
    strips = _cells(image, columns, rows, pane, quality)
    return Drawing(strips, overlay=sixels(sent), offset=_offset(columns, rows, pane))


_WAYS: Final = {
    "kitty": _kitty,
    "iterm": _iterm,
    "sixel": _sixel,
    "quadrants": _quadrants,
    "halfblocks": _half_blocks,
}
