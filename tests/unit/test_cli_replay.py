"""What `sdtui generate` made is made again: from any folder, from a batch, and with files that are others since."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from sdcore.library.metadata import read_image
from tests.unit.test_cli import generate, same_log
from tui import cli

__all__ = ["generate", "same_log"]


def test_images_are_made_in_batches_and_made_again(
    generate: Callable[..., list[dict[str, Any]]], capsys: pytest.CaptureFixture[str]
) -> None:
    made = generate("--seed", "5", "--count", "2", "--batch", "2", "--sampler", "Euler a")
    assert [(image["seed"], image["batch_size"]) for image in made] == [(5, 1), (6, 1), (7, 1), (8, 1)]
    places = [read_image(image["path"]).extra["batch"] for image in made]
    assert places == [{"size": 2, "index": index, "seed": seed} for seed in (5, 7) for index in (0, 1)]
    assert cli.main(["inspect", made[3]["path"]]) == 0
    said = capsys.readouterr().out
    assert re.search("^batch +size 2 · index 1 · seed 7$", said, re.MULTILINE)
    assert "batch size" not in said
    assert cli.main(["replay", made[3]["path"], "--verify", "--device", "cpu"]) == 0
    assert capsys.readouterr() == ("identical\n", "")


def test_a_vae_at_a_path_or_of_a_model_is_found_again_from_another_folder(
    generate: Callable[..., list[dict[str, Any]]],
    sd1_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(sd1_folder.parent)
    (beside,) = generate("--vae", sd1_folder.name)
    (named,) = generate("--vae", "tiny")
    assert (beside["vae"], named["vae"]) == (str(sd1_folder), "tiny")
    monkeypatch.chdir(tmp_path)
    for made in (beside, named):
        assert cli.main(["replay", made["path"], "--verify", "--device", "cpu"]) == 0
        assert capsys.readouterr() == ("identical\n", "")
    assert cli.main(["generate", "x", "--vae", "absent"]) == 1
    said = capsys.readouterr().err
    assert (said.count("\n"), "There is no VAE 'absent'" in said) == (1, True)


def test_a_vae_that_is_another_now_is_named(
    generate: Callable[..., list[dict[str, Any]]],
    sd1_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    own = Path(shutil.copytree(sd1_folder / "vae", tmp_path / "own"))
    (made,) = generate("--vae", str(own))
    facts = read_image(made["path"])
    with Image.open(made["path"]) as image:
        assert f"VAE hash: {facts.vae_hash}, VAE: own" in image.info["parameters"]
    weights = own / "diffusion_pytorch_model.safetensors"
    save_file({name: tensor + torch.ones(()) for name, tensor in load_file(weights).items()}, weights)
    assert cli.main(["replay", made["path"], "--verify", "--device", "cpu"]) == 1
    said = capsys.readouterr()
    assert "What is not as it was then: VAE.\n" in said.out
    assert "The VAE's weights are others now: " in said.err
    assert cli.main(["replay", made["path"], "--device", "cpu"]) == 0
    again = read_image(capsys.readouterr().out.strip())
    assert again.vae_hash not in (None, facts.vae_hash)
