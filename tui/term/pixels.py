"""Finished pictures as half blocks, two pixels a cell, through rich_pixels and a renderer of our own."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Final

from PIL import Image
from rich.segment import Segment
from rich.style import Style
from rich_pixels._renderer import Renderer

from tui.term.palette import Depth, quantise, rich_colors

if TYPE_CHECKING:
    from tui.term.palette import Codes

_NEWLINE: Final = Segment("\n")


class HalfCellRenderer(Renderer):
    """Half blocks like rich_pixels' own renderer, several times as fast.

     Colours are quantised and paired for the whole picture at once; neighbours of one style share a segment.
    `bits` (1..8) a channel are kept in truecolor.
    """

    def __init__(self, *, depth: Depth = "truecolor", bits: int = 6) -> None:
        super().__init__()
        self.depth: Depth = depth
        self.bits = bits
        self.codes: Codes
        """Those of the picture that was rendered last."""

    def render(self, image: Image.Image, resize: tuple[int, int] | None = None) -> list[Segment]:
        """Segments of `image`, each line ended by a newline. `resize` is (width, height) in pixels."""
        import numpy as np

        flat = flatten(image)
        if resize and resize != flat.size:
            flat = flat.resize(resize, resample=Image.Resampling.LANCZOS)
        pixels = np.asarray(flat)
        if pixels.shape[0] % 2:
            pixels = np.concatenate([pixels, pixels[-1:]])
        self.codes = quantise(pixels, self.depth, self.bits)
        return segments_of(self.codes, self.depth)


@contextmanager
def _collected_later() -> Iterator[None]:
    """Hold the garbage collector off: to go through thousands of new objects takes as long as to make them."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@_collected_later()
def segments_of(codes: Codes, depth: Depth) -> list[Segment]:
    """Segments for colour codes (2 * rows, columns), each line ended by a newline.

    Each colour and each style is made once, in one go: made cell by cell they would take most of the time.
    """
    import numpy as np

    values, index = np.unique(codes, return_inverse=True)
    colors = rich_colors(values, depth)
    index = index.reshape(codes.shape).astype(np.int64)
    pairs, kinds = np.unique(index[::2] * len(values) + index[1::2], return_inverse=True)
    kinds = kinds.reshape(-1, codes.shape[1])
    halves = list(zip((pairs // len(values)).tolist(), (pairs % len(values)).tolist(), strict=True))
    styles = [Style.from_color(colors[lower], colors[upper]) for upper, lower in halves]
    blocks = [" " if upper == lower else "▄" for upper, lower in halves]

    starts = np.ones(kinds.shape, bool)
    starts[:, 1:] = kinds[:, 1:] != kinds[:, :-1]
    places = np.flatnonzero(starts)
    lengths = np.diff(places, append=kinds.size)
    runs = zip(kinds.ravel()[places].tolist(), lengths.tolist(), strict=True)
    # tuple.__new__: half the time of Segment's own, of which a photograph needs thousands
    new = tuple.__new__
    segments: list[Segment] = []
    for count in starts.sum(1).tolist():
        segments += [
            new(Segment, (blocks[kind] * length, styles[kind], None)) for kind, length in islice(runs, count)
        ]
        segments.append(_NEWLINE)
    return segments


def flatten(image: Image.Image) -> Image.Image:
    """`image` as RGB; what is transparent becomes black."""
    if image.mode == "RGB":
        return image
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, (0, 0, 0, 255)), rgba).convert("RGB")
    return image.convert("RGB")


def fit(image_w: int, image_h: int, cells_w: int, cells_h: int) -> tuple[int, int]:
    """The largest (columns, rows) of half-block cells that keep the image's aspect in the box; at least 1."""
    scale = min(cells_w / image_w, 2 * cells_h / image_h)
    columns = min(cells_w, round(image_w * scale))
    rows = min(cells_h, round(image_h * scale / 2))
    return max(1, columns), max(1, rows)


def resize(image: Image.Image, columns: int, rows: int, grain: int = 1) -> Image.Image:
    """`image` as RGB, one pixel a column and two a row: Lanczos when it shrinks, bicubic when it grows. With a `grain`
    so many columns share a pixel, and so many half rows."""
    size = (columns, 2 * rows)
    if grain > 1:
        few = flatten(image).resize(
            (max(1, columns // grain), max(1, 2 * rows // grain)), Image.Resampling.BOX
        )
        return few.resize(size, Image.Resampling.NEAREST)
    if image.size == size:
        return flatten(image)
    shrinks = columns < image.width
    # reducing_gap lets Pillow average whole blocks first, which is what makes 1024 -> 80 pixels cheap
    return flatten(image).resize(
        size,
        Image.Resampling.LANCZOS if shrinks else Image.Resampling.BICUBIC,
        reducing_gap=3.0 if shrinks else None,
    )
