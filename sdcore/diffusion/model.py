"""A model on one device: a family's network behind its adapter, and the VAE."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from sdcore.diffusion import preview, vae
from sdcore.diffusion.conditioning import Told
from sdcore.diffusion.denoiser import Denoiser, GuidedDenoiser, Network
from sdcore.diffusion.guidance import guidance_for
from sdcore.diffusion.images import to_images, to_pixels
from sdcore.diffusion.text import TextEncoder
from sdcore.spec import choices
from sdcore.spec.recipe import Recipe


class ModelError(RuntimeError):
    """A model cannot be opened; the message is one sentence that says what to do."""


class Adapter(Protocol):
    """What is a family's own: how prompts are told to its network, and how that is called."""

    @property
    def text_encoder(self) -> TextEncoder:
        """The first of its CLIP text encoders: the one whose tokens people count."""

    @property
    def network(self) -> Any:
        """The UNet or transformer."""

    @property
    def modules(self) -> dict[str, Any]:
        """All networks but the VAE, by the names of their folders."""

    def told(self, prompt: str, recipe: Recipe) -> Told:
        """A prompt (the recipe's own or its negative one) as the network is told it over a run of the recipe."""

    def bind(self, recipe: Recipe, beside: Tensor | None = None) -> Network:
        """The network for a run of the recipe; `beside` (1 or B, 5, h, w) are mask and masked image for a network
        that was trained to repaint."""


@dataclass(frozen=True)
class Model:
    """Everything that turns a recipe into pixels, on one device."""

    name: str
    family: str
    device: torch.device
    dtype: torch.dtype
    adapter: Adapter
    vae: Any
    training_noise: dict[str, Any]
    """The scheduler config that the model was trained under (betas, prediction type)."""
    preview_factors: preview.PreviewFactors
    model_hash: str
    """The first ten hex digits of the SHA-256 of the network's weights."""
    load_seconds: float

    @property
    def text_encoder(self) -> TextEncoder:
        """The first text encoder: the one whose tokens people count."""
        return self.adapter.text_encoder

    @property
    def network(self) -> Any:
        """The UNet or transformer."""
        return self.adapter.network

    @property
    def parameters(self) -> int:
        """How many weights the networks have together."""
        networks = (*self.adapter.modules.values(), self.vae)
        return sum(weight.numel() for network in networks for weight in network.parameters())

    @property
    def downscale(self) -> int:
        """How many pixels one latent stands for along each side (8 for Stable Diffusion)."""
        return 2 ** (len(self.vae.config.block_out_channels) - 1)

    @property
    def native_size(self) -> int:
        """The side in pixels of the images that the model was trained on."""
        return int(self.network.config.sample_size) * self.downscale

    def latent_shape(self, width: int, height: int) -> tuple[int, int, int]:
        """(channels, height, width) of the latents of an image of width x height pixels."""
        return int(self.vae.config.latent_channels), height // self.downscale, width // self.downscale

    def denoiser(self, recipe: Recipe, *, guided: bool = True, beside: Tensor | None = None) -> Denoiser:
        """The network bound to a recipe's prompts and size; see `Adapter.bind` for `beside`.

        There is no unconditional pass where the recipe's guidance needs none, nor where `guided` is false.
        """
        needed = guided and guidance_for(recipe, self.family).needs_uncond
        sampler = choices.find_sampler(recipe.sampler)
        return GuidedDenoiser(
            self.adapter.bind(recipe, beside),
            self.adapter.told(recipe.prompt, recipe),
            self.adapter.told(recipe.negative_prompt, recipe) if needed else None,
            sampler.evals_per_step if sampler else 1,
        )

    def decode(self, latents: Tensor) -> list[Image.Image]:
        """Latents (B, C, H/8, W/8) as RGB images. Raises `vae.NotFiniteError`."""
        return to_images(vae.decode(self.vae, latents))

    def encode(self, images: Sequence[Image.Image]) -> Tensor:
        """RGB images of one size, sides multiples of 8, as latents (B, C, H/8, W/8)."""
        return vae.encode(self.vae, to_pixels(images))

    def preview(self, latents: Tensor) -> np.ndarray:
        """Latents as cheap RGB, a uint8 array (B, H/8, W/8, 3)."""
        return self.preview_factors.rgb(latents)
