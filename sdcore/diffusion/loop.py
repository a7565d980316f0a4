"""THE LOOP: from noise to an image, one forward pass of the network at a time.

`denoise` is a generator. Progress, cancel, preview, record and fork are things that its caller does with a
`Step`: to cancel, stop iterating; to fork, keep a snapshot and resume from it with another prompt.

Source: Ho et al., arXiv 2006.11239 (the chain); Karras et al., arXiv 2206.00364 (sigmas and solvers).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter

import torch
from torch import Tensor

from sdcore.diffusion.denoiser import Denoiser
from sdcore.diffusion.guidance import Guidance, guidance_for
from sdcore.diffusion.model import Model
from sdcore.diffusion.noise import generators, initial_noise
from sdcore.diffusion.samplers import Sampler, SamplerState, sampler_for
from sdcore.spec.recipe import Recipe, check


@dataclass(frozen=True)
class Snapshot:
    """A run between two forwards: with the same settings what follows is the same bit for bit. Without a `sampler`
    another one takes over; with `new_noise` what is still drawn comes from the seeds of the recipe that goes on."""

    index: int
    latents: Tensor
    sampler: SamplerState | None
    new_noise: bool = False


@dataclass(frozen=True)
class Step:
    """One forward pass. All tensors are (B, C, H/8, W/8), in the model's own latent space."""

    index: int
    total: int
    t: float
    sigma: float
    latents: Tensor
    noise_pred_uncond: Tensor | None
    noise_pred_text: Tensor
    noise_pred: Tensor
    denoised: Tensor
    next_latents: Tensor
    seconds: float
    snapshot: Callable[[], Snapshot]
    """The state after this step; to be called before the next one is asked for."""


@torch.inference_mode()
def denoise(
    denoiser: Denoiser, sampler: Sampler, guidance: Guidance, latents: Tensor, start: int = 0
) -> Iterator[Step]:
    """Carry noisy `latents` (B, C, H/8, W/8) from forward `start` to the end; yields after every forward."""
    total = len(sampler.timesteps)
    for i in range(start, total):
        began = perf_counter()
        t = sampler.timestep(i)
        model_input = sampler.scale_model_input(latents, i)
        noise_pred_uncond, noise_pred_text = denoiser(model_input, t, i)
        noise_pred = guidance(noise_pred_uncond, noise_pred_text)
        denoised = sampler.denoised(noise_pred, i, latents)
        next_latents = sampler.step(noise_pred, i, latents)
        yield Step(
            i, total, float(t), sampler.sigmas[i], latents, noise_pred_uncond, noise_pred_text, noise_pred,
            denoised, next_latents, perf_counter() - began,
            lambda: Snapshot(i + 1, next_latents, sampler.snapshot()),  # noqa: B023 - for this step only
        )  # fmt: skip
        latents = next_latents


def sample(model: Model, recipe: Recipe, resume: Snapshot | None = None) -> Iterator[Step]:
    """Run a recipe, from its seed's noise or from a snapshot of a run of the same size, batch, sampler, schedule and
    steps; the prompts and the guidance may differ: that is a fork. Raises `RecipeError` before the first step."""
    recipe = check(recipe)
    guidance = guidance_for(recipe, model.family)
    denoiser = model.denoiser(recipe)
    sampler = sampler_for(recipe, model.training_noise)
    seeds = [recipe.seed + j for j in range(recipe.batch_size)]
    drawn_from = generators(seeds)
    noise = initial_noise(drawn_from, model.latent_shape(recipe.width, recipe.height))
    latents = noise.to(model.device, model.dtype) * sampler.init_noise_sigma
    sampler.start(drawn_from, seeds, latents)
    if resume is None:
        return denoise(denoiser, sampler, guidance, latents)
    if resume.sampler is None:
        sampler.begin_at(resume.index)
    else:
        sampler.restore(resume.sampler, new_noise=resume.new_noise)
    return denoise(denoiser, sampler, guidance, resume.latents, resume.index)
