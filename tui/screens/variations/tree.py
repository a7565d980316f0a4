"""A tree of variations: images whose noise is that of their parent, turned a little. No widgets here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

import msgspec

from sdcore.spec.recipe import MAX_TURNS, Recipe, Turn
from sdcore.spec.views import Picture

State = Literal["waiting", "running", "made", "failed", "dropped"]

NEIGHBOURS: Final = 8
LEAST_STRENGTH: Final = 0.02
MOST_STRENGTH: Final = 1.0


class Node(msgspec.Struct, eq=False):
    """An image of the tree, or one that is still to be made. `ask` counts the times that neighbours of its parent were
    asked for: those of one time are seen together. `done` counts its forward passes out of `total`."""

    recipe: Recipe
    parent: Node | None = None
    path: Path | None = None
    state: State = "waiting"
    job: str = ""
    ask: int = 0
    picture: Picture | None = None
    note: str = ""
    done: int = 0
    total: int = 0
    children: list[Node] = []

    @property
    def newest(self) -> list[Node]:
        """Its neighbours of the last time that any were asked for."""
        last = max((child.ask for child in self.children), default=0)
        return [child for child in self.children if child.ask == last]

    @property
    def line(self) -> list[Node]:
        """Its ancestors, the oldest first, and itself."""
        found = [self]
        while found[0].parent is not None:
            found.insert(0, found[0].parent)
        return found


def neighbours(node: Node, strength: float, seeds: list[int]) -> list[Node]:
    """New children of a node, one a seed, their noise turned from its own towards that of the seed."""
    ask = max((child.ask for child in node.children), default=0) + 1
    made = [Node(varied(node.recipe, seed, strength), parent=node, ask=ask) for seed in seeds]
    node.children += made
    return made


def varied(recipe: Recipe, seed: int, strength: float) -> Recipe:
    """A recipe whose noise is that of `recipe` turned towards that of `seed`; nothing else differs."""
    last = (Turn(recipe.variation_seed, recipe.variation_strength),) if recipe.variation_strength > 0 else ()
    return msgspec.structs.replace(
        recipe,
        batch_size=1,
        earlier_variations=(*recipe.earlier_variations, *last),
        variation_seed=seed,
        variation_strength=strength,
    )


def before(recipe: Recipe) -> Recipe | None:
    """The recipe that this one is a variation of; None where it is none."""
    if recipe.variation_strength == 0:
        return None
    *turns, last = recipe.earlier_variations or (Turn(0, 0.0),)
    return msgspec.structs.replace(
        recipe,
        earlier_variations=tuple(turns),
        variation_seed=last.seed,
        variation_strength=last.strength,
    )


def is_deepest(recipe: Recipe) -> bool:
    """Whether no recipe can hold another generation."""
    return len(recipe.earlier_variations) >= MAX_TURNS


def trail(node: Node) -> Iterator[str]:
    """What each image from the oldest ancestor on is called: the first by its seed, every other by its place among its
    siblings and how far it was turned."""
    for one in node.line:
        if one.parent is None:
            yield f"seed {one.recipe.seed}"
        else:
            place = next((str(i) for i, child in enumerate(one.parent.newest, 1) if child is one), "")
            yield " ".join(filter(None, (place, f"±{one.recipe.variation_strength:.2g}")))
