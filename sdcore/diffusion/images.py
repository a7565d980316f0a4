"""Images on their way between tensors, Pillow and sheets."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor


def to_images(pixels: Tensor) -> list[Image.Image]:
    """Pixels (B, 3, H, W) in -1..1 as RGB images, rounded to 8 bits where they are: a fourth is left to be copied."""
    levels = ((pixels.float() * 0.5 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8)
    return [Image.fromarray(array) for array in levels.permute(0, 2, 3, 1).cpu().numpy()]


def to_pixels(images: Sequence[Image.Image]) -> Tensor:
    """RGB images of one size as pixels (B, 3, H, W) in -1..1, float32."""
    arrays = np.stack([np.asarray(image.convert("RGB")) for image in images])
    return torch.from_numpy(arrays).permute(0, 3, 1, 2).float() / 255 * 2 - 1


def fitted(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """An image resized (Lanczos) and cut about its middle so that it covers `size` (width, height)."""
    return ImageOps.fit(image, size, Image.Resampling.LANCZOS)


def image_grid(images: Sequence[Image.Image], columns: int | None = None, gap: int = 2) -> Image.Image:
    """One sheet of all `images`, row by row, `gap` pixels apart; as square as it goes unless `columns` is given.

    Cells are as large as the largest image. Raises `ValueError` when there is no image.
    """
    if not images:
        raise ValueError("A grid needs at least one image.")
    columns = columns or math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / columns)
    width = max(image.width for image in images) + gap
    height = max(image.height for image in images) + gap
    sheet = Image.new("RGB", (columns * width - gap, rows * height - gap), "white")
    for place, image in enumerate(images):
        sheet.paste(image, (place % columns * width, place // columns * height))
    return sheet
