"""The two sides: our loop, recorded and with previews, as the engine runs it; and diffusers' pipeline."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import diffusers
import torch

from sdcore.diffusion.loop import sample
from sdcore.diffusion.model import Model
from sdcore.diffusion.preview import ComingPreview
from sdcore.diffusion.step import Step
from sdcore.diffusion.trace import start
from sdcore.spec.families import family
from sdcore.spec.recipe import Recipe

PREVIEW_SECONDS: Final = 0.1
"""Previews are made as often as the app wants them: at most ten a second."""

_NOISE: Final = ("beta_start", "beta_end", "beta_schedule")


@dataclass(frozen=True)
class Made:
    """An image, and the seconds that its steps (with the prompts' encoding) and all of it took."""

    image: Any
    sampling: float
    total: float


Side = Callable[[], Made]


def ours(model: Model, recipe: Recipe, *, recorded: bool = True) -> Side:
    """Our loop."""

    def make() -> Made:
        began = time.perf_counter()
        steps = start(model, recipe)[1] if recorded else sample(model, recipe)
        last = _take(model, steps)
        wait_for(model.device)
        sampled = time.perf_counter()
        image = model.decode(last.next_latents)[0]
        return Made(image, sampled - began, time.perf_counter() - began)

    return make


def make_image(model: Model, steps: Iterator[Step]) -> Any:
    """One image by our loop, with previews, as the worker makes it."""
    return model.decode(_take(model, steps).next_latents)[0]


def _take(model: Model, steps: Iterator[Step]) -> Step:
    shown, coming = 0.0, None
    last: Step | None = None
    for last in steps:
        if coming is not None and coming.done:
            coming.rgb()
            coming = None
        if coming is None and time.perf_counter() - shown >= PREVIEW_SECONDS:
            coming = _shown(model.begin_preview(last.denoised))
            shown = time.perf_counter()
    assert last is not None
    return last


def _shown(coming: ComingPreview) -> ComingPreview | None:
    if not coming.done:
        return coming
    coming.rgb()
    return None


def official(model: Model, recipe: Recipe) -> Side:
    """The pipeline of diffusers over the very networks of `model`: the same weights, precision and layout."""
    pipeline = _pipeline(model)

    def make() -> Made:
        ends = [0.0]

        def note(_: Any, index: int, t: Any, told: dict[str, Any]) -> dict[str, Any]:
            if index + 1 == recipe.steps:
                wait_for(model.device)
                ends[0] = time.perf_counter()
            return told

        began = time.perf_counter()
        image = pipeline(
            recipe.prompt,
            width=recipe.width,
            height=recipe.height,
            num_inference_steps=recipe.steps,
            guidance_scale=recipe.guidance_scale,
            generator=[torch.Generator("cpu").manual_seed(recipe.seed)],
            callback_on_step_end=note,
        ).images[0]
        return Made(image, ends[0] - began, time.perf_counter() - began)

    return make


def _pipeline(model: Model) -> Any:
    shown = family(model.family)
    encoders: dict[str, Any] = {}
    for name in ("text_encoder", "text_encoder_2"):
        if (encoder := getattr(model.adapter, name, None)) is not None:
            encoders |= {name: encoder.network, name.replace("text_encoder", "tokenizer"): encoder.tokenizer}
    trained = {key: model.training_noise[key] for key in _NOISE}
    kind = getattr(diffusers, shown.pipeline)
    checker = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    pipeline = kind(
        vae=model.vae,
        unet=model.network,
        scheduler=diffusers.LMSDiscreteScheduler(**trained, steps_offset=1),
        **encoders,
        **(checker if "safety_checker" in kind._optional_components else {"add_watermarker": False}),
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def wait_for(device: torch.device) -> None:
    """Until the device has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
