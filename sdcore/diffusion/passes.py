"""The passes of a run: one, or two where the image is enlarged and repainted, each with a size and noise levels of its
own. Their forward passes are numbered through, and a `Course` shows their tables as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import msgspec

from sdcore.diffusion.flow import is_flow
from sdcore.diffusion.samplers import Sampler, make_sampler
from sdcore.diffusion.schedulers import SD1_NOISE
from sdcore.spec import choices
from sdcore.spec.families import FAMILIES
from sdcore.spec.prompt_schedule import in_second_pass
from sdcore.spec.recipe import SIZE_MULTIPLE, Problem, Recipe, RecipeError

_MOST_STRENGTH: Final = 0.999
"""What a second pass of strength 1 takes its steps by, so that it begins where the table does."""


@dataclass(frozen=True)
class Part:
    """One pass: forward passes `first` to `end` (not counted) of the run.

    `recipe` is the run's with this pass's own size, the steps that it runs and its prompts as they stand then;
    `sampler` counts from 0.
    """

    recipe: Recipe
    sampler: Sampler
    first: int

    @property
    def end(self) -> int:
        """The number of the first forward pass after it."""
        return self.first + len(self.sampler.timesteps)


@dataclass(frozen=True)
class Course:
    """Where a recipe goes: its passes, and their tables one after another, as a `Sampler` has them."""

    parts: tuple[Part, ...]

    @property
    def total(self) -> int:
        """Forward passes of the whole run."""
        return self.parts[-1].end

    @cached_property
    def timesteps(self) -> tuple[float, ...]:
        """The timestep of each forward pass."""
        return self._joined(lambda sampler: sampler.timesteps)

    @cached_property
    def alphas(self) -> tuple[float, ...]:
        """The factor of x0 in the latents before each forward pass."""
        return self._joined(lambda sampler: sampler.alphas)

    @cached_property
    def sigmas(self) -> tuple[float, ...]:
        """The noise level of each forward pass, and the one where the run ends: one more than timesteps."""
        return (*self._joined(lambda sampler: sampler.sigmas[:-1]), self.parts[-1].sampler.sigmas[-1])

    @property
    def init_noise_sigma(self) -> float:
        """What the initial noise is multiplied by."""
        return self.parts[0].sampler.init_noise_sigma

    @property
    def evals_per_step(self) -> int:
        """Forward passes a step."""
        return self.parts[0].sampler.evals_per_step

    def part_at(self, index: int) -> Part:
        """The pass that forward `index` belongs to; the last one's for the end of the run."""
        return next((part for part in self.parts if index < part.end), self.parts[-1])

    def begins_at(self, index: int) -> bool:
        """Whether a pass has forward `index` as its first."""
        return any(part.first == index for part in self.parts)

    def _joined(self, of: Callable[[Sampler], list[float]]) -> tuple[float, ...]:
        return tuple(value for part in self.parts for value in of(part.sampler))


def course_for(recipe: Recipe, noise: Mapping[str, Any] = SD1_NOISE, family_name: str = "") -> Course:
    """The course of a recipe that was checked, under the training noise of a model of a family; an unknown family is
    taken for Stable Diffusion. Raises `RecipeError` where the sampler cannot take it."""
    skipped = _skipped(recipe, recipe.strength, noise) if recipe.init_image else 0
    try:
        first = _part(recipe, noise, recipe.steps, skipped, 0)
    except ValueError as error:
        raise RecipeError([Problem("schedule", str(error))]) from error
    if not recipe.enlarges:
        return Course((first,))
    return Course((first, _second(recipe, noise, family_name, first.end)))


def _second(recipe: Recipe, noise: Mapping[str, Any], family_name: str, begins: int) -> Part:
    multiple = next((one.multiple for one in FAMILIES if one.name == family_name), SIZE_MULTIPLE)
    width, height = recipe.final_size(multiple)
    enlarged = msgspec.structs.replace(
        recipe,
        width=width,
        height=height,
        prompt=in_second_pass(recipe.prompt, recipe.steps),
        negative_prompt=in_second_pass(recipe.negative_prompt, recipe.steps),
    )
    if recipe.schedule == choices.CUSTOM:  # as many sigmas as there are, whatever the steps
        steps = recipe.steps
        skipped = min(_skipped(recipe, recipe.hires_strength, noise), steps - 1)
    else:
        # All steps that are asked for are run: the table is made longer (A1111, `setup_img2img_steps`).
        wanted = recipe.hires_steps or recipe.steps
        steps = int(wanted / min(recipe.hires_strength, _MOST_STRENGTH))
        skipped = steps - wanted
    try:
        return _part(enlarged, noise, steps, skipped, begins)
    except ValueError as error:
        message = (
            f"The second pass cannot run {steps - skipped} steps at strength {recipe.hires_strength:g}, the last of "
            f"{steps}; raise its strength or ask for fewer steps."
        )
        raise RecipeError([Problem("hires_strength", message)]) from error


def _part(recipe: Recipe, noise: Mapping[str, Any], steps: int, skipped: int, first: int) -> Part:
    size = recipe.width, recipe.height
    sampler = make_sampler(recipe.sampler, recipe.schedule, steps, recipe.sigmas, noise, size, skipped)
    return Part(msgspec.structs.replace(recipe, steps=steps - skipped), sampler, first)


def _skipped(recipe: Recipe, strength: float, noise: Mapping[str, Any]) -> int:
    """How many steps lie above the noise of a strength, rounded as the pipelines of diffusers do."""
    steps = recipe.steps
    left = steps * strength if is_flow(noise) else int(steps * strength)
    return int(max(steps - left, 0))
