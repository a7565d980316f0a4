"""The rows of the parameters pane: which there are, and how their texts make a recipe. No widgets here."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from sdcore.spec import choices
from sdcore.spec.families import FAMILIES
from sdcore.spec.recipe import (
    MAX_BATCH,
    MAX_CLIP_SKIP,
    MAX_HIRES_SCALE,
    MAX_MASK_BLUR,
    MAX_SEED,
    MAX_STEPS,
    SIZE_MULTIPLE,
    Problem,
    Recipe,
    find_problems,
)
from sdcore.spec.suiting import find_unsuited
from tui.parameter_row import Order, Row, file, listed, real, whole

MAX_COUNT: Final = 100
_DEFAULT: Final = Recipe()


def read_rows(texts: dict[str, str], base: Recipe, family: str = "") -> tuple[Recipe, dict[str, str]]:
    """`base` with what the rows say, and the message for each row that is wrong, or wrong for models of `family` where
    that is known.

    A row that cannot be read leaves its fields of `base` as they are; of one that has no effect the fields are those
    of a new recipe, whatever it says. Problems of the prompts have the keys "prompt" and "negative_prompt".
    """
    found: dict[str, str] = {}
    recipe = base
    for row in ROWS:
        if not in_effect(row, recipe):
            recipe = msgspec.structs.replace(recipe, **{name: getattr(_DEFAULT, name) for name in row.fields})
            continue
        try:
            recipe = msgspec.structs.replace(recipe, **row.read(texts[row.name]))
        except ValueError:
            found[row.name] = row.ask
    if recipe.schedule != choices.CUSTOM:
        recipe = msgspec.structs.replace(recipe, sigmas=())
    if recipe.variation_strength == 0:
        recipe = msgspec.structs.replace(recipe, earlier_variations=())
    problems = find_problems(recipe)
    if not problems and any(one.name == family for one in FAMILIES):
        problems = find_unsuited(recipe, family)
    for problem in problems:
        found.setdefault(_row_of(problem), problem.message)
    return recipe, found


def write_rows(recipe: Recipe) -> dict[str, str]:
    """The text of every row for `recipe`."""
    return {row.name: row.write(recipe) for row in ROWS}


def read_order(texts: dict[str, str], recipe: Recipe) -> tuple[Order, dict[str, str]]:
    """What is asked for besides the recipe that the rows make, and the message for each row that is wrong: one that
    cannot be read, or whose seeds would go on for too long."""
    try:
        order = msgspec.structs.replace(Order(), **_COUNT.read(texts[_COUNT.name]))
    except ValueError:
        return Order(), {_COUNT.name: _COUNT.ask}
    if not 1 <= order.count <= MAX_COUNT:
        return Order(), {_COUNT.name: _COUNT.ask}
    if order.count == 1:
        return order, {}
    last = recipe.counted_on((order.count - 1) * recipe.batch_size)
    return order, {_row_of(problem): problem.message for problem in find_problems(last)}


def write_order(order: Order) -> dict[str, str]:
    """The text of every row for `order`."""
    return {row.name: row.write(order) for row in ORDER_ROWS}


def in_effect(row: Row, recipe: Recipe) -> bool:
    """Whether the row changes anything in this recipe: whether the one that it hangs on is not at rest."""
    return not row.parent or not BY_NAME[row.parent].rests(recipe)


def unfolded(row: Row, recipe: Recipe) -> bool:
    """Whether the row is seen even when the rest is folded away."""
    return not row.folded or not row.rests(recipe) or bool(row.parent)


def _row_of(problem: Problem) -> str:
    return _ROW_OF_FIELD.get(problem.field, problem.field)


def _read_size(text: str) -> dict[str, object]:
    match = re.fullmatch(r"\s*(\d{1,9})\s*(?:[x×*]\s*(\d{1,9})\s*)?", text)
    if not match:
        raise ValueError(text)
    width, height = int(match[1]), int(match[2] or match[1])
    return {"width": width, "height": height}


def size_text(width: int, height: int) -> str:
    """A size in pixels as the row says it."""
    return f"{width} × {height}"


def multiple_of(family: str) -> int:
    """What the sides of an image are multiples of, in pixels, for models of a family, "" where that is not known."""
    return next((one.multiple for one in FAMILIES if one.name == family), SIZE_MULTIPLE)


def _change_size(recipe: Recipe, direction: int, family: str) -> str:
    # 64 is what trained models like; the small bundled one has only 128 pixels to start from
    step = 64 if max(recipe.width, recipe.height) >= 512 else 16
    width = max(64, (recipe.width // step + direction) * step)
    multiple = multiple_of(family)
    height = max(64, round(recipe.height * width / max(1, recipe.width) / multiple) * multiple)
    return size_text(width, height)


def samplers_of(recipe: Recipe, family: str = "") -> list[str]:
    """The samplers that models of a family can use, "" where that is not known."""
    return [choice.name for choice in choices.samplers_for(family)]


def schedules_of(recipe: Recipe, family: str = "") -> list[str]:
    """The schedules that the recipe's sampler can follow for models of a family, "" where that is not known; "custom"
    only when the recipe brings its sigmas."""
    sampler = choices.find_sampler(recipe.sampler)
    every = [choice.name for choice in choices.SCHEDULES]
    names = choices.schedules_for(sampler, family) if sampler else every
    return [name for name in names if name != choices.CUSTOM or recipe.sigmas]


def _names(known: tuple[choices.NamedChoice, ...]) -> list[str]:
    return [choice.name for choice in known]


def _change_second_steps(recipe: Recipe, direction: int, family: str) -> str:
    return str(min(MAX_STEPS, max(1, (recipe.hires_steps or recipe.steps) + direction)))


_ALWAYS: Final = (
    listed("model", lambda recipe, family: [recipe.model], "Which model makes the image."),
    Row(name="size", fields=("width", "height"), accepts="0123456789x× ", change=_change_size, read=_read_size,
        ask="Type a width and a height, for example 128x128.",
        about="Width and height in pixels. Models are best at the size that they learned at.",
        write=lambda recipe: size_text(recipe.width, recipe.height)),
    whole("steps", "steps", "Type how many steps, for example 30.",
          "How many steps lead from noise to the image. Twice as many take twice as long.", most=MAX_STEPS),
    real("guidance", "guidance_scale", "Type a guidance scale, for example 7.5.",
         "How closely the image follows the prompt. 1 or less guides nothing and is twice as fast; much more than 10 "
         "burns the colours.", step=0.5, least=0.0, most=100.0),
    listed("sampler", samplers_of, "How a step is taken."),
    listed("schedule", schedules_of, "Which noise levels the steps visit."),
    whole("seed", "seed", "Type a seed, for example 1632.",
          "The number that the first noise is drawn from: the same one makes the same image.", least=0,
          most=MAX_SEED - MAX_BATCH),
    whole("batch", "batch_size", "Type how many images, for example 1.", "How many images are made at once.",
          most=MAX_BATCH),
)  # fmt: skip

_COUNT: Final = whole(
    "count", "count", f"Type how many to queue, from 1 to {MAX_COUNT}.",
    "How many times Enter queues it, each time with the seeds that follow. Sweeps, forks, variations and what is made "
    "without end do not count.", most=MAX_COUNT,
)  # fmt: skip

_FOLDED: Final = (
    file("init image", "init_image", "Type the path of an image, for example ~/pictures/house.png.",
         "Start from this picture instead of from noise. Enter opens the file picker, F9 takes the image shown.",
         files="image", empty="none"),
    real("strength", "strength", "Type a strength from 0 to 1, for example 0.75.",
         "How much of the picture is forgotten: 0 keeps it, 1 leaves nothing of it.", step=0.05, least=0.05, most=1.0,
         parent="init image", folded=True),
    file("mask", "mask_image", "Type the path of a mask, an image that is white where it is repainted.",
         "Repaint the picture only where the mask is white. F10 draws one.",
         files="image", empty="none", parent="init image"),
    whole("mask blur", "mask_blur", "Type how many pixels, for example 4.",
          "Over how many pixels the mask's edge is softened.", least=0, most=MAX_MASK_BLUR, label="blur",
          parent="mask", folded=True),
    real("hires", "hires_scale", "Type how many times as large, for example 2.",
         "Make the image small first, then enlarge it so many times and repaint it in detail.", step=0.5, least=1.0,
         most=MAX_HIRES_SCALE, off=True, folded=True),
    Row(name="hires steps", label="steps", fields=("hires_steps",), accepts="0123456789", parent="hires", folded=True,
        ask="Type how many steps, for example 20.", about="How many steps the second pass has.",
        empty="as many", change=_change_second_steps, read=lambda text: {"hires_steps": int(text or "0")},
        write=lambda recipe: str(recipe.hires_steps or "")),
    real("hires strength", "hires_strength", "Type a strength from 0.05 to 1, for example 0.5.",
         "How much of the first pass the second forgets.", step=0.05, least=0.05, most=1.0, label="strength",
         parent="hires", folded=True),
    listed("upscaler", lambda recipe, family: _names(choices.UPSCALERS), "How the first pass is enlarged.",
           field="hires_upscaler", parent="hires", folded=True),
    real("variation", "variation_strength", "Type a strength from 0 to 1, for example 0.2.",
         "How far the first noise is turned towards that of another seed: small numbers vary the image a little.",
         step=0.05, least=0.0, most=1.0, off=True, folded=True),
    whole("variation seed", "variation_seed", "Type a seed, for example 7.",
          "The other seed, towards which the noise is turned.", least=0, most=MAX_SEED - MAX_BATCH, label="seed",
          parent="variation", folded=True),
    whole("clip skip", "clip_skip", "Type a number of layers, for example 2.",
          "Which layer of the text encoder is read, counted from its end: 1 is the last. Some models were trained "
          "with 2.", most=MAX_CLIP_SKIP, folded=True),
    listed("emphasis", lambda recipe, family: _names(choices.EMPHASES), "How the weights of words act.", folded=True),
    listed("noise", lambda recipe, family: _names(choices.RNGS), "Where noise is drawn.", field="rng", folded=True),
    real("rescale", "guidance_rescale", "Type a number from 0 to 1, for example 0.7.",
         "Guidance rescale: takes back what strong guidance adds to the contrast; 0.7 for models that predict v.",
         step=0.1, least=0.0, most=1.0, off=True, folded=True),
    file("vae", "vae", "Type the path of a .safetensors file or a folder.",
         "An autoencoder of your own, in place of the model's.", files="weights", empty="the model's own"),
)  # fmt: skip

ROWS: Final = (*_ALWAYS, *_FOLDED)
"""The rows of a recipe from top to bottom; one that hangs on another comes after it."""

ORDER_ROWS: Final = (_COUNT,)
"""Those of an order."""

PANE_ROWS: Final = (*_ALWAYS, *ORDER_ROWS, *_FOLDED)
"""All, as they stand in a pane."""

ROW_NAMES: Final = tuple(row.name for row in PANE_ROWS)
BY_NAME: Final = {row.name: row for row in PANE_ROWS}
_ROW_OF_FIELD: Final = {field: row.name for row in ROWS for field in row.fields} | {"sigmas": "schedule"}
