"""The samplers' tables: every name is known, every schedule falls, and there is one sigma more than forwards."""

from __future__ import annotations

import math

import pytest
import torch

from sdcore.diffusion import schedulers
from sdcore.diffusion.samplers import make_sampler
from sdcore.diffusion.schedulers import align_your_steps
from sdcore.spec import choices

FEWER = ("DDIM", "DDPM", "PLMS", "DPM++ 2M", "DPM++ 2M SDE", "UniPC", "DEIS")
"""They cannot visit all 1000 timesteps: the first three shift them by one, the others spread N+1 of them."""

PAIRS = [(sampler.name, schedule) for sampler in choices.SAMPLERS for schedule in sampler.schedules]


def test_the_two_tables_name_the_same_samplers_and_schedules() -> None:
    assert set(schedulers.MEANINGS) == {sampler.name for sampler in choices.SAMPLERS}
    assert set(schedulers.SPACINGS) == {schedule.name for schedule in choices.SCHEDULES}


@pytest.mark.parametrize(("name", "schedule"), PAIRS)
@pytest.mark.parametrize("steps", [1, 2, 20, 50])
def test_every_schedule_falls_from_full_noise(name: str, schedule: str, steps: int) -> None:
    custom = tuple(14.0 * 0.8**k for k in range(steps)) if schedule == choices.CUSTOM else ()
    sampler = make_sampler(name, schedule, steps, custom)
    assert len(sampler.sigmas) == len(sampler.timesteps) + 1
    starts = sampler.sigmas[: -1 : sampler.evals_per_step]
    assert starts == sorted(starts, reverse=True)
    assert all(math.isfinite(sigma) for sigma in sampler.sigmas)
    assert sampler.sigmas[0] > (
        5 if steps > 2 or steps == 1 else 1.5
    )  # "leading" starts two steps at t = 501
    assert sampler.sigmas[-1] < 0.03
    assert len(sampler.timesteps) in (steps, steps * sampler.evals_per_step - 1, steps + 1)


@pytest.mark.parametrize(
    ("name", "init_noise_sigma"), [("LMS", 14.6146), ("Euler", 14.6146), ("DDIM", 1.0), ("DPM++ 2M", 1.0)]
)
def test_the_initial_noise_is_scaled_as_the_sampler_wants(name: str, init_noise_sigma: float) -> None:
    assert make_sampler(name, steps=30).init_noise_sigma == pytest.approx(init_noise_sigma, abs=1e-3)


def test_ten_aligned_steps_are_the_published_ones() -> None:
    published = [14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152]
    assert align_your_steps(10) == pytest.approx(published, abs=1e-3)
    timesteps = make_sampler("DPM++ 2M", choices.ALIGN_YOUR_STEPS, 10).timesteps
    assert timesteps == [999, 850, 736, 645, 545, 455, 343, 233, 124, 24]


@pytest.mark.parametrize(
    ("name", "schedule"), [("Euler", "cosine"), ("DDIM", "Karras"), ("nobody", "automatic")]
)
def test_what_cannot_be_is_said(name: str, schedule: str) -> None:
    with pytest.raises(ValueError, match="cannot follow"):
        make_sampler(name, schedule)


def test_more_aligned_steps_than_timesteps_is_said() -> None:
    with pytest.raises(ValueError, match="ask for fewer"):
        make_sampler("DPM++ 2M", choices.ALIGN_YOUR_STEPS, 1000)


@pytest.mark.parametrize("name", [choice.name for choice in choices.SAMPLERS if choice.name not in FEWER])
def test_as_many_steps_as_there_are_timesteps(name: str) -> None:
    sampler = make_sampler(name, steps=1000)
    assert max(sampler.timesteps) == 999
    assert len(sampler.sigmas) == len(sampler.timesteps) + 1


@pytest.mark.parametrize("name", FEWER)
def test_more_steps_than_a_sampler_has_timesteps_is_said(name: str) -> None:
    with pytest.raises(ValueError, match="ask for fewer"):
        make_sampler(name, steps=1000)


def test_a_snapshot_does_not_share_its_history_with_the_run() -> None:
    sampler = make_sampler("LMS", steps=5)
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    sampler.start([torch.Generator().manual_seed(0)], [0], latents)
    sampler.scale_model_input(latents, 0)
    first = sampler.step(latents, 0, latents)
    kept = sampler.snapshot()
    second = sampler.step(latents * 2, 1, first)
    sampler.restore(kept)
    assert torch.equal(sampler.step(latents * 2, 1, first), second)
    sampler.restore(kept)
    assert torch.equal(sampler.step(latents * 2, 1, first), second)
