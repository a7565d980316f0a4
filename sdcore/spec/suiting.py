"""What a recipe asks that a family of models cannot do: told before the first step, beside the field at fault."""

from __future__ import annotations

from collections.abc import Sequence

from sdcore.spec import choices
from sdcore.spec.families import family
from sdcore.spec.recipe import Problem, Recipe, RecipeError, check


def check_for(recipe: Recipe, family_name: str) -> Recipe:
    """`recipe.check` for a model of a family. Raises `RecipeError`."""
    recipe = check(recipe)
    problems = find_unsuited(recipe, family_name)
    if problems:
        raise RecipeError(problems)
    return recipe


def find_unsuited(recipe: Recipe, family_name: str) -> list[Problem]:
    """Every reason why a recipe that can be run cannot be by a model of this family, at most one a field."""
    found = [_size(field, getattr(recipe, field), family_name) for field in ("width", "height")]
    return [problem for problem in (*found, _sampling(recipe, family_name)) if problem is not None]


def _size(field: str, value: int, family_name: str) -> Problem | None:
    one = family(family_name)
    if value % one.multiple == 0:
        return None
    below = value - value % one.multiple
    return Problem(
        field,
        f"{field.capitalize()} must be a multiple of {one.multiple} for {one.title}: {below} or "
        f"{below + one.multiple}, not {value}.",
    )


def _sampling(recipe: Recipe, family_name: str) -> Problem | None:
    sampler = choices.find_sampler(recipe.sampler)
    schedule = choices.find_schedule(recipe.schedule)
    assert sampler is not None  # `check` saw to it
    assert schedule is not None
    title = family(family_name).title
    able = choices.schedules_for(sampler, family_name)
    if not able:
        names = _listed([choice.name for choice in choices.samplers_for(family_name)])
        return Problem("sampler", f"{sampler.name} cannot sample {title}, a flow model; {names} can.")
    if schedule.name not in able:
        return Problem(
            "schedule",
            f"{sampler.name} cannot follow the {schedule.name} schedule for {title}; it knows {_listed(able)}.",
        )
    if choices.is_flow_family(family_name) and recipe.sigmas and recipe.sigmas[0] > 1:
        most = f"{recipe.sigmas[0]:g}"
        return Problem("sigmas", f"The sigmas of {title} are shares of noise, from 1 down, not from {most}.")
    return None


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
