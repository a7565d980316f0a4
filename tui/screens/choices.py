"""What the lists of the studio offer. May read the disk: call it on a thread."""

from __future__ import annotations

from sdcore.spec import choices
from sdcore.spec.recipe import Recipe
from tui.actions import Scope, commands
from tui.parameter_rows import schedules_of
from tui.screens.chooser import Choice


def choices_for(row: str, recipe: Recipe) -> list[Choice]:
    """The list for a row of the parameters: "model", "sampler" or "schedule"."""
    return {"model": _models, "sampler": _samplers, "schedule": _schedules}[row](recipe)


def _models(recipe: Recipe) -> list[Choice]:
    from sdcore.library.checkpoints import find_models

    found = [
        Choice(
            model.name,
            model.name,
            f"{model.family} · {model.native_size} pixels · {model.bytes / 1e6:,.0f} MB",
        )
        for model in find_models()
    ]
    known = any(choice.value == recipe.model for choice in found)
    return found if known else [Choice(recipe.model, recipe.model, "as given"), *found]


def _samplers(recipe: Recipe) -> list[Choice]:
    return [Choice(choice.name, choice.name, choice.summary) for choice in choices.SAMPLERS]


def _schedules(recipe: Recipe) -> list[Choice]:
    able = schedules_of(recipe)
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
