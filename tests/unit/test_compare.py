"""Two runs, two recipes, two images: what differs, in words and numbers."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest

from sdcore.diffusion.checksum import Checksum
from sdcore.diffusion.compare import compare, divergence, why_apart
from sdcore.diffusion.fork import fork
from sdcore.diffusion.model import Model
from sdcore.diffusion.trace import Trace
from sdcore.spec.compare import parameter_differences, pixel_difference, word_runs
from sdcore.spec.recipe import Recipe
from sdcore.spec.views import CompareView, ParameterDifference

RECIPE = Recipe(
    prompt="ab fog", width=72, height=96, steps=4, seed=5, guidance_scale=3.0, batch_size=2, sampler="Euler a"
)


@pytest.fixture(scope="module")
def trace(model: Model) -> Trace:
    return Trace.record(model, RECIPE)


def changed(**changes: Any) -> Recipe:
    return msgspec.structs.replace(RECIPE, **changes)


# -- words


@pytest.mark.parametrize(
    ("first", "second", "runs"),
    [
        ("", "", []),
        ("a red house", "a red house", [("kept", "a red house")]),
        (
            "a red house, green field",
            "a blue house, green field, sunset",
            [("kept", "a"), ("removed", " red"), ("added", " blue"), ("kept", " house, green field"),
             ("added", ", sunset")],
        ),
        ("a house", "a house, fog", [("kept", "a house"), ("added", ", fog")]),
        ("a house, fog", "fog", [("removed", "a house,"), ("kept", "fog")]),
        ("", "fog", [("added", "fog")]),
        ("A  House", "a house", [("kept", "a house")]),
        ("x", "y", [("removed", "x"), ("added", "y")]),
    ],
)  # fmt: skip
def test_words(first: str, second: str, runs: list[tuple[str, str]]) -> None:
    assert [(run.kind, run.text) for run in word_runs(first, second)] == runs


@pytest.mark.parametrize("seed", range(20))
def test_runs_make_up_both_texts(seed: int) -> None:
    drawn = np.random.default_rng(seed)
    first, second = (
        " ".join(drawn.choice(["red", "house", ",", "家", "(fog:1.2)"], drawn.integers(1, 12))) for _ in "ab"
    )
    runs = word_runs(first, second)
    assert "".join(run.text for run in runs if run.kind != "removed") == second
    there = "".join(run.text for run in runs if run.kind != "added")
    assert there.split() == first.split() or "".join(there.split()) == "".join(first.split())


def test_the_longest_prompts_of_one_word_are_compared() -> None:
    first, second = "a " * 10_000, "a " * 9_000 + "b " * 1_000
    runs = word_runs(first, second)
    assert "".join(run.text for run in runs if run.kind != "removed") == second.rstrip()
    assert "".join(run.text for run in runs if run.kind != "added") == first.rstrip()


# -- parameters


def test_parameters_that_differ_are_named_with_both_values() -> None:
    other = changed(seed=2**62, guidance_scale=7.5, schedule="custom", sigmas=(3.0, 1.5), prompt="other")
    assert parameter_differences(RECIPE, other) == (
        ParameterDifference(name="guidance_scale", first="3.0", second="7.5"),
        ParameterDifference(name="seed", first="5", second=str(2**62)),
        ParameterDifference(name="schedule", first="automatic", second="custom"),
        ParameterDifference(name="sigmas", first="", second="3.0, 1.5"),
    )


def test_equal_recipes_have_no_difference() -> None:
    assert parameter_differences(RECIPE, changed(negative_prompt="fog")) == ()


# -- latents


@pytest.mark.parametrize("image", [0, 1])
def test_divergence_in_numbers(model: Model, trace: Trace, image: int) -> None:
    other = Trace.record(model, changed(prompt="sea"))
    found = divergence(trace, other, (image, image))
    assert len(found) == 5
    for place, value in enumerate(found):
        here, there = (
            (run[place].latents if place < 4 else run[3].next_latents)[image].flatten().tolist()
            for run in (trace, other)
        )
        apart = math.dist(there, here) / math.hypot(*here)
        assert value == pytest.approx(apart, rel=1e-5, abs=1e-12)
    assert found[0] == 0
    assert 0 < found[1] < found[4]


def test_a_fork_leaves_its_parent_where_it_was_forked(model: Model, trace: Trace) -> None:
    forked = fork(trace, 1, model=model, prompt="sea")
    found = compare(trace, forked)
    assert found.divergence[:3] == (0, 0, 0)
    assert all(value > 0 for value in found.divergence[3:])
    assert found.apart == ""


def test_samplers_of_another_scale_are_laid_side_by_side(model: Model, trace: Trace) -> None:
    """Both begin from the same noise, which one of them multiplies by 14.6: on one scale they start together."""
    other = Trace.record(model, changed(sampler="DDIM"))
    found = divergence(trace, other)
    assert found[0] < 0.01
    scaled = trace[2].latents[0] / math.sqrt(1 + trace[2].sigma ** 2)
    apart = (other[2].latents[0] - scaled).square().sum().sqrt() / scaled.square().sum().sqrt()
    assert found[2] == pytest.approx(float(apart), rel=1e-5)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"seed": 6}, "different seeds"),
        ({"steps": 3}, "different steps"),
        ({"width": 64}, "different sizes"),
        ({"width": 64, "seed": 6}, "different seeds and sizes"),
        ({"sampler": "Heun"}, "different forward passes a step"),
        ({"batch_size": 1}, "no image 1"),
    ],
    ids=str,
)
def test_runs_that_cannot_be_laid_side_by_side_say_why(
    model: Model, trace: Trace, changes: dict[str, Any], reason: str
) -> None:
    other = Trace.record(model, changed(**changes))
    view = compare(trace, other, images=(1, 1))
    assert reason in view.apart
    assert view.divergence == ()
    assert [difference.name for difference in view.parameters] == [
        name for name in Recipe.__struct_fields__ if name in changes
    ]


def test_a_run_without_a_step_says_so(trace: Trace) -> None:
    empty = replace(trace, passes=[], seconds=[])
    assert why_apart(trace, empty) == "One of the runs has no recorded step yet."


def test_a_cancelled_run_is_compared_as_far_as_it_goes(model: Model, trace: Trace) -> None:
    other = Trace.record(model, changed(prompt="sea"))
    whole = divergence(trace, other)
    other.passes = [other.passes[0].until(2)]
    del other.seconds[2:]
    assert divergence(trace, other) == divergence(other, trace)[:1] + whole[1:3]


def test_a_comparison_survives_the_wire_and_names_other_weights(model: Model, trace: Trace) -> None:
    other = Trace.record(model, changed(prompt="ab sea", negative_prompt="fog", guidance_scale=5.0))
    other.checksum = Checksum(known="0123456789")
    view = compare(trace, other)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(view), type=CompareView) == view
    assert [(run.kind, run.text) for run in view.prompt] == [
        ("kept", "ab"),
        ("removed", " fog"),
        ("added", " sea"),
    ]
    assert [(run.kind, run.text) for run in view.negative_prompt] == [("added", "fog")]
    assert [difference.name for difference in view.parameters] == ["guidance_scale", "model_hash"]


# -- pixels


def test_pixels_that_differ() -> None:
    drawn = np.random.default_rng(0)
    first, second = (drawn.integers(0, 256, (5, 7, 3), dtype=np.uint8) for _ in "ab")
    second[0] = first[0]
    view = pixel_difference(first, second)
    expected = [
        [max(abs(int(a) - int(b)) for a, b in zip(first[y, x], second[y, x], strict=True)) for x in range(7)]
        for y in range(5)
    ]
    flat = [value for row in expected for value in row]
    assert view.strongest == max(flat)
    assert view.mean == pytest.approx(sum(flat) / 35)
    assert view.changed == pytest.approx(sum(value > 0 for value in flat) / 35)
    shades = np.frombuffer(view.heat.rgb, np.uint8).reshape(view.heat.height, view.heat.width, 3)
    assert (view.heat.width, view.heat.height) == (7, 5)
    for y in range(5):
        for x in range(7):
            assert abs(shades[y, x].astype(float) - expected[y][x] * 255 / max(flat)).max() <= 0.501


def test_equal_images_are_black_and_the_order_does_not_matter() -> None:
    image = np.full((4, 4, 3), 200, np.uint8)
    same = pixel_difference(image, image)
    assert (same.strongest, same.mean, same.changed, same.heat.rgb) == (0, 0.0, 0.0, bytes(48))
    dark = np.zeros_like(image)
    assert pixel_difference(image, dark) == pixel_difference(dark, image)
    assert pixel_difference(image, dark).strongest == 200


def test_images_of_two_sizes_have_no_difference() -> None:
    with pytest.raises(ValueError, match="7 x 5 pixels and one of 4 x 4"):
        pixel_difference(np.zeros((5, 7, 3), np.uint8), np.zeros((4, 4, 3), np.uint8))
