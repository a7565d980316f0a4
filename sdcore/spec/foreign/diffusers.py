"""What scripts around diffusers commonly write: the arguments of a pipeline, each as a chunk of its own or all as one
JSON object; and Draw Things, which writes such an object of its own.

There is no standard: the names are those of `StableDiffusionPipeline.__call__` and what people make of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sdcore.spec import values
from sdcore.spec.facts import ImageFacts
from sdcore.spec.foreign.reading import Texts, facts, load_object, understand

WRITER: Final = "diffusers"
DRAW_THINGS: Final = "Draw Things"


def _class(value: Any) -> dict[str, Any] | None:
    """A scheduler by name, or as its own configuration."""
    name = value.get("_class_name") if isinstance(value, dict) else value
    return values.word("sampler")(name)


def _pipeline_model(value: Any) -> dict[str, Any] | None:
    """An id of the hub as it is, a path by its last part."""
    return (
        {"model": value}
        if isinstance(value, str) and value.count("/") == 1
        else values.file_name("model")(value)
    )


_PROMPT: Final = values.text("prompt")
_NEGATIVE: Final = values.text("negative_prompt")
_STEPS: Final = values.whole("steps")
_GUIDANCE: Final = values.real("guidance_scale")
_FIELDS: Final[Mapping[str, values.Understand]] = {
    "prompt": _PROMPT, "positive_prompt": _PROMPT, "Prompt": _PROMPT,
    "negative_prompt": _NEGATIVE, "Negative Prompt": _NEGATIVE, "negative prompt": _NEGATIVE,
    "num_inference_steps": _STEPS, "steps": _STEPS, "inference_steps": _STEPS, "Steps": _STEPS,
    "guidance_scale": _GUIDANCE, "cfg_scale": _GUIDANCE, "guidance": _GUIDANCE, "cfg": _GUIDANCE,
    "guidance_rescale": values.real("guidance_rescale"),
    "seed": values.seed("seed"), "Seed": values.seed("seed"), "generator_seed": values.seed("seed"),
    "width": values.whole("width"), "height": values.whole("height"), "size": values.size,
    "model": _pipeline_model, "model_id": _pipeline_model, "model_name": _pipeline_model, "Model": _pipeline_model,
    "pretrained_model_name_or_path": _pipeline_model, "checkpoint": _pipeline_model, "base_model": _pipeline_model,
    "use_stable_diffusion_model": _pipeline_model, "use_vae_model": values.file_name("vae"),
    "vae": values.file_name("vae"),
    "scheduler": _class, "sampler": _class, "sampler_name": _class, "Sampler": _class,
    "strength": values.real("strength"), "prompt_strength": values.real("strength"),
    "clip_skip": values.whole("clip_skip", plus=1),
}  # fmt: skip
_LEAST: Final = 2
"""Fields beside the prompt that tell such an image from one with a caption."""

_DRAWN: Final[Mapping[str, values.Understand]] = {
    "c": _PROMPT, "uc": _NEGATIVE, "steps": _STEPS, "scale": _GUIDANCE, "seed": values.seed("seed"),
    "sampler": values.word("sampler"), "model": values.file_name("model"), "size": values.size,
    "strength": values.real("strength"),
}  # fmt: skip


def read(text: str, texts: Texts) -> ImageFacts | None:
    """What one object of JSON says that names a pipeline's arguments."""
    said = load_object(text)
    return None if said is None else _read(said)


def read_apart(text: str, texts: Texts) -> ImageFacts | None:
    """What chunks say that are each one argument."""
    return _read(dict(texts))


def _read(said: dict[str, Any]) -> ImageFacts | None:
    fields, extra = understand(said, _FIELDS)
    return facts(WRITER, fields, extra) if "prompt" in fields and len(fields) > _LEAST else None


def read_draw_things(text: str, texts: Texts) -> ImageFacts | None:
    """What the user comment within Draw Things' XMP says: `c` is the prompt, `uc` the negative one."""
    said = load_object(text)
    if said is None or not {"c", "uc"} <= said.keys():
        return None
    fields, extra = understand(said, _DRAWN)
    return facts(DRAW_THINGS, fields, extra)
