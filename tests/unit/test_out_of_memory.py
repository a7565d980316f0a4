"""Faults put into a real small model behind the engine: at every place where memory runs out or numbers overflow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from PIL import Image, ImageChops
from torch.utils._pytree import tree_leaves
from transformers import CLIPTextModel

from sdcore.diffusion import ladder
from sdcore.diffusion.readings import Readings
from sdcore.diffusion.rungs import LADDER
from sdcore.engine.local import LocalClient, LocalEngine
from sdcore.engine.messages import AnyEvent, Generate, JobCancelled, JobFailed, JobFinished, JobNotice
from sdcore.spec.recipe import Recipe
from tests.engine_fakes import until

Fault = Callable[[Any], Any]
"""What becomes of a call's result."""

PLACES: dict[str, tuple[type[Any], str]] = {
    "text encode": (CLIPTextModel, "forward"),
    "step": (UNet2DConditionModel, "forward"),
    "decode": (AutoencoderKL, "decode"),
    "encode": (AutoencoderKL, "encode"),
}


@pytest.fixture(autouse=True)
def read_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every job read its prompts, also those that were read a while ago."""
    monkeypatch.setattr(Readings, "of", lambda self, what, read: read())


def notice(name: str) -> str:
    return next(rung.notice for rung in LADDER if rung.name == name)


@pytest.fixture(scope="module")
def recipe(sd1_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    picture = tmp_path_factory.mktemp("pictures") / "start.png"
    Image.effect_noise((256, 64), 60).convert("RGB").save(picture)
    return Recipe(
        prompt="a red house", width=256, height=64, steps=4, seed=3, sampler="Euler", model=str(sd1_folder),
        init_image=str(picture), strength=1.0,
    )  # fmt: skip


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalClient]:
    """Of an engine that has all rungs, though its device is a CPU."""
    monkeypatch.setattr(ladder, "rungs_for", lambda device: LADDER)
    with LocalEngine() as engine:
        yield engine.attach()


def inject(monkeypatch: pytest.MonkeyPatch, place: str, faults: dict[int, Fault]) -> list[int]:
    """Have the calls at a place with these numbers (from 0) go wrong; returns the numbers of the calls made."""
    kind, name = PLACES[place]
    original = getattr(kind, name)
    calls: list[int] = []

    def called(module: Any, *args: Any, **kwargs: Any) -> Any:
        calls.append(len(calls))
        made = original(module, *args, **kwargs)
        return faults[calls[-1]](made) if calls[-1] in faults else made

    monkeypatch.setattr(kind, name, called)
    return calls


def full(_: Any) -> Any:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def not_finite(made: Any) -> Any:
    latents = getattr(made, "latent_dist", None)
    for tensor in [latents.mean] if latents else tree_leaves(made):
        tensor.fill_(float("nan"))
    return made


def run(client: LocalClient, recipe: Recipe, job: str = "a") -> list[AnyEvent]:
    client.send(Generate(job=job, recipe=recipe))
    return until(iter(client), JobFinished, JobFailed, JobCancelled)


def notices(events: list[AnyEvent]) -> list[str]:
    return [event.message for event in events if isinstance(event, JobNotice)]


def picture(events: list[AnyEvent]) -> Image.Image:
    end = events[-1]
    assert isinstance(end, JobFinished), end
    return Image.open(end.images[0].path).convert("RGB")


def difference(one: Image.Image, other: Image.Image) -> float:
    levels = torch.frombuffer(bytearray(ImageChops.difference(one, other).tobytes()), dtype=torch.uint8)
    return float(levels.float().mean())


@pytest.mark.parametrize(
    ("place", "faults", "rungs", "most"),
    [
        ("text encode", {0: full}, ["model offload"], 8.0),
        ("encode", {0: full}, ["tiled VAE"], 8.0),
        ("step", {2: full}, ["split guidance"], 0.2),
        ("step", {2: full, 3: full}, ["split guidance", "model offload"], 5.0),
        ("decode", {0: full}, ["tiled VAE"], 5.0),
        ("decode", {0: full, 1: full}, ["tiled VAE", "model offload"], 5.0),
    ],
)
def test_a_job_survives_full_memory_everywhere(
    client: LocalClient, recipe: Recipe, monkeypatch: pytest.MonkeyPatch, place: str, faults: dict[int, Fault],
    rungs: list[str], most: float,
) -> None:  # fmt: skip
    """The image is the same but for rounding; where tiles were decoded or encoded, it differs by so many levels."""
    if (
        place == "text encode"
    ):  # an image to encode is the larger part of a beginning, and would be tried first
        recipe = msgspec.structs.replace(recipe, init_image="", strength=1.0)
    expected = picture(run(client, recipe))
    with monkeypatch.context() as patched:
        calls = inject(patched, place, faults)
        events = run(client, recipe, job="b")
    assert difference(picture(events), expected) < most
    assert notices(events) == [notice(name) for name in rungs]
    assert len(calls) > max(faults)
    after = run(client, recipe, job="c")
    assert notices(after) == []
    assert difference(picture(after), expected) == 0  # the next job is unharmed, on the lowest rung


def test_steps_that_were_made_are_not_made_again(
    client: LocalClient, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(client, recipe)
    calls = inject(monkeypatch, "step", {2: full})
    assert isinstance(run(client, recipe, job="b")[-1], JobFinished)
    assert len(calls) == 2 + 1 + 2 * 2  # two as before, the one that failed, two more in halves


@pytest.mark.parametrize("place", list(PLACES))
def test_where_no_rung_is_enough_a_sentence_says_so(
    client: LocalClient, recipe: Recipe, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    with monkeypatch.context() as patched:
        calls = inject(patched, place, dict.fromkeys(range(100), full))
        failed = run(client, recipe)[-1]
    assert isinstance(failed, JobFailed)
    assert "GPU's memory is full" in failed.message
    assert len(calls) <= len(LADDER)
    assert isinstance(run(client, recipe, job="b")[-1], JobFinished)


@pytest.mark.parametrize("place", list(PLACES))
def test_what_is_not_finite_is_an_error_and_no_black_image(
    client: LocalClient, recipe: Recipe, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    with monkeypatch.context() as patched:
        inject(patched, place, dict.fromkeys(range(100), not_finite))
        failed = run(client, recipe, job="b")[-1]
    assert isinstance(failed, JobFailed)
    assert "not finite" in failed.message
    assert isinstance(run(client, recipe, job="c")[-1], JobFinished)
