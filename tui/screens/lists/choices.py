"""What the lists of the studio offer."""

from __future__ import annotations

from typing import Final

from sdcore.spec import choices
from sdcore.spec.recipe import Recipe
from tui.actions import Scope, commands
from tui.parameter_rows import schedules_of
from tui.screens.lists.chooser import Choice

_NAMED: Final = {"emphasis": choices.EMPHASES, "noise": choices.RNGS, "upscaler": choices.UPSCALERS}


def choices_for(row: str, recipe: Recipe, family: str) -> list[Choice]:
    """The list for a row of the parameters that is chosen from one: what models of `family` can do, "" where that is
    not known."""
    if row in _NAMED:
        return [Choice(choice.name, choice.name, choice.summary) for choice in _NAMED[row]]
    return {"sampler": _samplers, "schedule": _schedules}[row](recipe, family)


def _samplers(recipe: Recipe, family: str) -> list[Choice]:
    able = choices.samplers_for(family)
    return [Choice(choice.name, choice.name, choice.summary) for choice in able]


def _schedules(recipe: Recipe, family: str) -> list[Choice]:
    able = schedules_of(recipe, family)
    return [
        Choice(choice.name, choice.name, choice.summary)
        for choice in choices.SCHEDULES
        if choice.name in able
    ]


def command_choices(screen: Scope) -> list[Choice]:
    """Every command of a screen that makes sense wherever the focus is."""
    return [
        Choice(action.name, f"{action.title}  {action.key}", action.summary) for action in commands(screen)
    ]
