"""What reading a sweep's axes needs: wildcard files, the models that there are, random seeds."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from sdcore.library.wildcards import Wildcards
from sdcore.spec.found import ModelFile
from sdcore.spec.recipe import Recipe
from sdcore.spec.sweep.axes import BY_NAME, Context
from sdcore.spec.sweep.expand import Plan, Sweep, expand
from tui.parameter_row import absolute

_SEEDS: Final = 2**32
_MODEL: Final = "model"


class Sources:
    """Looks files up once, and asks for the models once. Everything here takes its time: call it on a thread."""

    def __init__(self, find_models: Callable[[], Iterable[ModelFile]]) -> None:
        self._find_models = find_models
        self._words = Wildcards()
        self._models: dict[str, str] | None = None

    def expand(self, plan: Plan, recipe: Recipe, loaded: Mapping[str, str]) -> Sweep:
        """The sweep that a plan makes of a recipe; `loaded` has the family of the model that is. Raises
        `SweepError`."""
        return expand(
            plan, self._context(recipe, loaded, models=any(line.name == _MODEL for line in plan.lines))
        )

    def names(self, axis: str) -> list[str]:
        """What can be completed along an axis."""
        return list(BY_NAME[axis].names(self._context(Recipe(), {}, models=axis == _MODEL)))

    def _context(self, recipe: Recipe, loaded: Mapping[str, str], *, models: bool) -> Context:
        if models and self._models is None:
            self._models = {model.ref: model.family for model in self._find_models() if not model.problem}
        known = {**(self._models or {}), **loaded} if models else loaded
        return Context(
            recipe=recipe,
            new_seed=lambda: secrets.randbelow(_SEEDS),
            words=self._words,
            models=known,
            whole_path=absolute,
        )
