"""What a network is told: one prompt as tensors, and which of them holds at which step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Conditioning:
    """A prompt as its family's text encoders give it.

    `embeddings` (n, T, D) are attended to; `pooled` (n, P) says the whole in one vector, None where the family has no
    use for it. n is 1 for one prompt, and the batch once it is `stacked`.
    """

    embeddings: Tensor
    pooled: Tensor | None = None


def stacked(conditionings: Sequence[Conditioning], count: int) -> Conditioning:
    """Several prompts for one forward pass, each repeated for the `count` images of a batch: (n * count, T, D)."""
    return Conditioning(
        _repeated([one.embeddings for one in conditionings], count),
        None
        if conditionings[0].pooled is None
        else _repeated([one.pooled for one in conditionings if one.pooled is not None], count),
    )


def _repeated(tensors: Sequence[Tensor], count: int) -> Tensor:
    return torch.cat([tensor.expand(count, *tensor.shape[1:]) for tensor in tensors])


@dataclass(frozen=True)
class ToldPart:
    """One of the prompts that `AND` joins: its weight, and what it says until which sampler step (from 0, the step
    itself not counted); the last entry holds to the end."""

    weight: float
    until: tuple[tuple[int, Conditioning], ...]

    def at(self, step: int) -> Conditioning:
        """What holds at a sampler step (0-based)."""
        return next((said for end, said in self.until if step < end), self.until[-1][1])


@dataclass(frozen=True)
class Told:
    """A prompt over a run. A plain prompt is one part that says one thing.

    `filler` makes the embeddings (1, F, D) that shorter prompts are lengthened with, None where all are as long.
    """

    parts: tuple[ToldPart, ...]
    filler: Callable[[], Tensor] | None = None

    def at(self, step: int) -> tuple[tuple[float, Conditioning], ...]:
        """The weight and the conditioning of each part at a sampler step (0-based)."""
        return tuple((part.weight, part.at(step)) for part in self.parts)


def equally_long(told: Sequence[Told]) -> tuple[Told, ...]:
    """The prompts lengthened so that all that any of them ever says has as many positions: what goes through the
    network together, and through a compiled one at all, has to. Prompts as long as the longest stay as they are."""
    lengths = [said.embeddings.shape[1] for one in told for part in one.parts for _, said in part.until]
    most = max(lengths)
    if min(lengths) == most:
        return tuple(told)
    return tuple(
        replace(one, parts=tuple(_lengthened(part, most, one.filler) for part in one.parts)) for one in told
    )


def _lengthened(part: ToldPart, length: int, filler: Callable[[], Tensor] | None) -> ToldPart:
    made: dict[int, Conditioning] = {}
    for _, said in part.until:
        missing = length - said.embeddings.shape[1]
        if id(said) not in made and missing > 0:
            assert filler is not None  # only prompts that can be lengthened differ in length
            more = filler()
            repeats = missing // more.shape[1]
            longer = torch.cat([said.embeddings, *[more] * repeats], dim=1)
            made[id(said)] = replace(said, embeddings=longer)
    return replace(part, until=tuple((end, made.get(id(said), said)) for end, said in part.until))
