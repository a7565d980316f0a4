"""THE LOOP: from noise to an image, one forward pass of the network at a time.

`denoise` is a generator. Progress, cancel, preview, record and fork are things that its caller does with a
`Step`: to cancel, stop iterating; to fork, keep a snapshot and resume from it with another prompt.

Source: Ho et al., arXiv 2006.11239 (the chain); Karras et al., arXiv 2206.00364 (sigmas and solvers).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from sdcore.diffusion.denoiser import Denoiser
from sdcore.diffusion.guidance import Guidance, guidance_for
from sdcore.diffusion.model import Model
from sdcore.diffusion.passes import Course, Part, course_for
from sdcore.diffusion.sending import sent
from sdcore.diffusion.start import Start, begin, start_sampler
from sdcore.diffusion.step import Snapshot, Step
from sdcore.diffusion.timing import Clock
from sdcore.spec.recipe import Recipe
from sdcore.spec.suiting import check_for

__all__ = ["Snapshot", "Step", "denoise", "sample"]


@torch.inference_mode()
def denoise(
    part: Part,
    total: int,
    denoiser: Denoiser,
    guidance: Guidance,
    start: Start,
    latents: Tensor,
    index: int = 0,
) -> Iterator[Step]:
    """Carry noisy `latents` (B, C, H/8, W/8) from forward `index` of a pass to its end; yields after every forward."""
    sampler, clock = part.sampler, Clock(latents.device)
    for i in range(index, len(sampler.timesteps)):
        clock.begin()
        t = sampler.timestep(i)
        model_input = sampler.scale_model_input(latents, i)
        noise_pred_uncond, noise_pred_text = denoiser(model_input, sent(t, latents.device), i)
        noise_pred = guidance(noise_pred_uncond, noise_pred_text)
        denoised = sampler.denoised(noise_pred, i, latents)
        next_latents = start.hold(sampler.step(noise_pred, i, latents), sampler, i + 1)
        at = part.first + i
        yield Step(
            at, total, float(t), sampler.sigmas[i], latents, noise_pred_uncond, noise_pred_text, noise_pred,
            denoised, next_latents, clock.end(), start,
            lambda: Snapshot(at + 1, next_latents, sampler.snapshot(), start),  # noqa: B023 - for this step only
        )  # fmt: skip
        latents = next_latents


def sample(model: Model, recipe: Recipe, resume: Snapshot | None = None) -> Iterator[Step]:
    """Run a recipe, from its beginning or from a snapshot of a run of the same size, batch, sampler, schedule and
    steps; the prompts and the guidance may differ: that is a fork. Raises `RecipeError`, and what `begin` raises."""
    course = course_for(check_for(recipe, model.family), model.training_noise, model.family)
    index = 0 if resume is None else resume.index
    parts = [part for part in course.parts if index < part.end]
    if resume is not None and index > parts[0].first:
        steps = _pass(model, course, parts[0], resume.start, resume)
    else:
        start = begin(model, parts[0], None if resume is None else resume.latents)
        steps = _pass(model, course, parts[0], start)
    return _all(model, course, steps, parts[1:])


def _all(model: Model, course: Course, steps: Iterator[Step], parts: Sequence[Part]) -> Iterator[Step]:
    for step in steps:
        yield step
    if parts:
        following = _pass(model, course, parts[0], begin(model, parts[0], step.next_latents))
        yield from _all(model, course, following, parts[1:])


def _pass(
    model: Model, course: Course, part: Part, start: Start, resume: Snapshot | None = None
) -> Iterator[Step]:
    denoiser = model.denoiser(part.recipe, beside=start.beside)
    guidance = guidance_for(part.recipe, model.family)
    sampler = start_sampler(part, start)
    if resume is None:
        return denoise(part, course.total, denoiser, guidance, start, start.latents)
    index = resume.index - part.first
    if resume.sampler is None:
        sampler.begin_at(index)
    else:
        sampler.restore(resume.sampler, new_noise=resume.new_noise)
    return denoise(part, course.total, denoiser, guidance, start, resume.latents, index)
