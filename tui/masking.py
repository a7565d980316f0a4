"""A mask as it is painted: white is repainted, black stays. Pixels alone; no widgets here."""

from __future__ import annotations

from collections import deque
from typing import Final

import msgspec
from PIL import Image, ImageChops, ImageDraw

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels, the last two not included."""

Rgb = tuple[int, int, int]

TINT: Final[Rgb] = (0xD7, 0xAF, 0x5F)
"""The colour laid over what is masked: the accent of the theme."""

MOST_UNDONE: Final = 200
"""Strokes that can be taken back, ..."""
MOST_PIXELS: Final = 128_000_000
"""... as long as all that they changed is no more than this: 16 MB, as bits."""

MOST_SIDE: Final = 2048

BRUSHES: Final = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
"""Diameters of the brush in pixels."""


class _Stroke(msgspec.Struct, frozen=True):
    """What a stroke changed: the pixels of `box` before and after, as images of one bit a pixel."""

    box: Box
    before: Image.Image
    after: Image.Image


class _Flip(msgspec.Struct, frozen=True):
    """The whole was inverted."""


class Mask:
    """An image of 0 and 255, and the strokes that it was made by. Every method that changes it returns the box of the
    pixels that may have changed, None where there are none.

    Brush and rectangle paint into the stroke that goes on; `finish` ends it, as one thing to be undone. To invert
    moves no pixel: from then on white is stored as 0.
    """

    def __init__(self, size: tuple[int, int], start: Image.Image | None = None) -> None:
        """An empty mask of `size` (width, height), or `start` brought to that size and to black and white."""
        self._stored = Image.new("L", size, 0)
        if start is not None:
            grey = start.convert("L")
            grey = grey if grey.size == size else grey.resize(size, Image.Resampling.BILINEAR)
            self._stored = grey.point(_TO_BITS)
        self._flipped = False
        self._settled = self._stored.copy()
        self._dirty: Box | None = None
        self._done: deque[_Stroke | _Flip] = deque()
        self._undone: list[_Stroke | _Flip] = []
        self._changes = 0

    @property
    def image(self) -> Image.Image:
        """The mask as an "L" image: 255 where it is."""
        return ImageChops.invert(self._stored) if self._flipped else self._stored

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self._stored.size

    @property
    def changed(self) -> bool:
        """Whether anything is other than it was at first, as far as strokes tell."""
        return self._changes != 0

    @property
    def empty(self) -> bool:
        """Whether nothing is masked."""
        return self._stored.getextrema() == ((255, 255) if self._flipped else (0, 0))

    def shrunk(
        self, size: tuple[int, int], box: tuple[float, float, float, float] | None = None
    ) -> Image.Image:
        """The mask, or what of it is in `box`, as an "L" image of `size`, each pixel the mean of those that it is
        made of."""
        small = self._stored.resize(size, Image.Resampling.BOX, box=box)
        return ImageChops.invert(small) if self._flipped else small

    # Painting

    def line(
        self, start: tuple[float, float], end: tuple[float, float], diameter: float, on: bool
    ) -> Box | None:
        """Draw the round brush from one point to another (pixels; both may be the same, or lie outside)."""
        (x0, y0), (x1, y1) = start, end
        radius = max(diameter, 1.0) / 2
        draw, fill = ImageDraw.Draw(self._stored), self._value(on)
        if start != end:
            # the line's own ends are square; its caps make the brush round
            along = max(1.0, ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5)
            dx, dy = (y1 - y0) / along * radius, (x0 - x1) / along * radius
            draw.polygon(
                [(x0 + dx, y0 + dy), (x1 + dx, y1 + dy), (x1 - dx, y1 - dy), (x0 - dx, y0 - dy)], fill=fill
            )
        for x, y in {start, end}:
            left, top = x - radius, y - radius
            right, bottom = left + 2 * radius - 1, top + 2 * radius - 1
            if diameter <= 2:
                draw.rectangle((round(left), round(top), round(right), round(bottom)), fill=fill)
            else:
                draw.ellipse((left, top, right, bottom), fill=fill)
        return self._touch(
            (min(x0, x1) - radius, min(y0, y1) - radius, max(x0, x1) + radius, max(y0, y1) + radius)
        )

    def rectangle(self, box: Box, on: bool) -> Box | None:
        """Fill a box of pixels."""
        left, top, right, bottom = box
        if right > left and bottom > top:
            ImageDraw.Draw(self._stored).rectangle((left, top, right - 1, bottom - 1), fill=self._value(on))
        return self._touch(box)

    def invert(self) -> Box:
        """Mask what was not, and the other way round."""
        self.finish()
        self._flipped = not self._flipped
        self._note(_Flip())
        return (0, 0, *self.size)

    def clear(self) -> Box | None:
        """Mask nothing."""
        self.finish()
        if self.empty:
            return None
        box = (0, 0, *self.size) if self._flipped else self._stored.getbbox()
        if box is not None:
            self.rectangle(box, on=False)
            self.finish()
        return box

    def finish(self) -> None:
        """The stroke is done."""
        box, self._dirty = self._dirty, None
        if box is None:
            return
        before, after = self._settled.crop(box), self._stored.crop(box)
        if (differs := ImageChops.difference(before, after).getbbox()) is None:
            return
        left, top = box[:2]
        self._settled.paste(after, (left, top))
        box = (left + differs[0], top + differs[1], left + differs[2], top + differs[3])
        self._note(_Stroke(box, _bits(before.crop(differs)), _bits(after.crop(differs))))

    def undo(self) -> Box | None:
        """Take the last stroke back."""
        self.finish()
        if not self._done:
            return None
        stroke = self._done.pop()
        self._undone.append(stroke)
        self._changes -= 1
        return self._flip() if isinstance(stroke, _Flip) else self._put(stroke.box, stroke.before)

    def redo(self) -> Box | None:
        """Do again what was taken back last."""
        if self._dirty is not None or not self._undone:
            return None
        stroke = self._undone.pop()
        self._done.append(stroke)
        self._changes += 1
        return self._flip() if isinstance(stroke, _Flip) else self._put(stroke.box, stroke.after)

    def _value(self, on: bool) -> int:
        return 255 if on != self._flipped else 0

    def _note(self, stroke: _Stroke | _Flip) -> None:
        self._done.append(stroke)
        self._undone.clear()
        self._changes += 1
        while len(self._done) > MOST_UNDONE or (len(self._done) > 1 and _pixels(self._done) > MOST_PIXELS):
            self._done.popleft()

    def _flip(self) -> Box:
        self._flipped = not self._flipped
        return (0, 0, *self.size)

    def _put(self, box: Box, bits: Image.Image) -> Box:
        patch = bits.convert("L")
        self._stored.paste(patch, box[:2])
        self._settled.paste(patch, box[:2])
        return box

    def _touch(self, area: tuple[float, float, float, float]) -> Box | None:
        """Note that the stroke reaches over `area`; returns what of it is on the image."""
        width, height = self.size
        left, top = max(0, int(area[0]) - 1), max(0, int(area[1]) - 1)
        right, bottom = min(width, int(area[2]) + 2), min(height, int(area[3]) + 2)
        if left >= right or top >= bottom:
            return None
        box = (left, top, right, bottom)
        self._dirty = box if self._dirty is None else united(self._dirty, box)
        return box


def mask_size(size: tuple[int, int]) -> tuple[int, int]:
    """How large the mask of an image of `size` is: as large, or `MOST_SIDE` pixels at its longer side, for more would
    be lost in the latents and would make the brush slow."""
    shrink = min(1.0, MOST_SIDE / max(size))
    return max(1, round(size[0] * shrink)), max(1, round(size[1] * shrink))


def united(first: Box, second: Box) -> Box:
    """The smallest box around both."""
    return (
        min(first[0], second[0]),
        min(first[1], second[1]),
        max(first[2], second[2]),
        max(first[3], second[3]),
    )


def tinted(image: Image.Image, mask: Image.Image, strength: float = 0.5) -> Image.Image:
    """`image` (RGB), greyed and tinted with the accent colour where `mask` (brought to its size) is white."""
    mask = mask.convert("L")
    mask = mask if mask.size == image.size else mask.resize(image.size, Image.Resampling.BILINEAR)
    under = Image.blend(image.convert("L").convert("RGB"), Image.new("RGB", image.size, TINT), strength)
    return Image.composite(under, image, mask)


def covered(size: tuple[int, int], wanted: tuple[int, int]) -> Box:
    """What stays of an image of `size` that is made to cover `wanted` and cut about its middle."""
    width, height = size
    scale = min(width / wanted[0], height / wanted[1])
    kept_w, kept_h = min(width, round(wanted[0] * scale)), min(height, round(wanted[1] * scale))
    left, top = (width - kept_w) // 2, (height - kept_h) // 2
    return left, top, left + kept_w, top + kept_h


_TO_BITS: Final = [0] * 128 + [255] * 128


def _bits(grey: Image.Image) -> Image.Image:
    return grey.convert("1", dither=Image.Dither.NONE)


def _pixels(strokes: deque[_Stroke | _Flip]) -> int:
    return sum(one.after.width * one.after.height for one in strokes if isinstance(one, _Stroke))
