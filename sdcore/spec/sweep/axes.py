"""What a sweep may go along: every field of a recipe, and the words of its prompts, each with a syntax of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePath
from typing import Any, Final

import msgspec

from sdcore.spec import choices
from sdcore.spec.recipe import Recipe
from sdcore.spec.sweep import prompts, values
from sdcore.spec.sweep.drawing import Words, every, no_words
from sdcore.spec.sweep.values import ValuesError

MAX_COMBINATIONS: Final = 1000
_RANDOM: Final = re.compile(r"(?:(\d{1,3})\s*)?(?:random|\?)|-1", re.I)
_SIZE: Final = re.compile(r"(\d{1,5})\s*(?:[x×*]\s*(\d{1,5}))?")


def _as_typed(path: str) -> str:
    return path


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What reading the values of an axis needs: the recipe that is varied, a source of random seeds, the lines of
    wildcard files, the models there are (by what a recipe calls them, with their family, "" where that is not known),
    and how a typed path is made whole."""

    recipe: Recipe
    new_seed: Callable[[], int]
    words: Words = no_words
    models: Mapping[str, str] = {}
    whole_path: Callable[[str], str] = _as_typed


class Value(msgspec.Struct, frozen=True):
    """One value of an axis: what it is called, and what it makes of a recipe."""

    label: str
    apply: Callable[[Recipe], Recipe]


class Axis(msgspec.Struct, frozen=True, kw_only=True):
    """Something to go along. `read` raises `ValuesError`; `names` are what can be completed.

    One that `wants` nothing has its values from the recipe. One that changes `words` comes after those that set the
    whole prompt. `fields` are those of a recipe that it sets.
    """

    name: str
    fields: tuple[str, ...]
    read: Callable[[str, Context], list[Value]]
    about: str
    example: str = ""
    names: Callable[[Context], Iterable[str]] = lambda context: ()
    wants: bool = True
    words: bool = False


def _setting(label: str, **fields: Any) -> Value:
    return Value(label, lambda recipe: msgspec.structs.replace(recipe, **fields))


def _whole(name: str, field: str, example: str, about: str) -> Axis:
    def read(text: str, context: Context) -> list[Value]:
        return [_setting(str(number), **{field: number}) for number in values.wholes(text)]

    return Axis(name=name, fields=(field,), read=read, example=example, about=about)


def _real(name: str, field: str, example: str, about: str) -> Axis:
    def read(text: str, context: Context) -> list[Value]:
        return [_setting(f"{number:g}", **{field: number}) for number in values.reals(text)]

    return Axis(name=name, fields=(field,), read=read, example=example, about=about)


def _seed(name: str, field: str, example: str, about: str) -> Axis:
    def read(text: str, context: Context) -> list[Value]:
        numbers: list[int] = []
        for part in values.split(text):
            if found := _RANDOM.fullmatch(part):
                numbers += [context.new_seed() for _ in range(int(found[1] or 1))]
            else:
                numbers += values.wholes(part)
        return [_setting(str(number), **{field: number}) for number in numbers]

    return Axis(name=name, fields=(field,), read=read, example=example, about=about)


def _named(name: str, field: str, known: Callable[[Context], Iterable[str]], find: Callable[[str], str | None],
           about: str) -> Axis:  # fmt: skip
    def read(text: str, context: Context) -> list[Value]:
        names = [find(part) or part for part in values.split(text)]
        return [_setting(found, **{field: found}) for found in names]

    return Axis(name=name, fields=(field,), read=read, about=about, names=known,
                example="type a name, ⇥ completes it")  # fmt: skip


def _listed(name: str, field: str, known: tuple[choices.NamedChoice, ...], about: str) -> Axis:
    def find(text: str) -> str | None:
        found = choices.find_named(known, text)
        return found.name if found else None

    return _named(name, field, lambda context: (one.name for one in known), find, about)


def _path(name: str, field: str, about: str) -> Axis:
    def read(text: str, context: Context) -> list[Value]:
        return [_setting(_last(part), **{field: _whole_path(part, context)}) for part in values.split(text)]

    return Axis(name=name, fields=(field,), read=read, example="~/a.png, ~/b.png", about=about)


def _whole_path(text: str, context: Context) -> str:
    try:
        return context.whole_path(text)
    except ValueError as fault:
        raise ValuesError(f"{text[:60]!r} cannot be a path") from fault


def _last(path: str) -> str:
    return PurePath(path).name.removesuffix(".safetensors") or path


def _sizes(text: str, context: Context) -> list[Value]:
    found = []
    for part in values.split(text):
        match = _SIZE.fullmatch(part)
        if match is None:
            raise ValuesError(f"{part[:40]!r} is not a size like 512x768")
        width, height = int(match[1]), int(match[2] or match[1])
        found.append(_setting(f"{width} × {height}", width=width, height=height))
    return found


def _sigmas(text: str, context: Context) -> list[Value]:
    found = []
    for part in values.split(text):
        sigmas = tuple(number for word in part.split() for number in values.reals(word))
        fields = {"sigmas": sigmas, "steps": len(sigmas), "schedule": choices.CUSTOM}
        found.append(_setting(" ".join(f"{sigma:g}" for sigma in sigmas), **fields))
    return found


def _models(text: str, context: Context) -> list[Value]:
    by_name = {name.casefold(): ref for ref in context.models for name in (_last(ref), ref)}
    found = []
    for part in values.split(text):
        ref = by_name.get(part.casefold(), part)
        if context.models and ref not in context.models and "/" not in ref:
            raise ValuesError(f"there is no model called {part[:60]!r}")
        found.append(_setting(_last(ref) if ref.startswith("/") else ref, model=ref))
    return found


def _texts(field: str) -> Callable[[str, Context], list[Value]]:
    return lambda text, context: [_setting(part, **{field: part}) for part in values.split(text)]


def _replaced(text: str, context: Context) -> list[Value]:
    words = values.split(text)
    if not words:
        return []
    old = words[0]

    def value(new: str) -> Value:
        return Value(new, lambda recipe: prompts.replaced(recipe, old, new))

    return [value(new) for new in words]


def _ordered(text: str, context: Context) -> list[Value]:
    words = list(dict.fromkeys(values.split(text)))
    if len(words) > prompts.MAX_ORDERED:
        raise ValuesError(f"{len(words)} words have too many orders; name {prompts.MAX_ORDERED} at the most")

    def value(order: tuple[str, ...]) -> Value:
        return Value(", ".join(order), lambda recipe: prompts.reordered(recipe, words, order))

    return [value(order) for order in prompts.orders(words)] if words else []


def _combinations(text: str, context: Context) -> list[Value]:
    found = every(context.recipe.prompt, context.words, most=MAX_COMBINATIONS)
    return [_setting(prompt, prompt=prompt) for prompt in found]


def _sampler(text: str) -> str | None:
    found = choices.find_sampler(text)
    return found.name if found else None


def _schedule(text: str) -> str | None:
    found = choices.find_schedule(text)
    return found.name if found else None


AXES: Final = (
    _whole("steps", "steps", "10, 20, 30 or 10-50 (+10)", "How many steps lead from noise to the image."),
    _real("guidance", "guidance_scale", "3-9 [4]", "How closely the image follows the prompt."),
    _named("sampler", "sampler", lambda context: (one.name for one in choices.SAMPLERS), _sampler,
           "How a step is taken."),
    _named("schedule", "schedule", lambda context: (one.name for one in choices.SCHEDULES), _schedule,
           "Which noise levels the steps visit."),
    _seed("seed", "seed", "1-4 or 4 random", "The number that the first noise is drawn from; -1 draws one."),
    Axis(name="prompt S/R", fields=(), read=_replaced, words=True, example="red, blue, green",
         about="Search and replace: the first word is looked for in both prompts and stays in the first image; each of "
               "the others takes its place in one."),
    Axis(name="prompt order", fields=(), read=_ordered, words=True, example="house, tree, sun",
         about="Every order of these words, which the prompt says."),
    Axis(name="combinations", fields=("prompt",), read=_combinations, wants=False,
         about="Everything that the choices of the prompt can fall on: {a|b} and __wildcards__."),
    Axis(name="prompt", fields=("prompt",), read=_texts("prompt"), example='"a house, at night", a tree',
         about="Whole prompts; quote those that hold a comma."),
    Axis(name="negative prompt", fields=("negative_prompt",), read=_texts("negative_prompt"),
         example='blurry, "text, watermark"', about="Whole negative prompts; quote those that hold a comma."),
    Axis(name="model", fields=("model",), read=_models, names=lambda context: map(_last, context.models),
         example="type a name, ⇥ completes it",
         about="Which model makes the image. All images of one are made before the next is loaded."),
    Axis(name="size", fields=("width", "height"), read=_sizes, example="128, 128x192",
         about="Width and height in pixels."),
    _whole("width", "width", "128-256 (+64)", "Width in pixels."),
    _whole("height", "height", "128-256 (+64)", "Height in pixels."),
    _whole("batch", "batch_size", "1, 4", "How many images are made at once."),
    Axis(name="sigmas", fields=("sigmas", "steps", "schedule"), read=_sigmas, example='"14.6 7 3 1", "14.6 5 1.5"',
         about="Lists of sigmas, highest first, each between quotes or commas."),
    _path("init image", "init_image", "Pictures to start from."),
    _real("strength", "strength", "0.3-0.9 [4]", "How much of the picture that is started from is forgotten."),
    _path("mask", "mask_image", "Masks: the picture is repainted where they are white."),
    _whole("mask blur", "mask_blur", "0, 4, 16", "Over how many pixels the mask's edge is softened."),
    _real("hires", "hires_scale", "1, 1.5, 2", "How many times as large a second pass makes the image."),
    _whole("hires steps", "hires_steps", "10, 20", "How many steps the second pass has."),
    _real("hires strength", "hires_strength", "0.3-0.7 [3]", "How much of the first pass the second forgets."),
    _listed("upscaler", "hires_upscaler", choices.UPSCALERS, "How the first pass is enlarged."),
    _real("variation", "variation_strength", "0-0.4 (+0.1)", "How far the noise is turned to another seed's."),
    _seed("variation seed", "variation_seed", "1-4 or 4 random", "The seed that the noise is turned to."),
    _whole("clip skip", "clip_skip", "1, 2", "Which layer of the text encoder is read, from its end."),
    _listed("emphasis", "emphasis", choices.EMPHASES, "How the weights of words act."),
    _real("rescale", "guidance_rescale", "0, 0.7", "How far guidance is held to the contrast of the image."),
    _path("vae", "vae", "Autoencoders in place of the model's own."),
    _listed("rng", "rng", choices.RNGS, "Where noise comes from."),
)  # fmt: skip
"""Everything that a sweep may go along, the most wanted first."""

BY_NAME: Final = {axis.name: axis for axis in AXES}
