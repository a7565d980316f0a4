"""Schedulers of flow models, whose latents lie on the straight path x = (1 - sigma) x0 + sigma eps, sigma 1 to 0
(arXiv 2209.03003), and whose networks predict its velocity eps - x0.

The noise levels are even but for a shift towards high noise, by a factor of the model's or, where the shift is
dynamic, by one that grows with the size of the image (Esser et al., arXiv 2403.03206, section 5.3.2).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import torch
from diffusers import (
    DPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    FlowMatchHeunDiscreteScheduler,
    UniPCMultistepScheduler,
)

from sdcore.diffusion.schedulers import FLOW_PREDICTION, SPACINGS, Prepared
from sdcore.spec import choices

FLOW_KEYS: Final = (
    "num_train_timesteps", "shift", "use_dynamic_shifting", "base_shift", "max_shift", "base_image_seq_len",
    "max_image_seq_len", "shift_terminal", "time_shift_type", "timestep_spacing",
)  # fmt: skip
"""What of a scheduler config decides the noise levels of a flow model. `timestep_spacing` is not of diffusers' own
class but of its pipelines: "trailing" (Flux) begins at all noise and ends a step above none, else the levels run down
to the least that was trained (SD3)."""

PATCH: Final = 16
"""Pixels along a side of what a flow transformer takes as one token: the VAE's 8, times patches of 2."""

_MOST: Final = 500
"""The exponential of what is larger is soon no number any more."""

Size = tuple[int, int]
"""Width and height of an image in pixels."""


def is_flow(noise: Mapping[str, Any]) -> bool:
    """Whether a scheduler config is a flow model's."""
    return "shift" in noise or str(noise.get("_class_name", "")).startswith("FlowMatch")


@dataclass(frozen=True)
class _Asked:
    """The steps that a scheduler is to be set to."""

    schedule: str
    steps: int
    sigmas: Sequence[float]
    noise: Mapping[str, Any]
    size: Size

    @property
    def mu(self) -> dict[str, float]:
        """What `set_timesteps` is told where the shift depends on the image's size."""
        dynamic = self.noise.get("use_dynamic_shifting")
        return {"mu": dynamic_shift(self.noise, self.size)} if dynamic else {}


def prepare_flow(
    choice: choices.SamplerChoice,
    schedule: str,
    steps: int,
    sigmas: Sequence[float],
    noise: Mapping[str, Any],
    size: Size,
) -> Prepared:
    """The scheduler of a sampler on a schedule that it can follow for flow models, for an image of `size` (width,
    height) in pixels. Raises `ValueError` with one sentence when custom sigmas are no shares of noise, or when the
    config says nothing for this size."""
    if schedule == choices.CUSTOM and sigmas[0] > 1:
        raise ValueError(f"Sigmas of a flow model are shares of noise, at most 1, not {sigmas[0]:g}.")
    scheduler = MAKERS[choice.name](_Asked(schedule, steps, sigmas, noise, size))
    levels = [float(sigma) for sigma in scheduler.sigmas]
    visited = levels[:-1]
    return Prepared(scheduler, FLOW_PREDICTION, [1 - sigma for sigma in visited], visited, levels)


def dynamic_shift(noise: Mapping[str, Any], size: Size) -> float:
    """mu, the logarithm of the shift for an image of `size` in pixels: linear in its number of tokens, from
    `base_shift` to `max_shift` (source: diffusers, pipelines/flux/pipeline_flux.py, `calculate_shift`). Raises
    `ValueError` where the config cannot be so."""
    least, most = noise.get("base_image_seq_len", 256), noise.get("max_image_seq_len", 4096)
    if most == least:
        raise ValueError("The model's shift for small images and for large ones is told for the same size.")
    low, high = noise.get("base_shift", 0.5), noise.get("max_shift", 1.15)
    slope = (high - low) / (most - least)
    tokens = (size[0] // PATCH) * (size[1] // PATCH)
    shift = float(tokens * slope + (low - slope * least))
    if abs(shift) > _MOST:
        raise ValueError(
            f"The model's shift is beyond all bounds for an image of {size[0]}x{size[1]} pixels."
        )
    return shift


def _euler(asked: _Asked) -> FlowMatchEulerDiscreteScheduler:
    own = {key: asked.noise[key] for key in FLOW_KEYS if key in asked.noise}
    spacing = own.pop("timestep_spacing", "")
    if asked.schedule == choices.CUSTOM:
        scheduler = FlowMatchEulerDiscreteScheduler(own.get("num_train_timesteps", 1000))
        scheduler.set_timesteps(sigmas=list(asked.sigmas))
        return scheduler
    flags = dict(SPACINGS[asked.schedule])
    spacing = flags.pop("timestep_spacing", spacing)
    scheduler = FlowMatchEulerDiscreteScheduler(**own, **flags)
    if spacing == "trailing":
        scheduler.set_timesteps(sigmas=np.linspace(1.0, 1 / asked.steps, asked.steps), **asked.mu)
    else:
        scheduler.set_timesteps(asked.steps, **asked.mu)
    return scheduler


def _heun(asked: _Asked) -> FlowMatchHeunDiscreteScheduler:
    """Heun's own class knows neither schedules nor the dynamic shift: it is given the levels of Euler's."""
    levels = _euler(asked)
    scheduler = FlowMatchHeunDiscreteScheduler(levels.config.num_train_timesteps)
    scheduler.set_timesteps(asked.steps)
    scheduler.timesteps = _twice_but_first(levels.timesteps)
    scheduler.sigmas = torch.cat([_twice_but_first(levels.sigmas[:-1]), levels.sigmas[-1:]])
    return scheduler


def _twice_but_first(levels: torch.Tensor) -> torch.Tensor:
    return torch.cat([levels[:1], levels[1:].repeat_interleave(2)])


def _multistep(kind: Any, asked: _Asked) -> Any:
    """The solvers of diffusion models, on the flow levels that they have themselves."""
    noise = asked.noise
    scheduler = kind(
        num_train_timesteps=noise.get("num_train_timesteps", 1000), prediction_type=FLOW_PREDICTION,
        use_flow_sigmas=True, flow_shift=noise.get("shift", 1.0),
        use_dynamic_shifting=bool(noise.get("use_dynamic_shifting")),
    )  # fmt: skip
    scheduler.set_timesteps(asked.steps, **asked.mu)
    return scheduler


MAKERS: Final[Mapping[str, Callable[[_Asked], Any]]] = {
    "Euler": _euler,
    "Heun": _heun,
    "DPM++ 2M": partial(_multistep, DPMSolverMultistepScheduler),
    "UniPC": partial(_multistep, UniPCMultistepScheduler),
}
"""The samplers that can follow a flow. DEIS could, but its flow levels in diffusers end above 0, in noise."""
