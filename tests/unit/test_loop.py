"""The loop: equal to the official pipeline, exact to fork, and honest in every field of a Step."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from diffusers import StableDiffusionPipeline

from sdcore.diffusion.loop import Step, sample
from sdcore.diffusion.model import Model
from sdcore.opening import open_model
from sdcore.spec import choices
from sdcore.spec.recipe import Recipe, RecipeError

LINSPACE = {"timestep_spacing": "linspace"}
LEADING = {"timestep_spacing": "leading", "steps_offset": 1}

OFFICIAL: dict[str, tuple[str, dict[str, Any]]] = {
    "LMS": ("LMSDiscreteScheduler", LINSPACE),
    "Euler": ("EulerDiscreteScheduler", LINSPACE),
    "Euler a": ("EulerAncestralDiscreteScheduler", LINSPACE),
    "Heun": ("HeunDiscreteScheduler", LINSPACE),
    "DPM2": ("KDPM2DiscreteScheduler", LINSPACE),
    "DPM2 a": ("KDPM2AncestralDiscreteScheduler", LINSPACE),
    "DPM++ 2M": ("DPMSolverMultistepScheduler", LINSPACE),
    "DPM++ 2M SDE": ("DPMSolverMultistepScheduler", {**LINSPACE, "algorithm_type": "sde-dpmsolver++"}),
    "DPM++ SDE": ("DPMSolverSDEScheduler", LINSPACE),
    "UniPC": ("UniPCMultistepScheduler", LINSPACE),
    "DEIS": ("DEISMultistepScheduler", LINSPACE),
    "DDIM": ("DDIMScheduler", {**LEADING, "clip_sample": False, "set_alpha_to_one": False}),
    "DDPM": ("DDPMScheduler", {**LEADING, "clip_sample": False}),
    "PLMS": ("PNDMScheduler", {**LEADING, "skip_prk_steps": True, "set_alpha_to_one": False}),
    "LCM": ("LCMScheduler", {}),
    "TCD": ("TCDScheduler", {}),
}
SCHEDULE_FLAGS: dict[str, dict[str, Any]] = {
    "automatic": {},
    "Karras": {"use_karras_sigmas": True},
    "exponential": {"use_exponential_sigmas": True},
    "beta": {"use_beta_sigmas": True},
    "SGM uniform": {"timestep_spacing": "trailing"},
    "Align Your Steps": {},
    "custom": {},
}
TRAINED = ("num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "prediction_type")
AYS_TIMESTEPS = [999, 850, 736, 645, 545, 455, 343, 233, 124, 24]
CUSTOM_SIGMAS = (14.0, 7.0, 3.0, 1.5, 0.6, 0.2)
PAIRS = [(sampler.name, schedule) for sampler in choices.SAMPLERS for schedule in sampler.schedules]


@pytest.fixture(scope="module")
def pipeline(sd1_folder: Path) -> StableDiffusionPipeline:
    pipe = StableDiffusionPipeline.from_pretrained(sd1_folder, safety_checker=None)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def recipe_for(sampler: str, schedule: str, **changes: Any) -> Recipe:
    steps = {"Align Your Steps": 10, "custom": len(CUSTOM_SIGMAS)}.get(schedule, 6)
    settings: dict[str, Any] = {
        "prompt": "a lighthouse", "negative_prompt": "fog", "width": 64, "height": 64, "steps": steps, "seed": 5,
        "guidance_scale": 3.0, "sampler": sampler, "schedule": schedule,
        "sigmas": CUSTOM_SIGMAS if schedule == "custom" else (),
    }  # fmt: skip
    return Recipe(**(settings | changes))


def official(pipe: StableDiffusionPipeline, recipe: Recipe, ours: list[Step]) -> torch.Tensor:
    """The final latents of diffusers' own pipeline, its scheduler set up here by hand."""
    name, settings = OFFICIAL[recipe.sampler]
    seeds = [recipe.seed + j for j in range(recipe.batch_size)]
    changes = settings | SCHEDULE_FLAGS[recipe.schedule]
    if name == "DPMSolverSDEScheduler":
        changes["noise_sampler_seed"] = seeds
    trained = {key: pipe.scheduler.config[key] for key in TRAINED}
    pipe.scheduler = getattr(diffusers, name)(**trained | changes)
    plan: dict[str, Any] = {"num_inference_steps": recipe.steps}
    if recipe.schedule == "custom":
        plan = {"sigmas": [*recipe.sigmas, 0.0]}
    elif recipe.schedule == "Align Your Steps":
        aligned = [*(step.sigma for step in ours), 0.0]
        plan = {"sigmas": aligned} if recipe.sampler == "Euler" else {"timesteps": AYS_TIMESTEPS}
    return pipe(
        recipe.prompt, negative_prompt=recipe.negative_prompt, width=recipe.width, height=recipe.height,
        guidance_scale=recipe.guidance_scale, num_images_per_prompt=recipe.batch_size, output_type="latent",
        generator=[torch.Generator().manual_seed(seed) for seed in seeds], eta=0.3 if name == "TCDScheduler" else 0.0,
        **plan,
    ).images  # fmt: skip


@pytest.mark.parametrize(("sampler", "schedule"), PAIRS)
def test_equals_the_official_pipeline(
    model: Model, pipeline: StableDiffusionPipeline, sampler: str, schedule: str
) -> None:
    recipe = recipe_for(sampler, schedule)
    steps = list(sample(model, recipe))
    theirs = official(pipeline, recipe, steps)
    if (sampler, schedule) == ("Euler", "Align Your Steps"):
        torch.testing.assert_close(steps[-1].next_latents, theirs)  # sigmas went through Python floats
    else:
        assert torch.equal(steps[-1].next_latents, theirs)


@pytest.mark.parametrize(
    "changes",
    [
        {"width": 72, "height": 136},
        {"batch_size": 3},
        {"negative_prompt": ""},
        {"guidance_scale": 1.0},
        {"guidance_scale": 0.0, "batch_size": 2},
        {"steps": 2},
        {"prompt": "long " * 18},
        {"seed": 2**62},
    ],
    ids=str,
)
@pytest.mark.parametrize("sampler", ["LMS", "Euler a", "DPM++ 2M SDE", "DPM++ SDE", "PLMS"])
def test_equals_the_official_pipeline_with_other_settings(
    model: Model, pipeline: StableDiffusionPipeline, sampler: str, changes: dict[str, Any]
) -> None:
    recipe = recipe_for(sampler, "automatic", **changes)
    steps = list(sample(model, recipe))
    assert torch.equal(steps[-1].next_latents, official(pipeline, recipe, steps))


@pytest.mark.parametrize("sampler", ["LMS", "DDIM", "DPM++ 2M"])
def test_equals_the_official_pipeline_of_a_v_prediction_model(tmp_path: Path, sampler: str) -> None:
    from tests.models import make_sd1

    folder = make_sd1(tmp_path / "v", prediction_type="v_prediction")
    recipe = recipe_for(sampler, "automatic")
    steps = list(sample(open_model(folder, device="cpu"), recipe))
    pipe = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None)
    pipe.set_progress_bar_config(disable=True)
    assert torch.equal(steps[-1].next_latents, official(pipe, recipe, steps))
    assert_x0_matches_scheduler(open_model(folder, device="cpu"), recipe)


def assert_x0_matches_scheduler(model: Model, recipe: Recipe) -> None:
    """Our x0 against what a scheduler of our own, stepped beside the run, says of it."""
    from sdcore.diffusion.samplers import make_sampler

    beside: Any = make_sampler(
        recipe.sampler, recipe.schedule, recipe.steps, recipe.sigmas, model.training_noise
    )
    beside.start([torch.Generator().manual_seed(0)], [recipe.seed], torch.zeros(1, 4, 8, 8))
    compared = 0
    for step in sample(model, recipe):
        beside.scale_model_input(step.latents, step.index)
        said = beside.scheduler.step(step.noise_pred, beside.timestep(step.index), step.latents)
        theirs = getattr(said, "pred_original_sample", None)
        if theirs is not None and type(beside.scheduler).__name__ != "TCDScheduler":
            torch.testing.assert_close(step.denoised, theirs, rtol=1e-4, atol=1e-3)
            compared += 1
    assert compared or not hasattr(said, "pred_original_sample") or recipe.sampler == "TCD"


@pytest.mark.parametrize(("sampler", "schedule"), PAIRS)
def test_x0_is_what_the_noise_hides(model: Model, sampler: str, schedule: str) -> None:
    """x = alpha x0 + sigma eps, with sigma / alpha the step's own sigma, and as the scheduler itself sees x0."""
    recipe = recipe_for(sampler, schedule)
    for step in sample(model, recipe):
        alpha = alpha_of(sampler, step.sigma)
        rebuilt = alpha * (step.denoised + step.sigma * step.noise_pred)
        torch.testing.assert_close(rebuilt, step.latents, rtol=1e-5, atol=1e-4)
    assert_x0_matches_scheduler(model, recipe)


def alpha_of(sampler: str, sigma: float) -> float:
    """1 where latents explode with the noise (k-diffusion's samplers), cos of the angle where variance is kept."""
    exploding = {"LMS", "Euler", "Euler a", "Heun", "DPM2", "DPM2 a", "DPM++ SDE"}
    return 1.0 if sampler in exploding else (1 + sigma**2) ** -0.5


@pytest.mark.parametrize("sampler", [sampler.name for sampler in choices.SAMPLERS])
def test_a_fork_with_nothing_changed_is_the_same_bit_for_bit(model: Model, sampler: str) -> None:
    recipe = recipe_for(sampler, "automatic", batch_size=2)
    snapshots, steps = [], []
    for step in sample(model, recipe):
        steps.append(step)
        snapshots.append(step.snapshot())
    for snapshot in snapshots[:-1]:
        again = list(sample(model, recipe, resume=snapshot))
        assert [step.index for step in again] == list(range(snapshot.index, len(steps)))
        assert torch.equal(again[-1].next_latents, steps[-1].next_latents)


def test_a_fork_with_another_prompt_shares_the_past_alone(model: Model) -> None:
    recipe = recipe_for("Euler a", "automatic")
    snapshots = [step.snapshot() for step in sample(model, recipe)]
    other = recipe_for("Euler a", "automatic", prompt="a castle")
    forked = list(sample(model, other, resume=snapshots[2]))
    assert torch.equal(forked[0].latents, snapshots[2].latents)
    assert not torch.equal(forked[-1].next_latents, snapshots[-1].latents)


def test_each_image_of_a_batch_has_a_seed_of_its_own(model: Model) -> None:
    batch = list(sample(model, recipe_for("DPM++ SDE", "Karras", batch_size=3)))[-1].next_latents
    for j in range(3):
        alone = list(sample(model, recipe_for("DPM++ SDE", "Karras", seed=5 + j)))[-1].next_latents
        torch.testing.assert_close(batch[j : j + 1], alone, rtol=1e-4, atol=1e-3)


def test_a_step_says_what_happened(model: Model) -> None:
    recipe = recipe_for("LMS", "automatic")
    steps = list(sample(model, recipe))
    assert [step.index for step in steps] == list(range(6))
    assert all(step.total == 6 and step.seconds > 0 for step in steps)
    assert [step.t for step in steps] == sorted((step.t for step in steps), reverse=True)
    for step, following in pairwise(steps):
        assert torch.equal(step.next_latents, following.latents)
        guided = step.noise_pred_uncond + 3.0 * (step.noise_pred_text - step.noise_pred_uncond)
        assert torch.equal(step.noise_pred, guided)


def test_without_guidance_there_is_no_unconditional_pass(model: Model) -> None:
    step = next(iter(sample(model, recipe_for("LMS", "automatic", guidance_scale=1.0))))
    assert step.noise_pred_uncond is None
    assert torch.equal(step.noise_pred, step.noise_pred_text)


def test_to_cancel_is_to_stop_iterating(model: Model) -> None:
    calls = 0
    forward = model.network.forward

    def counted(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        return forward(*args, **kwargs)

    model.network.forward = counted
    try:
        run: Iterator[Step] = sample(model, recipe_for("LMS", "automatic"))
        next(run)
        next(run)
        run.close()  # type: ignore[attr-defined]
    finally:
        model.network.forward = forward
    assert calls == 2


def test_the_caller_is_not_left_in_inference_mode(model: Model) -> None:
    run = sample(model, recipe_for("LMS", "automatic"))
    next(run)
    assert not torch.is_inference_mode_enabled()


def test_a_bad_recipe_is_refused_before_the_first_step(model: Model) -> None:
    with pytest.raises(RecipeError, match="multiple of 8"):
        sample(model, recipe_for("LMS", "automatic", width=65))
