"""Runs that begin from a picture: equal to the official pipelines, exact to fork, and what is not repainted stays."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from diffusers import (
    LMSDiscreteScheduler,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionInpaintPipeline,
)
from PIL import Image, ImageFilter

from sdcore.diffusion.fork import fork
from sdcore.diffusion.images import fitted
from sdcore.diffusion.loop import Step, sample
from sdcore.diffusion.model import Model
from sdcore.diffusion.passes import course_for
from sdcore.diffusion.repaint import MaskError, put_back
from sdcore.diffusion.trace import Trace
from sdcore.opening import open_model
from sdcore.spec import choices
from sdcore.spec.recipe import Recipe, RecipeError
from tests.models import INPAINTING, make_sd1
from tests.unit.test_loop import OFFICIAL, SCHEDULE_FLAGS, TRAINED

MENDED = ("LMS", "PLMS")
"""Where the official pipelines begin in the middle of a table as if they had been there before."""

ALL = [sampler.name for sampler in choices.SAMPLERS]
SCHEDULES = {"Euler": "Karras", "DPM++ 2M": "exponential", "UniPC": "beta", "DDIM": "SGM uniform"}


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image of 64 x 64 pixels."""
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    image = Image.fromarray(pixels).resize((64, 64), Image.Resampling.BICUBIC)
    path = tmp_path_factory.mktemp("pictures") / "picture.png"
    image.save(path)
    return str(path)


@pytest.fixture(scope="module")
def mask(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A mask whose right half is white."""
    image = Image.new("L", (64, 64))
    image.paste(255, (32, 0, 64, 64))
    path = tmp_path_factory.mktemp("masks") / "mask.png"
    image.save(path)
    return str(path)


@pytest.fixture(scope="module")
def repainter_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model whose UNet sees mask and masked image besides."""
    return make_sd1(tmp_path_factory.mktemp("models") / "random-inpainting", **INPAINTING)


@pytest.fixture(scope="module")
def repainter(repainter_folder: Path) -> Model:
    return open_model(repainter_folder, device="cpu")


def recipe_for(picture: str, **changes: Any) -> Recipe:
    settings: dict[str, Any] = {
        "prompt": "a lighthouse", "negative_prompt": "fog", "width": 64, "height": 64, "steps": 8, "seed": 5,
        "guidance_scale": 3.0, "sampler": "Euler", "init_image": picture, "strength": 0.6,
    }  # fmt: skip
    return Recipe(**(settings | changes))


@cache
def pipeline(kind: Any, folder: Path) -> Any:
    """An official pipeline; every run of it gets a scheduler of its own."""
    pipe = kind.from_pretrained(folder, safety_checker=None)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def official(kind: Any, folder: Path, recipe: Recipe, **given: Any) -> torch.Tensor:
    """The final latents of an official pipeline, its scheduler set up here by hand."""
    pipe = pipeline(kind, folder)
    name, settings = OFFICIAL[recipe.sampler]
    changes = settings | SCHEDULE_FLAGS[recipe.schedule]
    if name == "DPMSolverSDEScheduler":
        changes["noise_sampler_seed"] = [recipe.seed]
    trained = {key: pipe.scheduler.config[key] for key in TRAINED}
    pipe.scheduler = getattr(diffusers, name)(**trained | changes)
    return pipe(
        recipe.prompt, negative_prompt=recipe.negative_prompt, strength=recipe.strength,
        guidance_scale=recipe.guidance_scale, num_inference_steps=recipe.steps, output_type="latent",
        generator=torch.Generator().manual_seed(recipe.seed), eta=0.3 if name == "TCDScheduler" else 0.0, **given,
    ).images  # fmt: skip


def last(steps: list[Step]) -> torch.Tensor:
    return steps[-1].next_latents


# -- image to image ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sampler", [name for name in ALL if name not in MENDED])
def test_image_to_image_equals_the_official_pipeline(
    model: Model, sd1_folder: Path, picture: str, sampler: str
) -> None:
    recipe = recipe_for(picture, sampler=sampler, schedule=SCHEDULES.get(sampler, "automatic"))
    theirs = official(StableDiffusionImg2ImgPipeline, sd1_folder, recipe, image=Image.open(picture))
    assert torch.equal(last(list(sample(model, recipe))), theirs)


@pytest.mark.parametrize("strength", [0.13, 0.5, 0.99, 1.0])
@pytest.mark.parametrize("sampler", ["Euler a", "DPM++ 2M", "Heun", "DDIM"])
def test_image_to_image_equals_the_official_pipeline_at_every_strength(
    model: Model, sd1_folder: Path, picture: str, sampler: str, strength: float
) -> None:
    recipe = recipe_for(picture, sampler=sampler, strength=strength)
    theirs = official(StableDiffusionImg2ImgPipeline, sd1_folder, recipe, image=Image.open(picture))
    assert torch.equal(last(list(sample(model, recipe))), theirs)


def test_lms_takes_as_many_of_its_coefficients_as_it_has_history(
    model: Model, sd1_folder: Path, picture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The official scheduler counts its history by the timestep: mended so, the pipeline gives what we do."""
    recipe = recipe_for(picture, sampler="LMS")
    ours = last(list(sample(model, recipe)))
    whole = LMSDiscreteScheduler.step

    def mended(self: Any, *given: Any, **named: Any) -> Any:
        return whole(self, *given, **named | {"order": min(4, len(self.derivatives) + 1)})

    image = Image.open(picture)
    assert not torch.equal(ours, official(StableDiffusionImg2ImgPipeline, sd1_folder, recipe, image=image))
    monkeypatch.setattr(LMSDiscreteScheduler, "step", mended)
    assert torch.equal(ours, official(StableDiffusionImg2ImgPipeline, sd1_folder, recipe, image=image))


def test_plms_visits_its_second_timestep_twice_wherever_it_begins(model: Model, picture: str) -> None:
    whole = course_for(recipe_for("", sampler="PLMS"))
    assert whole.timesteps[1] == whole.timesteps[2]
    part = course_for(recipe_for(picture, sampler="PLMS"))
    levels = sorted(set(whole.timesteps), reverse=True)[4:]
    assert part.timesteps == (levels[0], levels[1], *levels[1:])


@pytest.mark.parametrize("sampler", ALL)
def test_forward_passes_count_from_the_first_that_is_run(model: Model, picture: str, sampler: str) -> None:
    recipe = recipe_for(picture, sampler=sampler)
    whole, part = course_for(recipe_for("", sampler=sampler)), course_for(recipe)
    steps = list(sample(model, recipe))
    assert [step.index for step in steps] == list(range(len(part.timesteps)))
    assert tuple(step.t for step in steps) == part.timesteps
    assert len(part.sigmas) == len(part.timesteps) + 1
    if sampler not in MENDED:
        assert part.timesteps == whole.timesteps[-len(part.timesteps) :]
        assert part.sigmas == whole.sigmas[-len(part.sigmas) :]
    assert all(torch.equal(one.next_latents, other.latents) for one, other in pairwise(steps))


@pytest.mark.parametrize("sampler", ALL)
def test_what_a_run_begins_with_is_the_picture_noised(model: Model, picture: str, sampler: str) -> None:
    """The picture again, where the noise is taken away that was put on it."""
    recipe = recipe_for(picture, sampler=sampler, batch_size=2)
    step = next(iter(sample(model, recipe)))
    course = course_for(recipe)
    clean = (step.latents - course.init_noise_sigma * step.start.noise) / course.alphas[0]
    mode = model.encode([Image.open(picture)])
    assert (clean - mode).abs().mean() < 0.5 * clean.abs().mean() + 0.1
    assert not torch.equal(clean[0], clean[1])  # each has a draw of the encoded picture of its own


def test_each_image_of_a_batch_is_the_one_that_its_seed_makes(model: Model, picture: str) -> None:
    recipe = recipe_for(picture, sampler="Euler a", batch_size=2)
    batch = last(list(sample(model, recipe)))
    for j in range(2):
        alone = last(list(sample(model, recipe.for_image(j))))
        torch.testing.assert_close(batch[j : j + 1], alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("sampler", ["LMS", "Euler a", "Heun", "DPM++ SDE", "PLMS", "UniPC", "DDPM"])
def test_a_fork_of_an_image_to_image_run_is_exact(
    model: Model, picture: str, tmp_path: Path, sampler: str
) -> None:
    whole = Trace.record(model, recipe_for(picture, sampler=sampler, batch_size=2, steps=6))
    read = Trace.load(whole.save(tmp_path / "run.safetensors"))
    for step in range(len(whole) - 1):
        for source in (whole, read):
            again = fork(source, step, model=model)
            assert torch.equal(again[-1].next_latents, whole[-1].next_latents)
            assert len(again) == len(whole)


def test_a_picture_of_another_shape_covers_the_image() -> None:
    wide = Image.effect_noise((200, 100), 60).convert("RGB")
    middle = wide.resize((64, 64), Image.Resampling.LANCZOS, box=(50, 0, 150, 100))
    assert fitted(wide, (64, 64)).tobytes() == middle.tobytes()
    same = wide.crop((0, 0, 64, 64))
    assert fitted(same, (64, 64)).tobytes() == same.tobytes()


@pytest.mark.parametrize(("strength", "steps"), [(0.0, 30), (0.03, 30), (0.5, 1)])
def test_a_strength_that_leaves_no_step_is_refused_in_a_sentence(
    model: Model, picture: str, strength: float, steps: int
) -> None:
    with pytest.raises(RecipeError, match=rf"^Strength {strength:g} leaves none of {steps} step"):
        sample(model, recipe_for(picture, strength=strength, steps=steps))


# -- inpainting ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strength", [0.6, 1.0])
@pytest.mark.parametrize("sampler", ["Euler", "Euler a", "DPM++ 2M", "DPM++ 2M SDE", "Heun", "DDIM", "LCM"])
def test_a_repaint_equals_the_official_pipeline(
    model: Model, sd1_folder: Path, picture: str, mask: str, sampler: str, strength: float
) -> None:
    recipe = recipe_for(picture, mask_image=mask, mask_blur=2, sampler=sampler, strength=strength)
    blurred = Image.open(mask).filter(ImageFilter.GaussianBlur(2))
    theirs = official(
        StableDiffusionInpaintPipeline, sd1_folder, recipe, image=Image.open(picture), mask_image=blurred,
        width=64, height=64,
    )  # fmt: skip
    assert torch.equal(last(list(sample(model, recipe))), theirs)


@pytest.mark.parametrize("strength", [0.6, 1.0])
@pytest.mark.parametrize("sampler", ["Euler", "Euler a", "DPM++ 2M", "DDIM"])
def test_a_network_trained_to_repaint_equals_the_official_pipeline(
    repainter: Model,
    repainter_folder: Path,
    picture: str,
    mask: str,
    sampler: str,
    strength: float,
) -> None:
    assert repainter.repaints
    recipe = recipe_for(picture, mask_image=mask, mask_blur=0, sampler=sampler, strength=strength)
    theirs = official(
        StableDiffusionInpaintPipeline, repainter_folder, recipe, image=Image.open(picture),
        mask_image=Image.open(mask), width=64, height=64,
    )  # fmt: skip
    assert torch.equal(last(list(sample(repainter, recipe))), theirs)


@pytest.mark.parametrize("sampler", ALL)
def test_what_is_not_repainted_is_the_picture_at_every_noise_level(
    model: Model, picture: str, mask: str, sampler: str
) -> None:
    recipe = recipe_for(picture, mask_image=mask, mask_blur=0, sampler=sampler)
    steps = list(sample(model, recipe))
    start = steps[0].start
    assert start.source is not None
    assert torch.equal(last(steps)[..., :4], start.source[..., :4])
    assert not torch.equal(last(steps)[..., 4:], start.source[..., 4:])
    course = course_for(recipe)
    for step in steps[:-1]:
        alpha, sigma = course.alphas[step.index + 1], course.sigmas[step.index + 1]
        kept = alpha * (start.source + sigma * start.noise)
        torch.testing.assert_close(step.next_latents[..., :4], kept[..., :4], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("sampler", ["LMS", "Euler a", "Heun", "DPM++ SDE"])
def test_a_fork_of_a_repaint_is_exact(
    model: Model, picture: str, mask: str, tmp_path: Path, sampler: str
) -> None:
    whole = Trace.record(model, recipe_for(picture, mask_image=mask, sampler=sampler, steps=6))
    read = Trace.load(whole.save(tmp_path / "run.safetensors"))
    for step in range(len(whole) - 1):
        assert torch.equal(fork(read, step, model=model)[-1].next_latents, whole[-1].next_latents)
    other = fork(read, 1, model=model, seed=9)
    assert torch.equal(other[-1].next_latents[..., :4], whole[-1].next_latents[..., :4])


def test_a_fork_of_a_network_trained_to_repaint_is_exact(
    repainter: Model, picture: str, mask: str, tmp_path: Path
) -> None:
    whole = Trace.record(repainter, recipe_for(picture, mask_image=mask, batch_size=2, steps=4))
    read = Trace.load(whole.save(tmp_path / "run.safetensors"))
    for step in range(len(whole) - 1):
        again = fork(read, step, model=repainter)
        assert torch.equal(again[-1].next_latents, whole[-1].next_latents)


@pytest.mark.parametrize("changes", [{"init_image": ""}, {}])
def test_without_a_mask_a_network_trained_to_repaint_paints_everything(
    repainter: Model, picture: str, changes: dict[str, str]
) -> None:
    step = next(iter(sample(repainter, recipe_for(picture, **changes))))
    assert step.start.beside is not None
    assert torch.equal(step.start.beside[:, 0], torch.ones(1, 8, 8))


def test_pixels_outside_of_the_mask_are_those_of_the_picture(picture: str, mask: str) -> None:
    recipe = recipe_for(picture, mask_image=mask, mask_blur=2)
    made = Image.new("RGB", (64, 64), "white")
    whole, kept = (np.asarray(one) for one in (put_back(made, recipe, Image.open), Image.open(picture)))
    assert (whole[:, :24] == kept[:, :24]).all()
    assert (whole[:, 40:] == 255).all()
    plain = recipe_for(picture)
    assert put_back(made, plain, Image.open) is made


@pytest.mark.parametrize("changes", [{}, {"mask": True}, {"hires_scale": 1.5, "hires_upscaler": "Lanczos"}])
def test_everything_is_in_the_precision_of_the_network(
    sd1_folder: Path, picture: str, mask: str, changes: dict[str, Any]
) -> None:
    half = open_model(sd1_folder, device="cpu", dtype=torch.bfloat16)
    half.vae.float()
    settings = {"mask_image": mask} if changes.get("mask") else changes
    steps = list(sample(half, recipe_for(picture, batch_size=2, **settings)))
    assert {step.next_latents.dtype for step in steps} == {torch.bfloat16}
    assert torch.isfinite(steps[-1].next_latents).all()


@pytest.mark.parametrize(
    ("spot", "said"),
    [((800, 100), "is too small at this size"), ((5, 100), "lies where it is cut off at this size")],
)
def test_white_that_is_lost_on_the_way_is_not_denied(
    model: Model, picture: str, tmp_path: Path, spot: tuple[int, int], said: str
) -> None:
    wide = Image.new("L", (1600, 200))
    wide.putpixel(spot, 255)
    wide.save(tmp_path / "wide.png")
    with pytest.raises(MaskError, match=f"The white of the mask {said}, so nothing would be repainted"):
        sample(model, recipe_for(picture, mask_image=str(tmp_path / "wide.png")))


def test_a_mask_without_white_is_refused_in_a_sentence(model: Model, picture: str, tmp_path: Path) -> None:
    Image.new("L", (64, 64), 40).save(tmp_path / "black.png")
    with pytest.raises(MaskError, match="no white"):
        sample(model, recipe_for(picture, mask_image=str(tmp_path / "black.png")))
