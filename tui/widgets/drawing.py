"""A picture for a pane of cells, drawn in any of the ways that a terminal may have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from PIL import Image
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.term.frames import frame_codes, frame_strips
from tui.term.graphics.ways import IN_CELLS, Way
from tui.term.pacing import Quality
from tui.term.palette import Depth
from tui.term.pixels import fit, flatten

if TYPE_CHECKING:
    import numpy.typing as npt

    from tui.term.graphics.kitty import Numbers
    from tui.term.palette import Bytes, Codes

FINE: Final = Quality(6)
"""What a finished picture looks like."""
MODEST: Final = Quality(5)
"""What it looks like in the end where bytes are dear."""


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
class Shown:
    """What half blocks show: pixels (2 * rows, columns, 3), and the colour codes of `depth` that stand for them."""

    pixels: Bytes
    codes: Codes
    depth: Depth


@dataclass(frozen=True, slots=True)
class Means:
    """How a picture goes there. `cell` is the size of a cell in pixels, `numbers` are those of Kitty images, and
    `before` is what stands there."""

    way: Way
    numbers: Numbers
    tmux: bool = False
    cell: tuple[int, int] | None = None
    before: Shown | None = None


@dataclass(frozen=True, slots=True)
class Drawing:
    """What is written and drawn for a picture.

    `pieces` are written first, then `strips` are drawn, as wide as the pane and as many as the picture has rows, and
    `overlay` is written over them, with the cursor on the picture's first cell. `substitute` makes the strips that
    stand under a dialog, where they are tinted or cover the picture. `number` is that of the image in the terminal.
    """

    strips: Sequence[Strip]
    substitute: Callable[[], Sequence[Strip]] | None = None
    pieces: Sequence[str] = ()
    overlay: str = ""
    number: int | None = None
    offset: tuple[int, int] = (0, 0)
    """Cells from the pane's corner to the picture's."""
    blank: bool = False
    """Whether `strips` show nothing, the picture being all in `overlay`."""
    shown: Shown | None = None
    """What the cells show, where that is half blocks."""

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
        means.way == "sixel" and (live or means.cell is None or quality.bits < FINE.bits)
    )


def _margins(columns: int, pane: Pane) -> tuple[Segment, Segment]:
    left = (pane.columns - columns) // 2
    return Segment(" " * left, pane.style), Segment(" " * (pane.columns - columns - left), pane.style)


def _offset(columns: int, rows: int, pane: Pane) -> tuple[int, int]:
    return (pane.columns - columns) // 2, (pane.rows - rows) // 2


def _pixels(image: Image.Image, size: tuple[int, int]) -> Bytes:
    """`image` in `size` pixels."""
    import numpy as np

    if image.size != size:
        shrinks = size[0] < image.width
        # reducing_gap lets Pillow average whole blocks first, which is what makes 1024 -> 80 pixels cheap
        how = Image.Resampling.LANCZOS if shrinks else Image.Resampling.BICUBIC
        image = image.resize(size, how, reducing_gap=3.0 if shrinks else None)
    return np.asarray(image)


def _coarse(image: Image.Image, size: tuple[int, int], grain: int) -> Bytes:
    """`image` in as many pixels as fit into `size` when each is `grain` high and wide."""
    return _pixels(image, (max(1, size[0] // grain), max(1, size[1] // grain)))


def _spread(pixels: npt.NDArray[Any], size: tuple[int, int]) -> npt.NDArray[Any]:
    """`pixels` repeated so that they fill `size`."""
    import numpy as np

    if pixels.shape[1::-1] == size:
        return pixels
    y, x = (
        np.arange(wanted) * have // wanted for wanted, have in zip(size[::-1], pixels.shape, strict=False)
    )
    return pixels[y[:, None], x]


def _shown(image: Image.Image, columns: int, rows: int, pane: Pane, means: Means, quality: Quality) -> Shown:
    """`image` in cells; those that stand there and are nearly what they should be stay as they are."""
    import numpy as np

    size, depth, before = (columns, 2 * rows), pane.depth, means.before
    coarse = _coarse(image, size, quality.grain)
    codes = _spread(frame_codes(coarse, depth, quality.bits), size)
    pixels = _spread(coarse, size)
    if before is None or not quality.tolerance or (before.codes.shape, before.depth) != (codes.shape, depth):
        return Shown(pixels, codes, depth)
    off = np.maximum(pixels, before.pixels) - np.minimum(pixels, before.pixels) >= quality.tolerance
    far = off[..., 0] | off[..., 1] | off[..., 2]
    # a cell is written whole, so both of its pixels must be near
    near = ~(far[::2] | far[1::2]).repeat(2, 0)
    return Shown(np.where(near[..., None], before.pixels, pixels), np.where(near, before.codes, codes), depth)


def _half_blocks(
    image: Image.Image, columns: int, rows: int, pane: Pane, means: Means, quality: Quality, live: bool
) -> Drawing:
    shown = _shown(image, columns, rows, pane, means, quality)
    strips = frame_strips(shown.codes, pane.depth, *_margins(columns, pane), plain=pane.plain)
    return Drawing(strips, offset=_offset(columns, rows, pane), shown=shown)


def _quadrants(
    image: Image.Image, columns: int, rows: int, pane: Pane, means: Means, quality: Quality, live: bool
) -> Drawing:
    from tui.term.graphics.quadrants import quadrant_strips

    size = (2 * columns, 2 * rows)
    pixels = _spread(_coarse(image, size, quality.grain), size)
    strips = quadrant_strips(pixels, pane.depth, quality.bits, *_margins(columns, pane))
    return Drawing(strips, offset=_offset(columns, rows, pane))


def _substitute(
    image: Image.Image, columns: int, rows: int, pane: Pane, means: Means, quality: Quality, live: bool
) -> Callable[[], Sequence[Strip]]:
    @cache
    def make() -> Sequence[Strip]:
        return _half_blocks(image, columns, rows, pane, means, quality, live).strips

    return make


def _sent(
    image: Image.Image, columns: int, rows: int, means: Means, quality: Quality, live: bool
) -> Image.Image:
    """`image` as it is sent to a terminal that scales it: with as many pixels as it is worth."""
    from tui.term.graphics.payload import scaled

    image = scaled(image, columns, rows, means.cell)
    if quality.bits >= FINE.bits or (live and quality.grain == 1):
        return image
    # what half blocks would show, and twice that for a finished image in the end
    finer = 2 if quality == MODEST else 1
    most = (finer * columns // quality.grain, 2 * finer * rows // quality.grain)
    image = image.copy()
    image.thumbnail((max(1, most[0]), max(1, most[1])), reducing_gap=3.0)
    return image


def _kitty(
    image: Image.Image, columns: int, rows: int, pane: Pane, means: Means, quality: Quality, live: bool
) -> Drawing:
    from tui.term.graphics.kitty import placeholder_strips, transmission
    from tui.term.graphics.payload import png

    sent = _sent(image, columns, rows, means, quality, live)
    number = means.numbers.take(pane.depth)
    return Drawing(
        placeholder_strips(number, columns, rows, pane.depth, *_margins(columns, pane)),
        _substitute(image, columns, rows, pane, means, quality, live),
        transmission(number, png(sent), columns, rows, tmux=means.tmux),
        number=number,
        offset=_offset(columns, rows, pane),
    )


def _iterm(
    image: Image.Image, columns: int, rows: int, pane: Pane, means: Means, quality: Quality, live: bool
) -> Drawing:
    from tui.term.graphics.iterm import inline
    from tui.term.graphics.payload import compact

    sent = _sent(image, columns, rows, means, quality, live)
    quick = live or quality.bits < FINE.bits
    return Drawing(
        [Strip.blank(pane.columns, pane.style)] * rows,
        _substitute(image, columns, rows, pane, means, quality, live),
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
    strips = _half_blocks(image, columns, rows, pane, means, quality, live).strips
    return Drawing(strips, overlay=sixels(sent), offset=_offset(columns, rows, pane))


_WAYS: Final = {
    "kitty": _kitty,
    "iterm": _iterm,
    "sixel": _sixel,
    "quadrants": _quadrants,
    "halfblocks": _half_blocks,
}
