"""The network with its prompts bound: what the loop calls for both halves of classifier-free guidance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from sdcore.diffusion.conditioning import Conditioning, Told, stacked


class Network(Protocol):
    """A family's network, bound to a run's size and settings: one forward pass."""

    def __call__(self, model_input: Tensor, t: Tensor, told: Conditioning) -> Tensor:
        """The prediction, of the shape of `model_input` (n, C, h, w), for `told` of n rows at timestep `t`."""


class Denoiser(Protocol):
    """What the loop calls, once for every forward pass of the sampler."""

    def __call__(self, model_input: Tensor, t: Tensor, index: int) -> tuple[Tensor | None, Tensor]:
        """(unconditional prediction or None, text prediction), each of the shape of `model_input` (B, C, h, w).

        `index` counts the forward passes from 0, as `Step.index`."""


@dataclass(frozen=True)
class GuidedDenoiser:
    """A network told what to draw (`text`) and what not (`uncond`), all in one forward pass unless it is `split`.

    Where `AND` joins several prompts, the text's prediction is uncond + sum of weight * (prediction - uncond), so
    guidance acts on it as on any other (Liu et al., arXiv 2206.01714). It needs `uncond` for that; where not `guided`,
    nobody else is given it.
    """

    network: Network
    text: Told
    uncond: Told | None
    evals_per_step: int = 1
    split: bool = False
    guided: bool = True

    def __call__(self, model_input: Tensor, t: Tensor, index: int) -> tuple[Tensor | None, Tensor]:
        step = index // self.evals_per_step
        texts = self.text.at(step)
        unconds = () if self.uncond is None else self.uncond.at(step)[:1]
        said = [conditioning for _, conditioning in (*unconds, *texts)]
        predicted = self._predict(model_input, t, said)
        uncond, parts = (predicted[0], predicted[1:]) if unconds else (None, predicted)
        text = parts[0]
        if uncond is not None and len(parts) > 1:
            pulls = zip(texts, parts, strict=True)
            text = uncond + sum(weight * (part - uncond) for (weight, _), part in pulls)
        return (uncond if self.guided else None), text

    def _predict(self, model_input: Tensor, t: Tensor, said: list[Conditioning]) -> tuple[Tensor, ...]:
        """The network's prediction for each conditioning."""
        count = model_input.shape[0]
        if self.split or len(said) == 1:
            return tuple(self.network(model_input, t, stacked([one], count)) for one in said)
        together = torch.cat([model_input] * len(said))
        return self.network(together, t, stacked(said, count)).chunk(len(said))
