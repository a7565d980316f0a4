"""Seeded noise, drawn on the CPU, so that a seed means the same image on every device."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from diffusers.schedulers.scheduling_dpmsolver_sde import BrownianTreeNoiseSampler
from torch import Tensor


def generators(seeds: Sequence[int]) -> list[torch.Generator]:
    """One CPU generator an image, each seeded with its own seed (0 .. 2**63 - 1)."""
    return [torch.Generator("cpu").manual_seed(seed) for seed in seeds]


def initial_noise(drawn_from: Sequence[torch.Generator], shape: tuple[int, int, int]) -> Tensor:
    """Unit Gaussian noise (B, C, H, W), float32 on the CPU; `shape` is (C, H, W), image j draws from its own
    generator, as the diffusers pipelines do when given a list of generators."""
    return torch.cat([torch.randn((1, *shape), generator=generator) for generator in drawn_from])


class BrownianNoise:
    """The noise of DPM++ SDE: increments of a Brownian path fixed by the seeds (torchsde), drawn on the CPU.

    A path is a function of its seed, so a copy needs the seeds alone; that keeps snapshots small and exact.
    """

    def __init__(self, seeds: Sequence[int], latents: Tensor, sigmas: Tensor) -> None:
        self._seeds = list(seeds)
        self._shape, self._device, self._dtype = latents.shape, latents.device, latents.dtype
        self._range = (float(sigmas[sigmas > 0].min()), float(sigmas.max()))
        template = torch.zeros(self._shape, dtype=torch.float32)
        self._path = BrownianTreeNoiseSampler(template, *self._range, self._seeds)

    def __call__(self, sigma: Tensor, sigma_next: Tensor) -> Tensor:
        """Unit Gaussian noise (B, C, H, W) for the step from one sigma to another."""
        return self._path(sigma, sigma_next).to(self._device, self._dtype)

    def __deepcopy__(self, memo: dict[int, object]) -> BrownianNoise:
        latents = torch.empty(self._shape, device=self._device, dtype=self._dtype)
        return BrownianNoise(self._seeds, latents, torch.tensor(self._range))
