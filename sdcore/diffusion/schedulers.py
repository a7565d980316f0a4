"""What the names of samplers and noise schedules mean to diffusers: classes, settings, noise levels.

Models that predict noise or v are here; those that predict the velocity of a straight path are in `flow`.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

import diffusers
import numpy as np
import torch
from diffusers.schedulers import AysSchedules
from torch import Tensor

from sdcore.diffusion.lms import KeptLMSScheduler
from sdcore.spec import choices

SD1_NOISE: Final[Mapping[str, Any]] = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "prediction_type": "epsilon",
}
"""The training noise of SD 1.x: what a model's `scheduler_config.json` says unless it says otherwise."""

NOISE_KEYS: Final = (*SD1_NOISE, "trained_betas", "rescale_betas_zero_snr")

_ZERO_SNR: Final = "rescale_betas_zero_snr"
_LEAST_ALPHA: Final = 2**-24
"""The power of the signal in what is noise alone, so that the noise level has a number."""

FLOW_PREDICTION: Final = "flow_prediction"
"""The kind of prediction of a flow model, in the words of diffusers: the velocity, noise minus x0."""


@dataclass(frozen=True)
class Prepared:
    """A diffusers scheduler, set to the steps of a run.

    `alphas` and `sigmas` are, per forward pass, the factors of x = alpha x0 + sigma eps; `levels` are the N+1 noise
    levels that a `Sampler` shows. `step` is what the scheduler's `step` is told besides.
    """

    scheduler: Any
    prediction: str
    alphas: list[float]
    sigmas: list[float]
    levels: list[float]
    step: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Meaning:
    """What a name means to diffusers: the class, its settings, and what its `step` is told."""

    scheduler: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    step: Mapping[str, Any] = field(default_factory=dict)


_LINSPACE: Final = {"timestep_spacing": "linspace"}
_LEADING: Final = {"timestep_spacing": "leading", "steps_offset": 1}
_DPMPP: Final = {**_LINSPACE, "algorithm_type": "dpmsolver++", "solver_order": 2}

MEANINGS: Final[Mapping[str, _Meaning]] = {
    "LMS": _Meaning("LMSDiscreteScheduler", _LINSPACE),
    "Euler": _Meaning("EulerDiscreteScheduler", _LINSPACE),
    "Euler a": _Meaning("EulerAncestralDiscreteScheduler", _LINSPACE),
    "Heun": _Meaning("HeunDiscreteScheduler", _LINSPACE),
    "DPM2": _Meaning("KDPM2DiscreteScheduler", _LINSPACE),
    "DPM2 a": _Meaning("KDPM2AncestralDiscreteScheduler", _LINSPACE),
    "DPM++ 2M": _Meaning("DPMSolverMultistepScheduler", _DPMPP),
    "DPM++ 2M SDE": _Meaning("DPMSolverMultistepScheduler", {**_DPMPP, "algorithm_type": "sde-dpmsolver++"}),
    "DPM++ SDE": _Meaning("DPMSolverSDEScheduler", _LINSPACE),
    "UniPC": _Meaning("UniPCMultistepScheduler", _LINSPACE),
    "DEIS": _Meaning("DEISMultistepScheduler", _LINSPACE),
    "DDIM": _Meaning("DDIMScheduler", {**_LEADING, "clip_sample": False, "set_alpha_to_one": False}),
    "DDPM": _Meaning("DDPMScheduler", {**_LEADING, "clip_sample": False}),
    "PLMS": _Meaning("PNDMScheduler", {**_LEADING, "skip_prk_steps": True, "set_alpha_to_one": False}),
    "LCM": _Meaning("LCMScheduler"),
    "TCD": _Meaning("TCDScheduler", step={"eta": 0.3}),
}
"""Every sampler of `choices`."""

SPACINGS: Final[Mapping[str, Mapping[str, Any]]] = {
    choices.AUTOMATIC: {},
    choices.KARRAS: {"use_karras_sigmas": True},
    choices.EXPONENTIAL: {"use_exponential_sigmas": True},
    choices.BETA: {"use_beta_sigmas": True},
    choices.SGM_UNIFORM: {"timestep_spacing": "trailing"},
    choices.ALIGN_YOUR_STEPS: {},
    choices.CUSTOM: {},
}
"""Every noise schedule of `choices`."""

_OWN: Final[Mapping[str, Any]] = {"LMSDiscreteScheduler": KeptLMSScheduler}
"""What takes the place of a class of diffusers, and does the same in less time."""

_AYS_LEAST_SIGMA: Final = 0.029
"""Where the authors' table ends; diffusers writes 0 there, which has no logarithm."""


def prepare(
    choice: choices.SamplerChoice,
    schedule: str,
    steps: int,
    sigmas: Sequence[float],
    noise: Mapping[str, Any],
    skipped: int = 0,
) -> Prepared:
    """The scheduler of a sampler on a schedule that it can follow, of whose steps the first `skipped` are not to be
    run. Raises `ValueError` with one sentence when it cannot take that many steps."""
    made = MEANINGS[choice.name]
    scheduler = _make(made, schedule, steps, noise)
    _set_timesteps(scheduler, schedule, steps, sigmas)
    if isinstance(scheduler, diffusers.PNDMScheduler):
        # It looks twice at the second timestep of a run, wherever that begins; the pipelines do not see to it.
        visited = torch.cat([scheduler.timesteps[:1], scheduler.timesteps[2:]])
        scheduler.timesteps = torch.cat([visited[: skipped + 2], visited[skipped + 1 :]])
    if float(max(scheduler.timesteps)) >= scheduler.config.num_train_timesteps:
        # their timesteps are shifted by one, and the last of all has none above it
        raise ValueError(f"{choice.name} cannot take {steps} steps; ask for fewer.")
    return Prepared(scheduler, scheduler.config.prediction_type, *_noise_levels(scheduler), step=made.step)


def _make(made: _Meaning, schedule: str, steps: int, noise: Mapping[str, Any]) -> Any:
    scheduler_class = _OWN.get(made.scheduler) or getattr(diffusers, made.scheduler)
    spacing = (
        SPACINGS[schedule] if steps > 1 else SPACINGS[choices.SGM_UNIFORM]
    )  # a lone step starts at full noise
    known = inspect.signature(scheduler_class.__init__).parameters
    settings = {key: noise[key] for key in NOISE_KEYS if key in noise} | dict(made.settings)
    if noise.get(_ZERO_SNR):
        # From the last timestep of all (arXiv 2305.08891, section 3.3).
        settings |= SPACINGS[choices.SGM_UNIFORM]
        if _ZERO_SNR not in known:
            settings["trained_betas"] = _zero_snr_betas(noise)
    settings |= spacing
    told = {key: tuple(value) if isinstance(value, list) else value for key, value in settings.items()}
    return copy.deepcopy(
        _untouched(scheduler_class, tuple((key, told[key]) for key in settings if key in known))
    )


@lru_cache(maxsize=64)
def _untouched(scheduler_class: Any, settings: tuple[tuple[str, Any], ...]) -> Any:
    """A scheduler to be copied: DPM2's takes a fifth of a second to make, for it sets itself to all timesteps first."""
    return scheduler_class(**dict(settings))


def _zero_snr_betas(noise: Mapping[str, Any]) -> list[float]:
    """The betas of a noise schedule that ends in noise alone, for schedulers that cannot rescale them themselves. The
    least signal left is `_LEAST_ALPHA`, as diffusers leaves it in those that divide by it."""
    alphas = diffusers.EulerDiscreteScheduler(
        **{key: noise[key] for key in NOISE_KEYS if key in noise}
    ).alphas_cumprod.double()
    before = torch.cat([torch.ones(1, dtype=torch.float64), alphas[:-1]])
    return (1 - alphas / before).tolist()


def _set_timesteps(scheduler: Any, schedule: str, steps: int, sigmas: Sequence[float]) -> None:
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
    kept = scheduler.alphas_cumprod[scheduler.timesteps.long().cpu()]
    final = getattr(scheduler, "final_alpha_cumprod", torch.tensor(1.0)).double()
    alphas, sigmas = kept.sqrt(), (1 - kept).sqrt()
    levels = _sigma_of(kept.double().clamp(min=_LEAST_ALPHA))
    return alphas.tolist(), sigmas.tolist(), [*levels.tolist(), float(_sigma_of(final))]
