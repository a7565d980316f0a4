"""A GPU is never waited for inside the loop, and never given tensors of the CPU to reckon with."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

from sdcore.diffusion import readings, vae
from sdcore.diffusion.loop import sample
from sdcore.diffusion.model import Model
from sdcore.diffusion.sending import scalars_stay, sent
from sdcore.opening import open_model
from sdcore.spec import choices
from sdcore.spec.recipe import Recipe
from tests.models import INPAINTING, make_sd1, make_sd2, make_sdxl
from tests.models.flow import make_flux, make_sd3
from tests.waits import Waits

META = torch.device("meta")
MAKERS: dict[str, Callable[..., Path]] = {
    "SD1": make_sd1,
    "SD1, inpainting": lambda folder: make_sd1(folder, in_channels=INPAINTING["in_channels"]),
    "SD1, LCM": lambda folder: make_sd1(folder, time_cond_proj_dim=33),
    "SD2": make_sd2,
    "SDXL": make_sdxl,
    "SD3": make_sd3,
    "Flux": make_flux,
}


@pytest.fixture(scope="module")
def away(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Model]:
    """A model of a name of `MAKERS` whose networks are where its CPU cannot reach them."""
    root = tmp_path_factory.mktemp("away")
    made: dict[str, Model] = {}

    def find(name: str) -> Model:
        if name not in made:
            model = open_model(MAKERS[name](root / name.replace(", ", "-")), device="cpu")
            for network in (*model.adapter.modules.values(), model.vae):
                network.to(META)
            made[name] = dataclasses.replace(model, device=META)
        return made[name]

    return find


@pytest.fixture(autouse=True)
def without_content(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the loop embeddings and a picture's latents are looked at, which have no content here."""
    for module in (readings, vae):
        monkeypatch.setattr(module, "_is_finite", lambda made: True)


def recipe(**changes: Any) -> Recipe:
    settings: dict[str, Any] = {
        "prompt": "a (lighthouse:1.2)", "negative_prompt": "fog", "width": 64, "height": 64, "steps": 3,
        "guidance_scale": 3.0, "sampler": "Euler",
    }  # fmt: skip
    return Recipe(**settings | changes)


def watched(model: Model, made: Recipe, passes: int = 1) -> Waits:
    """What was seen after the beginning of the only pass; of several, what met on the wrong device alone."""
    steps = sample(model, made)
    with Waits() as beginning:
        next(steps)
    with Waits() as waits:
        last = list(steps)[-1]
    assert last.index + 1 == last.total
    waits.mixtures += beginning.mixtures
    if passes > 1:
        waits.copies.clear()
    return waits


@pytest.mark.parametrize(
    ("sampler", "rng"),
    [
        (choice.name, rng.name)
        for choice in choices.SAMPLERS
        for rng in choices.RNGS
        if choice.stochastic or rng.name == choices.RNG_CPU
    ],
)
def test_no_sampler_waits(
    away: Callable[[str], Model], monkeypatch: pytest.MonkeyPatch, sampler: str, rng: str
) -> None:
    def predict(model_input: Tensor, t: Tensor, index: int) -> tuple[Tensor, Tensor]:
        return model_input * t, model_input * 0.1

    monkeypatch.setattr(Model, "denoiser", lambda *given, **named: predict)
    waits = watched(away("SD1"), recipe(sampler=sampler, rng=rng, batch_size=2, steps=6))
    assert not waits.copies + waits.mixtures


@pytest.mark.parametrize("name", MAKERS)
def test_no_family_waits(away: Callable[[str], Model], name: str) -> None:
    waits = watched(away(name), recipe(sampler="Euler"))
    assert not waits.copies + waits.mixtures


@pytest.mark.parametrize(
    ("changes", "passes"),
    [
        ({"prompt": "a house AND a [hill:sea:3] :0.5"}, 1),
        ({"prompt": "a house, " * 60, "clip_skip": 2}, 1),
        ({"guidance_scale": 1.0}, 1),
        ({"guidance_rescale": 0.7}, 1),
        ({"variation_seed": 3, "variation_strength": 0.3}, 1),
        ({"init_image": "picture.png", "strength": 0.7}, 1),
        ({"init_image": "picture.png", "mask_image": "mask.png", "strength": 1.0}, 1),
        ({"hires_scale": 2.0, "hires_upscaler": choices.UPSCALE_LATENT}, 2),
    ],
)
def test_no_way_to_make_an_image_waits(
    away: Callable[[str], Model], tmp_path: Path, changes: dict[str, Any], passes: int
) -> None:
    Image.new("RGB", (64, 64), (200, 30, 90)).save(tmp_path / "picture.png")
    Image.new("L", (64, 64), 255).save(tmp_path / "mask.png")
    model = dataclasses.replace(away("SD1"), open_picture=lambda path: Image.open(tmp_path / path))
    waits = watched(model, recipe(**changes), passes)
    assert not waits.copies + waits.mixtures


def test_what_waits_is_found() -> None:
    with Waits() as waits:
        torch.zeros(()).to(META)
        torch.ones(3).to(device=META, dtype=torch.float16)
        torch.empty(3, device=META).copy_(torch.ones(3))
        torch.tensor([1.0], device=META)
        torch.linalg.solve(torch.empty(2, 2, device=META), torch.empty(2, device=META))
    assert len(waits.copies) == 5
    with Waits() as waits:
        torch.empty(3, 3, device=META)[torch.tensor([0, 1])]
    assert waits.mixtures


def test_what_is_sent_is_the_same() -> None:
    device = torch.device("cpu")
    for tensor in (torch.tensor(981), torch.tensor(0.1, dtype=torch.float64), torch.randn(2, 3)):
        there = sent(tensor, device)
        assert torch.equal(there, tensor)
        assert there.dtype == tensor.dtype
        away = sent(tensor, META)
        assert (away.shape, away.dtype, away.device) == (tensor.shape, tensor.dtype, META)


def test_scalars_stay_on_the_cpu_inside_alone() -> None:
    scalar, row = torch.tensor(0.5), torch.ones(2)
    with scalars_stay(META):
        assert scalar.to(META).device.type == "cpu"
        assert scalar.to(device=META, dtype=torch.float64).dtype == torch.float64
        assert torch.ones((), device=META).device.type == "cpu"
        assert row.to(META).device == META
        assert torch.ones(1, device=META).device == META
    with scalars_stay(torch.device("cpu")):
        assert scalar.to(META).device == META
    assert scalar.to(META).device == META
