r"""What a prompt may say beyond its words: the grammar of AUTOMATIC1111's web UI, read in linear time.

    (word) [word] (word:1.3)          weights: times 1.1, divided by 1.1, times 1.3; they nest
    \( \) \[ \] \\                    the mark itself
    BREAK                             what follows begins a new chunk of tokens
    [a:b:0.4] [a:8] [a::8]            schedules: first a then b, a from then on, a until then
    [a|b|c]                           alternation: another one at every step
    a AND b:0.6                       composition: several prompts at once, each with its weight
    <lora:name:0.8>                   taken out of the text, for whoever loads it (see `prompt_extras`)

Nothing here raises: what does not parse is text. Source: `modules/prompt_parser.py` of that program. On purpose
otherwise: a `|` outside of brackets does not turn off every schedule, a BREAK works inside of brackets, a weight is
split from a prompt only where AND is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, Literal

import msgspec

from sdcore.spec.prompt_extras import Extra, take_extras
from sdcore.spec.prompt_schedule import NUMBER, Until, held, schedule

__all__ = [
    "BREAK", "Branch", "Break", "Extra", "Part", "Piece", "Prompt", "Stage", "Until", "Weighted",
    "compose", "parse", "schedule", "take_extras", "weights",
]  # fmt: skip

ROUND_FACTOR: Final = 1.1
SQUARE_FACTOR: Final = 1 / 1.1
_DIGITS: Final = 9
"""Weights are rounded to so many decimals, so that 1.1 / 1.1 is 1."""

_AND: Final = re.compile(r"\bAND\b")
_PART_WEIGHT: Final = re.compile(rf"\s*({NUMBER})\s*")
_ATTENTION: Final = re.compile(rf"\\[()\[\]\\]?|[(\[\]]|:\s*({NUMBER})\s*\)|\)|\bBREAK\b")
_OPENERS: Final = {")": "(", "]": "["}
_FACTORS: Final = {"(": ROUND_FACTOR, "[": SQUARE_FACTOR}


class Weighted(msgspec.Struct, frozen=True):
    """A piece of a prompt without its marks, and how much it counts: 1 is as it is."""

    text: str
    weight: float = 1.0


class Break(msgspec.Struct, frozen=True):
    """Here a new chunk of tokens begins."""


BREAK: Final = Break()

Piece = Weighted | Break


class Part(msgspec.Struct, frozen=True):
    """One of the prompts that AND joins, and how much it counts."""

    text: str
    weight: float = 1.0


class Stage(msgspec.Struct, frozen=True):
    """What is read up to and including sampler step `step`, counted from 1: never empty."""

    step: int
    pieces: tuple[Piece, ...]


class Branch(msgspec.Struct, frozen=True):
    """One of the prompts that AND joins: its weight, and its stages in the order of their steps."""

    weight: float
    stages: tuple[Stage, ...]


class Prompt(msgspec.Struct, frozen=True):
    """A prompt that was read: its text without extras, the extras, and one or more branches."""

    text: str
    extras: tuple[Extra, ...]
    branches: tuple[Branch, ...]


def parse(prompt: str, steps: int, *, composed: bool = True) -> Prompt:
    """Read a whole prompt for a run of `steps` sampler steps. Without `composed` AND is a word, as it is in a negative
    prompt."""
    text, extras = take_extras(prompt)
    branches = tuple(
        Branch(
            part.weight,
            tuple(Stage(until.step, weights(until.text)) for until in schedule(part.text, steps)),
        )
        for part in (compose(text) if composed else (Part(text),))
    )
    return Prompt(text, extras, branches)


# -- AND -----------------------------------------------------------------------------------------------------------


def compose(text: str) -> tuple[Part, ...]:
    """The prompts that AND joins, each with the number after its last colon as weight; one part without any AND."""
    bounds = parts_of(text)
    if len(bounds) == 1:
        return (Part(text),)
    return tuple(Part(text[start:end], weight) for start, end, _, weight in bounds)


def parts_of(text: str) -> list[tuple[int, int, int, float]]:
    """(start, end, end of its weight, weight) of each prompt that AND joins; the next AND begins after the third."""
    edges = [0, *(edge for match in _AND.finditer(text) for edge in match.span()), len(text)]
    if len(edges) == 2:
        return [(0, len(text), len(text), 1.0)]
    return [_part(text, start, end) for start, end in zip(edges[::2], edges[1::2], strict=True)]


def _part(text: str, start: int, end: int) -> tuple[int, int, int, float]:
    colon = text.rfind(":", start, end)
    number = _PART_WEIGHT.fullmatch(text, colon + 1, end) if colon >= 0 else None
    stop, weight = (colon, held(float(number[1]))) if number else (end, 1.0)
    return start, start + len(text[start:stop].rstrip()), end, weight


# -- weights -------------------------------------------------------------------------------------------------------


BracketKind = Literal["(", ")", "[", "]", "escape", "break", "stray"]
_KINDS: Final[dict[str, BracketKind]] = {"(": "(", ")": ")", "[": "[", "]": "]"}


class Bracket:
    """A mark of the grammar of weights at text[start:end].

    `kind` is the mark that opens or closes ("(", "[", ")", "]"), "escape", "break", or "stray" for a closer with
    nothing to close. An opening one knows its `factor` and the mark that closes it, None to the end of the text.
    """

    __slots__ = ("closer", "end", "factor", "kind", "start")

    def __init__(self, start: int, end: int, kind: BracketKind, factor: float = 1.0) -> None:
        self.start = start
        self.end = end
        self.kind = kind
        self.factor = factor
        self.closer: Bracket | None = None


def brackets_of(text: str, start: int = 0, end: int | None = None) -> list[Bracket]:
    """The marks of the grammar of weights in text[start:end], in their order. Round and square ones may overlap."""
    found: list[Bracket] = []
    stacks: dict[str, list[Bracket]] = {"(": [], "[": []}
    for match in _ATTENTION.finditer(text, start, len(text) if end is None else end):
        mark, (first, last) = match[0], match.span()
        if mark in _FACTORS:
            bracket = Bracket(first, last, _KINDS[mark], _FACTORS[mark])
            stacks[mark].append(bracket)
        elif mark[0] == "\\":
            bracket = Bracket(first, last, "escape")
        elif mark == "BREAK":
            bracket = Bracket(first, last, "break")
        elif stack := stacks[_OPENERS[mark[-1]]]:
            bracket = Bracket(first, last, _KINDS[mark[-1]])
            opener = stack.pop()
            opener.closer = bracket
            if match[1] is not None:
                opener.factor = float(match[1])
        else:
            bracket = Bracket(first, last, "stray")
        found.append(bracket)
    return found


def weights(text: str) -> tuple[Piece, ...]:
    """The text without its marks in pieces of one weight each, and the breaks between them. Never empty; a text
    without marks is one piece."""
    runs: list[list[str] | None] = []
    values: list[float] = []
    for run, weight in _runs(text):
        if run is not None and runs and runs[-1] is not None and values[-1] == weight:
            runs[-1].append(run)
        elif run != "":
            runs.append(None if run is None else [run])
            values.append(weight)
    pieces = (
        BREAK if run is None else Weighted("".join(run), weight)
        for run, weight in zip(runs, values, strict=True)
    )
    return tuple(pieces) or (Weighted(""),)


def _runs(text: str) -> Iterator[tuple[str | None, float]]:
    """(text, weight) of what stands between two marks, (None, 1) for a break; blanks beside a break are left out."""
    walk = WeightWalk()
    at, broken = 0, False
    for bracket in brackets_of(text):
        run = text[at : bracket.start]
        run = run.lstrip() if broken else run
        broken = bracket.kind == "break"
        yield (run.rstrip() if broken else run), walk.weight
        at = bracket.end
        if broken:
            yield None, 1.0
        elif bracket.kind == "escape":
            yield text[bracket.start + 1 : at], walk.weight
        elif bracket.kind == "stray":
            yield text[bracket.start : at], walk.weight
        else:
            walk.pass_by(bracket)
    yield (text[at:].lstrip() if broken else text[at:]), walk.weight


class WeightWalk:
    """The weight at a place of a text, kept up to date while its brackets are passed one after another."""

    def __init__(self) -> None:
        self.weight = 1.0
        self._round = [1.0]
        self._square = [1.0]

    def pass_by(self, bracket: Bracket) -> None:
        """Go past a bracket that opens or closes; other marks change nothing."""
        products = self._round if bracket.kind in "()" else self._square
        if bracket.kind in _FACTORS:
            products.append(held(products[-1] * bracket.factor))
        elif bracket.kind in _OPENERS:
            products.pop()
        self.weight = round(held(self._round[-1] * self._square[-1]), _DIGITS)
