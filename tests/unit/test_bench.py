"""The bench on a small model: both sides make the same image, and what is counted is there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from sdcore import bench
from sdcore.bench import measuring, rates, subjects
from sdcore.bench.subjects import Subject, write_random
from sdcore.diffusion.loop import sample
from sdcore.diffusion.model import Model
from sdcore.opening import open_model
from sdcore.spec.recipe import Recipe

SMALL = Recipe(prompt="a red house", width=64, height=64, steps=2)


@pytest.fixture
def small(sd1_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The small model in the place of the bundled one."""

    @contextmanager
    def folder_of(subject: Subject) -> Iterator[Path]:
        yield sd1_folder

    monkeypatch.setattr(measuring, "folder_of", folder_of)
    monkeypatch.setattr(rates, "_SIDES", {"cpu": 64})
    monkeypatch.setattr(measuring, "FIRST_PROMPT", "a red house")  # fits in one chunk of a byte a token


@pytest.mark.usefixtures("small")
def test_both_sides_make_the_same_image(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["--bundled", "--turns", "2", "--steps", "2", "--device", "cpu", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [way["name"] for way in report["ways"]] == ["diffusers", "ours", "ours, not recorded"]
    assert [way["largest_difference"] for way in report["ways"]] == [0, 0, 0]
    assert report["ways"][0]["ratio"] == 1
    assert all(way["steps_per_second"] > 0 < way["utilisation"] for way in report["ways"])
    assert (report["steps"], report["turns"], report["side"]) == (2, 2, 64)
    assert report["needed_bytes"] > 0


@pytest.mark.usefixtures("small")
def test_the_table_has_a_line_a_way(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["--turns", "1", "--steps", "1", "--device", "cpu", "--compile", "graphs"]) == 0
    shown = capsys.readouterr().out
    assert [line.split("  ")[1] for line in shown.splitlines()[2:6]] == [
        "diffusers", "ours", "ours, not recorded", "ours, graphs",
    ]  # fmt: skip
    assert "the bundled model, 64x64" in shown
    assert "of a step" in shown


def test_a_device_that_is_not_there_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["--device", "gpu"]) == 1
    assert "no device" in capsys.readouterr().err


def test_work_grows_with_the_batch_and_the_guidance(model: Model) -> None:
    flops = rates.pass_flops(model, SMALL)
    assert rates.pass_flops(model, Recipe(prompt="x", width=64, height=64, batch_size=2)) == 2 * flops
    assert rates.pass_flops(model, Recipe(prompt="x", width=64, height=64, guidance_scale=1.0)) == flops // 2
    assert "forward" not in model.network.__dict__


def test_random_weights_in_the_official_layout_are_opened_and_run(
    sd1_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def config_of(family: str, part: str, folders: list[Path]) -> dict[str, Any]:
        name = "scheduler_config.json" if part == "scheduler" else "config.json"
        config: dict[str, Any] = json.loads((sd1_folder / part / name).read_text())
        return config | ({"vocab_size": 4000} if part == "text_encoder" else {})

    monkeypatch.setattr(subjects, "config_of", config_of)
    write_random("SD1", tmp_path)
    model = open_model(tmp_path, device="cpu")
    *_, last = sample(model, SMALL)
    assert torch.isfinite(last.next_latents).all()
    assert model.decode(last.next_latents)[0].size == (64, 64)
    kept = model.network.state_dict()
    assert {float(kept["conv_norm_out.weight"].mean()), float(kept["conv_in.bias"].mean())} == {1.0, 0.0}


def test_the_rate_of_reading_counts_all_weights(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.safetensors").write_bytes(bytes(1000))
    assert rates.read_rate(tmp_path) > 0
