"""Runs on the command line: written as files, forked, made again, and the tree that they form."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from PIL import Image

from sdcore.diffusion.trace import Trace
from sdcore.engine.messages import ForkPoint, JobFinished
from sdcore.library.lineage import family
from sdcore.library.outputs import save_image
from sdcore.opening import open_model
from sdcore.spec.lineage import Parent, Segment
from sdcore.spec.recipe import Recipe
from tests.unit.test_cli import same_log
from tui import cli
from tui.commands.making import Maker

__all__ = ["same_log"]

SMALL = ["--steps", "4", "--size", "64x64", "--device", "cpu"]


@pytest.fixture
def maker(tmp_path: Path, same_log: None) -> Iterator[Maker]:
    with Maker(device="cpu", folder=tmp_path) as maker:
        yield maker


def test_a_run_as_files(
    sd1_folder: Path, tmp_path: Path, same_log: None, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    asked = ["trace", "a house", "--seed", "5", "--every", "2", "--model", str(sd1_folder), *SMALL]
    assert cli.main([*asked, "--out", str(out), "--json"]) == 0
    image, trace, *rest = [Path(path) for path in json.loads(capsys.readouterr().out)["paths"]]
    assert [path.name for path in rest] == [
        "contact-sheet.png", "schedule.png", "latents-noise.png", "latents-scaled-noise.png", "latents-000.png",
        "latents-002.png", "steps.csv",
    ]  # fmt: skip
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in (image, trace, *rest))
    assert Image.open(out / "contact-sheet.png").size == (2 * 128 + 2, 2 * 128 + 2)  # steps 0, 2 and the last
    row = Image.open(out / "latents-000.png")
    assert row.size == (4 * 192 + 3 * 8, 192)

    model = open_model(sd1_folder, device="cpu")
    recorded = Trace.record(model, Recipe(prompt="a house", seed=5, steps=4, width=64, height=64))
    numbers = list(csv.DictReader((out / "steps.csv").open()))
    assert [int(line["step"]) for line in numbers] == [0, 1, 2, 3]
    for line, step in zip(numbers, recorded, strict=True):
        said = {name: float(value) for name, value in line.items()}
        assert (said["timestep"], said["sigma"]) == (step.t, step.sigma)
        assert said["next_sigma"] == recorded.sigmas[step.index + 1]
        assert said["alpha_bar"] == pytest.approx(1 / (1 + step.sigma**2))
        for channel in range(4):
            values = step.latents[0, channel]
            assert said[f"mean_{channel}"] == pytest.approx(float(values.mean()), abs=1e-5)
            assert said[f"deviation_{channel}"] == pytest.approx(float(values.std(correction=0)), abs=1e-5)
        apart = float((step.noise_pred_text - step.noise_pred_uncond).norm())
        assert said["guidance_norm"] == pytest.approx(apart, rel=1e-4)
    read = Trace.load(trace)
    assert all((a.latents == b.latents).all() for a, b in zip(read, recorded, strict=True))


def forked(maker: Maker, sd1_folder: Path) -> list[JobFinished]:
    recipe = Recipe(
        prompt="a red house", width=64, height=64, steps=4, seed=3, sampler="Euler a", model=str(sd1_folder)
    )
    first = maker.make(recipe, "x")
    boat = msgspec.structs.replace(recipe, prompt="a boat", guidance_scale=4.0)
    second = maker.make(boat, "x", ForkPoint(source=first.job, step=0))
    third = maker.make(msgspec.structs.replace(boat, seed=9), "x", ForkPoint(source=second.job, step=1))
    return [first, second, third]


def test_a_fork_is_made_again_from_what_it_says(
    maker: Maker, sd1_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for finished in forked(maker, sd1_folder):
        assert cli.main(["replay", finished.images[0].path, "--verify", "--device", "cpu"]) == 0
        assert capsys.readouterr().out == "identical\n"


def test_inspect_draws_the_tree_of_forks(
    maker: Maker, sd1_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [Path(finished.images[0].path) for finished in forked(maker, sd1_folder)]
    names = [path.name for path in paths]
    assert cli.main(["inspect", str(paths[1])]) == 0
    tree = capsys.readouterr().out.split("forked\n")[1].splitlines()
    assert tree == [
        names[0],
        f"└─ {names[1]} after step 0: prompt, guidance scale ◂ this image",
        f"   └─ {names[2]} after step 1: seed",
    ]
    paths[0].unlink()
    assert cli.main(["inspect", str(paths[2])]) == 0
    assert capsys.readouterr().out.split("forked\n")[1].splitlines()[0] == f"{names[0]} (its file is gone)"


def test_a_family_that_bites_its_tail_or_lies_is_no_trap(tmp_path: Path) -> None:
    picture = Image.new("RGB", (8, 8))
    day = save_image(picture, Recipe(), folder=tmp_path).parent
    for parent in ("00002-0-image.png", "../../../etc/passwd", "00003-0-image.png"):
        save_image(picture, Recipe(), folder=tmp_path, parent=Parent(image=parent, step=1))
    alone, own, hostile, other = sorted(day.glob("*.png"))
    assert family(alone) == []
    assert [one.path.name for one in family(hostile)] == [
        hostile.name,
        other.name,
    ]  # a path is no name of ours
    assert [one.path.name for one in family(own)] == [own.name]  # its own parent
    assert [one.path.name for one in family(other)] == [hostile.name, other.name]


def test_a_fork_whose_past_is_nonsense_is_refused_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    segments = (Segment(start=0, recipe=Recipe()), Segment(start=5, recipe=Recipe(steps=0)))
    path = save_image(Image.new("RGB", (8, 8)), Recipe(), folder=tmp_path, segments=segments)
    assert cli.main(["replay", str(path)]) == 1
    assert "its past cannot be followed" in capsys.readouterr().err
