"""Model folders as data: what is refused, and why, before anything in them is opened."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sdcore import model_folder
from sdcore.model_folder import (
    INDEX,
    LAYOUTS,
    entries_below,
    family_in,
    folder_problem,
    read_config,
    weights_of,
)
from sdcore.spec.families import FAMILIES
from tests.models import make_sd1, make_sdxl


@pytest.fixture
def folder(sd1_folder: Path, tmp_path: Path) -> Path:
    """A sound folder to be spoilt."""
    return Path(shutil.copytree(sd1_folder, tmp_path / "model"))


def change(folder: Path, **parts: Any) -> None:
    """Have the index say something else."""
    path = folder / INDEX
    path.write_text(json.dumps(json.loads(path.read_text()) | parts))


@pytest.mark.parametrize("make", [make_sd1, make_sdxl])
def test_what_diffusers_writes_is_sound(make: Callable[[Path], Path], tmp_path: Path) -> None:
    assert folder_problem(make(tmp_path / "model")) == ""


def test_every_family_has_its_layout() -> None:
    assert {family.pipeline for family in FAMILIES} <= set(LAYOUTS)
    for family in FAMILIES:
        assert family_in(LAYOUTS[family.pipeline], {"cross_attention_dim": family.text_width}) == family.name


_SPOILT: dict[str, Callable[[Path], object]] = {
    "no readable model_index.json": lambda folder: (folder / INDEX).unlink(),
    "no readable model_index.json ": lambda folder: (folder / INDEX).write_bytes(b"[" * 100_000),
    "no readable model_index.json  ": lambda folder: (folder / INDEX).write_bytes(b" " * 2_000_000),
    "Python code": lambda folder: (folder / "unet" / "modelling.PY").touch(),
    "is a 'EvilPipeline', which": lambda folder: change(folder, _class_name="EvilPipeline"),
    r"is a '\[1\]', which": lambda folder: change(folder, _class_name=[1]),
    "names 'EvilUNet' as its unet": lambda folder: change(folder, unet=["evil", "EvilUNet"]),
    r"names '\{\}' as its vae": lambda folder: change(folder, vae=["diffusers", {}]),
    "has no text encoder; sdtui needs CLIPTextModel": lambda folder: change(folder, text_encoder=[None, None]),
    "a part 'controlnet', which": lambda folder: change(folder, controlnet=["diffusers", "ControlNetModel"]),
    "no weights for its unet": lambda folder: (
        (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    ),
    "pickle": lambda folder: (
        (folder / "unet" / "diffusion_pytorch_model.safetensors").rename(folder / "unet" / "pytorch_model.bin")
    ),
    "vae cannot be read": lambda folder: shutil.rmtree(folder / "vae"),
    "cut off": lambda folder: os.truncate(folder / "vae" / "diffusion_pytorch_model.safetensors", 5_000),
}  # fmt: skip


@pytest.mark.parametrize("says", _SPOILT)
def test_a_folder_that_may_not_be_opened_says_why(says: str, folder: Path) -> None:
    _SPOILT[says](folder)
    problem = folder_problem(folder)
    assert re.search(says.rstrip(), problem)
    assert problem.endswith(".")
    assert "\n" not in problem


def test_parts_that_are_never_made_may_be_of_any_class(folder: Path) -> None:
    change(
        folder,
        safety_checker=["stable_diffusion", "StableDiffusionSafetyChecker"],
        scheduler=["x", "Unheard"],
    )
    change(folder, requires_safety_checker=True, image_encoder=[None, None])
    assert folder_problem(folder) == ""


def test_a_folder_of_more_files_than_a_model_has(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_folder, "MAX_ENTRIES", 10)
    for number in range(20):
        (folder / "vae" / f"{number}.txt").touch()
    assert "more than 10 files" in folder_problem(folder)


def test_loops_of_links_are_survived(folder: Path) -> None:
    (folder / "loop").symlink_to(folder)
    (folder / "gone").symlink_to(folder / "absent")
    assert folder_problem(folder) == ""
    assert {entry.name for entry in entries_below(folder)} >= {INDEX, "config.json"}
    assert list(entries_below(folder / "absent")) == []


@pytest.mark.parametrize(
    ("names", "opened"),
    [
        (["model.safetensors", "model.fp16.safetensors", "other.safetensors"], ["model.safetensors"]),
        (["diffusion_pytorch_model.fp16.safetensors", "x.non_ema.safetensors"],
         ["diffusion_pytorch_model.fp16.safetensors"]),
        (["model-00002-of-00002.safetensors", "model-00001-of-00002.safetensors", "a.safetensors"],
         ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]),
        (["b.safetensors", "a.safetensors", "model.bin"], ["a.safetensors"]),
        (["model.bin"], []),
    ],
)  # fmt: skip
def test_which_weights_of_a_part_are_opened(names: list[str], opened: list[str], tmp_path: Path) -> None:
    for name in names:
        (tmp_path / name).touch()
    assert [path.name for path in weights_of(tmp_path)] == opened


def test_configs_that_cannot_be_read_are_empty(tmp_path: Path) -> None:
    assert read_config(tmp_path / "absent") == read_config(tmp_path) == {}
    for content in (b"", b"[]", b"\xff", b"3", b'{"a": 1', b'{"\xff": 1}'):
        (tmp_path / "c").write_bytes(content)
        assert read_config(tmp_path / "c") == {}
