"""What a pass begins from: noise alone, a picture noised to where the pass begins, or what another pass has made."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from sdcore.diffusion.images import fitted
from sdcore.diffusion.model import Model
from sdcore.diffusion.noise import Shape, draw, generators, initial_noise, seeds_of
from sdcore.diffusion.passes import Part
from sdcore.diffusion.repaint import mask_for, masked_image, to_latent_mask
from sdcore.diffusion.samplers import Sampler
from sdcore.spec import choices
from sdcore.spec.recipe import Recipe


@dataclass(frozen=True)
class Start:
    """All that decides how a pass goes on, besides its sampler and what it is told. Tensors are (B, C, h, w).

    `noise` is the unit noise, `latents` what the first forward pass is given. Where the mask (1, 1, h, w) is 0, the
    latents are held to `source`, those of the picture, at every noise level; without one nothing is held. `beside`
    (B, C + 1, h, w) is what a network trained to repaint sees besides. `drawn` counts how often noise of this shape
    was taken from the generators before the first forward pass.
    """

    noise: Tensor
    latents: Tensor
    source: Tensor | None = None
    mask: Tensor | None = None
    beside: Tensor | None = None
    drawn: int = 1

    def hold(self, latents: Tensor, sampler: Sampler, index: int) -> Tensor:
        """The latents before forward `index` with what is not to be repainted as the picture has it."""
        if self.mask is None or self.source is None:
            return latents
        ended = index == len(sampler.timesteps)
        kept = self.source if ended else sampler.noised(self.source, self.noise, index)
        return (1 - self.mask) * kept + self.mask * latents

    def to(self, device: torch.device | str) -> Start:
        """The same on a device."""
        named = {name: getattr(self, name) for name in TENSORS}
        return replace(self, **{name: one.to(device) for name, one in named.items() if one is not None})


TENSORS = ("noise", "latents", "source", "mask", "beside")
"""The fields of a `Start` that are tensors."""


def start_sampler(part: Part, start: Start) -> Sampler:
    """The sampler of a pass, made ready for it: its generators stand where they do once the pass has begun."""
    recipe, shape = part.recipe, _shape(start.latents)
    part.sampler.start(generators(recipe, shape, start.drawn), seeds_of(recipe), start.latents)
    return part.sampler


def _shape(latents: Tensor) -> Shape:
    _, channels, height, width = latents.shape
    return channels, height, width


@torch.inference_mode()
def begin(model: Model, part: Part, before: Tensor | None = None) -> Start:
    """What a pass begins from; `before` are the clean latents that the one before it has made.

    Noise is drawn as the pipelines of diffusers draw it, each image from its own generator: for the encoded picture,
    for the run, for the encoded rest of a masked one. Raises what opening the pictures raises, and `MaskError`.
    """
    recipe, sampler = part.recipe, part.sampler
    shape = model.latent_shape(recipe.width, recipe.height)
    drawn_from = generators(recipe, shape)
    if before is not None:
        source = _enlarged(model, before, recipe)
        noise = initial_noise(recipe, drawn_from, shape).to(source)
        return Start(noise, sampler.noised(source, noise, 0), beside=_beside(model, recipe))
    if not recipe.init_image:
        noise = initial_noise(recipe, drawn_from, shape).to(model.device, model.dtype)
        return Start(noise, noise * sampler.init_noise_sigma, beside=_beside(model, recipe))
    image = fitted(model.open_picture(recipe.init_image), (recipe.width, recipe.height))
    if not recipe.mask_image:
        source = model.encode([image], draw(drawn_from, shape))
        noise = initial_noise(recipe, drawn_from, shape).to(source)
        return Start(noise, sampler.noised(source, noise, 0), beside=_beside(model, recipe), drawn=2)
    return _repaint(model, part, image, drawn_from, shape)


def _repaint(
    model: Model, part: Part, image: Image.Image, drawn_from: list[torch.Generator], shape: Shape
) -> Start:
    recipe, sampler = part.recipe, part.sampler
    mask = mask_for(recipe, model.open_picture)
    from_noise = recipe.strength == 1
    encodes = not (model.repaints and from_noise)
    source = model.encode([image], draw(drawn_from, shape)).contiguous() if encodes else None
    noise = initial_noise(recipe, drawn_from, shape).to(model.device, model.dtype)
    rest = draw(drawn_from, shape)
    latents = noise * sampler.init_noise_sigma
    if source is not None and not from_noise:
        latents = sampler.noised(source, noise, 0)
    small = to_latent_mask(mask, shape[1:]).to(noise)
    if not model.repaints:
        return Start(noise, latents, source, small, drawn=3)
    beside = torch.cat([small.expand(len(noise), -1, -1, -1), masked_image(model, image, mask, rest)], dim=1)
    return Start(noise, latents, beside=beside, drawn=2 + encodes)


def _beside(model: Model, recipe: Recipe) -> Tensor | None:
    """What a network trained to repaint sees where everything is to be painted: a white mask over grey."""
    if not model.repaints:
        return None
    grey = Image.new("RGB", (recipe.width, recipe.height), (128, 128, 128))
    latents = model.encode([grey])
    return torch.cat([torch.ones_like(latents[:, :1]), latents], dim=1)


def _enlarged(model: Model, latents: Tensor, recipe: Recipe) -> Tensor:
    """Clean latents at the size of a recipe, enlarged as it says."""
    if recipe.hires_upscaler == choices.UPSCALE_LATENT:
        _, height, width = model.latent_shape(recipe.width, recipe.height)
        return interpolate(latents, size=(height, width), mode="bilinear")
    size = recipe.width, recipe.height
    pictures = [model.decode(one[None])[0].resize(size, Image.Resampling.LANCZOS) for one in latents]
    return torch.cat([model.encode([picture]) for picture in pictures])
