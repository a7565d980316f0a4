"""Leaving a recorded run at one of its steps, and going on by another road."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

import msgspec

from sdcore.diffusion.loop import Step, sample
from sdcore.diffusion.model import Model
from sdcore.diffusion.passes import Course
from sdcore.diffusion.trace import Trace, empty, kept_as_it_goes, run_out, solver
from sdcore.spec.lineage import Parent, Segment
from sdcore.spec.recipe import Recipe
from sdcore.spec.suiting import check_for

FORKABLE: Final = ("prompt", "negative_prompt", "guidance_scale", "seed", "sampler", "schedule")
"""What of a recipe may change in the middle of a run."""

ENLARGING: Final = ("hires_scale", "hires_steps", "hires_strength", "hires_upscaler")
"""What may change as well as long as the second pass has not begun: so a run that had none can be given one."""

_SAME_LEVEL: Final = 0.01
"""The relative difference of two noise levels up to which one sampler may take over from another."""


class ForkError(ValueError):
    """A run cannot be forked so; the message is one sentence that says what to do."""


def start_fork(model: Model, trace: Trace, step: int, recipe: Recipe) -> tuple[Trace, Iterator[Step]]:
    """The run of `trace` after forward `step`, continued under another recipe.

    The new trace begins with the old one's steps; the iterator yields those that follow. With nothing changed they
    are the old ones, bit for bit; where another sampler takes over, it has no history, and `Trace.exact` is false.
    Raises `ForkError` where the run cannot go on so, `TraceError` where it cannot be repeated, `RecipeError`.
    """
    recipe = check_for(recipe, model.family)
    _check_fork(model, trace, step, recipe)
    kept = tuple(segment for segment in trace.segments if segment.start <= step)
    before = kept[-1].recipe
    segments = kept if before == recipe else (*kept, Segment(start=step + 1, recipe=recipe))
    new = empty(model, segments, Parent(image="", step=step))
    count = step + 1
    there = trace.snapshot(step, model.device)
    after = there.latents * new.handed_over(count)
    new.passes += [one.until(count - one.first) for one in trace.passes if one.first < count]
    new.passes[-1].latents[-1] = after.cpu()
    new.seconds += trace.seconds[:count]
    takes_over = solver(before) != solver(recipe)
    resume = replace(
        there,
        latents=after,
        sampler=None if takes_over else there.sampler,
        new_noise=before.seed != recipe.seed,
    )
    return new, kept_as_it_goes(new, sample(model, recipe, resume))


def fork(
    trace: Trace,
    step: int,
    *,
    model: Model | None = None,
    watch: Callable[[Step], None] | None = None,
    **changes: Any,
) -> Trace:
    """The trace of a run that leaves `trace` after forward `step` (negative ones count from the last recorded) with
    these `changes` of its recipe, of the fields in FORKABLE and ENLARGING. See `start_fork` for what is raised."""
    with_model = model or trace.model
    if with_model is None:
        raise ForkError(
            "This trace was read from disk; say with which model to go on: fork(trace, step, model=…)."
        )
    if unknown := [name for name in changes if name not in (*FORKABLE, *ENLARGING)]:
        raise ForkError(f"A fork cannot change {', '.join(unknown)}; it can change {', '.join(FORKABLE)}.")
    at = step + len(trace) if step < 0 else step
    new, steps = start_fork(with_model, trace, at, msgspec.structs.replace(trace.recipe, **changes))
    return run_out(new, with_model, steps, watch)


def _check_fork(model: Model, trace: Trace, step: int, recipe: Recipe) -> None:
    if not 0 <= step < len(trace):
        raise ForkError(f"There is no step {step} to fork at; this trace has 0 to {len(trace) - 1}.")
    if model.model_hash != trace.model_hash:
        raise ForkError("This trace was made by other weights; open the model that made it.")
    segment, course = trace.at(step)
    changed = [
        name for name in Recipe.__struct_fields__ if getattr(recipe, name) != getattr(segment.recipe, name)
    ]
    able = (*FORKABLE, *ENLARGING) if step < course.parts[0].end else FORKABLE
    if fixed := [name for name in changed if name not in able]:
        raise ForkError(f"A fork cannot change {', '.join(fixed)}; it can change {', '.join(able)}.")
    same = solver(recipe) == solver(segment.recipe)
    other = course if same and not set(changed) & set(ENLARGING) else trace.course_for(recipe)
    at = step + 1
    if at >= other.total:
        raise ForkError(f"Step {step} is the last one; fork earlier, where something is left to change.")
    if (
        not same and at < course.part_at(step).end
    ):  # a pass begins from clean latents, whichever sampler made them
        _check_taking_over(segment.recipe, course, recipe, other, at)


def _check_taking_over(before: Recipe, course: Course, recipe: Recipe, other: Course, at: int) -> None:
    """Whether one sampler can go on where another has left, in the middle of a pass."""
    single = other.evals_per_step == course.evals_per_step == 1
    if not single or other.part_at(at).end != course.part_at(at).end:
        raise ForkError(
            f"{recipe.sampler} cannot take over from {before.sampler}: only samplers with one forward pass a step "
            "can, and as many steps."
        )
    level, wanted = course.sigmas[at], other.sigmas[at]
    if abs(level - wanted) > _SAME_LEVEL * level:
        raise ForkError(
            f"{recipe.sampler} with the {recipe.schedule} schedule would be at sigma {wanted:.3f} here, where this run "
            f"is at {level:.3f}; fork with a sampler and schedule whose noise levels are the same."
        )
