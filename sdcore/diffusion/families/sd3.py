"""SD 3 and 3.5: a transformer that reads words and places in one attention (Esser et al., arXiv 2403.03206)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn.functional import pad

from sdcore.diffusion.conditioning import Conditioning, Told
from sdcore.diffusion.denoiser import Network
from sdcore.diffusion.prompting import ClipReader, clip_reader, told
from sdcore.diffusion.t5 import T5Encoder
from sdcore.diffusion.text import TextEncoder
from sdcore.spec.families import family
from sdcore.spec.prompt import Piece
from sdcore.spec.recipe import Problem, Recipe, RecipeError

T5_LENGTH: Final = 256
"""Tokens that T5 reads for this family."""


@dataclass(frozen=True)
class SD3Network:
    """The transformer as a `Network`."""

    transformer: Any

    def __call__(self, model_input: Tensor, t: Tensor, told: Conditioning) -> Tensor:
        return self.transformer(
            hidden_states=model_input,
            timestep=t.expand(len(model_input)).to(model_input.device),
            encoder_hidden_states=told.embeddings,
            pooled_projections=told.pooled,
            return_dict=False,
        )[0]


@dataclass(frozen=True)
class SD3Adapter:
    """The `Adapter` of the family. Without `t5`, the largest of the three text encoders, its places hold zeros."""

    text_encoder: TextEncoder
    text_encoder_2: TextEncoder
    t5: T5Encoder | None
    network: Any

    @property
    def modules(self) -> dict[str, Any]:
        """The networks by the names of their folders."""
        encoders = {"text_encoder": self.text_encoder.network, "text_encoder_2": self.text_encoder_2.network}
        third = {} if self.t5 is None else {"text_encoder_3": self.t5.network}
        return encoders | third | {"transformer": self.network}

    def told(self, prompt: str, recipe: Recipe, *, negative: bool = False) -> Told:
        """A prompt of the recipe, as the network is told it."""
        clip = clip_reader(recipe, self.text_encoder, self.text_encoder_2)

        def read(pieces: tuple[Piece, ...]) -> Conditioning:
            said = clip(pieces)
            joint = torch.cat(
                [self._padded(said.embeddings), self._by_t5(pieces, recipe, said.embeddings)], dim=1
            )
            return Conditioning(joint, said.pooled)

        return told(prompt, recipe, read, negative=negative, filler=lambda: self._filler(clip))

    def bind(self, recipe: Recipe, beside: Tensor | None = None) -> Network:
        """The network for a run of the recipe. Raises `RecipeError` where it has too few places for its size."""
        config = self.network.config
        most = config.pos_embed_max_size * config.patch_size * family("SD3").downscale
        sides = {"width": recipe.width, "height": recipe.height}
        problems = [
            Problem(field, f"{field.capitalize()} must be at most {most} pixels for this model, not {value}.")
            for field, value in sides.items()
            if value > most
        ]
        if problems:
            raise RecipeError(problems)
        return SD3Network(self.network)

    @property
    def _width(self) -> int:
        return int(self.network.config.joint_attention_dim)

    def _padded(self, embeddings: Tensor) -> Tensor:
        """CLIP's embeddings (1, n, D) at the width of T5's."""
        return pad(embeddings, (0, self._width - embeddings.shape[-1]))

    def _by_t5(self, pieces: tuple[Piece, ...], recipe: Recipe, like: Tensor) -> Tensor:
        if self.t5 is None:
            return like.new_zeros(1, T5_LENGTH, self._width)
        return self.t5.read(pieces, recipe.emphasis).to(like.dtype)

    def _filler(self, clip: ClipReader) -> Tensor:
        return self._padded(clip.filler())


def make_adapter(parts: Mapping[str, Any], index: Mapping[str, Any]) -> SD3Adapter:
    """The adapter of a model of these parts."""
    first, second = (
        TextEncoder(parts[f"tokenizer{which}"], parts[f"text_encoder{which}"], skips=1, normed=False)
        for which in ("", "_2")
    )
    tokenizer, network = parts.get("tokenizer_3"), parts.get("text_encoder_3")
    third = None
    if tokenizer is not None and network is not None:
        third = T5Encoder(tokenizer, network, min(tokenizer.model_max_length, T5_LENGTH))
    return SD3Adapter(first, second, third, parts["transformer"])
