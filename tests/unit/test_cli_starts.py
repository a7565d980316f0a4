"""What can be made on the command line beside text to image: said, kept, and made again to the last bit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sdcore.library.inputs import input_path
from sdcore.library.metadata import read_image, read_pixels
from sdcore.spec.recipe import Recipe
from tests.unit.test_cli import generate, same_log
from tui import cli

__all__ = ["generate", "same_log"]

Generate = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    Image.effect_noise((64, 64), 60).convert("RGB").save(path)
    return path


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    image = Image.new("L", (64, 64))
    image.paste(255, (32, 0, 64, 64))
    image.save(tmp_path / "mask.png")
    return tmp_path / "mask.png"


def replayed(made: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> str:
    cli.main(["replay", made["path"], "--verify", "--device", "cpu"])
    said = capsys.readouterr()
    return said.out + said.err


def test_image_to_image_is_made_again_when_the_picture_is_gone(
    generate: Generate, picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (made,) = generate("--init", str(picture), "--strength", "0.7")
    assert made["init_image"].startswith("input:")
    assert input_path(made["init_image"]).stat().st_mode & 0o777 == 0o600
    assert (made["strength"], made["mask_image"]) == (0.7, "")
    picture.unlink()
    assert replayed(made, capsys) == "identical\n"
    assert read_image(made["path"]).init_image == made["init_image"]


def test_a_repaint_leaves_what_is_black_and_is_made_again(
    generate: Generate, picture: Path, mask: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (made,) = generate(
        "--init", str(picture), "--mask", str(mask), "--mask-blur", "2", "--sampler", "Euler a"
    )
    before, after = (np.asarray(read_pixels(path)) for path in (picture, made["path"]))
    assert (before[:, :24] == after[:, :24]).all()
    assert (before[:, 40:] != after[:, 40:]).any()
    assert replayed(made, capsys) == "identical\n"


def test_an_image_is_enlarged_and_made_again(generate: Generate, capsys: pytest.CaptureFixture[str]) -> None:
    (made,) = generate(
        "--hires", "1.5", "--hires-steps", "2", "--hires-strength", "0.6", "--hires-upscaler", "Lanczos"
    )
    assert (made["hires_scale"], made["hires_steps"], made["hires_upscaler"]) == (1.5, 2, "Lanczos")
    assert read_pixels(made["path"]).size == (96, 96)
    assert replayed(made, capsys) == "identical\n"


def test_seeds_as_a_gpu_draws_them_are_varied_one_by_one(
    generate: Generate, capsys: pytest.CaptureFixture[str]
) -> None:
    varied = ("--variation-seed", "7", "--variation-strength", "0.2", "--rng", "gpu", "--count", "2")
    first, second = generate("--seed", "5", "--sampler", "Euler a", *varied)
    assert [(made["seed"], made["variation_seed"]) for made in (first, second)] == [(5, 7), (5, 8)]
    assert read_pixels(first["path"]).tobytes() != read_pixels(second["path"]).tobytes()
    assert replayed(second, capsys) == "identical\n"


def test_sigmas_of_ones_own_are_the_schedule_and_its_steps(
    sd1_folder: Path, tmp_path: Path, same_log: None, capsys: pytest.CaptureFixture[str]
) -> None:
    small = ["--size", "64x64", "--model", str(sd1_folder), "--device", "cpu", "--out", str(tmp_path)]
    asked = ["--sampler", "Euler", "--sigmas", "14.6,7.1,2.5,0.6", *small]
    assert cli.main(["generate", "x", *asked, "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["schedule"], made["steps"], made["sigmas"]) == ("custom", 4, [14.6, 7.1, 2.5, 0.6])
    assert replayed(made, capsys) == "identical\n"


@pytest.mark.parametrize("rng", ["GPU", "nv", "Philox"])
def test_names_are_taken_in_any_case_and_as_others_have_them(generate: Generate, rng: str) -> None:
    named = ("--rng", rng, "--emphasis", "comfyui", "--hires", "1.5", "--hires-upscaler", "lanczos")
    (made,) = generate("--sampler", "euler", *named)
    names = ("rng", "emphasis", "hires_upscaler", "sampler")
    assert tuple(made[name] for name in names) == ("gpu", "ComfyUI", "Lanczos", "Euler")


def test_everything_that_was_asked_is_said(
    generate: Generate, picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (made,) = generate(
        "--clip-skip", "2", "--emphasis", "no norm", "--guidance-rescale", "0.5", "--init", str(picture)
    )
    assert set(Recipe.__struct_fields__) <= set(made)
    assert cli.main(["inspect", made["path"], "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    names = ("clip_skip", "emphasis", "guidance_rescale", "strength", "init_image")
    assert {name: said[name] for name in names} == {name: made[name] for name in names}
    assert said["mask_blur"] is said["hires_strength"] is said["variation_seed"] is said["rng"] is None
    assert cli.main(["inspect", made["path"]]) == 0
    shown = capsys.readouterr().out
    assert "guidance rescale" in shown
    assert "hires" not in shown


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["--init", "/absent.png"], 1, "There is no image /absent.png"),
        (["--init", "/dev/null"], 1, "/dev/null"),
        (["--mask", "/absent.png"], 2, "A mask needs an image to repaint"),
        (["--init", "/absent.png", "--strength", "0"], 2, "Strength 0 leaves none of 30 steps to run"),
        (["--init", "/absent.png", "--strength", "1.5"], 2, "Strength must be 0 to 1"),
        (["--hires", "0.5"], 2, "Hires scale must be 1 to 8"),
        (["--hires", "2", "--hires-upscaler", "ESRGAN"], 2, "There is no hires upscaler"),
        (["--rng", "dice"], 2, "There is no rng called 'dice'"),
        (["--variation-strength", "2"], 2, "Variation strength must be 0 to 1"),
        (["--emphasis", "loud"], 2, "There is no emphasis called 'loud'"),
    ],
)
def test_what_cannot_be_made_is_one_sentence(
    arguments: list[str], status: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["generate", "x", *arguments]) == status
    said = capsys.readouterr()
    assert said.out == ""
    assert says in said.err


def test_a_mask_without_white_is_one_sentence(
    sd1_folder: Path, tmp_path: Path, picture: Path, same_log: None, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("L", (64, 64)).save(tmp_path / "black.png")
    small = ["--steps", "3", "--size", "64x64", "--model", str(sd1_folder), "--device", "cpu"]
    asked = ["--init", str(picture), "--mask", str(tmp_path / "black.png"), "--out", str(tmp_path)]
    assert cli.main(["generate", "x", *small, *asked]) == 1
    assert "The mask has no white in it" in capsys.readouterr().err


def test_the_help_has_a_heading_for_each_kind(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["generate", "--help"])
    said = capsys.readouterr().out
    headings = ("from a picture:", "enlarged in a second pass:", "noise:", "how the model is used:")
    assert all(f"\n{heading}\n" in said for heading in headings)
