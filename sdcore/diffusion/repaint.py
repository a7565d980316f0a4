"""Repainting a part of a picture: its mask at the size of the image and of the latents, and the rest put back."""

from __future__ import annotations

import math
from collections.abc import Callable

from PIL import Image, ImageFilter
from torch import Tensor
from torch.nn.functional import interpolate

from sdcore.diffusion.images import fitted, to_pixels
from sdcore.diffusion.model import Model
from sdcore.spec.recipe import Recipe

OpenPicture = Callable[[str], Image.Image]
"""Opens what a recipe names as a picture."""


class MaskError(ValueError):
    """A mask cannot be used; the message is one sentence that says what to do."""


def mask_for(recipe: Recipe, open_picture: OpenPicture) -> Image.Image:
    """The mask of a recipe at the size of its image: L, white where it is to be repainted, its edge softened.

    Raises `MaskError` where there is nothing to repaint, and what `open_picture` raises.
    """
    picture = open_picture(recipe.mask_image)
    mask = fitted(picture, (recipe.width, recipe.height)).convert("L")
    mask = mask.filter(ImageFilter.GaussianBlur(recipe.mask_blur))
    if not bool(_binary(mask).any()):
        lost = _what_became_of_white(picture, mask.size)
        raise MaskError(f"{lost}, so nothing would be repainted; paint what is to change.")
    return mask


def _what_became_of_white(picture: Image.Image, size: tuple[int, int]) -> str:
    """Why nothing of a mask is white once it is `size` (width, height)."""
    white = _binary(picture)[0, 0]
    if not bool(white.any()):
        return "The mask has no white in it"
    height, width = white.shape
    across = max(0, math.floor((width - height * size[0] / size[1]) / 2))
    down = max(0, math.floor((height - width * size[1] / size[0]) / 2))
    if not bool(white[down : height - down, across : width - across].any()):
        return "The white of the mask lies where it is cut off at this size"
    return "The white of the mask is too small at this size"


def to_latent_mask(mask: Image.Image, size: tuple[int, int]) -> Tensor:
    """A mask as 0 and 1 for each latent (1, 1, h, w), float32; `size` is (h, w)."""
    return interpolate(_binary(mask), size=size)


def masked_image(model: Model, image: Image.Image, mask: Image.Image, noise: Tensor) -> Tensor:
    """Latents (B, C, h, w) of a picture whose part to be repainted is grey, drawn with unit `noise` of that shape."""
    return model.encode_pixels(to_pixels([image]) * (_binary(mask) < 0.5), noise)


def _binary(mask: Image.Image) -> Tensor:
    """1 where a mask (L) is to be repainted, 0 elsewhere: (1, 1, H, W)."""
    return (to_pixels([mask])[:, :1] >= 0).float()


def put_back(image: Image.Image, recipe: Recipe, open_picture: OpenPicture) -> Image.Image:
    """A repainted image with the picture's own pixels where the mask is black, and a mixture along its soft edge.

    An image of a recipe without a mask is left as it is. Raises what `mask_for` raises.
    """
    if not recipe.mask_image:
        return image
    original = fitted(open_picture(recipe.init_image), image.size)
    return Image.composite(image, original, mask_for(recipe, open_picture))
