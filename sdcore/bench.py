"""Our loop beside diffusers' own pipeline: the same model, recipe and process, in turns.

`python -m sdcore.bench` (or `sdtui bench`) prints seconds and their ratio; the ratio is what counts, since
both sides meet the same machine in the same minute.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import torch
from diffusers import DiffusionPipeline, LMSDiscreteScheduler, StableDiffusionPipeline

from sdcore.diffusion.loop import Step, sample
from sdcore.diffusion.model import Model
from sdcore.diffusion.trace import start
from sdcore.library.checkpoints import BUNDLED, resolve
from sdcore.opening import open_model
from sdcore.spec.recipe import FIRST_PROMPT, FIRST_SEED, Recipe

PREVIEW_SECONDS: Final = 0.1
"""Previews are made as often as the app wants them: at most ten a second."""


class Comparison(msgspec.Struct, frozen=True):
    """Medians over the turns, in seconds for one image, and the median of the turns' ratios (ours / theirs)."""

    device: str
    threads: int
    turns: int
    ours: float
    pipeline: float
    ratio: float
    recording: float
    """The median of the turns' ratios of a recorded run to one that is not."""
    load_seconds: float
    equal: bool
    """Whether both made the same pixels."""


def compare(model: Model, folder: Path, recipe: Recipe, turns: int) -> Comparison:
    """Run both `turns` times after a warm-up, the one that goes first changing from turn to turn."""
    pipeline = _official(folder, model)
    sides: dict[str, Callable[[], Any]] = {
        "ours": lambda: make_image(model, start(model, recipe)[1]),
        "not recorded": lambda: make_image(model, sample(model, recipe)),
        "pipeline": lambda: _make_official(pipeline, recipe),
    }
    images = {name: run() for name, run in sides.items()}
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(turns):
        for name in sorted(sides, reverse=bool(turn % 2)):
            began = time.perf_counter()
            sides[name]()
            seconds[name].append(time.perf_counter() - began)

    def ratio_to(other: str) -> float:
        pairs = zip(seconds["ours"], seconds[other], strict=True)
        return statistics.median(ours / theirs for ours, theirs in pairs)

    return Comparison(
        str(model.device),
        torch.get_num_threads(),
        turns,
        statistics.median(seconds["ours"]),
        statistics.median(seconds["pipeline"]),
        ratio_to("pipeline"),
        ratio_to("not recorded"),
        model.load_seconds,
        images["ours"].tobytes() == images["pipeline"].tobytes(),
    )


def make_image(model: Model, steps: Iterator[Step]) -> Any:
    """One image by our loop, with previews, as the worker makes it."""
    shown = 0.0
    step = None
    for step in steps:
        if time.perf_counter() - shown >= PREVIEW_SECONDS:
            model.preview(step.denoised)
            shown = time.perf_counter()
    assert step is not None
    return model.decode(step.next_latents)[0]


def _official(folder: Path, model: Model) -> DiffusionPipeline:
    pipeline = StableDiffusionPipeline.from_pretrained(folder, torch_dtype=model.dtype).to(model.device)
    trained = {key: pipeline.scheduler.config[key] for key in ("beta_start", "beta_end", "beta_schedule")}
    pipeline.scheduler = LMSDiscreteScheduler(**trained)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _make_official(pipeline: Any, recipe: Recipe) -> Any:
    return pipeline(
        recipe.prompt,
        width=recipe.width,
        height=recipe.height,
        num_inference_steps=recipe.steps,
        guidance_scale=recipe.guidance_scale,
        generator=[torch.Generator("cpu").manual_seed(recipe.seed)],
    ).images[0]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="sdtui bench", description=__doc__)
    parser.add_argument("--turns", type=int, default=7, help="how often each side runs (default 7)")
    parser.add_argument("--steps", type=int, default=30, help="sampler steps (default 30)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    options = parser.parse_args(arguments)
    model = open_model(device=options.device)
    size = model.native_size
    recipe = Recipe(prompt=FIRST_PROMPT, seed=FIRST_SEED, steps=options.steps, width=size, height=size)
    result = compare(model, resolve(BUNDLED), recipe, max(1, options.turns))
    if options.json:
        print(msgspec.json.encode(result).decode())
        return 0
    print(f"bundled model, {size}x{size}, LMS, {options.steps} steps, guidance 7.5, on {result.device}")
    print(f"  ours       {result.ours:7.3f} s an image, previews on, recorded")
    print(f"  diffusers  {result.pipeline:7.3f} s an image")
    same = "the same pixels" if result.equal else "NOT the same pixels"
    print(f"  ratio      {result.ratio:7.3f}   median of {result.turns} turns; {same}")
    print(f"  recording  {result.recording:7.3f}   of the time of the same run without it")
    print(f"  loading    {result.load_seconds:7.3f} s after the imports")
    return 0


if __name__ == "__main__":
    sys.exit(main())
