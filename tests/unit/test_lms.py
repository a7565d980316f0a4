"""LMS with coefficients that are kept: as diffusers has it to the last bit, and no integral twice."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from diffusers import LMSDiscreteScheduler
from diffusers.schedulers import scheduling_lms_discrete
from torch import Tensor

from sdcore.diffusion import lms
from sdcore.diffusion.lms import KeptLMSScheduler


def run(scheduler: Any, steps: int, order: int = 4) -> Tensor:
    scheduler.set_timesteps(steps)
    scheduler.set_begin_index(0)
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1)) * scheduler.init_noise_sigma
    for t in scheduler.timesteps:
        seen = scheduler.scale_model_input(latents, t)
        latents = scheduler.step(torch.sin(seen), t, latents, order=order, return_dict=False)[0]
    return latents


@pytest.mark.parametrize("settings", [{}, {"use_karras_sigmas": True}, {"timestep_spacing": "trailing"}])
@pytest.mark.parametrize("order", [1, 3, 4])
def test_it_is_lms_to_the_last_bit(settings: dict[str, Any], order: int) -> None:
    lms._coefficient.cache_clear()
    expected = run(LMSDiscreteScheduler(**settings), 12, order)
    for _ in range(2):
        assert torch.equal(run(KeptLMSScheduler(**settings), 12, order), expected)


def test_a_table_of_noise_levels_is_integrated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    lms._coefficient.cache_clear()
    calls: list[Any] = []
    quad = scheduling_lms_discrete.integrate.quad

    def counted(*given: Any, **named: Any) -> Any:
        calls.append(given)
        return quad(*given, **named)

    monkeypatch.setattr(scheduling_lms_discrete.integrate, "quad", counted)
    run(KeptLMSScheduler(), 10)
    integrated = len(calls)
    assert integrated == 1 + 2 + 3 + 7 * 4
    run(KeptLMSScheduler(), 10)
    assert len(calls) == integrated
    run(KeptLMSScheduler(), 11)
    assert len(calls) > integrated
