"""What all readers share: JSON that may be anything, and tables from a program's keys to the fields of ours."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from sdcore.spec.facts import ImageFacts
from sdcore.spec.foreign.names import named
from sdcore.spec.values import Understand, as_name, as_real

Texts = Mapping[str, str]
"""All texts of an image by the name of their PNG chunk, EXIF field or the like."""

MOST_JSON: Final = 1024 * 1024
"""Characters of JSON above which it is not looked at."""

_MOST_LORAS: Final = 64


def load(text: str) -> Any:
    """What the JSON in `text` holds, None where it holds none. Never raises.

    NaN and infinity, which ComfyUI writes, are None; halves of characters are U+FFFD. All that comes back can be
    written as JSON again.
    """
    if len(text) > MOST_JSON:
        return None
    try:
        return msgspec.json.decode(text.encode("utf-8", "replace"))
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        found = json.loads(text, parse_constant=lambda name: None, parse_float=_finite)
        whole = json.dumps(found, ensure_ascii=False, allow_nan=False)
        return json.loads(whole.encode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None


def _finite(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None


def load_object(text: str) -> dict[str, Any] | None:
    """The JSON object in `text`, None where it holds none."""
    found = load(text)
    return found if isinstance(found, dict) else None


def understand(
    said: Mapping[str, Any], table: Mapping[str, Understand]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields that `said` tells by a table from its keys, and what of it no field knows, under its own names.

    Nulls and empty lists say nothing.
    """
    fields: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for key, value in said.items():
        told = table[key](value) if key in table else None
        if told is not None:
            fields.update(told)
        elif value is not None and value != [] and value != {}:
            extra[key] = value
    return fields, extra


def facts(writer: str, fields: dict[str, Any], extra: dict[str, Any]) -> ImageFacts | None:
    """The facts with our names for sampler and schedule; None where nothing at all is said."""
    if not fields and not extra:
        return None
    ours = named(fields.get("sampler"), fields.get("schedule"))
    return ImageFacts(**{**fields, **ours}, writer=writer, extra=extra)


def with_loras(prompt: str, loras: Iterable[tuple[Any, Any]]) -> str:
    """`prompt` with the LoRAs of (name, weight) that it does not name yet, as we name them: `<lora:name:0.8>`."""
    tags: dict[str, str] = {}
    for path, weight in list(loras)[:_MOST_LORAS]:
        name = as_name(path) if isinstance(path, str) else ""
        number = as_real(weight)
        unnameable = not name or name == "None" or any(mark in name for mark in "<>:\n")
        if not unnameable and f"<lora:{name}" not in prompt and number != 0:
            tags.setdefault(name, f"<lora:{name}:{1 if number is None else number:g}>")
    return " ".join([*([prompt] if prompt else []), *tags.values()])
