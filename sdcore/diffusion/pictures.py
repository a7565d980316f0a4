"""Arrays and images as the pictures that views carry."""

from __future__ import annotations

import numpy as np
from PIL import Image
from torch import Tensor

from sdcore.spec.views import Picture


def grey(values: Tensor, low: float, high: float) -> Picture:
    """`values` (h, w) as a grey picture of that size: black at `low` and below, white at `high` and above.

    What is not a number is black, and so is everything where `low` equals `high`.
    """
    shares = (values.double() - low) / ((high - low) or 1.0)
    levels = (shares.nan_to_num(0.0).clamp(0, 1) * 255).round().byte().cpu().numpy()
    return rgb_picture(np.repeat(levels[:, :, None], 3, axis=2))


def rgb_picture(rgb: np.ndarray) -> Picture:
    """RGB bytes, a uint8 array (h, w, 3), as a picture."""
    height, width, _ = rgb.shape
    return Picture(width=width, height=height, rgb=np.ascontiguousarray(rgb).tobytes())


def image_picture(image: Image.Image) -> Picture:
    """An image of any mode as a picture."""
    return Picture(width=image.width, height=image.height, rgb=image.convert("RGB").tobytes())
