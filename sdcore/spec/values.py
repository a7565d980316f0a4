"""What a value that some program wrote means for the fields of ours: data for tables of keys, whatever is written.

Each function here gives a function from a value, a text or what JSON holds, to the fields that it tells, or None when
it is not what those fields take. None of them ever raises.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, Final

from sdcore.spec.choices import NamedChoice, find_named
from sdcore.spec.recipe import Turn

Understand = Callable[[Any], dict[str, Any] | None]

MOST_SAID: Final = 64 * 1024
"""Characters of a text that a field takes."""

_WHOLE: Final = re.compile("-?[0-9]{1,20}")
_REAL: Final = re.compile(r"-?[0-9]{1,18}(\.[0-9]{0,24})?([eE][-+]?[0-9]{1,3})?")
_SIZE: Final = re.compile("([0-9]{1,6})x([0-9]{1,6})")
_PAIR: Final = re.compile(r"\(?'?([0-9]{1,6})'?[,*×] ?'?([0-9]{1,6})'?\)?")
_FILE_TYPES: Final = (".safetensors", ".ckpt", ".sft", ".gguf", ".pt", ".pth", ".bin")


def whole(field: str, plus: int = 0) -> Understand:
    """A whole number of less than 64 bits, with `plus` added."""
    return lambda value: None if (number := as_whole(value)) is None else {field: number + plus}


def seed(field: str) -> Understand:
    """A whole number of less than 64 bits, or one of 64 bits without a sign, as ComfyUI draws them."""
    return lambda value: None if (number := as_whole(value, 2**64)) is None else {field: number}


def real(field: str) -> Understand:
    """A finite number."""
    return lambda value: None if (number := as_real(value)) is None else {field: number}


def word(field: str) -> Understand:
    """A text that is not empty."""
    return lambda value: {field: value[:MOST_SAID]} if isinstance(value, str) and value else None


def text(field: str) -> Understand:
    """A text, which may be empty."""
    return lambda value: {field: value[:MOST_SAID]} if isinstance(value, str) else None


def file_name(field: str) -> Understand:
    """The name of a model's file without its folders and type."""
    return lambda value: {field: name} if isinstance(value, str) and (name := as_name(value)) else None


def choice(field: str, known: tuple[NamedChoice, ...]) -> Understand:
    """One of few names, ours or those that others have for the same."""
    return lambda value: (
        {field: found.name}
        if isinstance(value, str) and (found := find_named(known, value)) is not None
        else None
    )


def size(value: Any) -> dict[str, Any] | None:
    """Width and height from "512x768", or from "(512, 768)" as Python writes a pair."""
    found = (_SIZE.fullmatch(value) or _PAIR.fullmatch(value)) if isinstance(value, str) else None
    return {"width": int(found[1]), "height": int(found[2])} if found else None


def sigmas(value: Any) -> dict[str, Any] | None:
    """A list of numbers with a comma and a space between them."""
    numbers = [as_real(number) for number in value.split(", ")] if isinstance(value, str) else [None]
    return None if None in numbers else {"sigmas": tuple(numbers)}


def turns(value: Any) -> dict[str, Any] | None:
    """Seeds and strengths as `seed@strength`, with a space between them."""
    found: list[Turn] = []
    for part in value.split(" ") if isinstance(value, str) else ():
        seed, _, strength = part.partition("@")
        number, share = as_whole(seed), as_real(strength)
        if number is None or share is None:
            return None
        found.append(Turn(number, share))
    return {"earlier_variations": tuple(found)} if found else None


def as_whole(value: Any, end: int = 2**63) -> int | None:
    """A whole number that `value` is or spells, of less than 64 bits, or below another `end`."""
    spelt = isinstance(value, str) and _WHOLE.fullmatch(value.strip())
    if spelt or (isinstance(value, float) and value.is_integer()):
        value = int(value)
    return (
        value if isinstance(value, int) and not isinstance(value, bool) and -(2**63) < value < end else None
    )


def as_real(value: Any) -> float | None:
    """A finite number that `value` is or spells."""
    if isinstance(value, str):
        value = float(value) if _REAL.fullmatch(value.strip()) else None
    if not isinstance(value, int | float) or isinstance(value, bool) or abs(value) > 1e300:
        return None
    return float(value) if math.isfinite(value) else None


def as_name(path: str) -> str:
    """The last part of a path of any system, without the type of a file that holds weights."""
    name = re.split(r"[\\/]", path[:1024].strip())[-1]
    kind = next((kind for kind in _FILE_TYPES if name.lower().endswith(kind)), "")
    return name[: len(name) - len(kind)]
