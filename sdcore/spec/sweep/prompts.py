"""What is done to the words of a prompt along an axis: search and replace, other orders, and the prompt matrix."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations
from typing import Final

import msgspec

from sdcore.spec.recipe import Recipe

MAX_OPTIONS: Final = 10
"""Parts of a prompt matrix beyond the first: each doubles the images."""
MAX_ORDERED: Final = 6
_CLOSES: Final = {"(": ")", "[": "]", "{": "}"}
JOINER: Final = ", "


def replaced(recipe: Recipe, old: str, new: str) -> Recipe:
    """Both prompts with `new` wherever `old` stands."""
    return msgspec.structs.replace(
        recipe,
        prompt=recipe.prompt.replace(old, new),
        negative_prompt=recipe.negative_prompt.replace(old, new),
    )


def says(recipe: Recipe, word: str) -> bool:
    """Whether one of the prompts holds `word`."""
    return word in recipe.prompt or word in recipe.negative_prompt


def orders(words: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Every order of the words, the one given first."""
    return permutations(words)


def reordered(recipe: Recipe, words: Sequence[str], order: Sequence[str]) -> Recipe:
    """The prompt with the words where others of them stood: the first place takes the first of `order`, and so on."""
    prompt = recipe.prompt
    places: list[tuple[int, str]] = []
    for word in sorted(words, key=len, reverse=True):
        at = prompt.find(word)
        while at >= 0 and any(start < at + len(word) and at < start + len(one) for start, one in places):
            at = prompt.find(word, at + 1)
        if at >= 0:
            places.append((at, word))
    parts, end = [], 0
    for (at, word), new in zip(sorted(places), order, strict=False):
        parts += [prompt[end:at], new]
        end = at + len(word)
    return msgspec.structs.replace(recipe, prompt="".join([*parts, prompt[end:]]))


def matrix_parts(prompt: str) -> list[str]:
    """The parts of a prompt between the bars that stand outside of brackets: what is always said, then the options."""
    parts, start = [], 0
    open_: list[str] = []
    for place, mark in enumerate(prompt):
        if mark in _CLOSES:
            open_.append(_CLOSES[mark])
        elif open_ and mark == open_[-1]:
            open_.pop()
        elif mark == "|" and not open_:
            parts.append(prompt[start:place])
            start = place + 1
    return [part.strip() for part in (*parts, prompt[start:])]


def choices_of(options: Sequence[str]) -> list[tuple[str, ...]]:
    """Every choice among the options, from none to all; the first option changes fastest."""
    return [
        tuple(option for place, option in enumerate(options) if number >> place & 1)
        for number in range(1 << len(options))
    ]


def with_options(recipe: Recipe, options: Sequence[str]) -> Recipe:
    """The recipe whose prompt says its first part and these options."""
    return msgspec.structs.replace(recipe, prompt=JOINER.join(filter(None, (recipe.prompt, *options))))
