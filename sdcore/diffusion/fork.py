"""Leaving a recorded run at one of its steps, and going on by another road."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

import msgspec

from sdcore.diffusion.loop import Step, sample
from sdcore.diffusion.model import Model
from sdcore.diffusion.trace import Trace, empty, kept_as_it_goes, run_out, solver
from sdcore.spec.lineage import Parent, Segment
from sdcore.spec.recipe import Recipe, check

FORKABLE: Final = ("prompt", "negative_prompt", "guidance_scale", "seed", "sampler", "schedule")
"""What of a recipe may change in the middle of a run."""

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
    recipe = check(recipe)
    _check_fork(model, trace, step, recipe)
    kept = tuple(segment for segment in trace.segments if segment.start <= step)
    before = kept[-1].recipe
    segments = kept if before == recipe else (*kept, Segment(start=step + 1, recipe=recipe))
    new = empty(model, segments, Parent(image="", step=step))
    count = step + 1
    there = trace.snapshot(step, model.device)
    after = there.latents * new.handed_over(count)
    new.latents += [*trace.latents[:count], after.cpu()]
    new.uncond += trace.uncond[:count]
    new.text += trace.text[:count]
    new.estimates += trace.estimates[:count]
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
    these `changes` of its recipe, of the fields in FORKABLE. See `start_fork` for what is raised."""
    with_model = model or trace.model
    if with_model is None:
        raise ForkError(
            "This trace was read from disk; say with which model to go on: fork(trace, step, model=…)."
        )
    if unknown := [name for name in changes if name not in FORKABLE]:
        raise ForkError(f"A fork cannot change {', '.join(unknown)}; it can change {', '.join(FORKABLE)}.")
    at = step + len(trace) if step < 0 else step
    new, steps = start_fork(with_model, trace, at, msgspec.structs.replace(trace.recipe, **changes))
    return run_out(new, with_model, steps, watch)


def _check_fork(model: Model, trace: Trace, step: int, recipe: Recipe) -> None:
    if not 0 <= step < len(trace):
        raise ForkError(f"There is no step {step} to fork at; this trace has 0 to {len(trace) - 1}.")
    if step + 1 >= trace.total:
        raise ForkError(f"Step {step} is the last one; fork earlier, where something is left to change.")
    if model.model_hash != trace.model_hash:
        raise ForkError("This trace was made by other weights; open the model that made it.")
    segment, sampler = trace.at(step)
    fixed = [
        name
        for name in Recipe.__struct_fields__
        if name not in FORKABLE and getattr(recipe, name) != getattr(segment.recipe, name)
    ]
    if fixed:
        raise ForkError(f"A fork cannot change {', '.join(fixed)}; it can change {', '.join(FORKABLE)}.")
    if solver(recipe) == solver(segment.recipe):
        return
    other, at = trace.sampler_for(recipe), step + 1
    single = other.evals_per_step == sampler.evals_per_step == 1
    if not single or len(other.timesteps) != trace.total:
        raise ForkError(
            f"{recipe.sampler} cannot take over from {segment.recipe.sampler}: only samplers with one forward pass a "
            "step can, and as many steps."
        )
    level, wanted = sampler.sigmas[at], other.sigmas[at]
    if abs(level - wanted) > _SAME_LEVEL * level:
        raise ForkError(
            f"{recipe.sampler} with the {recipe.schedule} schedule would be at sigma {wanted:.3f} here, where this run "
            f"is at {level:.3f}; fork with a sampler and schedule whose noise levels are the same."
        )
