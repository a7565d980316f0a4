"""Image to image and repainting in the other families, held against their official pipelines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from PIL import Image

from sdcore.diffusion.fork import fork
from sdcore.diffusion.loop import sample
from sdcore.diffusion.trace import Trace
from sdcore.opening import open_model
from sdcore.spec.recipe import Recipe
from tests.models import INPAINTING, make_sdxl
from tests.models.flow import T5_LENGTH, make_flux, make_sd3


@pytest.fixture
def picture(tmp_path: Path) -> str:
    Image.effect_noise((64, 64), 60).convert("RGB").save(tmp_path / "picture.png")
    return str(tmp_path / "picture.png")


@pytest.fixture
def mask(tmp_path: Path) -> str:
    image = Image.new("L", (64, 64))
    image.paste(255, (32, 0, 64, 64))
    image.save(tmp_path / "mask.png")
    return str(tmp_path / "mask.png")


def recipe_for(picture: str, **changes: Any) -> Recipe:
    settings: dict[str, Any] = {
        "prompt": "a lighthouse", "negative_prompt": "fog", "width": 64, "height": 64, "steps": 6, "seed": 5,
        "guidance_scale": 3.0, "sampler": "Euler", "init_image": picture, "strength": 0.6,
    }  # fmt: skip
    return Recipe(**(settings | changes))


def official(name: str, folder: Path, recipe: Recipe, **given: Any) -> torch.Tensor:
    """The final latents of an official pipeline."""
    pipe = getattr(diffusers, name).from_pretrained(folder)
    pipe.set_progress_bar_config(disable=True)
    if isinstance(pipe.scheduler, diffusers.EulerDiscreteScheduler):
        pipe.scheduler = pipe.scheduler.from_config(pipe.scheduler.config, timestep_spacing="linspace")
    asked = {
        "image": Image.open(recipe.init_image), "strength": recipe.strength, "output_type": "latent",
        "num_inference_steps": recipe.steps, "guidance_scale": recipe.guidance_scale,
        "generator": torch.Generator().manual_seed(recipe.seed),
    }  # fmt: skip
    return pipe(recipe.prompt, **asked, **given).images


def ours(folder: Path, recipe: Recipe) -> torch.Tensor:
    return list(sample(open_model(folder, device="cpu"), recipe))[-1].next_latents


@pytest.mark.parametrize("strength", [0.4, 0.6, 1.0])
def test_sdxl(tmp_path: Path, picture: str, strength: float) -> None:
    folder, recipe = make_sdxl(tmp_path / "sdxl"), recipe_for(picture, strength=strength)
    theirs = official("StableDiffusionXLImg2ImgPipeline", folder, recipe, negative_prompt="fog")
    assert torch.equal(ours(folder, recipe), theirs)


@pytest.mark.parametrize("strength", [0.6, 1.0])
@pytest.mark.parametrize("settings", [{}, INPAINTING], ids=["4 channels", "9 channels"])
def test_sdxl_repaints(
    tmp_path: Path, picture: str, mask: str, settings: dict[str, int], strength: float
) -> None:
    folder = make_sdxl(tmp_path / "sdxl", **settings)
    recipe = recipe_for(picture, mask_image=mask, mask_blur=0, strength=strength)
    theirs = official(
        "StableDiffusionXLInpaintPipeline", folder, recipe, negative_prompt="fog",
        mask_image=Image.open(mask), width=64, height=64,
    )  # fmt: skip
    torch.testing.assert_close(ours(folder, recipe), theirs)


@pytest.mark.parametrize("strength", [0.4, 0.6, 1.0])
def test_sd3(tmp_path: Path, picture: str, strength: float) -> None:
    folder, recipe = make_sd3(tmp_path / "sd3"), recipe_for(picture, strength=strength)
    theirs = official(
        "StableDiffusion3Img2ImgPipeline",
        folder,
        recipe,
        negative_prompt="fog",
        height=64,
        width=64,
        max_sequence_length=T5_LENGTH,
    )
    torch.testing.assert_close(ours(folder, recipe), theirs)


@pytest.mark.parametrize("strength", [0.4, 0.6, 1.0])
def test_flux(tmp_path: Path, picture: str, strength: float) -> None:
    folder, recipe = make_flux(tmp_path / "flux"), recipe_for(picture, strength=strength)
    packed = official(
        "FluxImg2ImgPipeline", folder, recipe, height=64, width=64, max_sequence_length=T5_LENGTH
    )
    theirs = diffusers.FluxPipeline._unpack_latents(packed, 64, 64, 8)
    torch.testing.assert_close(ours(folder, recipe), theirs)


@pytest.mark.parametrize("sampler", ["Euler", "Heun", "DPM++ 2M", "UniPC"])
@pytest.mark.parametrize("changes", [{}, {"hires_scale": 1.5, "hires_steps": 3}], ids=["one pass", "two"])
def test_forks_of_a_flow_model_are_exact(
    tmp_path: Path, picture: str, sampler: str, changes: dict[str, Any]
) -> None:
    model = open_model(make_flux(tmp_path / "flux"), device="cpu")
    whole = Trace.record(model, recipe_for(picture, sampler=sampler, **changes))
    read = Trace.load(whole.save(tmp_path / "run.safetensors"))
    assert whole[-1].next_latents.shape[-1] == (12 if changes else 8)
    for step in range(len(whole) - 1):
        again = fork(read, step, model=model)
        assert torch.equal(again[-1].next_latents, whole[-1].next_latents)


def test_a_flow_model_repaints_what_is_white_alone(tmp_path: Path, picture: str, mask: str) -> None:
    model = open_model(make_flux(tmp_path / "flux"), device="cpu")
    steps = list(sample(model, recipe_for(picture, mask_image=mask, mask_blur=0)))
    source = steps[0].start.source
    assert source is not None
    assert torch.equal(steps[-1].next_latents[..., :4], source[..., :4])
    assert not torch.equal(steps[-1].next_latents[..., 4:], source[..., 4:])
