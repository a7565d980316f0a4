"""A subject measured: all ways of making its image, in turns, and what they are measured by."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, Final

import msgspec
import torch
from PIL import ImageChops

from sdcore.bench.rates import matrix_rate, pass_flops, preview_seconds, read_rate
from sdcore.bench.sides import Made, Side, official, ours
from sdcore.bench.subjects import Subject, folder_of
from sdcore.diffusion import memory
from sdcore.diffusion.loading.parts import layout_of, parts_of
from sdcore.diffusion.model import Model
from sdcore.diffusion.rungs import LADDER
from sdcore.diffusion.speed import Faster, Mode
from sdcore.opening import open_model
from sdcore.spec.recipe import FIRST_PROMPT, FIRST_SEED, Recipe

PIPELINE: Final = "diffusers"
OURS: Final[dict[Mode, str]] = {"off": "ours", "graphs": "ours, graphs", "compile": "ours, compiled"}
UNRECORDED: Final = "ours, not recorded"
_BUNDLED_FAMILY: Final = "SD1"


class Way(msgspec.Struct, frozen=True):
    """One way of making the image: medians over the turns. `peak_bytes` is of the GPU's memory, 0 on a CPU;
    `utilisation` the share of the matrix rate that the steps reach; `ratio` the median, over the turns, of its time to
    the pipeline's, for whole images; `problem` why it is not what its name says."""

    name: str
    seconds: float
    steps_per_second: float
    utilisation: float
    peak_bytes: int
    ratio: float
    largest_difference: int
    """Of any channel of any pixel to the pipeline's image, 0 to 255."""
    problem: str = ""


class Report(msgspec.Struct, frozen=True):
    """A subject's figures. Rates are a second: floating-point operations, bytes."""

    name: str
    title: str
    device: str
    dtype: str
    threads: int
    side: int
    steps: int
    turns: int
    ways: tuple[Way, ...]
    recording: float
    """The time of our run to that of one that is not recorded."""
    preview_seconds: float
    pass_flops: int
    matrix_rate: float
    load_seconds: float
    load_rate: float
    read_rate: float
    needed_bytes: int
    """What was reckoned beforehand."""


def measure(
    subject: Subject, device: str, steps: int, size: int, turns: int, modes: Sequence[Mode]
) -> Report:
    """Run all ways `turns` times, the one that goes first changing from turn to turn, after a warm-up where there are
    several. `size` 0 is the model's own. Raises `ModelError` where there is no such device."""
    with folder_of(subject) as folder:
        reading = read_rate(folder)
        stored = sum(path.stat().st_size for path in folder.rglob("*.safetensors"))
        for part in parts_of(layout_of(subject.family or _BUNDLED_FAMILY)):
            part.resolve()  # its import, which the engine has behind it when it loads a model
        model = open_model(folder, device=device)
    side = size or subject.size or model.native_size
    recipe = Recipe(prompt=FIRST_PROMPT, seed=FIRST_SEED, steps=steps, width=side, height=side)
    latents = torch.zeros(1, *model.latent_shape(side, side), device=model.device, dtype=model.dtype)
    flops, rate = pass_flops(model, recipe), matrix_rate(model.device, model.dtype)
    made, peaks, problems = _take_turns(model, recipe, turns, modes)
    ways = tuple(
        Way(
            name=name,
            seconds=statistics.median(one.total for one in images),
            steps_per_second=steps / statistics.median(one.sampling for one in images),
            utilisation=flops * steps / rate / statistics.median(one.sampling for one in images),
            peak_bytes=peaks[name],
            ratio=_ratio(images, made[PIPELINE]),
            largest_difference=_difference(images[0].image, made[PIPELINE][0].image),
            problem=problems.get(name, ""),
        )
        for name, images in made.items()
    )
    return Report(
        subject.name, subject.title, str(model.device), str(model.dtype).removeprefix("torch."),
        torch.get_num_threads(), side, steps, turns, ways, _ratio(made[OURS["off"]], made[UNRECORDED]),
        preview_seconds(model, latents), flops, rate, model.load_seconds, stored / model.load_seconds, reading,
        memory.needs(memory.footprint(model), recipe, LADDER[0]).peak,
    )  # fmt: skip


def _take_turns(
    model: Model, recipe: Recipe, turns: int, modes: Sequence[Mode]
) -> tuple[dict[str, list[Made]], dict[str, int], dict[str, str]]:
    """What each way made after its warm-up, its peaks of memory, and what went wrong."""
    sides: dict[str, Side] = {
        PIPELINE: official(model, recipe),
        OURS["off"]: ours(model, recipe),
        UNRECORDED: ours(model, recipe, recorded=False),
        **{OURS[mode]: ours(model, recipe) for mode in modes},
    }
    fasters = {OURS[mode]: _faster(model, mode) for mode in modes}
    made: dict[str, list[Made]] = {name: [] for name in sides}
    peaks = dict.fromkeys(sides, 0)
    for turn in range(-1 if turns > 1 else 0, turns):
        for name in sorted(sides, reverse=bool(turn % 2)):
            _forget_peak(model.device)
            with fasters[name].standing_in() if name in fasters else nullcontext():
                image = sides[name]()
            if turn >= 0:
                made[name].append(image)
                held = fasters[name].idle_bytes if name in fasters else 0
                peaks[name] = max(peaks[name], _peak(model.device) + held)
    return made, peaks, {name: faster.problem for name, faster in fasters.items()}


def _faster(model: Model, mode: Mode) -> Faster:
    return Faster(model.network, mode, model.device, lambda sentence: None)


def _forget_peak(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def _peak(device: torch.device) -> int:
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0


def _ratio(these: Sequence[Made], those: Sequence[Made]) -> float:
    return statistics.median(one.total / other.total for one, other in zip(these, those, strict=True))


def _difference(one: Any, other: Any) -> int:
    extremes: Any = ImageChops.difference(one, other).getextrema()
    return max(high for _, high in extremes)
