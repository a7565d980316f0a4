"""What a recipe becomes when an image's is brought back: every change, before anything is changed.

What the image does not say stays as it is. A model or a sampler that is not here is said, with the nearest that is; a
value that cannot be used is made one that can, and said.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any, Final, Literal

import msgspec

from sdcore.spec import choices
from sdcore.spec import recipe as limits
from sdcore.spec.facts import ImageFacts
from sdcore.spec.families import FAMILIES
from sdcore.spec.foreign.names import NEAREST, sampler_named, schedule_named
from sdcore.spec.recipe import Problem, Recipe, find_problems
from sdcore.spec.suiting import find_unsuited
from sdcore.spec.values import as_name

What = Literal["all", "prompt", "seed", "parameters"]

_PROMPT: Final = ("prompt", "negative_prompt")
_SEED: Final = ("seed", "variation_seed", "variation_strength", "earlier_variations", "rng")
_PARAMETERS: Final = tuple(
    name for name in Recipe.__struct_fields__ if name not in (*_PROMPT, *_SEED, "batch_size")
)
FIELDS: Final[dict[What, tuple[str, ...]]] = {
    "all": (*_PROMPT, *_SEED, *_PARAMETERS),
    "prompt": _PROMPT,
    "seed": _SEED,
    "parameters": _PARAMETERS,
}
"""The fields that are brought back. All that makes the initial noise goes with the seed; how many images are made at
once is the person's, not the image's."""

_LEAST_HASH: Final = 8
_ALIKE: Final = 0.5
"""How alike two names are (`difflib`, 0..1) where one is worth naming for the other."""


class KnownModel(msgspec.Struct, frozen=True):
    """A model that is here: what a recipe calls it, its name, and the first digits of its hash where that is known."""

    ref: str
    name: str
    hash: str = ""
    family: str = ""


class Change(msgspec.Struct, frozen=True):
    """A field of a recipe that changes."""

    field: str
    before: Any
    after: Any


class Recall(msgspec.Struct, frozen=True):
    """The recipe as it would be, what changes in it, and sentences on what could not be had as the image says."""

    recipe: Recipe
    changes: tuple[Change, ...]
    notes: tuple[str, ...]


def recall(
    facts: ImageFacts, present: Recipe, what: What = "all", models: Sequence[KnownModel] | None = None
) -> Recall:
    """`present` with what `facts` say of the fields of `what`.

    `models` are those that are here; with None a model is believed to be. If `present` can be run, so can what comes
    back.
    """
    told = facts.told()
    wanted = {name: told[name] for name in FIELDS[what] if name in told}
    notes: list[str] = []
    family_name = ""
    if "model" in wanted and models is not None:
        known = _find_model(wanted["model"], facts.model_hash or "", models, notes)
        wanted["model"] = known.ref if known else present.model
        family_name = known.family if known else ""
    _name_sampler(wanted, present, notes)
    for name, value in list(wanted.items()):
        wanted[name] = _within(name, value, getattr(present, name), notes)
    taken = msgspec.structs.replace(present, **wanted)
    made = _mended(taken, present, family_name, notes)
    _tell_of_pictures(facts, made, what, notes)
    changes = tuple(
        Change(name, getattr(present, name), getattr(made, name))
        for name in FIELDS["all"]
        if getattr(present, name) != getattr(made, name)
    )
    return Recall(made, changes, tuple(notes))


def _find_model(
    wanted: str, digits: str, models: Sequence[KnownModel], notes: list[str]
) -> KnownModel | None:
    """The model by what it is called, or by its hash; otherwise the nearest one is told of."""
    exact = [one for one in models if wanted in (one.ref, one.name)]
    names = [one for one in models if as_name(wanted).casefold() == as_name(one.name).casefold()]
    for found in (*exact, *names):
        if digits and found.hash and not _same_hash(digits, found.hash):
            notes.append(f"The model {found.name} has other weights here than those of the image.")
        return found
    by_hash = next((one for one in models if _same_hash(digits, one.hash)), None)
    if by_hash is not None:
        notes.append(f"The model {wanted} is called {by_hash.name} here: it has the same weights.")
        return by_hash
    near = _nearest(as_name(wanted), [one.name for one in models])
    advice = f"the nearest by name is {near}; " if near else ""
    notes.append(f"There is no model {wanted} here: {advice}the one that is set stays.")
    return None


def _same_hash(one: str, other: str) -> bool:
    one, other = one.casefold(), other.casefold()
    length = min(len(one), len(other))
    return length >= _LEAST_HASH and one[:length] == other[:length]


def _nearest(name: str, known: Sequence[str]) -> str | None:
    by_case = {one.casefold(): one for one in known}
    close = difflib.get_close_matches(name.casefold()[:200], list(by_case)[:2000], n=1, cutoff=_ALIKE)
    return by_case[close[0]] if close else None


def _name_sampler(wanted: dict[str, Any], present: Recipe, notes: list[str]) -> None:
    """Put our names for the sampler and the schedule; of one that we do not have, the nearest."""
    if "sampler" in wanted:
        said = wanted["sampler"]
        ours, folded = sampler_named(said) or (None, None)
        if folded is not None:
            wanted.setdefault("schedule", folded)
        if ours is None:
            ours = NEAREST.get(said.casefold()) or _nearest(said, [one.name for one in choices.SAMPLERS])
            instead = f"the nearest is {ours}" if ours else f"{present.sampler} stays"
            notes.append(f"There is no sampler {said} here: {instead}.")
        wanted["sampler"] = ours or present.sampler
    if "schedule" in wanted:
        said = wanted["schedule"]
        schedule = schedule_named(said)
        if schedule is None:
            schedule = _nearest(said, [one.name for one in choices.SCHEDULES]) or choices.AUTOMATIC
            notes.append(f"There is no schedule {said} here: the nearest is {schedule}.")
        wanted["schedule"] = schedule


_LIMITS: Final[dict[str, tuple[float, float]]] = {
    "steps": (1, limits.MAX_STEPS),
    "guidance_scale": (0.0, 100.0),
    "clip_skip": (1, limits.MAX_CLIP_SKIP),
    "guidance_rescale": (0.0, 1.0),
    "strength": (0.0, 1.0),
    "mask_blur": (0, limits.MAX_MASK_BLUR),
    "hires_scale": (1.0, limits.MAX_HIRES_SCALE),
    "hires_steps": (0, limits.MAX_STEPS),
    "hires_strength": (limits.LEAST_HIRES_STRENGTH, 1.0),
    "variation_strength": (0.0, 1.0),
}
_SEEDS: Final = ("seed", "variation_seed")
_LAST_SEED: Final = limits.MAX_SEED - limits.MAX_BATCH


def _within(name: str, value: Any, present: Any, notes: list[str]) -> Any:
    """The value where it can be used, or the nearest that can."""
    title = name.replace("_", " ").capitalize()
    if name in _SEEDS and not 0 <= value <= _LAST_SEED:
        notes.append(f"{title} {value} is no seed here: {present} stays.")
        return present
    if name in ("width", "height"):
        side = min(max(64, round(value / limits.SIZE_MULTIPLE) * limits.SIZE_MULTIPLE), limits.MAX_SIZE)
        if side != value:
            notes.append(f"{title} {value} cannot be made: the nearest is {side}.")
        return side
    if name in _PROMPT and len(value) > limits.MAX_PROMPT:
        notes.append(f"{title} has {len(value):,} characters: the first {limits.MAX_PROMPT:,} are taken.")
        return value[: limits.MAX_PROMPT]
    least, most = _LIMITS.get(name, (None, None))
    if least is None or most is None or least <= value <= most:
        return value
    nearest = min(max(least, value), most)
    notes.append(f"{title} {value:g} is out of range: the nearest is {nearest:g}.")
    return type(value)(nearest)


def _mended(taken: Recipe, present: Recipe, family_name: str, notes: list[str]) -> Recipe:
    """What is taken without the fields that do not go together with the rest: those stay as they were."""
    made = taken
    for _ in Recipe.__struct_fields__:
        problems = _problems(made, family_name)
        mended = made
        for problem in problems:
            mended = _mend(problem.field, mended, present)
        if mended == made:
            break
        notes += [problem.message for problem in problems]
        made = mended
    if find_problems(made) and made != present:
        notes.append("The image's settings do not go together here, so those that are set stay.")
        return msgspec.structs.replace(made, **{name: getattr(present, name) for name in _PARAMETERS})
    return made


def _problems(recipe: Recipe, family_name: str) -> list[Problem]:
    known = any(one.name == family_name for one in FAMILIES)
    return find_problems(recipe) or (find_unsuited(recipe, family_name) if known else [])


def _mend(field: str, made: Recipe, present: Recipe) -> Recipe:
    if field == "schedule":
        return msgspec.structs.replace(made, schedule=choices.AUTOMATIC, sigmas=())
    if field == "earlier_variations":
        return msgspec.structs.replace(made, earlier_variations=())
    if field == "sigmas":
        followed = choices.AUTOMATIC if made.schedule == choices.CUSTOM else made.schedule
        return msgspec.structs.replace(made, schedule=followed, sigmas=())
    return msgspec.structs.replace(made, **{field: getattr(present, field)})


def _tell_of_pictures(facts: ImageFacts, made: Recipe, what: What, notes: list[str]) -> None:
    """A strength without an init image says that there was one."""
    second = facts.hires_scale is not None and facts.hires_strength == facts.strength
    silent = facts.strength is not None and not facts.init_image and not facts.exact and not second
    if silent and what in ("all", "parameters"):
        notes.append(
            f"It was begun from another image, at strength {facts.strength:g}, and does not say which."
        )
