"""The rows of the parameters pane as data: how each is read, written and changed. No widgets here."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import msgspec

from sdcore.spec import choices
from sdcore.spec.recipe import Problem, Recipe, find_problems

_LONGEST: Final = 24


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One row. `accepts` are the characters that can be typed into it, none where it is chosen from a list.

    `read` turns its text into fields of a recipe or raises ValueError; `write` is its text for a recipe;
    `change` is the text one step up (+1) or down (-1). `ask` is the sentence shown when the text cannot be read.
    """

    name: str
    fields: tuple[str, ...]
    accepts: str
    ask: str
    read: Callable[[str], dict[str, object]]
    write: Callable[[Recipe], str]
    change: Callable[[Recipe, int], str]


def accepts(row: Row, text: str, character: str) -> bool:
    """Whether `character` can be typed after `text` in `row`."""
    return bool(character) and character in row.accepts and len(text) < _LONGEST


def read_rows(texts: dict[str, str], base: Recipe) -> tuple[Recipe, dict[str, str]]:
    """`base` with what the rows say, and the message for each row that is wrong.

    A row that cannot be read leaves its fields of `base` as they are. Problems of the prompts have the keys
    "prompt" and "negative_prompt".
    """
    found: dict[str, str] = {}
    values: dict[str, object] = {}
    for row in ROWS:
        try:
            values |= row.read(texts[row.name])
        except ValueError:
            found[row.name] = row.ask
    recipe = msgspec.structs.replace(base, **values)
    if recipe.schedule != choices.CUSTOM:
        recipe = msgspec.structs.replace(recipe, sigmas=())
    for problem in find_problems(recipe):
        found.setdefault(_row_of(problem), problem.message)
    return recipe, found


def write_rows(recipe: Recipe) -> dict[str, str]:
    """The text of every row for `recipe`."""
    return {row.name: row.write(recipe) for row in ROWS}


def _row_of(problem: Problem) -> str:
    return _ROW_OF_FIELD.get(problem.field, problem.field)


def _read_size(text: str) -> dict[str, object]:
    match = re.fullmatch(r"\s*(\d{1,9})\s*(?:[x×*]\s*(\d{1,9})\s*)?", text)
    if not match:
        raise ValueError(text)
    width, height = int(match[1]), int(match[2] or match[1])
    return {"width": width, "height": height}


def _change_size(recipe: Recipe, direction: int) -> str:
    # 64 is what trained models like; the small bundled one has only 128 pixels to start from
    step = 64 if max(recipe.width, recipe.height) >= 512 else 16
    width = max(64, (recipe.width // step + direction) * step)
    height = max(64, round(recipe.height * width / max(1, recipe.width) / 8) * 8)
    return f"{width} × {height}"


def _whole(name: str, field: str, ask: str) -> Row:
    def change(recipe: Recipe, direction: int) -> str:
        return str(max(0 if field == "seed" else 1, getattr(recipe, field) + direction))

    return Row(name=name, fields=(field,), accepts="0123456789", ask=ask, change=change,
               read=lambda text: {field: int(text)}, write=lambda recipe: str(getattr(recipe, field)))  # fmt: skip


def _listed(name: str, options: Callable[[Recipe], list[str]]) -> Row:
    def change(recipe: Recipe, direction: int) -> str:
        names, now = options(recipe), getattr(recipe, name)
        return names[(names.index(now) + direction) % len(names)] if now in names else (names or [now])[0]

    return Row(name=name, fields=(name,), accepts="", ask="", change=change,
               read=lambda text: {name: text}, write=lambda recipe: getattr(recipe, name))  # fmt: skip


def schedules_of(recipe: Recipe) -> list[str]:
    """The schedules that the recipe's sampler can follow; "custom" only when the recipe brings its sigmas."""
    sampler = choices.find_sampler(recipe.sampler)
    names = sampler.schedules if sampler else [choice.name for choice in choices.SCHEDULES]
    return [name for name in names if name != choices.CUSTOM or recipe.sigmas]


def _change_guidance(recipe: Recipe, direction: int) -> str:
    return f"{min(100.0, max(0.0, recipe.guidance_scale + direction / 2)):g}"


ROWS: Final = (
    _listed("model", lambda recipe: [recipe.model]),
    Row(name="size", fields=("width", "height"), accepts="0123456789x× ", change=_change_size, read=_read_size,
        ask="Type a width and a height, for example 128x128.",
        write=lambda recipe: f"{recipe.width} × {recipe.height}"),
    _whole("steps", "steps", "Type how many steps, for example 30."),
    Row(name="guidance", fields=("guidance_scale",), accepts="0123456789.,", change=_change_guidance,
        ask="Type a guidance scale, for example 7.5.",
        read=lambda text: {"guidance_scale": float(text.replace(",", "."))},
        write=lambda recipe: f"{recipe.guidance_scale:g}"),
    _listed("sampler", lambda recipe: [choice.name for choice in choices.SAMPLERS]),
    _listed("schedule", schedules_of),
    _whole("seed", "seed", "Type a seed, for example 1632."),
    _whole("batch", "batch_size", "Type how many images, for example 1."),
)  # fmt: skip
"""The rows from top to bottom."""

ROW_NAMES: Final = tuple(row.name for row in ROWS)
_ROW_OF_FIELD: Final = {field: row.name for row in ROWS for field in row.fields} | {"sigmas": "schedule"}
