"""Seeded noise, drawn on the CPU, so that a seed means the same image on every device."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Final

import torch
from diffusers.schedulers.scheduling_dpmsolver_sde import BrownianTreeNoiseSampler
from torch import Tensor

from sdcore.diffusion.philox import PhiloxDraws, PhiloxGenerator
from sdcore.diffusion.sending import sent
from sdcore.spec import choices
from sdcore.spec.recipe import Recipe

Shape = tuple[int, int, int]
"""(channels, height, width) of one image's latents."""

_PARALLEL: Final = 0.9995
"""The mean cosine above which two noises are one, and the arc between them has no length to divide by."""


def _mersenne(seed: int) -> torch.Generator:
    return torch.Generator("cpu").manual_seed(seed)


_GENERATORS: Final[Mapping[str, Callable[[int], torch.Generator]]] = {
    choices.RNG_CPU: _mersenne,
    choices.RNG_PHILOX: PhiloxGenerator,
}
"""Every source of noise that a recipe may name."""


def seeds_of(recipe: Recipe) -> list[int]:
    """The seed of each image of a batch: they count up, but where the batch varies all have the first."""
    step = 0 if recipe.variation_strength > 0 else 1
    return [recipe.seed + step * j for j in range(recipe.batch_size)]


def generators(recipe: Recipe, shape: Shape, drawn: int = 0) -> list[torch.Generator]:
    """One CPU generator an image, seeded with its own seed (0 .. 2**63 - 1), from which noise of a `shape` was drawn
    `drawn` times."""
    made = [_GENERATORS[recipe.rng](seed) for seed in seeds_of(recipe)]
    for _ in range(drawn):
        draw(made, shape)
    return made


def draw(drawn_from: Sequence[torch.Generator], shape: Shape) -> Tensor:
    """Unit Gaussian noise (B, C, H, W), float32 on the CPU; image j draws from its own generator, as the diffusers
    pipelines do when given a list of generators."""
    with drawing(drawn_from):
        return torch.cat([torch.randn((1, *shape), generator=generator) for generator in drawn_from])


def drawing(drawn_from: Sequence[torch.Generator]) -> AbstractContextManager[object]:
    """What has to be entered where others draw from these generators."""
    philox = any(isinstance(generator, PhiloxGenerator) for generator in drawn_from)
    return PhiloxDraws() if philox else nullcontext()


def initial_noise(recipe: Recipe, drawn_from: Sequence[torch.Generator], shape: Shape) -> Tensor:
    """What a recipe's images begin from, drawn from its generators: unit Gaussian noise (B, C, H, W), turned towards
    that of the earlier variations, which all images share, and then towards that of the variation seeds, which count
    up over the batch."""
    noise = draw(drawn_from, shape)
    if recipe.variation_strength == 0:
        return noise
    for turn in recipe.earlier_variations:
        noise = _turned(noise, [turn.seed] * recipe.batch_size, turn.strength, recipe.rng, shape)
    seeds = [recipe.variation_seed + j for j in range(recipe.batch_size)]
    return _turned(noise, seeds, recipe.variation_strength, recipe.rng, shape)


def _turned(noise: Tensor, seeds: Sequence[int], strength: float, rng: str, shape: Shape) -> Tensor:
    """Each noise of a batch (B, C, H, W) turned towards that of its seed."""
    towards = draw([_GENERATORS[rng](seed) for seed in seeds], shape)
    return torch.stack([slerp(one, other, strength) for one, other in zip(noise, towards, strict=True)])


def slerp(one: Tensor, other: Tensor, share: float) -> Tensor:
    """From one noise (C, H, W) to another along the arc between them, as far as `share` (0..1) says.

    Every column of every channel is turned by itself, as AUTOMATIC1111's web UI does (modules/rng.py, `slerp`).
    """
    cosine = (_unit(one) * _unit(other)).sum(1, keepdim=True)
    if cosine.mean() > _PARALLEL:
        return one + share * (other - one)
    angle = torch.acos(cosine)
    return (torch.sin((1 - share) * angle) * one + torch.sin(share * angle) * other) / torch.sin(angle)


def _unit(noise: Tensor) -> Tensor:
    return noise / noise.norm(dim=1, keepdim=True)


class BrownianNoise:
    """The noise of DPM++ SDE: increments of a Brownian path fixed by the seeds (torchsde), drawn on the CPU.

    A path is a function of its seed, so a copy needs the seeds alone; that keeps snapshots small and exact.
    """

    def __init__(
        self, drawn_from: Sequence[torch.Generator], seeds: Sequence[int], latents: Tensor, sigmas: Tensor
    ) -> None:
        self._drawn_from, self._seeds = drawn_from, list(seeds)
        self._shape, self._device, self._dtype = latents.shape, latents.device, latents.dtype
        self._range = (float(sigmas[sigmas > 0].min()), float(sigmas.max()))
        template = torch.zeros(self._shape, dtype=torch.float32)
        with drawing(drawn_from):
            self._path = BrownianTreeNoiseSampler(template, *self._range, self._seeds)

    def __call__(self, sigma: Tensor, sigma_next: Tensor) -> Tensor:
        """Unit Gaussian noise (B, C, H, W) for the step from one sigma to another."""
        with drawing(self._drawn_from):
            return sent(self._path(sigma, sigma_next).to(self._dtype), self._device)

    def __deepcopy__(self, memo: dict[int, object]) -> BrownianNoise:
        latents = torch.empty(self._shape, device=self._device, dtype=self._dtype)
        return BrownianNoise(self._drawn_from, self._seeds, latents, torch.tensor(self._range))
