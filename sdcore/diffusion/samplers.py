"""Samplers by name: one protocol over the irregularities of the diffusers schedulers.

The names are those of `sdcore.spec.choices`. What differs between schedulers and is levelled here: whether
they keep sigmas, on which index the noise level of a second-order forward lies, which of them draw noise and
from where, the timestep spacing each was published with, and how their state is copied.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import diffusers
import numpy as np
import torch
from diffusers.schedulers import AysSchedules
from torch import Tensor

from sdcore.diffusion.noise import BrownianNoise
from sdcore.spec import choices
from sdcore.spec.recipe import Recipe

SD1_NOISE: Final[Mapping[str, Any]] = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "prediction_type": "epsilon",
}
"""The training noise of SD 1.x: what a model's `scheduler_config.json` says unless it says otherwise."""

NOISE_KEYS: Final = (*SD1_NOISE, "trained_betas", "rescale_betas_zero_snr")


class Sampler(Protocol):
    """A numerical solver for the probability-flow ODE or SDE, set up for one run.

    `timesteps` has one entry a forward pass of the network; `sigmas` has one more, because N steps join
    N+1 noise levels: the last one is where the run ends. Sigma is the noise's deviation over the signal's.
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


@dataclass(frozen=True)
class _Recipe:
    """What a name means to diffusers: the class, its settings, and what its `step` is told."""

    scheduler: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    step: Mapping[str, Any] = field(default_factory=dict)


_LINSPACE: Final = {"timestep_spacing": "linspace"}
_LEADING: Final = {"timestep_spacing": "leading", "steps_offset": 1}
_DPMPP: Final = {**_LINSPACE, "algorithm_type": "dpmsolver++", "solver_order": 2}

_SAMPLERS: Final[Mapping[str, _Recipe]] = {
    "LMS": _Recipe("LMSDiscreteScheduler", _LINSPACE),
    "Euler": _Recipe("EulerDiscreteScheduler", _LINSPACE),
    "Euler a": _Recipe("EulerAncestralDiscreteScheduler", _LINSPACE),
    "Heun": _Recipe("HeunDiscreteScheduler", _LINSPACE),
    "DPM2": _Recipe("KDPM2DiscreteScheduler", _LINSPACE),
    "DPM2 a": _Recipe("KDPM2AncestralDiscreteScheduler", _LINSPACE),
    "DPM++ 2M": _Recipe("DPMSolverMultistepScheduler", _DPMPP),
    "DPM++ 2M SDE": _Recipe("DPMSolverMultistepScheduler", {**_DPMPP, "algorithm_type": "sde-dpmsolver++"}),
    "DPM++ SDE": _Recipe("DPMSolverSDEScheduler", _LINSPACE),
    "UniPC": _Recipe("UniPCMultistepScheduler", _LINSPACE),
    "DEIS": _Recipe("DEISMultistepScheduler", _LINSPACE),
    "DDIM": _Recipe("DDIMScheduler", {**_LEADING, "clip_sample": False, "set_alpha_to_one": False}),
    "DDPM": _Recipe("DDPMScheduler", {**_LEADING, "clip_sample": False}),
    "PLMS": _Recipe("PNDMScheduler", {**_LEADING, "skip_prk_steps": True, "set_alpha_to_one": False}),
    "LCM": _Recipe("LCMScheduler"),
    "TCD": _Recipe("TCDScheduler", step={"eta": 0.3}),
}

_SCHEDULES: Final[Mapping[str, Mapping[str, Any]]] = {
    choices.AUTOMATIC: {},
    choices.KARRAS: {"use_karras_sigmas": True},
    choices.EXPONENTIAL: {"use_exponential_sigmas": True},
    choices.BETA: {"use_beta_sigmas": True},
    choices.SGM_UNIFORM: {"timestep_spacing": "trailing"},
    choices.ALIGN_YOUR_STEPS: {},
    choices.CUSTOM: {},
}

_AYS_LEAST_SIGMA: Final = 0.029
"""Where the authors' table ends; diffusers writes 0 there, which has no logarithm."""


def make_sampler(
    name: str,
    schedule: str = choices.AUTOMATIC,
    steps: int = 30,
    sigmas: Sequence[float] = (),
    noise: Mapping[str, Any] = SD1_NOISE,
) -> Sampler:
    """The sampler `name` on the noise schedule `schedule`, set to `steps` steps.

    `noise` describes the training noise as a model's scheduler config does. Raises `ValueError` with one
    sentence when the sampler cannot follow the schedule or cannot take that many steps.
    """
    choice, followed = choices.find_sampler(name), choices.find_schedule(schedule)
    if choice is None or followed is None or followed.name not in choice.schedules:
        raise ValueError(f"{name} cannot follow the {schedule} schedule.")
    return DiffusersSampler(choice, followed.name, steps, sigmas, noise)


def sampler_for(recipe: Recipe, noise: Mapping[str, Any] = SD1_NOISE) -> Sampler:
    """The sampler of a recipe that was checked; raises as `make_sampler` does."""
    return make_sampler(recipe.sampler, recipe.schedule, recipe.steps, recipe.sigmas, noise)


class DiffusersSampler:
    """The `Sampler` protocol over one diffusers scheduler."""

    def __init__(
        self,
        choice: choices.SamplerChoice,
        schedule: str,
        steps: int,
        sigmas: Sequence[float],
        noise: Mapping[str, Any],
    ) -> None:
        made = _SAMPLERS[choice.name]
        self.scheduler = _make_scheduler(made, schedule, steps, noise)
        self.evals_per_step = choice.evals_per_step
        _set_timesteps(self.scheduler, choice.name, schedule, steps, sigmas)
        if hasattr(self.scheduler, "set_begin_index"):
            self.scheduler.set_begin_index(0)
        self._timesteps: Tensor = self.scheduler.timesteps
        self.timesteps: list[float] = [float(t) for t in self._timesteps]
        if max(self.timesteps) >= self.scheduler.config.num_train_timesteps:
            # their timesteps are shifted by one, and the last of all has none above it
            raise ValueError(f"{choice.name} cannot take {steps} steps; ask for fewer.")
        self.init_noise_sigma = float(self.scheduler.init_noise_sigma)
        self.alphas, self._sigmas, self.sigmas = _noise_levels(self.scheduler)
        if hasattr(self.scheduler, "sigmas") and not _all_differ(self.sigmas[: -1 : choice.evals_per_step]):
            raise ValueError(
                f"{choice.name} on the {schedule} schedule has no {steps} different steps; ask for fewer."
            )
        self._v_prediction = self.scheduler.config.prediction_type == "v_prediction"
        self._generators: list[torch.Generator] = []
        self._step_settings = dict(made.step)

    def start(self, drawn_from: list[torch.Generator], seeds: Sequence[int], latents: Tensor) -> None:
        self._generators = drawn_from
        if "generator" in inspect.signature(self.scheduler.step).parameters:
            self._step_settings["generator"] = self._generators
        if hasattr(self.scheduler, "noise_sampler_seed"):
            self.scheduler.noise_sampler = BrownianNoise(seeds, latents, self.scheduler.sigmas)

    def timestep(self, index: int) -> Tensor:
        return self._timesteps[index]

    def scale_model_input(self, latents: Tensor, index: int) -> Tensor:
        return self.scheduler.scale_model_input(latents, self._timesteps[index])

    def denoised(self, noise_pred: Tensor, index: int, latents: Tensor) -> Tensor:
        alpha, sigma = self.alphas[index], self._sigmas[index]
        if not self._v_prediction:
            return (latents - sigma * noise_pred) / alpha
        scale = (
            alpha**2 + sigma**2
        )  # 1 where the latents are variance-preserving, sigma^2 + 1 where exploding
        return (alpha * latents - sigma * scale**0.5 * noise_pred) / scale

    def step(self, noise_pred: Tensor, index: int, latents: Tensor) -> Tensor:
        t = self._timesteps[index]
        return self.scheduler.step(noise_pred, t, latents, return_dict=False, **self._step_settings)[0]

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
            self.scheduler.set_begin_index(index)


def _all_differ(levels: Sequence[float]) -> bool:
    """Whether no two steps start from the same noise: a solver would divide by their distance."""
    return len(set(levels)) == len(levels)


def _make_scheduler(made: _Recipe, schedule: str, steps: int, noise: Mapping[str, Any]) -> Any:
    scheduler_class = getattr(diffusers, made.scheduler)
    spacing = (
        _SCHEDULES[schedule] if steps > 1 else _SCHEDULES[choices.SGM_UNIFORM]
    )  # a lone step starts at full noise
    settings = {key: noise[key] for key in NOISE_KEYS if key in noise} | dict(made.settings) | dict(spacing)
    known = inspect.signature(scheduler_class.__init__).parameters
    return scheduler_class(**{key: value for key, value in settings.items() if key in known})


def _set_timesteps(scheduler: Any, sampler: str, schedule: str, steps: int, sigmas: Sequence[float]) -> None:
    if schedule == choices.CUSTOM:
        scheduler.set_timesteps(sigmas=[*sigmas, 0.0])
    elif schedule == choices.ALIGN_YOUR_STEPS:
        aligned = align_your_steps(steps)
        if "sigmas" in inspect.signature(scheduler.set_timesteps).parameters:
            scheduler.set_timesteps(sigmas=[*aligned, 0.0])
        else:
            scheduler.set_timesteps(timesteps=_aligned_timesteps(scheduler, aligned))
    elif steps > scheduler.config.get("original_inference_steps", steps):
        scheduler.set_timesteps(
            steps, original_inference_steps=steps
        )  # more steps than it was distilled with
    else:
        scheduler.set_timesteps(steps)


def align_your_steps(steps: int) -> list[float]:
    """N sigmas of Align Your Steps for SD 1.x (arXiv 2404.14507, table of the authors' release), highest
    first, without the closing 0; for N other than 10 interpolated in the logarithm."""
    table = np.log([*AysSchedules["StableDiffusionSigmas"][:10], _AYS_LEAST_SIGMA])
    at = np.linspace(0, 1, steps + 1)
    return [float(sigma) for sigma in np.exp(np.interp(at, np.linspace(0, 1, len(table)), table))[:-1]]


def _aligned_timesteps(scheduler: Any, sigmas: Sequence[float]) -> list[int]:
    """The published timesteps for ten steps; else those whose training noise is nearest, in the logarithm."""
    published = AysSchedules["StableDiffusionTimesteps"]
    if len(sigmas) == len(published):
        return list(published)
    trained = _sigma_of(scheduler.alphas_cumprod).log()
    return [int((trained - np.log(sigma)).abs().argmin()) for sigma in sigmas]


def _sigma_of(alphas_cumprod: Tensor) -> Tensor:
    return ((1 - alphas_cumprod) / alphas_cumprod).sqrt()


def _noise_levels(scheduler: Any) -> tuple[list[float], list[float], list[float]]:
    """Per forward the factors (alpha, sigma) of x = alpha x0 + sigma eps; and the N+1 sigmas, as sigma/alpha."""
    if getattr(scheduler, "sigmas", None) is None:
        return _levels_of_timesteps(scheduler)
    visited = _visited_sigmas(scheduler)
    ends = [*visited, float(scheduler.sigmas[-1])]
    if hasattr(scheduler, "_sigma_to_alpha_sigma_t"):
        pairs = [scheduler._sigma_to_alpha_sigma_t(torch.tensor(sigma)) for sigma in visited]
        return [float(alpha) for alpha, _ in pairs], [float(sigma) for _, sigma in pairs], ends
    return [1.0] * len(visited), visited, ends


def _visited_sigmas(scheduler: Any) -> list[float]:
    """The noise level at which each forward pass looks: the midpoints of second-order steps are not in
    `scheduler.sigmas` (see `step` of KDPM2, KDPM2Ancestral and DPMSolverSDE in diffusers)."""
    count = len(scheduler.timesteps)
    sigmas = [float(sigma) for sigma in scheduler.sigmas[:count]]
    kind = type(scheduler).__name__
    if kind == "DPMSolverSDEScheduler":
        sigmas[1::2] = [(sigmas[i - 1] * sigmas[i]) ** 0.5 for i in range(1, count, 2)]
    elif hasattr(scheduler, "sigmas_interpol"):
        shift = 1 if kind == "KDPM2AncestralDiscreteScheduler" else 0
        sigmas[1::2] = [float(scheduler.sigmas_interpol[i - shift]) for i in range(1, count, 2)]
    return sigmas


def _levels_of_timesteps(scheduler: Any) -> tuple[list[float], list[float], list[float]]:
    """Noise levels of the schedulers that know timesteps alone, from the training table."""
    kept = scheduler.alphas_cumprod[scheduler.timesteps.long().cpu()].double()
    final = getattr(scheduler, "final_alpha_cumprod", torch.tensor(1.0)).double()
    alphas, sigmas = kept.sqrt(), (1 - kept).sqrt()
    return alphas.tolist(), sigmas.tolist(), [*_sigma_of(kept).tolist(), float(_sigma_of(final))]
