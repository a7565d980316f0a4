"""A model on one device: a family's network behind its adapter, and the VAE."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from sdcore.diffusion import preview, vae
from sdcore.diffusion.addons.named import Addons
from sdcore.diffusion.checksum import Checksum
from sdcore.diffusion.conditioning import Told, equally_long
from sdcore.diffusion.denoiser import Denoiser, GuidedDenoiser, Network
from sdcore.diffusion.guidance import guidance_for
from sdcore.diffusion.images import to_images, to_pixels
from sdcore.diffusion.landing import Landing
from sdcore.diffusion.preview import ComingPreview
from sdcore.diffusion.rungs import Thrift
from sdcore.diffusion.speed import use_channels_last
from sdcore.diffusion.t5 import T5Encoder
from sdcore.diffusion.text import TextEncoder
from sdcore.spec import choices
from sdcore.spec.families import family
from sdcore.spec.recipe import Recipe


class ModelError(RuntimeError):
    """A model cannot be opened; the message is one sentence that says what to do."""


class Adapter(Protocol):
    """What is a family's own: how prompts are told to its network, and how that is called."""

    @property
    def text_encoder(self) -> TextEncoder | T5Encoder:
        """The one whose tokens people count: whose embeddings are the first that the network attends to."""

    @property
    def network(self) -> Any:
        """The UNet or transformer."""

    @property
    def modules(self) -> dict[str, Any]:
        """All networks but the VAE, by the names of their folders."""

    def told(self, prompt: str, recipe: Recipe, *, negative: bool = False) -> Told:
        """A prompt (the recipe's own or its negative one) as the network is told it over a run of the recipe; see
        `prompting.told`."""

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
    checksum: Checksum
    """What its weights are called by; may still be reckoned."""
    load_seconds: float
    open_picture: Callable[[str], Image.Image] = Image.open
    """Opens what recipes name as a picture."""
    thrift: Thrift = field(default_factory=Thrift)
    """How it makes do with the memory that there is."""
    vae_checksum: Checksum = field(default_factory=Checksum)
    """What a VAE in place of its own is called by; may still be reckoned."""
    _addons: Addons | None = None
    """What is added to the networks; models that share these share it."""

    def __post_init__(self) -> None:
        if self._addons is None:
            object.__setattr__(self, "_addons", _addons_of(self.adapter, self.family))
        if self.device.type == "cuda":
            use_channels_last(self.network, self.vae)

    @property
    def addons(self) -> Addons:
        """The LoRA files and textual inversions that prompts name."""
        assert self._addons is not None  # made above
        return self._addons

    @property
    def text_encoder(self) -> TextEncoder | T5Encoder:
        """The one whose tokens people count."""
        return self.adapter.text_encoder

    @property
    def network(self) -> Any:
        """The UNet or transformer."""
        return self.adapter.network

    @property
    def model_hash(self) -> str:
        """The first ten hex digits of the SHA-256 of the network's weights; waits until that is reckoned."""
        return self.checksum()

    @property
    def vae_hash(self) -> str:
        """The same of a VAE in place of its own, "" where there is none; waits until that is reckoned."""
        return self.vae_checksum()

    @property
    def known_hash(self) -> str:
        """`model_hash`, or "" while that is reckoned."""
        return self.checksum.known

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
    def repaints(self) -> bool:
        """Whether the network was trained to repaint: it sees a mask and the rest of the picture besides."""
        seen = getattr(self.network.config, "in_channels", None)
        return bool(seen == 2 * self.vae.config.latent_channels + 1)

    @property
    def native_size(self) -> int:
        """The side in pixels of the images that the model was trained on."""
        side = getattr(self.network.config, "sample_size", None)
        return int(side) * self.downscale if side else family(self.family).native_size

    def latent_shape(self, width: int, height: int) -> tuple[int, int, int]:
        """(channels, height, width) of the latents of an image of width x height pixels."""
        return int(self.vae.config.latent_channels), height // self.downscale, width // self.downscale

    def denoiser(self, recipe: Recipe, *, guided: bool = True, beside: Tensor | None = None) -> Denoiser:
        """The network bound to a recipe's prompts and size; see `Adapter.bind` for `beside`.

        There is no unconditional pass where the recipe's guidance needs none. Where `guided` is false there is none
        at all, and of the prompts that AND joins the first alone. Raises `RecipeError` and `AddonError` where a prompt
        names a LoRA that there is not, or that cannot be used.
        """
        uses = self.addons.put_in(recipe)
        text, uncond = self.told(recipe)
        if not guided:
            text, uncond = Told(text.parts[:1]), None
        sampler = choices.find_sampler(recipe.sampler)
        return GuidedDenoiser(
            self.addons.held(self.adapter.bind(recipe, beside), uses),
            text,
            uncond,
            sampler.evals_per_step if sampler else 1,
            split=self.thrift.rung.split,
            guided=self.needs_uncond(recipe),
        )

    def needs_uncond(self, recipe: Recipe) -> bool:
        """Whether a recipe's guidance needs the unconditional prediction too: never where the scale is an input of the
        network, be it of the family's or of one that was distilled so (LCM)."""
        distilled = getattr(self.network.config, "time_cond_proj_dim", None) is not None
        return not distilled and guidance_for(recipe, self.family).needs_uncond

    def told(self, recipe: Recipe) -> tuple[Told, Told | None]:
        """The prompt and the negative prompt of a recipe, equally long.

        The second is None where neither the recipe's guidance needs it nor an AND, whose prompts are added to it.
        """
        text = self.adapter.told(recipe.prompt, recipe)
        if len(text.parts) == 1 and not self.needs_uncond(recipe):
            return equally_long([text])[0], None
        both = equally_long([text, self.adapter.told(recipe.negative_prompt, recipe, negative=True)])
        return both[0], both[1]

    def decode(self, latents: Tensor) -> list[Image.Image]:
        """Latents (B, C, H/8, W/8) as RGB images. Raises `vae.NotFiniteError`."""
        return to_images(vae.decode(self.vae, latents))

    def encode(self, images: Sequence[Image.Image], noise: Tensor | None = None) -> Tensor:
        """RGB images of one size, sides multiples of 8, as latents (B, C, H/8, W/8); see `vae.encode` for `noise`."""
        return self.encode_pixels(to_pixels(images), noise)

    def encode_pixels(self, pixels: Tensor, noise: Tensor | None = None) -> Tensor:
        """Pixels (B, 3, H, W) in -1..1 as latents in the network's precision, whatever the VAE's."""
        return vae.encode(self.vae, pixels, noise).to(self.device, self.dtype)

    def preview(self, latents: Tensor) -> np.ndarray:
        """Latents as cheap RGB, a uint8 array (B, H/8, W/8, 3)."""
        return self.begin_preview(latents).rgb()

    def begin_preview(self, latents: Tensor) -> ComingPreview:
        """The same, made without waiting for the device."""
        return ComingPreview(Landing([latents]), self.preview_factors)


def _addons_of(adapter: Adapter, family_name: str) -> Addons:
    encoders = [one for one in vars(adapter).values() if isinstance(one, TextEncoder | T5Encoder)]
    clips = () if family(family_name).flow else [one for one in encoders if isinstance(one, TextEncoder)]
    widths = [(one.inversions, int(one.network.config.hidden_size)) for one in clips]
    addons = Addons(adapter.modules, widths, family_name)
    for encoder in encoders:
        encoder.readings.connect(lambda: addons.attached.uses)
    return addons
