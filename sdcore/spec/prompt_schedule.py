"""Prompts that change while an image is made: `[a:b:0.4]`, `[a:8]`, `[a::8]`, and `[a|b]` from step to step.

Source: `modules/prompt_parser.py` of AUTOMATIC1111's web UI, whose grammar this reads in linear time. On purpose
otherwise: a `|` outside of brackets does not turn off every schedule of the prompt.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from itertools import pairwise
from typing import Final

import msgspec

MAX_DEPTH: Final = 32
"""How deep brackets may nest around a schedule; where they open deeper, what is open is text."""

MAX_STEP: Final = 1_000_000
"""As late as any number in a prompt has to mean."""

NUMBER: Final = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)"
"""A number as prompts have it, for a regular expression."""
MAX_WEIGHT: Final = 1000.0
"""The magnitude at which weights are held: far beyond what any model bears, and finite."""

_STRUCTURE: Final = re.compile(r"\\.?|[()\[\]:|]", re.DOTALL)
_WHEN: Final = re.compile(rf"\s*({NUMBER}(?:[eE][+-]?[0-9]+)?)\s*")
_OPENERS: Final = {")": "(", "]": "["}


def held(weight: float) -> float:
    """A weight, no larger than any may be."""
    return max(-MAX_WEIGHT, min(MAX_WEIGHT, weight))


class Until(msgspec.Struct, frozen=True):
    """The text of a prompt up to and including sampler step `step`, counted from 1."""

    step: int
    text: str


class Group(msgspec.Struct, frozen=True):
    """A bracket `[…]` that changes with the steps: text[start] opens it, text[end - 1] closes it.

    `cuts` are the places of its colons or bars. A schedule's `when` is the number after the last of them as it was
    written; an alternation has None.
    """

    start: int
    end: int
    cuts: tuple[int, ...]
    when: str | None

    def options(self) -> list[tuple[int, int]]:
        """(start, end) of the texts to choose from: two of a schedule, before and after; all of an alternation."""
        edges = [self.start, *self.cuts, self.end - 1]
        spans = [(left + 1, right) for left, right in pairwise(edges)]
        if self.when is None:
            return spans
        return [(self.start, self.start), spans[0]] if len(self.cuts) == 1 else spans[:2]

    def switch(self, steps: int) -> int:
        """The last step that reads the text before: at most `steps`, 0 or less for none."""
        when = self.when or ""
        value = float(when) * steps if "." in when else float(when)
        return int(max(-1.0, min(float(steps), value)))


def schedule(text: str, steps: int) -> tuple[Until, ...]:
    """The texts that a prompt stands for over `steps` (1 or more) sampler steps, one or more, in their order.

    A number with a point is a fraction of the steps, one without is a step.
    """
    groups = groups_of(text)
    if not groups:
        return (Until(steps, text),)
    switches = [group.switch(steps) if group.when is not None else 0 for group in groups]
    periods = sorted({len(group.cuts) + 1 for group in groups if group.when is None})
    ends = sorted({steps, *(switch for switch in switches if switch >= 1)})
    moments = range(1, steps + 1) if periods else ends
    texts: dict[tuple[int, ...], str] = {}
    found: list[Until] = []
    for step in moments:
        key = (bisect_left(ends, step), *(step % period for period in periods))
        if key not in texts:
            texts[key] = _at_step(text, groups, switches, step)
        if found and found[-1].text == texts[key]:
            found.pop()
        found.append(Until(step, texts[key]))
    return tuple(found)


def in_second_pass(text: str, steps: int) -> str:
    """What a prompt says in a second pass that follows `steps` steps of a first, as a prompt for that pass alone: steps
    count on from the first's, and fractions above 1 are the second's."""
    pieces: list[str] = []
    at = 0
    for group in sorted(groups_of(text), key=lambda group: group.end):
        if group.when is not None:
            fraction = "." in group.when
            left = max(-1.0, min(float(MAX_STEP), float(group.when) - (1 if fraction else steps)))
            pieces += [text[at : group.cuts[-1] + 1], f"{left:.6f}" if fraction else f"{int(left)}"]
            at = group.end - 1
    return "".join((*pieces, text[at:]))


def _at_step(text: str, groups: list[Group], switches: list[int], step: int) -> str:
    starts = [group.start for group in groups]
    pieces: list[str] = []

    def read(start: int, end: int) -> None:
        at = bisect_left(starts, start)
        while at < len(groups) and groups[at].start < end:
            group = groups[at]
            pieces.append(text[start : group.start])
            options = group.options()
            late = step > switches[at]
            read(*options[late if group.when is not None else (step - 1) % len(options)])
            start = group.end
            at = bisect_left(starts, start)
        pieces.append(text[start:end])

    read(0, len(text))
    return "".join(pieces)


class _Frame:
    """An open bracket while its closer is looked for; `sound` as long as all in it parses."""

    __slots__ = ("bars", "colons", "mark", "sound", "start")

    def __init__(self, mark: str, start: int) -> None:
        self.mark = mark
        self.start = start
        self.colons: list[int] = []
        self.bars: list[int] = []
        self.sound = True


def groups_of(text: str) -> list[Group]:
    """The schedules and alternations of a prompt in the order of their starts; they nest, but never overlap.

    A bracket whose inside does not parse is text, and so is every bracket around it.
    """
    found: list[Group] = []
    stack: list[_Frame] = []
    for match in _STRUCTURE.finditer(text):
        mark, at = match[0], match.start()
        if mark in "([":
            if len(stack) == MAX_DEPTH:
                stack.clear()
            stack.append(_Frame(mark, at))
        elif mark == ":" or mark == "|":
            if stack:
                (stack[-1].colons if mark == ":" else stack[-1].bars).append(at)
        elif mark in _OPENERS:
            if not stack or stack[-1].mark != _OPENERS[mark]:
                stack.clear()
                continue
            frame = stack.pop()
            group = _group(text, frame, at) if frame.sound else None
            if group is not None:
                found.append(group)
            elif stack and not _is_plain(frame):
                stack[-1].sound = False
    return sorted(found, key=lambda group: group.start)


def _is_plain(frame: _Frame) -> bool:
    """Whether a bracket without a schedule is one for weights: `(a)`, `(a:b)`, `[a]`."""
    return frame.sound and not frame.bars and len(frame.colons) <= (frame.mark == "(")


def _group(text: str, frame: _Frame, closer: int) -> Group | None:
    if frame.mark == "(" or bool(frame.colons) == bool(frame.bars):
        return None
    if frame.bars:
        return Group(frame.start, closer + 1, tuple(frame.bars), None)
    when = _WHEN.fullmatch(text, frame.colons[-1] + 1, closer)
    if when is None or len(frame.colons) > 2:
        return None
    return Group(frame.start, closer + 1, tuple(frame.colons), when[1])
