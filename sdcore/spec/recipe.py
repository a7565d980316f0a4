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
MAX_CLIP_SKIP: Final = 12
MAX_MASK_BLUR: Final = 256
MAX_TURNS: Final = 100
"""How many generations of variations a recipe can hold."""
MAX_HIRES_SCALE: Final = 8.0
LEAST_HIRES_STRENGTH: Final = 0.05
"""Below it a second pass would take its few steps from a table of more than the samplers have."""
FIRST_PROMPT: Final = (
    "Highly detailed small japanese house, radiant light, detailed and intricate environment"
)
FIRST_SEED: Final = 1632
"""The study notes' own example: the first thing that the app offers to make."""


class Turn(msgspec.Struct, frozen=True, array_like=True):
    """The initial noise turned towards that of another `seed`, as far as `strength` (0..1) says."""

    seed: int
    strength: float


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that decides the pixels.

    `width` and `height` are pixels of the image; `steps` counts sampler steps, not forward passes; a
    `guidance_scale` of 1 or less means no classifier-free guidance. Image j of a batch starts from noise
    seeded with `seed + j`, as in other programs, so that each can be named by a seed of its own. `sigmas`
    belongs to the schedule "custom": N values, highest first; the closing 0 is added.

    `clip_skip` counts the text encoder's layers from its end: 1 reads the last, 2 the one before. `emphasis` says how
    weights of words act, `rng` where noise comes from; both are names of `choices`. `guidance_rescale` is phi of
    arXiv 2305.08891, section 3.4. `vae` replaces the model's own autoencoder.

    With an `init_image` the run starts from that picture, noised by `strength` (0 keeps it, 1 forgets it). A
    `mask_image` has it repainted where that is white, its edge softened over `mask_blur` pixels. Both are a path, or
    "input:" and the name of a kept copy. With a `hires_scale` above 1 the image is enlarged by `hires_upscaler`
    and repainted in `hires_steps` steps (0: as many as `steps`) at `hires_strength`. `variation_strength` (0 to 1)
    turns the initial noise towards that of `variation_seed`. Of a variation of a variation `earlier_variations` has the
    turns before that one, the first first: so a whole chain of them is one recipe.
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
    clip_skip: int = 1
    emphasis: str = choices.EMPHASIS_MEAN
    guidance_rescale: float = 0.0
    vae: str = ""
    rng: str = choices.RNG_CPU
    init_image: str = ""
    strength: float = 0.75
    mask_image: str = ""
    mask_blur: int = 4
    hires_scale: float = 1.0
    hires_steps: int = 0
    hires_strength: float = 0.5
    hires_upscaler: str = choices.UPSCALE_LATENT
    variation_seed: int = 0
    variation_strength: float = 0.0
    earlier_variations: tuple[Turn, ...] = ()

    def for_image(self, index: int) -> Recipe:
        """The recipe of image `index` (0-based) of this batch, as a batch of one.

        The images of a batch that varies have one seed and a variation seed each; without a variation a seed each.
        """
        return msgspec.structs.replace(self.counted_on(index), batch_size=1)

    def in_turn(self, count: int) -> list[Recipe]:
        """The recipes of `count` batches like this one, each of which counts on where the one before ends."""
        return [self.counted_on(index * self.batch_size) for index in range(count)]

    def counted_on(self, images: int) -> Recipe:
        """The recipe of a batch whose first image would be image `images` (0-based) of this one, were it that long."""
        field = self._counted()
        return msgspec.structs.replace(self, **{field: getattr(self, field) + images})

    def whole_batch(self, index: int, size: int) -> Recipe:
        """The recipe of the batch of `size` whose image `index` (0-based) this one makes."""
        field = self._counted()
        return msgspec.structs.replace(self, batch_size=size, **{field: getattr(self, field) - index})

    def _counted(self) -> str:
        return "variation_seed" if self.variation_strength > 0 else "seed"

    @property
    def enlarges(self) -> bool:
        """Whether a second pass enlarges what the first has made."""
        return self.hires_scale > 1

    def final_size(self, multiple: int = SIZE_MULTIPLE) -> tuple[int, int]:
        """Width and height in pixels of the image that is saved, its sides multiples of `multiple`."""
        if not self.enlarges:
            return self.width, self.height
        width, height = (
            round(side * self.hires_scale / multiple) * multiple for side in (self.width, self.height)
        )
        return width, height


_OPTIONAL: Final = Recipe.__struct_fields__[Recipe.__struct_fields__.index("clip_skip") :]
_ACTS_WITH: Final = {
    "strength": "init_image",
    "mask_blur": "mask_image",
    "hires_steps": "hires_scale",
    "hires_strength": "hires_scale",
    "hires_upscaler": "hires_scale",
    "variation_seed": "variation_strength",
    "earlier_variations": "variation_strength",
}


_NAMED: Final = {
    "emphasis": choices.EMPHASES,
    "rng": choices.RNGS,
    "hires_upscaler": choices.UPSCALERS,
}


def at_rest(recipe: Recipe) -> frozenset[str]:
    """The fields of a recipe that add nothing to a plain run of a model: as they are in `Recipe()`, and so is what
    they would act with."""
    plain = Recipe()
    same = {name for name in _OPTIONAL if getattr(recipe, name) == getattr(plain, name)}
    return frozenset(name for name in same if _ACTS_WITH.get(name, name) in same)


def acting(recipe: Recipe) -> Recipe:
    """The recipe with every field that has nothing to act with as it is in `Recipe()`: two recipes that make the same
    image for such a reason are the same."""
    plain = Recipe()
    idle = {
        name: getattr(plain, name)
        for name, other in _ACTS_WITH.items()
        if getattr(recipe, other) == getattr(plain, other)
    }
    return msgspec.structs.replace(recipe, **idle)


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
    """Return `recipe` with every name of `choices` as it is written there; raise `RecipeError` if it cannot be run."""
    problems = find_problems(recipe)
    if problems:
        raise RecipeError(problems)
    sampler = choices.find_sampler(recipe.sampler)
    schedule = choices.find_schedule(recipe.schedule)
    assert sampler is not None  # find_problems saw to it
    assert schedule is not None
    named = {
        field: found.name
        for field, known in _NAMED.items()
        if (found := choices.find_named(known, getattr(recipe, field))) is not None
    }
    return msgspec.structs.replace(recipe, sampler=sampler.name, schedule=schedule.name, **named)


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
        _whole("clip_skip", recipe.clip_skip, 1, MAX_CLIP_SKIP),
        _listed("emphasis", recipe.emphasis),
        _real("guidance_rescale", recipe.guidance_rescale, 0.0, 1.0),
        _listed("rng", recipe.rng),
        *_images(recipe),
        *_enlarging(recipe),
        _whole("variation_seed", recipe.variation_seed, 0, MAX_SEED - MAX_BATCH),
        _real("variation_strength", recipe.variation_strength, 0.0, 1.0),
        _turns(recipe),
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


def _listed(field: str, value: str) -> Problem | None:
    known = _NAMED[field]
    if choices.find_named(known, value) is not None:
        return None
    return _unknown(field, value, [choice.name for choice in known])


def _turns(recipe: Recipe) -> Problem | None:
    field = "earlier_variations"
    turns = recipe.earlier_variations
    if turns and recipe.variation_strength == 0:
        return Problem(field, "Earlier variations need a variation strength above 0 for the last one.")
    if len(turns) > MAX_TURNS:
        return Problem(field, f"A variation can have at most {MAX_TURNS} others before it, not {len(turns)}.")
    wrong = (
        _whole("variation_seed", turn.seed, 0, MAX_SEED)
        or _real("variation_strength", turn.strength, 0.0, 1.0)
        for turn in turns
    )
    found = next(filter(None, wrong), None)
    return Problem(field, f"Of the earlier variations: {found.message}") if found is not None else None


def _images(recipe: Recipe) -> list[Problem | None]:
    if not recipe.init_image:
        orphan = "A mask needs an image to repaint: name an init image." if recipe.mask_image else ""
        return [Problem("mask_image", orphan)] if orphan else []
    return [
        _real("strength", recipe.strength, 0.0, 1.0) or _nothing_to_run(recipe),
        _whole("mask_blur", recipe.mask_blur, 0, MAX_MASK_BLUR),
    ]


def _nothing_to_run(recipe: Recipe) -> Problem | None:
    if int(recipe.steps * recipe.strength) > 0:
        return None
    count = f"{recipe.steps} step{'s' * (recipe.steps > 1)}"
    return Problem(
        "strength", f"Strength {recipe.strength:g} leaves none of {count} to run; raise one of them."
    )


def _enlarging(recipe: Recipe) -> list[Problem | None]:
    scale = recipe.hires_scale
    if scale == 1.0:
        return []
    problems = [
        _real("hires_scale", scale, 1.0, MAX_HIRES_SCALE),
        _whole("hires_steps", recipe.hires_steps, 0, MAX_STEPS),
        _real("hires_strength", recipe.hires_strength, LEAST_HIRES_STRENGTH, 1.0),
        _listed("hires_upscaler", recipe.hires_upscaler),
    ]
    side = max(recipe.width, recipe.height)
    if problems[0] is None and side * scale > MAX_SIZE:
        most = f"{MAX_SIZE} pixels"
        problems[0] = Problem("hires_scale", f"{side} pixels enlarged {scale:g} times is more than {most}.")
    elif problems[0] is None and recipe.mask_image:
        problems[0] = Problem("hires_scale", "A repaint cannot be enlarged in the same run; repaint first.")
    return problems


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
    if not sigmas:
        return Problem("sigmas", "The custom schedule follows sigmas of your own: list one for each step.")
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
    return Problem(field, f"There is no {field.replace('_', ' ')} called {value[:40]!r}; {advice}")
