"""SD 1.x and 2.x: a UNet that attends to the embeddings of one CLIP text encoder (arXiv 2112.10752)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sdcore.diffusion.conditioning import Conditioning, Told
from sdcore.diffusion.denoiser import Network
from sdcore.diffusion.prompting import clip_reader, told
from sdcore.diffusion.text import TextEncoder
from sdcore.spec.recipe import Recipe


@dataclass(frozen=True)
class UNetNetwork:
    """A UNet as a `Network`. `beside` (1 or B, 5, h, w) are the channels of an inpainting UNet: mask, masked image.
    `guidance` (1, G) is the guidance scale, embedded, for a UNet that takes it as an input."""

    unet: Any
    beside: Tensor | None = None
    guidance: Tensor | None = None

    def __call__(self, model_input: Tensor, t: Tensor, told: Conditioning) -> Tensor:
        count = model_input.shape[0]
        added = self.added(model_input, told)
        if self.beside is not None:
            repeated = self.beside.repeat(count // len(self.beside), 1, 1, 1)
            model_input = torch.cat([model_input, repeated], dim=1)
        return self.unet(
            model_input,
            t,
            encoder_hidden_states=told.embeddings,
            timestep_cond=None if self.guidance is None else self.guidance.expand(count, -1),
            added_cond_kwargs=added,
            return_dict=False,
        )[0]

    def added(self, model_input: Tensor, told: Conditioning) -> dict[str, Tensor] | None:
        """What a UNet is told besides the embeddings: nothing, in these two families."""
        return None


def guidance_embedding(unet: Any, guidance_scale: float) -> Tensor | None:
    """The guidance scale w as an input (1, G) of a UNet that was distilled to take it, sines and cosines of
    1000 (w - 1); None where it was not (Luo et al., arXiv 2310.04378; diffusers, LatentConsistencyModelPipeline)."""
    width = unet.config.get("time_cond_proj_dim")
    if width is None:
        return None
    half = width // 2
    rates = torch.exp(torch.arange(half, dtype=unet.dtype) * -(torch.log(torch.tensor(10000.0)) / (half - 1)))
    angles = (torch.tensor([guidance_scale - 1]) * 1000.0).to(unet.dtype)[:, None] * rates
    embedded = torch.cat([angles.sin(), angles.cos()], dim=1)
    return torch.nn.functional.pad(embedded, (0, width % 2)).to(unet.device)


@dataclass(frozen=True)
class UNetAdapter:
    """The `Adapter` of the two families."""

    text_encoder: TextEncoder
    network: Any

    @property
    def modules(self) -> dict[str, Any]:
        """The networks by the names of their folders."""
        return {"text_encoder": self.text_encoder.network, "unet": self.network}

    def told(self, prompt: str, recipe: Recipe, *, negative: bool = False) -> Told:
        """A prompt of the recipe, as the network is told it."""
        reader = clip_reader(recipe, self.text_encoder)
        return told(prompt, recipe, reader, negative=negative, filler=reader.filler)

    def bind(self, recipe: Recipe, beside: Tensor | None = None) -> Network:
        """The network for a run of the recipe."""
        return UNetNetwork(self.network, beside, guidance_embedding(self.network, recipe.guidance_scale))


def make_adapter(parts: Mapping[str, Any], index: Mapping[str, Any]) -> UNetAdapter:
    """The adapter of a model of these parts; what its `model_index.json` says besides is of no account."""
    return UNetAdapter(TextEncoder(parts["tokenizer"], parts["text_encoder"]), parts["unet"])


def family_of(config: Mapping[str, Any]) -> str:
    """Which of the two families a UNet with this config is of: SD 2.x projects its tokens by linear layers, where 1.x
    and models of a size of their own convolve."""
    return "SD2" if config.get("use_linear_projection") else "SD1"
