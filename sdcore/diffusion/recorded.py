"""The recorded steps of one pass of a run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from torch import Tensor

from sdcore.diffusion.start import TENSORS, Start
from sdcore.diffusion.step import Step


@dataclass
class Recorded:
    """The forward passes of a pass that began with number `first`, on the CPU, in the model's own precision.

    Latents, predictions and estimates are (B, C, h, w). `latents` has one entry more than the others: those after the
    last step. `uncond` is None where there was no guidance.
    """

    first: int
    start: Start
    latents: list[Tensor] = field(default_factory=list)
    uncond: list[Tensor | None] = field(default_factory=list)
    text: list[Tensor] = field(default_factory=list)
    estimates: list[Tensor] = field(default_factory=list)

    @classmethod
    def begun_by(cls, step: Step) -> Recorded:
        """One that is about to keep `step` as its first."""
        start = step.start.to("cpu")
        return cls(step.index, start, [start.latents])

    def append(self, step: Step) -> None:
        """Keep the next step."""
        self.latents.append(step.next_latents.cpu())
        self.uncond.append(None if step.noise_pred_uncond is None else step.noise_pred_uncond.cpu())
        self.text.append(step.noise_pred_text.cpu())
        self.estimates.append(step.denoised.cpu())

    def until(self, count: int) -> Recorded:
        """The first `count` forward passes of it, sharing their tensors."""
        return Recorded(
            self.first, self.start, self.latents[: count + 1], self.uncond[:count], self.text[:count],
            self.estimates[:count],
        )  # fmt: skip

    def tensors(self) -> Iterator[Tensor]:
        """Everything that it holds, each tensor once."""
        started = (getattr(self.start, name) for name in TENSORS if name != "latents")
        for one in (*started, *self.latents, *self.uncond, *self.text, *self.estimates):
            if one is not None:
                yield one
