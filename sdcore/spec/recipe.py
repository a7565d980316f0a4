"""A recipe: everything that decides the pixels of an image, and the checks that a person can act on."""

from __future__ import annotations

import difflib
import math
from typing import Final

import msgspec

from sdcore.spec import choices

MAX_SEED: Final = 2**63 - 1
MAX_STEPS: Final = 1000
MAX_SIZE: Final = 8192
MAX_BATCH: Final = 64
MAX_PROMPT: Final = 20_000
SIZE_MULTIPLE: Final = 8
FIRST_PROMPT: Final = (
    "Highly detailed small japanese house, radiant light, detailed and intricate environment"
)
FIRST_SEED: Final = 1632
"""The study notes' own example: the first thing that the app offers to make."""


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that decides the pixels.

    `width` and `height` are pixels of the image; `steps` counts sampler steps, not forward passes; a
    `guidance_scale` of 1 or less means no classifier-free guidance. Image j of a batch starts from noise
    seeded with `seed + j`, as in other programs, so that each can be named by a seed of its own. `sigmas`
    belongs to the schedule "custom": N values, highest first; the closing 0 is added.
    """

    prompt: str = ""
    negative_prompt: str = ""
    width: int = 128
    height: int = 128
    steps: int = 30
    guidance_scale: float = 7.5
    seed: int = 0
    batch_size: int = 1
    sampler: str = "LMS"
    schedule: str = choices.AUTOMATIC
    sigmas: tuple[float, ...] = ()
    model: str = "tiny"

    def for_image(self, index: int) -> Recipe:
        """The recipe of image `index` (0-based) of this batch, as a batch of one."""
        return msgspec.structs.replace(self, seed=self.seed + index, batch_size=1)


class Problem(msgspec.Struct, frozen=True):
    """Why a recipe cannot be run: the field at fault and one sentence that says what to do."""

    field: str
    message: str


class RecipeError(ValueError):
    """Raised by `check`; `problems` holds every fault found, in the order of the fields."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(" ".join(problem.message for problem in problems))
        self.problems = problems


def check(recipe: Recipe) -> Recipe:
    """Return `recipe` with canonical sampler and schedule names; raise `RecipeError` if it cannot be run."""
    problems = find_problems(recipe)
    if problems:
        raise RecipeError(problems)
    sampler = choices.find_sampler(recipe.sampler)
    schedule = choices.find_schedule(recipe.schedule)
    assert sampler is not None  # find_problems saw to it
    assert schedule is not None
    return msgspec.structs.replace(recipe, sampler=sampler.name, schedule=schedule.name)


def find_problems(recipe: Recipe) -> list[Problem]:
    """Every reason why `recipe` cannot be run, at most one a field; empty when it can."""
    found = [
        _text("prompt", recipe.prompt),
        _text("negative_prompt", recipe.negative_prompt),
        _size("width", recipe.width),
        _size("height", recipe.height),
        _whole("steps", recipe.steps, 1, MAX_STEPS),
        _real("guidance_scale", recipe.guidance_scale, 0.0, 100.0),
        _whole("seed", recipe.seed, 0, MAX_SEED - MAX_BATCH),
        _whole("batch_size", recipe.batch_size, 1, MAX_BATCH),
        *_sampling(recipe),
        None if recipe.model.strip() else Problem("model", "Name a model, for example tiny."),
    ]
    return [problem for problem in found if problem is not None]


def _text(field: str, value: str) -> Problem | None:
    title = field.replace("_", " ").capitalize()
    if len(value) > MAX_PROMPT:
        return Problem(field, f"{title} has {len(value):,} characters; at most {MAX_PROMPT:,} are taken.")
    try:
        value.encode()
    except UnicodeEncodeError:
        return Problem(
            field, f"{title} holds half of a character (a lone surrogate); delete it and type it again."
        )
    return None


def _size(field: str, value: int) -> Problem | None:
    title = field.capitalize()
    if not 64 <= value <= MAX_SIZE:
        return Problem(field, f"{title} must be 64 to {MAX_SIZE} pixels, not {value}.")
    if value % SIZE_MULTIPLE:
        below = value - value % SIZE_MULTIPLE
        near = f"{below} or {below + SIZE_MULTIPLE}"
        return Problem(field, f"{title} must be a multiple of {SIZE_MULTIPLE}: {near}, not {value}.")
    return None


def _whole(field: str, value: int, least: int, most: int) -> Problem | None:
    if least <= value <= most:
        return None
    return Problem(field, f"{field.replace('_', ' ').capitalize()} must be {least} to {most}, not {value}.")


def _real(field: str, value: float, least: float, most: float) -> Problem | None:
    if math.isfinite(value) and least <= value <= most:
        return None
    return Problem(
        field, f"{field.replace('_', ' ').capitalize()} must be {least:g} to {most:g}, not {value:g}."
    )


def _sampling(recipe: Recipe) -> list[Problem]:
    sampler = choices.find_sampler(recipe.sampler)
    schedule = choices.find_schedule(recipe.schedule)
    problems = []
    if sampler is None:
        problems.append(_unknown("sampler", recipe.sampler, [choice.name for choice in choices.SAMPLERS]))
    if schedule is None:
        problems.append(_unknown("schedule", recipe.schedule, [choice.name for choice in choices.SCHEDULES]))
    if sampler is None or schedule is None:
        return problems
    if schedule.name not in sampler.schedules:
        able = ", ".join(sampler.schedules)
        return [
            Problem(
                "schedule", f"{sampler.name} cannot follow the {schedule.name} schedule; it knows {able}."
            )
        ]
    return [problem] if (problem := _custom_sigmas(recipe, schedule.name)) else []


def _custom_sigmas(recipe: Recipe, schedule: str) -> Problem | None:
    sigmas = recipe.sigmas
    if schedule != choices.CUSTOM:
        return Problem("sigmas", "A list of sigmas needs the schedule custom.") if sigmas else None
    if len(sigmas) != recipe.steps:
        return Problem(
            "sigmas", f"The custom schedule needs one sigma a step: {recipe.steps}, not {len(sigmas)}."
        )
    falling = all(a > b for a, b in zip(sigmas, (*sigmas[1:], 0.0), strict=True))
    if not falling or not all(math.isfinite(sigma) for sigma in sigmas):
        return Problem("sigmas", "Custom sigmas must fall from step to step and stay above 0.")
    return None


def _unknown(field: str, value: str, known: list[str]) -> Problem:
    close = difflib.get_close_matches(value.casefold(), [name.casefold() for name in known], n=1)
    hint = next((name for name in known if close and name.casefold() == close[0]), None)
    advice = f"did you mean {hint}?" if hint else f"choose one of {', '.join(known)}."
    return Problem(field, f"There is no {field} called {value[:40]!r}; {advice}")
