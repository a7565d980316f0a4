"""SD 1.x and 2.x: a UNet that attends to the embeddings of one CLIP text encoder (arXiv 2112.10752)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sdcore.diffusion.conditioning import Conditioning, Told, plain
from sdcore.diffusion.denoiser import Network
from sdcore.diffusion.text import TextEncoder
from sdcore.spec.recipe import Recipe


@dataclass(frozen=True)
class UNetNetwork:
    """A UNet as a `Network`. `beside` (1 or B, 5, h, w) are the channels of an inpainting UNet: mask, masked image."""

    unet: Any
    beside: Tensor | None = None

    def __call__(self, model_input: Tensor, t: Tensor, told: Conditioning) -> Tensor:
        if self.beside is not None:
            count = model_input.shape[0]
            repeated = self.beside.repeat(count // len(self.beside), 1, 1, 1)
            model_input = torch.cat([model_input, repeated], dim=1)
        return self.unet(model_input, t, encoder_hidden_states=told.embeddings, return_dict=False)[0]


@dataclass(frozen=True)
class UNetAdapter:
    """The `Adapter` of the two families."""

    text_encoder: TextEncoder
    network: Any

    @property
    def modules(self) -> dict[str, Any]:
        """The networks by the names of their folders."""
        return {"text_encoder": self.text_encoder.network, "unet": self.network}

    def told(self, prompt: str, recipe: Recipe) -> Told:
        """A prompt of the recipe, as the network is told it."""
        return plain(Conditioning(self.text_encoder.encode(prompt)))

    def bind(self, recipe: Recipe, beside: Tensor | None = None) -> Network:
        """The network for a run of the recipe."""
        return UNetNetwork(self.network, beside)
