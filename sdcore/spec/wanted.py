"""The settings that a model wants, and whether those of a recipe are far from them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from sdcore.spec import choices
from sdcore.spec.families import VARIANTS, Variant, family
from sdcore.spec.recipe import MAX_STEPS, Recipe

FAR_STEPS: Final = 2.0
"""A distilled model is asked for something else than it learned with so many times the steps, or a part of them."""
FAR_GUIDANCE: Final = 1.5
FAR_AREA: Final = 2.5
"""An image that is so many times as large as those that a model learned, or as small, comes out doubled or broken."""

_STEPS: Final = re.compile(r"(?<!\d)(\d{1,2})[ _-]?steps?(?![a-z])", re.I)
_VARIANTS: Final = {variant.name: variant for variant in VARIANTS}


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a model wants. `side` is that of its square image in pixels; `variant` names the way it was distilled."""

    family: str
    variant: str
    side: int
    steps: int
    guidance_scale: float
    sampler: str
    schedule: str

    def settings(self, recipe: Recipe) -> dict[str, Any]:
        """The fields of `recipe` that are to change, with their new values; its size stays where that does well."""
        size = {} if _is_near(recipe, self.side) else {"width": self.side, "height": self.side}
        asked: Mapping[str, Any] = {
            **size, "steps": self.steps, "guidance_scale": self.guidance_scale, "sampler": self.sampler,
            "schedule": self.schedule,
        }  # fmt: skip
        return {field: value for field, value in asked.items() if getattr(recipe, field) != value}

    def is_far(self, recipe: Recipe) -> bool:
        """Whether the recipe would come out badly: of another size, with a sampler that cannot sample the family, or
        without what a distilled model needs."""
        sampler = choices.find_sampler(recipe.sampler)
        unsuited = sampler is not None and not choices.schedules_for(sampler, self.family)
        few = not 1 / FAR_STEPS <= recipe.steps / self.steps <= FAR_STEPS
        strong = abs(recipe.guidance_scale - self.guidance_scale) > FAR_GUIDANCE
        return not _is_near(recipe, self.side) or unsuited or (bool(self.variant) and (few or strong))


def wanted_by(family_name: str, variant_name: str = "", side: int = 0, name: str = "") -> Wanted:
    """What a model of a family wants, which may be distilled in one of the ways of `sdcore.spec.families.VARIANTS`.

    `side` is that of its images, 0 for that of its family. `name` is the model's: it may say "4step". Raises
    `KeyError` where there is no such family.
    """
    one = family(family_name)
    variant = _VARIANTS.get(variant_name)
    return Wanted(
        family=family_name,
        variant=variant.name if variant else "",
        side=side or one.native_size,
        steps=_steps(variant, name) if variant else one.steps,
        guidance_scale=variant.guidance_scale if variant else one.guidance_scale,
        # What the variants want is said for models that predict noise.
        sampler=variant.sampler if variant and not one.flow else one.sampler,
        schedule=variant.schedule if variant and not one.flow else choices.AUTOMATIC,
    )


def _steps(variant: Variant, name: str) -> int:
    """Those that the name says, or those that are usual."""
    match = _STEPS.search(name)
    return int(match[1]) if match and 0 < int(match[1]) <= MAX_STEPS else variant.steps


def _is_near(recipe: Recipe, side: int) -> bool:
    return 1 / FAR_AREA < recipe.width * recipe.height / side**2 < FAR_AREA
