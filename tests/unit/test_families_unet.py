"""The UNet families: equal to the official pipelines, from a folder as from a single file, in every variant."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from diffusers import LatentConsistencyModelPipeline, StableDiffusionPipeline, StableDiffusionXLPipeline

from sdcore.diffusion.loop import sample
from sdcore.diffusion.model import Model
from sdcore.opening import open_model
from sdcore.spec.recipe import Recipe
from tests.models import make_sd1, make_sd2, make_sdxl, make_single_file

MAKERS: Mapping[str, tuple[Callable[..., Path], dict[str, Any], Any]] = {
    "SD1": (make_sd1, {}, StableDiffusionPipeline),
    "SD2": (make_sd2, {}, StableDiffusionPipeline),
    "SD2-epsilon": (make_sd2, {"prediction_type": "epsilon"}, StableDiffusionPipeline),
    "SD2-zero-snr": (make_sd2, {"zero_snr": True}, StableDiffusionPipeline),
    "SDXL": (make_sdxl, {}, StableDiffusionXLPipeline),
    "SDXL-encoded-empty": (make_sdxl, {"force_zeros": False}, StableDiffusionXLPipeline),
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("families")
    return {name: make(root / name, **settings) for name, (make, settings, _) in MAKERS.items()}


@pytest.fixture(scope="module")
def models(folders: dict[str, Path]) -> dict[str, Model]:
    return {name: open_model(folder, device="cpu") for name, folder in folders.items()}


@pytest.fixture(scope="module")
def pipelines(folders: dict[str, Path]) -> dict[str, Any]:
    made = {}
    for name, (_, _, kind) in MAKERS.items():
        made[name] = kind.from_pretrained(folders[name])
        made[name].set_progress_bar_config(disable=True)
    return made


def recipe(**changes: Any) -> Recipe:
    settings: dict[str, Any] = {
        "prompt": "a lighthouse", "negative_prompt": "fog", "width": 64, "height": 64, "steps": 4, "seed": 5,
        "guidance_scale": 3.0, "sampler": "DDIM",
    }  # fmt: skip
    return Recipe(**settings | changes)


def ours(model: Model, made: Recipe) -> torch.Tensor:
    return list(sample(model, made))[-1].next_latents


def theirs(pipe: Any, made: Recipe, scheduler: str = "DDIMScheduler", **settings: Any) -> torch.Tensor:
    """The final latents of the official pipeline, its scheduler set up from the model's own config."""
    pipe.scheduler = getattr(diffusers, scheduler).from_config(
        pipe.scheduler.config,
        **{"clip_sample": False, "set_alpha_to_one": False, "steps_offset": 1} | settings,
    )
    seeds = [made.seed + j for j in range(made.batch_size)]
    return pipe(
        made.prompt, negative_prompt=made.negative_prompt or None, width=made.width, height=made.height,
        guidance_scale=made.guidance_scale, guidance_rescale=made.guidance_rescale, num_inference_steps=made.steps,
        num_images_per_prompt=made.batch_size, output_type="latent",
        generator=[torch.Generator().manual_seed(seed) for seed in seeds],
    ).images  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"negative_prompt": ""},
        {"guidance_scale": 1.0},
        {"batch_size": 2, "width": 72, "height": 96},
        {"guidance_rescale": 0.7},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", MAKERS)
def test_equals_the_official_pipeline(
    models: dict[str, Model], pipelines: dict[str, Any], name: str, changes: dict[str, Any]
) -> None:
    made = recipe(**changes)
    spacing = "trailing" if name == "SD2-zero-snr" else "leading"
    assert torch.equal(ours(models[name], made), theirs(pipelines[name], made, timestep_spacing=spacing))


@pytest.mark.parametrize("name", MAKERS)
def test_a_single_file_is_the_same_model_as_its_folder(
    folders: dict[str, Path], models: dict[str, Model], name: str
) -> None:
    opened = open_model(make_single_file(folders[name]), device="cpu")
    assert (opened.family, opened.name) == (models[name].family, models[name].name)
    assert opened.training_noise["prediction_type"] == models[name].training_noise["prediction_type"]
    assert torch.equal(ours(opened, recipe()), ours(models[name], recipe()))
    latents = torch.randn(1, 4, 8, 8)
    assert opened.decode(latents)[0].tobytes() == models[name].decode(latents)[0].tobytes()


@pytest.mark.parametrize("name", MAKERS)
def test_a_model_knows_its_family(models: dict[str, Model], name: str) -> None:
    assert models[name].family == name.partition("-")[0]


@pytest.mark.parametrize("changes", [{}, {"guidance_scale": 1.0, "batch_size": 2}], ids=str)
def test_a_network_that_takes_the_guidance_scale_needs_no_second_pass(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    folder = make_sd1(tmp_path / "lcm", time_cond_proj_dim=33)
    model, made = open_model(folder, device="cpu"), recipe(sampler="LCM", **changes)
    steps = list(sample(model, made))
    assert steps[0].noise_pred_uncond is None
    pipe = LatentConsistencyModelPipeline.from_pretrained(folder, safety_checker=None)
    pipe.set_progress_bar_config(disable=True)
    pipe.scheduler = diffusers.LCMScheduler.from_config(pipe.scheduler.config)
    official = pipe(
        made.prompt, width=made.width, height=made.height, guidance_scale=made.guidance_scale,
        num_inference_steps=made.steps, num_images_per_prompt=made.batch_size, output_type="latent",
        generator=[torch.Generator().manual_seed(made.seed + j) for j in range(made.batch_size)],
    ).images  # fmt: skip
    assert torch.equal(steps[-1].next_latents, official)
    other = list(sample(model, recipe(sampler="LCM", guidance_scale=8.0)))[-1].next_latents
    assert not torch.equal(other[:1], official[:1])


@pytest.mark.parametrize("sampler", ["LMS", "DPM++ 2M", "Heun"])
def test_all_samplers_begin_where_a_zero_snr_model_was_trained_to(
    models: dict[str, Model], pipelines: dict[str, Any], sampler: str
) -> None:
    steps = list(sample(models["SD2-zero-snr"], recipe(sampler=sampler)))
    assert (steps[0].t, steps[0].sigma) == (999.0, pytest.approx(4096, rel=1e-3))
    assert all(torch.isfinite(step.denoised).all() for step in steps)
    if sampler == "DPM++ 2M":
        official = theirs(
            pipelines["SD2-zero-snr"], recipe(), "DPMSolverMultistepScheduler", timestep_spacing="trailing"
        )
        assert torch.equal(steps[-1].next_latents, official)


def test_an_empty_negative_prompt_of_sdxl_is_zeros_as_long_as_the_prompt(models: dict[str, Model]) -> None:
    text, uncond = models["SDXL"].told(recipe(prompt="long " * 40, negative_prompt=""))
    assert uncond is not None
    said, empty = text.at(0)[0][1], uncond.at(0)[0][1]
    assert said.embeddings.shape == empty.embeddings.shape == (1, 231, 80)
    assert said.pooled is not None
    assert empty.pooled is not None
    assert said.pooled.shape == empty.pooled.shape == (1, 40)
    assert not empty.embeddings.any()
    assert not empty.pooled.any()
    _, encoded = models["SDXL-encoded-empty"].told(recipe(negative_prompt=""))
    assert encoded is not None
    assert encoded.at(0)[0][1].embeddings.any()
