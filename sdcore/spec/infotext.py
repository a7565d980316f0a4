"""Recipe <-> the `parameters` text that AUTOMATIC1111's web UI writes and most programs read.

    prompt, may be many lines
    Negative prompt: may be many lines, left out when empty
    Steps: 30, Sampler: LMS, Schedule type: Automatic, CFG scale: 7.5, Seed: 1632, Size: 128x128, Model: tiny

The text cannot hold everything: a prompt with a line that starts with "Negative prompt:" reads back split
there, and it names neither the batch, nor the folder of a model, nor what does not act, such as the strength of a
run without an init image. That is why our images carry a lossless record beside it (`sdcore.library.record`),
which wins when an image is read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, Final

from sdcore.spec import choices, values
from sdcore.spec.facts import ImageFacts
from sdcore.spec.foreign.names import named
from sdcore.spec.recipe import Recipe

MAX_TEXT: Final = 64 * 1024
"""Characters of a text that are looked at. The reader's time grows linearly with them."""

LEAST_PAIRS: Final = 3
"""A last line with fewer `Key: value` pairs belongs to the prompt."""

_NEGATIVE: Final = "Negative prompt:"
_CUSTOM_SIGMAS: Final = "Sigmas"
_EARLIER_TURNS: Final = "Earlier variations"

# The web UI's spelling of our schedules where it differs by more than case.
_SCHEDULES_THERE: Final = {
    choices.AUTOMATIC: "Automatic",
    choices.EXPONENTIAL: "Exponential",
    choices.BETA: "Beta",
    choices.SGM_UNIFORM: "SGM Uniform",
    choices.CUSTOM: "Custom",
}


_EMPHASES_THERE: Final = {
    choice.name: choice.name.capitalize() for choice in choices.EMPHASES if choice.name.islower()
}
_RNGS_THERE: Final = {choices.RNG_CPU: "CPU", choices.RNG_PHILOX: "NV"}
_UPSCALERS_THERE: Final = {choices.UPSCALE_LATENT: "Latent"}


def write(
    recipe: Recipe,
    *,
    model_hash: str = "",
    vae_hash: str = "",
    version: str = "",
    extras: Mapping[str, str] | None = None,
) -> str:
    """The `parameters` text of `recipe`. The hashes and `version` are left out when empty; `extras` are keys that no
    field of a recipe has, such as "Lora hashes"."""
    pairs = {
        "Steps": str(recipe.steps),
        "Sampler": recipe.sampler,
        "Schedule type": _SCHEDULES_THERE.get(recipe.schedule, recipe.schedule),
        "CFG scale": _number(recipe.guidance_scale),
        "Seed": str(recipe.seed),
        "Size": f"{recipe.width}x{recipe.height}",
        "Model hash": model_hash,
        "Model": _stem(recipe.model),
        "VAE hash": vae_hash,
        "VAE": _stem(_whose_vae(recipe.vae)),
        **_started(recipe),
        "Clip skip": str(recipe.clip_skip) if recipe.clip_skip > 1 else "",
        "RNG": _RNGS_THERE.get(recipe.rng, recipe.rng),
        **_enlarged(recipe),
        "Emphasis": _named(recipe.emphasis, choices.EMPHASIS_MEAN, _EMPHASES_THERE),
        "CFG Rescale": _number(recipe.guidance_rescale) if recipe.guidance_rescale else "",
        _CUSTOM_SIGMAS: ", ".join(_number(sigma) for sigma in recipe.sigmas),
        **(extras or {}),
        "Version": version,
    }
    negative = [f"{_NEGATIVE} {recipe.negative_prompt}"] if recipe.negative_prompt else []
    line = ", ".join(f"{key}: {_quote(value)}" for key, value in pairs.items() if value)
    return "\n".join([recipe.prompt, *negative, line])


def _started(recipe: Recipe) -> dict[str, str]:
    """What a run begins from, beside its seed."""
    pairs = {}
    if recipe.variation_strength > 0:
        pairs = {
            "Variation seed": str(recipe.variation_seed),
            "Variation seed strength": _number(recipe.variation_strength),
            _EARLIER_TURNS: " ".join(
                f"{turn.seed}@{_number(turn.strength)}" for turn in recipe.earlier_variations
            ),
        }
    if recipe.init_image:
        pairs |= {"Denoising strength": _number(recipe.strength), "Init image": recipe.init_image}
    if recipe.init_image and recipe.mask_image:
        pairs |= {"Mask image": recipe.mask_image, "Mask blur": str(recipe.mask_blur)}
    return pairs


def _enlarged(recipe: Recipe) -> dict[str, str]:
    """How its image is enlarged. The web UI has one strength alone, and no init image together with this."""
    if not recipe.enlarges:
        return {}
    return {
        "Hires strength" if recipe.init_image else "Denoising strength": _number(recipe.hires_strength),
        "Hires upscale": _number(recipe.hires_scale),
        "Hires steps": str(recipe.hires_steps) if recipe.hires_steps else "",
        "Hires upscaler": _UPSCALERS_THERE.get(recipe.hires_upscaler, recipe.hires_upscaler),
    }


def _stem(ref: str) -> str:
    """A model or VAE as other programs name it: without its folders, which are nobody else's business."""
    return PurePath(ref).name.removesuffix(".safetensors") or ref if ref.startswith("/") else ref


def _whose_vae(ref: str) -> str:
    """A VAE, or where it is a model's folder for it, that model: it goes by its name."""
    path = PurePath(ref)
    return str(path.parent) if path.name == "vae" and path.is_absolute() else ref


def _named(value: str, default: str, there: dict[str, str]) -> str:
    return "" if value == default else there.get(value, value)


def _number(value: float) -> str:
    return repr(float(value)).removesuffix(".0")


def _quote(value: str) -> str:
    # Beyond the three characters that the format names: what a reader would strip or take for a quoted value.
    if any(mark in value for mark in ",:\n") or value != value.strip() or value[0] in '"[{':
        return json.dumps(value, ensure_ascii=False)
    return value


def read(text: str) -> ImageFacts | None:
    """What `text` says, or None when its last line holds no parameters.

    Only the last `MAX_TEXT` characters are looked at. A value that its field cannot take is kept in `extra`.
    """
    prompt, _, last = text[-MAX_TEXT:].rstrip().rpartition("\n")
    pairs = read_pairs(last)
    if len(pairs) < LEAST_PAIRS:
        return None
    fields: dict[str, Any] = dict(zip(("prompt", "negative_prompt"), _split_prompt(prompt), strict=True))
    extra: dict[str, Any] = {}
    for key, value in pairs.items():
        said = _FIELDS[key](value) if key in _FIELDS else None
        if said is None:
            extra[key] = value
        else:
            fields.update(said)
    writer = _writer(pairs)
    # Older texts write sampler and schedule as one: "LMS Karras".
    told = _of_the_second_pass(fields, writer)
    return ImageFacts(
        **{**told, **named(told.get("sampler"), told.get("schedule"))}, writer=writer, extra=extra
    )


def read_pairs(line: str) -> dict[str, str]:
    """The `Key: value` pairs of a parameters line, in order; the time is linear in its length.

    A quoted value is unquoted; a JSON list or object stays text, commas and all. A part between commas that
    holds no key belongs to the value before it. What is said twice is said in one value, a comma between.
    """
    pairs: dict[str, list[str]] = {}
    found, failures = _next_key(line, 0), 0
    while found is not None:
        start = found.end()
        value, end = None, _comma(line, start)
        if line.startswith(_JSON_STARTS, start) and failures < _MOST_FAILURES:
            value, end = _json(line, start, end)
            failures += value is None
        following = _next_key(line, end + 1)
        stop = following.start() - 1 if following else len(line)
        whole = value if value is not None and stop == end else line[start:stop].strip()
        pairs.setdefault(found[1].strip(), []).append(whole)
        found = following
    return {key: ", ".join(said) for key, said in pairs.items()}


_KEY: Final = re.compile(r"[ \t]{0,8}(\w[\w \-/]{0,63}):[ \t]{0,8}")
_JSON_STARTS: Final = ('"', "{", "[")
_MOST_FAILURES: Final = 64
_DECODER: Final = json.JSONDecoder(strict=False, parse_int=str, parse_float=str)


def _comma(line: str, start: int) -> int:
    found = line.find(",", start)
    return len(line) if found < 0 else found


def _next_key(line: str, start: int) -> re.Match[str] | None:
    """The first key at `start` or behind a comma after it."""
    while start < len(line):
        if found := _KEY.match(line, start):
            return found
        start = _comma(line, start) + 1
    return None


def _json(line: str, start: int, otherwise: int) -> tuple[str | None, int]:
    """The JSON value at `start`, a string as what it stands for, and where the comma after it is.

    (None, otherwise) when it is not one that a comma or the end of the line follows.
    """
    try:
        value, end = _DECODER.raw_decode(line, start)
    except (ValueError, RecursionError):
        return None, otherwise
    comma = _comma(line, end)
    if line[end:comma].strip():
        return None, otherwise
    return value if isinstance(value, str) else line[start:end], comma


def _split_prompt(text: str) -> tuple[str, str]:
    if text.startswith(_NEGATIVE):
        return "", text.removeprefix(_NEGATIVE).removeprefix(" ")
    prompt, _, negative = text.partition(f"\n{_NEGATIVE}")
    return prompt, negative.removeprefix(" ")


_FIELDS: Final[dict[str, values.Understand]] = {
    "Steps": values.whole("steps"),
    "Sampler": values.word("sampler"),
    "Schedule type": values.word("schedule"),
    "CFG scale": values.real("guidance_scale"),
    "Seed": values.seed("seed"),
    "Size": values.size,
    "Model hash": values.word("model_hash"),
    "Model": values.word("model"),
    "VAE hash": values.word("vae_hash"),
    "VAE": values.word("vae"),
    "Variation seed": values.seed("variation_seed"),
    "Variation seed strength": values.real("variation_strength"),
    "Denoising strength": values.real("strength"),
    "Init image": values.word("init_image"),
    "Mask image": values.word("mask_image"),
    "Mask blur": values.whole("mask_blur"),
    "Clip skip": values.whole("clip_skip"),
    "RNG": values.choice("rng", choices.RNGS),
    "Hires upscale": values.real("hires_scale"),
    "Hires steps": values.whole("hires_steps"),
    "Hires strength": values.real("hires_strength"),
    "Hires upscaler": values.choice("hires_upscaler", choices.UPSCALERS),
    "Emphasis": values.choice("emphasis", choices.EMPHASES),
    "CFG Rescale": values.real("guidance_rescale"),
    _CUSTOM_SIGMAS: values.sigmas,
    _EARLIER_TURNS: values.turns,
}


def _of_the_second_pass(fields: dict[str, Any], writer: str) -> dict[str, Any]:
    """`fields` with the strength of a text-to-image run where it acts: on its enlarged image."""
    if "strength" not in fields or "hires_scale" not in fields or "init_image" in fields:
        return fields
    told = {"hires_strength": fields["strength"], **fields}
    if writer == _OURS:
        del told["strength"]
    return told


def _writer(pairs: dict[str, str]) -> str:
    version = pairs.get("Version", "")
    if pairs.get("App") == "SD.Next":
        return "SD.Next"
    return next((writer for start, writer in _WRITERS if version.startswith(start)), "A1111")


_OURS: Final = "sdtui"
_WRITERS: Final = (
    (f"{_OURS} ", _OURS),
    ("ComfyUI", "ComfyUI"),
    ("f1", "Forge"),
    ("f2", "Forge"),
    ("neo", "Forge"),
)
"""The writer by how its `Version` begins; whoever else writes this format writes as A1111 does."""
