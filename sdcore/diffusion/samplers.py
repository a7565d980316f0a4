"""Samplers by name: one protocol over the irregularities of the diffusers schedulers.

The names are those of `sdcore.spec.choices`; what they mean is in `schedulers` and, for flow models, in `flow`. What
differs between schedulers and is levelled here: how the prediction tells x0, whether they scale what the network sees,
which of them draw noise and from where, and how their state is copied.
"""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import torch
from diffusers import LMSDiscreteScheduler
from torch import Tensor

from sdcore.diffusion.flow import FLOW_KEYS, Size, is_flow, prepare_flow
from sdcore.diffusion.noise import BrownianNoise, drawing
from sdcore.diffusion.schedulers import FLOW_PREDICTION, NOISE_KEYS, SD1_NOISE, Prepared, prepare
from sdcore.diffusion.sending import scalars_stay
from sdcore.diffusion.training_noise import check_noise
from sdcore.spec import choices

_LMS_ORDER: Final = 4
"""How many steps LMS looks back."""


class Sampler(Protocol):
    """A numerical solver for the probability-flow ODE or SDE, set up for one run.

    `timesteps` has one entry a forward pass of the network; `sigmas` has one more, because N steps join
    N+1 noise levels: the last one is where the run ends. Sigma is the noise's deviation over the signal's; for flow
    models it is the share of noise, 1 to 0.
    """

    timesteps: list[float]
    sigmas: list[float]
    evals_per_step: int
    init_noise_sigma: float
    alphas: list[float]
    """The factor of x0 in the latents of each forward: 1 where they are variance-exploding."""

    def start(self, drawn_from: list[torch.Generator], seeds: Sequence[int], latents: Tensor) -> None:
        """Make ready for a run on `latents` (B, C, H, W): noise on the way is drawn, image by image, from the
        generators that the initial noise was drawn from, or from a path of its own that the seeds fix."""

    def timestep(self, index: int) -> Tensor:
        """The timestep of forward `index`, as the network takes it (a CPU scalar)."""

    def scale_model_input(self, latents: Tensor, index: int) -> Tensor:
        """The latents as the network was trained to see them at forward `index`."""

    def noised(self, x0: Tensor, noise: Tensor, index: int) -> Tensor:
        """Clean latents `x0` with unit `noise` as they would be before forward `index`: where image-to-image begins."""

    def denoised(self, noise_pred: Tensor, index: int, latents: Tensor) -> Tensor:
        """The estimate of x0 that `noise_pred` implies for `latents` at forward `index`."""

    def step(self, noise_pred: Tensor, index: int, latents: Tensor) -> Tensor:
        """The latents after forward `index`."""

    def snapshot(self) -> SamplerState:
        """All that the next steps depend on, copied."""

    def restore(self, state: SamplerState, *, new_noise: bool = False) -> None:
        """Go back to a snapshot of a run with the same settings; what follows is the same bit for bit, unless
        `new_noise` has the rest draw from where `start` left this sampler's own generators."""

    def begin_at(self, index: int) -> None:
        """Begin at forward `index` instead of 0, without the history that a sampler of several steps has there."""


@dataclass(frozen=True)
class SamplerState:
    """A sampler between two steps: the scheduler with its history, and the noise generators' states."""

    scheduler: Any
    generators: tuple[Tensor, ...]


def make_sampler(
    name: str,
    schedule: str = choices.AUTOMATIC,
    steps: int = 30,
    sigmas: Sequence[float] = (),
    noise: Mapping[str, Any] = SD1_NOISE,
    size: Size = (512, 512),
    skipped: int = 0,
) -> Sampler:
    """The sampler `name` on the noise schedule `schedule`, set to `steps` steps, of which the first `skipped` are left
    out: it begins at less than full noise, and what it shows has no more than what is run.

    `noise` describes the training noise as a model's scheduler config does; for a flow model it may depend on the
    `size` (width, height) of the image in pixels. Raises `ValueError` with one sentence when the sampler cannot
    follow the schedule or cannot take that many steps, or when there can be no such training noise.
    """
    choice, followed = choices.find_sampler(name), choices.find_schedule(schedule)
    check_noise(noise)
    flow = is_flow(noise)
    able = () if choice is None else choice.flow_schedules if flow else choice.schedules
    if choice is None or followed is None or followed.name not in able:
        raise ValueError(f"{name} cannot follow the {schedule} schedule{' of a flow model' * flow}.")
    if flow:
        prepared = prepare_flow(choice, followed.name, steps, sigmas, noise, size)
    else:
        prepared = prepare(choice, followed.name, steps, sigmas, noise, skipped)
    return DiffusersSampler(choice, followed.name, steps, prepared, skipped)


def kept_noise(config: Mapping[str, Any]) -> dict[str, Any]:
    """What of a model's scheduler config its samplers follow from: all that a trace has to keep of it."""
    if not is_flow(config):
        return {key: config[key] for key in NOISE_KEYS if key in config}
    return {"shift": 1.0} | {key: config[key] for key in FLOW_KEYS if key in config}


class DiffusersSampler:
    """The `Sampler` protocol over one diffusers scheduler."""

    def __init__(
        self, choice: choices.SamplerChoice, schedule: str, steps: int, prepared: Prepared, skipped: int = 0
    ) -> None:
        self.scheduler = prepared.scheduler
        self.evals_per_step = choice.evals_per_step
        self._first = first = skipped * choice.evals_per_step
        self.begin_at(0)
        self._timesteps: Tensor = self.scheduler.timesteps[first:]
        self.timesteps: list[float] = [float(t) for t in self._timesteps]
        self.alphas, self._sigmas = prepared.alphas[first:], prepared.sigmas[first:]
        self.sigmas = prepared.levels[first:]
        if not all(map(math.isfinite, self.sigmas)):
            raise ValueError(
                "The noise that the model says it was trained under leaves no signal to begin with."
            )
        whole = float(getattr(self.scheduler, "init_noise_sigma", 1.0))
        self.init_noise_sigma = self._sigmas[0] if skipped else whole
        if hasattr(self.scheduler, "sigmas") and not _all_differ(self.sigmas[: -1 : choice.evals_per_step]):
            raise ValueError(
                f"{choice.name} on the {schedule} schedule has no {steps} different steps; ask for fewer."
            )
        self._estimate = _ESTIMATES[prepared.prediction]
        self._scales_input = hasattr(self.scheduler, "scale_model_input")
        self._generators: list[torch.Generator] = []
        self._step_settings = dict(prepared.step)

    def start(self, drawn_from: list[torch.Generator], seeds: Sequence[int], latents: Tensor) -> None:
        self._generators = drawn_from
        if "generator" in inspect.signature(self.scheduler.step).parameters:
            self._step_settings["generator"] = self._generators
        if hasattr(self.scheduler, "noise_sampler_seed"):
            sigmas = self.scheduler.sigmas
            self.scheduler.noise_sampler = BrownianNoise(drawn_from, seeds, latents, sigmas)

    def timestep(self, index: int) -> Tensor:
        return self._timesteps[index]

    def scale_model_input(self, latents: Tensor, index: int) -> Tensor:
        if not self._scales_input:
            return latents
        return self.scheduler.scale_model_input(latents, self._timesteps[index])

    def noised(self, x0: Tensor, noise: Tensor, index: int) -> Tensor:
        return self.alphas[index] * x0 + self._sigmas[index] * noise

    def denoised(self, noise_pred: Tensor, index: int, latents: Tensor) -> Tensor:
        return self._estimate(noise_pred, latents, self.alphas[index], self._sigmas[index])

    def step(self, noise_pred: Tensor, index: int, latents: Tensor) -> Tensor:
        settings = dict(self._step_settings)
        if isinstance(self.scheduler, LMSDiscreteScheduler):
            # It counts its history by the timestep, and there is less of it in a run that began later.
            settings["order"] = min(_LMS_ORDER, len(self.scheduler.derivatives) + 1)
        t = self._timesteps[index]
        with drawing(self._generators), scalars_stay(latents.device):
            return self.scheduler.step(noise_pred, t, latents, return_dict=False, **settings)[0]

    def snapshot(self) -> SamplerState:
        states = tuple(generator.get_state() for generator in self._generators)
        return SamplerState(copy.deepcopy(self.scheduler), states)

    def restore(self, state: SamplerState, *, new_noise: bool = False) -> None:
        own_path = getattr(self.scheduler, "noise_sampler", None)
        self.scheduler = copy.deepcopy(state.scheduler)
        if new_noise:
            if own_path is not None:
                self.scheduler.noise_sampler = own_path
            return
        for generator, kept in zip(self._generators, state.generators, strict=True):
            generator.set_state(kept)

    def begin_at(self, index: int) -> None:
        if hasattr(self.scheduler, "set_begin_index"):
            self.scheduler.set_begin_index(self._first + index)


def _all_differ(levels: Sequence[float]) -> bool:
    """Whether no two steps start from the same noise: a solver would divide by their distance."""
    return len(set(levels)) == len(levels)


def _of_noise(prediction: Tensor, latents: Tensor, alpha: float, sigma: float) -> Tensor:
    return (latents - sigma * prediction) / alpha


def _of_v(prediction: Tensor, latents: Tensor, alpha: float, sigma: float) -> Tensor:
    # 1 where the latents are variance-preserving, sigma^2 + 1 where exploding
    scale = alpha**2 + sigma**2
    return (alpha * latents - sigma * scale**0.5 * prediction) / scale


def _of_velocity(prediction: Tensor, latents: Tensor, alpha: float, sigma: float) -> Tensor:
    return latents - sigma * prediction


_ESTIMATES: Final[Mapping[str, Callable[[Tensor, Tensor, float, float], Tensor]]] = {
    "epsilon": _of_noise,
    "v_prediction": _of_v,
    FLOW_PREDICTION: _of_velocity,
}
"""The estimate of x0 from each kind of prediction and the latents alpha x0 + sigma eps."""
