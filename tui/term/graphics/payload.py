"""Pictures as bytes to send: as large as the pane needs them, in the format that the way of drawing takes."""

from __future__ import annotations

import io
from typing import Final

from PIL import Image

from sdcore.library.png import AS_PNG

_CELL: Final = (10, 20)
"""Pixels of a cell where the terminal does not say: on the large side, for it scales."""
_PLAIN_BYTES: Final = 256_000
"""From here on an inline image goes as a JPEG: nothing can be written while it is under way."""


def scaled(
    image: Image.Image, columns: int, rows: int, cell: tuple[int, int] | None, *, exact: bool = False
) -> Image.Image:
    """`image` (RGB) with no more pixels than `columns` x `rows` cells have; `exact`: with just as many."""
    width, height = cell or _CELL
    most = (columns * width, rows * height)
    if exact or image.width > most[0] or image.height > most[1]:
        grows = most[0] > image.width
        how = Image.Resampling.BICUBIC if grows else Image.Resampling.LANCZOS
        return image.resize(most, how, reducing_gap=None if grows else 3.0)
    return image


def png(image: Image.Image) -> bytes:
    """`image` as a PNG, made as those that are saved."""
    return _encoded(image, "PNG", **AS_PNG)


def compact(image: Image.Image, *, quick: bool = False) -> bytes:
    """`image` where the format is free: a small JPEG for a live frame, else without loss if that is short."""
    if not quick and len(data := png(image)) <= _PLAIN_BYTES:
        return data
    return _encoded(image, "JPEG", quality=75 if quick else 92, subsampling=2 if quick else 0)


def _encoded(image: Image.Image, kind: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
