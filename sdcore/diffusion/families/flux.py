"""Flux.1: a transformer over patches of 2x2 latents, told by T5 and one vector of CLIP's (Black Forest Labs, 2024)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor

from sdcore.diffusion.conditioning import Conditioning, Told
from sdcore.diffusion.denoiser import Network
from sdcore.diffusion.prompting import told
from sdcore.diffusion.t5 import T5Encoder
from sdcore.diffusion.text import TextEncoder
from sdcore.spec.prompt import Piece
from sdcore.spec.recipe import Recipe

NOISE: Final[Mapping[str, Any]] = {"timestep_spacing": "trailing"}
"""The noise levels begin at all noise and end a step above none (source: diffusers, `pipelines/flux`)."""


@dataclass(frozen=True)
class FluxNetwork:
    """The transformer as a `Network`, which packs the latents into patches on the way in and out. Dev takes the
    guidance scale as an input, schnell has none."""

    transformer: Any
    guidance_scale: float

    def __call__(self, model_input: Tensor, t: Tensor, told: Conditioning) -> Tensor:
        count, _, height, width = model_input.shape
        device, dtype = model_input.device, model_input.dtype
        guidance = (
            torch.full([count], self.guidance_scale, device=device, dtype=torch.float32)
            if self.transformer.config.guidance_embeds
            else None
        )
        predicted = self.transformer(
            hidden_states=packed(model_input),
            timestep=t.expand(count).to(device, dtype) / 1000,
            guidance=guidance,
            pooled_projections=told.pooled,
            encoder_hidden_states=told.embeddings,
            txt_ids=torch.zeros(told.embeddings.shape[1], 3, device=device, dtype=dtype),
            img_ids=places(height // 2, width // 2, device, dtype),
            return_dict=False,
        )[0]
        return unpacked(predicted, height, width)


def packed(latents: Tensor) -> Tensor:
    """Latents (n, C, h, w) as tokens (n, h/2 * w/2, 4C), each a patch of 2x2, row by row."""
    patches = latents.unflatten(3, (-1, 2)).unflatten(2, (-1, 2))
    return patches.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)


def unpacked(tokens: Tensor, height: int, width: int) -> Tensor:
    """The inverse of `packed`, to latents (n, C, height, width)."""
    patches = tokens.unflatten(2, (-1, 2, 2)).unflatten(1, (height // 2, width // 2))
    return patches.permute(0, 3, 1, 4, 2, 5).flatten(4).flatten(2, 3)


def places(rows: int, columns: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Where each token stands, (rows * columns, 3): 0, its row and its column, for the rotary embedding."""
    row = torch.arange(rows, device=device, dtype=dtype)[:, None].expand(rows, columns)
    column = torch.arange(columns, device=device, dtype=dtype).expand(rows, columns)
    return torch.stack([torch.zeros_like(row), row, column], dim=-1).flatten(0, 1)


@dataclass(frozen=True)
class FluxAdapter:
    """The `Adapter` of the family. What it attends to are the tokens of its `text_encoder`, T5."""

    clip: TextEncoder
    text_encoder: T5Encoder
    network: Any

    @property
    def modules(self) -> dict[str, Any]:
        """The networks by the names of their folders."""
        return {
            "text_encoder": self.clip.network,
            "text_encoder_2": self.text_encoder.network,
            "transformer": self.network,
        }

    def told(self, prompt: str, recipe: Recipe, *, negative: bool = False) -> Told:
        """A prompt of the recipe, as the network is told it."""

        def read(pieces: tuple[Piece, ...]) -> Conditioning:
            return Conditioning(self.text_encoder.read(pieces, recipe.emphasis), self._pooled(pieces))

        return told(prompt, recipe, read, negative=negative)

    def bind(self, recipe: Recipe, beside: Tensor | None = None) -> Network:
        """The network for a run of the recipe."""
        return FluxNetwork(self.network, recipe.guidance_scale)

    def _pooled(self, pieces: tuple[Piece, ...]) -> Tensor:
        """CLIP's state at the end token of the first chunk (1, P), neither projected nor weighted."""
        network, ids = self.clip.network, self.clip.tokenize(pieces).ids[:1]
        what = tuple(ids.flatten().tolist())
        return self.clip.readings.of(what, lambda: (network(ids.to(network.device)).pooler_output,))[0]


def make_adapter(parts: Mapping[str, Any], index: Mapping[str, Any]) -> FluxAdapter:
    """The adapter of a model of these parts. Dev was trained with 512 tokens of T5, schnell with 256 (source:
    black-forest-labs/flux, `flux/util.py`)."""
    transformer, tokenizer = parts["transformer"], parts["tokenizer_2"]
    trained = 512 if transformer.config.guidance_embeds else 256
    t5 = T5Encoder(tokenizer, parts["text_encoder_2"], min(tokenizer.model_max_length, trained))
    return FluxAdapter(TextEncoder(parts["tokenizer"], parts["text_encoder"]), t5, transformer)
