r"""The tags of a prompt: what it names besides words, as AUTOMATIC1111's web UI has it.

    <lora:name>  <lora:name:0.8>  <lora:name:0.5:0.8>      weights of all, or of text encoders and network
    <lora:name:te=0.5:unet=0.8:dyn=16>                     the same by name, and so many ranks of the file alone

Sources: `modules/extra_networks.py` and `extensions-builtin/Lora/extra_networks_lora.py` of that program.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from sdcore.spec.prompt_schedule import NUMBER, held

_NAMED: Final = rf"\s*(?:(?:te|unet)\s*=\s*{NUMBER}|dyn\s*=\s*[1-9][0-9]{{0,5}})\s*"
EXTRA: Final = re.compile(rf"<(lora):([^<>:]+)((?::\s*{NUMBER}\s*){{0,2}}(?::{_NAMED}){{0,3}})>")
"""What `take_extras` takes: kind, name, and the arguments, each after a colon."""
_TAG: Final = re.compile(r"<(lora|lyco|hypernet):(?:[^<>]*>)?", re.IGNORECASE)
_COMMA: Final = re.compile(r"[0-9],[0-9]")
_STILL_TO_BE_DRAWN: Final = ("{", "$", "__")
"""Marks of the grammar by which a prompt is drawn before it is read."""


class Extra(msgspec.Struct, frozen=True):
    """A network named in the prompt: `kind` is "lora"; `weights` holds none to two numbers, as they were written.

    Without one the weight is 1; one is for the whole; of two the first is the text encoder's and the second the
    denoiser's. Of its ranks the first `rank` count, all where that is 0.
    """

    kind: str
    name: str
    weights: tuple[float, ...] = ()
    rank: int = 0


class Unread(msgspec.Struct, frozen=True):
    """What looks like a tag at text[start:end] and is read as words, and why."""

    start: int
    end: int
    reason: str


def take_extras(prompt: str) -> tuple[str, tuple[Extra, ...]]:
    """The prompt without its tags that name a LoRA, and those in their order.

    Anything else in angle brackets stays where it is.
    """
    found: list[Extra] = []

    def take(match: re.Match[str]) -> str:
        found.append(_extra(match))
        return ""

    return EXTRA.sub(take, prompt), tuple(found)


def _extra(match: re.Match[str]) -> Extra:
    numbers: list[float] = []
    named: dict[str, str] = {}
    for argument in match[3].split(":")[1:]:
        name, equals, value = argument.partition("=")
        if equals:
            named[name.strip()] = value
        else:
            numbers.append(held(float(name)))
    if named.keys() & {"te", "unet"}:
        text = held(float(named["te"])) if "te" in named else (numbers or [1.0])[0]
        numbers = [text, held(float(named["unet"])) if "unet" in named else (numbers[1:] or [text])[0]]
    return Extra(match[1], match[2], tuple(numbers), int(named.get("dyn", 0)))


def unread_extras(prompt: str) -> Iterator[Unread]:
    """What was meant as a tag and is none. Where choices are still to be drawn in it, that cannot be told."""
    for match in _TAG.finditer(prompt):
        tag = match[0]
        if not EXTRA.fullmatch(tag) and not any(mark in tag for mark in _STILL_TO_BE_DRAWN):
            yield Unread(*match.span(), _reason(tag, match[1]))


def _reason(tag: str, kind: str) -> str:
    if kind.lower() == "hypernet":
        return "sdtui has no hypernetworks"
    if not tag.endswith(">"):
        return "it has no > at its end"
    if kind != "lora" or not tag.split(":")[1].strip("<> "):
        return "a tag is written <lora:name:0.8>"
    arguments = ":".join(tag.split(":")[2:])
    return (
        "a weight is written with a point, as 0.8"
        if _COMMA.search(arguments)
        else "its weights are no numbers"
    )


def change_extra(text: str, at: int, delta: float) -> tuple[int, int, str] | None:
    """The tag around or before the place `at`, every weight of it `delta` more: (start, end, what stands there then);
    None where there is none."""
    for match in EXTRA.finditer(text):
        if match.start() < at <= match.end():
            weighed = [_more(argument, delta) for argument in match[3].split(":")[1:]]
            if all(one.lstrip().startswith("dyn") for one in weighed):
                weighed.insert(0, number_text(1 + delta))
            return *match.span(), f"<{':'.join((match[1], match[2], *weighed))}>"
    return None


def _more(argument: str, delta: float) -> str:
    name, equals, value = argument.rpartition("=")
    return argument if name.strip() == "dyn" else f"{name}{equals}{number_text(float(value) + delta)}"


def number_text(value: float) -> str:
    """A weight as it is written into a prompt."""
    shown = f"{round(value, 4) + 0.0:g}"
    return shown if "." in shown or "e" in shown else f"{shown}.0"
