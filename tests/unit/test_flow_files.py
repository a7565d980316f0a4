"""Flow models as single files: the same model as the folder, whatever the file does not hold found beside it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import init_empty_weights
from diffusers.loaders import single_file_utils
from safetensors.torch import load_file

from sdcore.diffusion.loading import transformers
from sdcore.diffusion.loading.configs import shipped
from sdcore.diffusion.loading.parts import Part
from sdcore.diffusion.loop import sample
from sdcore.diffusion.model import Model
from sdcore.opening import open_model
from sdcore.spec.recipe import Recipe
from tests.models.flow import make_flux, make_sd3
from tests.models.flow_file import make_flow_file

MAKERS: dict[str, Callable[[Path], Path]] = {
    "sd3": make_sd3,
    "sd3.5": lambda folder: make_sd3(folder, t5=False, dual_attention_layers=(0,), qk_norm="rms_norm"),
    "flux-dev": make_flux,
    "flux-schnell": lambda folder: make_flux(folder, schnell=True),
}
ASKED = Recipe(prompt="a red house", width=64, height=96, steps=2, sampler="Euler", guidance_scale=3.0)
SIZES = {
    ("SD3", "text_encoder", "CLIPTextModelWithProjection"): 123_650_304,
    ("SD3", "text_encoder_2", "CLIPTextModelWithProjection"): 694_659_840,
    ("SD3", "text_encoder_3", "T5EncoderModel"): 4_762_310_656,
    ("SD3", "transformer", "SD3Transformer2DModel"): 2_028_328_000,
    ("Flux", "text_encoder", "CLIPTextModel"): 123_060_480,
    ("Flux", "text_encoder_2", "T5EncoderModel"): 4_762_310_656,
    ("Flux", "transformer", "FluxTransformer2DModel"): 11_901_408_320,
    ("SD3", "vae", "AutoencoderKL"): 83_819_683,
    ("Flux", "vae", "AutoencoderKL"): 83_819_683,
}
"""Weights of the published models, in all."""


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    home = tmp_path_factory.mktemp("flow")
    return {name: make(home / name) for name, make in MAKERS.items()}


def beside(folder: Path, file: Path, *, weights: bool = False, left_out: tuple[str, ...] = ()) -> None:
    """Lay the small files of a folder beside a single file, with the weights of its parts or without."""
    for path in folder.rglob("*"):
        part = path.relative_to(folder)
        if path.is_file() and part.parts[0] not in left_out and (weights or path.suffix != ".safetensors"):
            target = file.with_suffix("") / part
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)


def drawn(model: Model) -> torch.Tensor:
    return list(sample(model, ASKED))[-1].next_latents


@pytest.mark.parametrize("name", MAKERS)
def test_a_file_is_the_same_model_as_its_folder(folders: dict[str, Path], tmp_path: Path, name: str) -> None:
    file = make_flow_file(folders[name], tmp_path / "model.safetensors")
    beside(folders[name], file)
    folder_model, file_model = (open_model(ref, device="cpu") for ref in (folders[name], file))
    assert file_model.family == folder_model.family
    assert file_model.training_noise == folder_model.training_noise
    assert torch.equal(drawn(file_model), drawn(folder_model))


@pytest.mark.parametrize("name", ["flux-dev", "sd3"])
def test_a_transformer_alone_takes_its_other_parts_from_beside_it(
    folders: dict[str, Path], tmp_path: Path, name: str
) -> None:
    file = make_flow_file(folders[name], tmp_path / "model.safetensors", alone=True)
    beside(folders[name], file, weights=True)
    assert torch.equal(drawn(open_model(file, device="cpu")), drawn(open_model(folders[name], device="cpu")))


@pytest.mark.parametrize(
    ("name", "dynamic", "shift"), [("sd3", False, 3.0), ("flux-dev", True, 3.0), ("flux-schnell", False, 1.0)]
)
def test_the_shift_is_known_without_a_scheduler_beside(
    folders: dict[str, Path], tmp_path: Path, name: str, dynamic: bool, shift: float
) -> None:
    file = make_flow_file(folders[name], tmp_path / "model.safetensors")
    beside(folders[name], file, left_out=("scheduler",))
    noise = open_model(file, device="cpu").training_noise
    assert (noise.get("use_dynamic_shifting", False), noise["shift"]) == (dynamic, shift)
    assert noise.get("timestep_spacing") == ("trailing" if name.startswith("flux") else None)


@pytest.mark.parametrize("name", MAKERS)
def test_the_names_and_the_config_follow_from_the_tensors(
    folders: dict[str, Path], tmp_path: Path, name: str
) -> None:
    tensors = load_file(make_flow_file(folders[name], tmp_path / "model.safetensors", alone=True))
    own = load_file(next((folders[name] / "transformer").glob("*.safetensors")))
    sd3 = name.startswith("sd3")
    renamed = (transformers.sd3 if sd3 else transformers.flux)(tensors, {})
    assert same(renamed, own)
    if sd3:
        assert same(single_file_utils.convert_sd3_transformer_checkpoint_to_diffusers(dict(tensors)), own)
    config: dict[str, Any] = json.loads((folders[name] / "transformer" / "config.json").read_text())
    told = (transformers.sd3_told if sd3 else transformers.flux_told)(renamed, config)
    assert told == {key: config[key] for key in told}
    assert (transformers.sd3_told if sd3 else transformers.flux_told)({}, config) == {}


def same(one: Any, other: Any) -> bool:
    return set(one) == set(other) and all(torch.equal(one[name], other[name]) for name in other)


@pytest.mark.parametrize(("family", "part", "kind"), SIZES)
def test_the_configs_that_ship_are_those_of_the_published_models(family: str, part: str, kind: str) -> None:
    made = Part(part, kind).resolve()
    config = dict(shipped(family, part))
    of_transformers = hasattr(made, "config_class")
    with init_empty_weights():
        network = made(made.config_class.from_dict(config)) if of_transformers else made.from_config(config)
    if of_transformers:
        network.tie_weights()
    assert sum(weight.numel() for weight in network.parameters()) == SIZES[family, part, kind]
