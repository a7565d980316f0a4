"""The steps of a run as they go by, kept on the CPU without making the device wait."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace

from torch import Tensor

from sdcore.diffusion.landing import Landing
from sdcore.diffusion.step import Step


def landed(steps: Iterator[Step], keep: Callable[[Step], None]) -> Iterator[Step]:
    """The same steps; `keep` is called with each once its tensors are on the CPU, in their order: on a GPU, a step or
    two after it was taken, and at the end, however that comes, for all that are left."""
    coming: deque[tuple[Step, Landing]] = deque()
    try:
        for step in steps:
            coming.append((step, Landing(_kept_of(step))))
            while coming and coming[0][1].done:
                keep(_on_cpu(*coming.popleft()))
            yield step
    finally:
        while coming:
            keep(_on_cpu(*coming.popleft()))


def _kept_of(step: Step) -> list[Tensor]:
    guided = [] if step.noise_pred_uncond is None else [step.noise_pred_uncond]
    return [step.noise_pred_text, step.denoised, step.next_latents, *guided]


def _on_cpu(step: Step, landing: Landing) -> Step:
    text, denoised, next_latents, *guided = landing.wait()
    uncond = guided[0] if guided else None
    return replace(
        step, noise_pred_uncond=uncond, noise_pred_text=text, denoised=denoised, next_latents=next_latents
    )
