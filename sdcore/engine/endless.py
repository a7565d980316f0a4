"""The jobs that are made without end: each from the same recipe, with a seed and, where it has choices, words of its
own."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final

import msgspec

from sdcore.engine.ledger import Endless, Entry
from sdcore.spec.recipe import Recipe
from sdcore.spec.sweep.drawing import Drawn, draw

SEEDS: Final = 1 << 32
"""How many seeds are drawn from."""

Draw = Callable[[Recipe], Drawn]
"""Draws the choices in a recipe's prompts by its seed. Raises `DrawingError`."""


def random_seed() -> int:
    """Any of the seeds."""
    return secrets.randbelow(SEEDS)


def draw_from_files(recipe: Recipe) -> Drawn:
    """Draw with the wildcard files as they are now."""
    from sdcore.library.wildcards import Wildcards

    return draw(recipe, Wildcards())


def next_of(endless: Endless, seed: int, draw: Draw) -> Entry:
    """The next job. Raises `DrawingError` where its prompt cannot be drawn."""
    drawn = draw(msgspec.structs.replace(endless.recipe, seed=seed))
    return Entry(
        job=secrets.token_hex(8), recipe=drawn.recipe, template=drawn.template, group=endless.group,
        label=endless.label, endless=True,
    )  # fmt: skip
