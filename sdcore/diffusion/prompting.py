"""A prompt with all its grammar -> what the network is told over a run.

`told` carries what is common to every family: schedules and AND. `ClipReader` reads one stage of it with CLIP text
encoders, weights and all. How those act is as in the programs that `choices.EMPHASES` names: `modules/sd_emphasis.py`
of AUTOMATIC1111's web UI, `comfy/sd1_clip.py` of ComfyUI.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from sdcore.diffusion.conditioning import Conditioning, Told, ToldPart
from sdcore.diffusion.text import TextEncoder
from sdcore.spec import choices
from sdcore.spec.prompt import Piece, compose, parse, take_extras
from sdcore.spec.recipe import Recipe

_ROUNDING: Final = 1e-6
"""What the mean of a chunk is off by in float32, of the mean magnitude."""

Reader = Callable[[tuple[Piece, ...]], Conditioning]
"""What a family's text encoders make of the pieces of a prompt."""


@torch.inference_mode()
def told(
    prompt: str,
    recipe: Recipe,
    read: Reader,
    *,
    negative: bool = False,
    filler: Callable[[], Tensor] | None = None,
) -> Told:
    """A prompt over the steps of a recipe, each text of its schedule read once. In a negative prompt AND is a word.

    `filler` makes what a shorter prompt is lengthened with, see `Told`.
    """
    seen: dict[tuple[Piece, ...], Conditioning] = {}
    parts = []
    for branch in parse(prompt, recipe.steps, composed=not negative).branches:
        for stage in branch.stages:
            if stage.pieces not in seen:
                seen[stage.pieces] = read(stage.pieces)
        parts.append(
            ToldPart(branch.weight, tuple((stage.step, seen[stage.pieces]) for stage in branch.stages))
        )
    return Told(tuple(parts), filler)


def sampler_step(recipe: Recipe, index: int) -> int:
    """The sampler step (from 0) that forward pass `index` belongs to."""
    sampler = choices.find_sampler(recipe.sampler)
    return index // (sampler.evals_per_step if sampler else 1)


def pieces_at(prompt: str, recipe: Recipe, step: int, *, negative: bool = False) -> tuple[Piece, ...]:
    """What a prompt says at a sampler step (from 0); of the prompts that AND joins, the first."""
    stages = parse(prompt, recipe.steps, composed=not negative).branches[0].stages
    return next((stage.pieces for stage in stages if step < stage.step), stages[-1].pieces)


def beside_the_first(prompt: str) -> str:
    """What AND adds to the first of the prompts that it joins, as a person writes it; empty without any AND."""
    return " ".join(
        f"AND {part.text.strip()} :{part.weight:g}" for part in compose(take_extras(prompt)[0])[1:]
    )


@dataclass(frozen=True)
class ClipReader:
    """Reads the pieces of a prompt with CLIP text encoders, whose embeddings are laid side by side.

    Every chunk of 75 tokens is read by itself; where one encoder has fewer chunks than another, empty ones follow.
    Pooled is the first chunk, by the encoders that project it, as in AUTOMATIC1111's web UI.
    """

    encoders: tuple[TextEncoder, ...]
    emphasis: str = choices.EMPHASIS_MEAN
    clip_skip: int = 1

    @torch.inference_mode()
    def __call__(self, pieces: Sequence[Piece]) -> Conditioning:
        """The pieces as embeddings (1, 77 * n, D) of n chunks, and pooled (1, P) or None."""
        tokens = [encoder.tokenize(pieces) for encoder in self.encoders]
        count = max(len(one.ids) for one in tokens)
        wide, pooled = [], []
        for which, one in enumerate(tokens):
            chunks = [
                self._chunk(which, ids, weights) for ids, weights in zip(one.ids, one.weights, strict=True)
            ]
            empty = [self._empty(which)] * (count - len(chunks))
            wide.append(torch.cat([*chunks, *empty], dim=1))
            whole = self._plain(which, one.ids[0])[1]
            pooled += [] if whole is None else [whole]
        return Conditioning(torch.cat(wide, dim=-1), torch.cat(pooled, dim=-1) if pooled else None)

    def filler(self) -> Tensor:
        """The chunk of an empty prompt: embeddings (1, 77, D)."""
        return torch.cat([self._empty(which) for which in range(len(self.encoders))], dim=-1)

    def _chunk(self, which: int, ids: Tensor, weights: Tensor) -> Tensor:
        embeddings, _ = self._plain(which, ids)
        if bool((weights == 1).all()):
            return embeddings
        act = _EMPHASES[self.emphasis]
        acted = act(
            embeddings.float(), weights.to(embeddings.device)[:, None], lambda: self._empty(which).float()
        )
        return acted.to(embeddings.dtype)

    def _empty(self, which: int) -> Tensor:
        return self._plain(which, self.encoders[which].tokenize("").ids[0])[0]

    def _plain(self, which: int, ids: Tensor) -> tuple[Tensor, Tensor | None]:
        """A chunk as one encoder gives it, without weights."""
        return self.encoders[which].read(ids[None], self.clip_skip)


def clip_reader(recipe: Recipe, *encoders: TextEncoder) -> ClipReader:
    """What reads prompts as a recipe wants it."""
    return ClipReader(encoders, recipe.emphasis, recipe.clip_skip)


# -- emphasis ------------------------------------------------------------------------------------------------------


def keep_mean(embeddings: Tensor, weights: Tensor, empty: Callable[[], Tensor]) -> Tensor:
    """Embeddings times their weights, then all scaled so that the mean of the chunk is what it was; not scaled where
    either mean is nothing but rounding."""
    weighted = embeddings * weights
    before, after = embeddings.mean(), weighted.mean()
    tells = torch.minimum(before.abs(), after.abs()) > _ROUNDING * embeddings.abs().mean()
    return torch.where(tells, weighted * (before / after), weighted)


def times_weight(embeddings: Tensor, weights: Tensor, empty: Callable[[], Tensor]) -> Tensor:
    """Embeddings times their weights."""
    return embeddings * weights


def from_empty(embeddings: Tensor, weights: Tensor, empty: Callable[[], Tensor]) -> Tensor:
    """From the empty prompt's embedding at the same position towards the word's, as far as its weight says."""
    origin = empty()
    return torch.where(weights == 1, embeddings, origin + weights * (embeddings - origin))


def unweighted(embeddings: Tensor, weights: Tensor, empty: Callable[[], Tensor]) -> Tensor:
    """Embeddings as they are."""
    return embeddings


_EMPHASES: Final[Mapping[str, Callable[[Tensor, Tensor, Callable[[], Tensor]], Tensor]]] = {
    choices.EMPHASIS_MEAN: keep_mean,
    "no norm": times_weight,
    "ComfyUI": from_empty,
    "ignore": unweighted,
}
"""What each way does to a chunk (1, 77, D), float32, with weights (77, 1)."""
