"""Two recorded runs side by side: where did the prompt begin to matter?"""

from __future__ import annotations

from sdcore.diffusion.scaling import network_input
from sdcore.diffusion.trace import Trace
from sdcore.spec.compare import parameter_differences, word_runs
from sdcore.spec.recipe import Recipe, Turn
from sdcore.spec.views import CompareView, ParameterDifference

Images = tuple[int, int]
"""Which image of the first run's batch and which of the second's, 0-based."""


def compare(first: Trace, second: Trace, images: Images = (0, 0)) -> CompareView:
    """The words, parameters and latents that differ between one image of a run and one of another."""
    one, other = (
        _of_image(trace.recipe, image) for trace, image in zip((first, second), images, strict=True)
    )
    parameters = parameter_differences(one, other)
    if first.model_hash != second.model_hash:
        weights = ParameterDifference(name="model_hash", first=first.model_hash, second=second.model_hash)
        parameters = (*parameters, weights)
    apart = why_apart(first, second, images)
    return CompareView(
        prompt=word_runs(one.prompt, other.prompt),
        negative_prompt=word_runs(one.negative_prompt, other.negative_prompt),
        parameters=parameters,
        divergence=() if apart else divergence(first, second, images),
        apart=apart,
    )


def divergence(first: Trace, second: Trace, images: Images = (0, 0)) -> tuple[float, ...]:
    """How far the latents of two runs are apart before each forward pass that both have recorded, and after the last
    one: the RMS of (second - first) over the RMS of the first's. Runs for which `why_apart` is empty.

    Taken on the network's scale, so that samplers whose latents grow with the noise can be laid beside others.
    """
    places = min(len(first), len(second)) + 1
    return tuple(_distance(first, second, place, images) for place in range(places))


def why_apart(first: Trace, second: Trace, images: Images = (0, 0)) -> str:
    """One sentence on why two runs cannot be laid side by side step by step; empty if they can."""
    one, other = (
        _of_image(trace.segments[0].recipe, image)
        for trace, image in zip((first, second), images, strict=True)
    )
    pairs = {
        "seeds": (_seeds(one), _seeds(other)),
        "sizes": ((one.width, one.height), (other.width, other.height)),
        "steps": (one.steps, other.steps),
        "strengths": (_strengths(one), _strengths(other)),
        "forward passes a step": (first.evals_per_step, second.evals_per_step),
        "model families": (first.family, second.family),
    }
    if different := [name for name, (a, b) in pairs.items() if a != b]:
        return (
            f"The runs have different {' and '.join(different)}: their latents cannot be laid side by side."
        )
    if not len(first) or not len(second):
        return "One of the runs has no recorded step yet."
    for image, count in zip(images, (one.batch_size, other.batch_size), strict=True):
        if image >= count:
            return f"One of the runs has no image {image}."
    return ""


def _of_image(recipe: Recipe, image: int) -> Recipe:
    return recipe.counted_on(image)


def _seeds(recipe: Recipe) -> tuple[float, ...]:
    varies = recipe.variation_strength > 0
    turns = (
        [*recipe.earlier_variations, Turn(recipe.variation_seed, recipe.variation_strength)] if varies else []
    )
    return (recipe.seed, *(number for turn in turns for number in (turn.seed, turn.strength)))


def _strengths(recipe: Recipe) -> tuple[float, ...]:
    """How much noise each pass begins with."""
    first = recipe.strength if recipe.init_image else 1.0
    second = (recipe.hires_scale, recipe.hires_strength, recipe.hires_steps)
    return (first, *second) if recipe.enlarges else (first,)


def _distance(first: Trace, second: Trace, place: int, images: Images) -> float:
    pairs = zip((first, second), images, strict=True)
    here, there = (network_input(trace, place)[image].double() for trace, image in pairs)
    return float((there - here).square().mean().sqrt() / here.square().mean().sqrt())
