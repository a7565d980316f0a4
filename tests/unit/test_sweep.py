"""Axes, their values, and the grid of recipes that they make."""

from __future__ import annotations

import contextlib
import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdcore.spec.recipe import Recipe, find_problems
from sdcore.spec.sweep import values
from sdcore.spec.sweep.axes import AXES, BY_NAME, Axis, Context
from sdcore.spec.sweep.expand import MAX_CELLS, Line, Plan, Sweep, SweepError, expand, in_order
from sdcore.spec.sweep.prompts import matrix_parts
from sdcore.spec.sweep.typed import Template
from sdcore.spec.sweep.values import ValuesError

HOUSE = Recipe(prompt="a red house, a tree", seed=7)


def context(recipe: Recipe = HOUSE, **fields: object) -> Context:
    seeds = itertools.count(100)
    return Context(recipe=recipe, new_seed=lambda: next(seeds), models={"tiny": "SD1"} | fields)  # type: ignore[arg-type]


def sweep(
    *lines: tuple[str, str], recipe: Recipe = HOUSE, matrix: bool = False, seeds: str = "same"
) -> Sweep:
    x, y, z = (*(Line(*line) for line in lines), *[Line()] * (3 - len(lines)))
    return expand(Plan(lines=(x, y, z), matrix=matrix, seeds=seeds), context(recipe))  # type: ignore[arg-type]


def refused(*lines: tuple[str, str], **options: object) -> SweepError:
    with pytest.raises(SweepError) as fault:
        sweep(*lines, **options)  # type: ignore[arg-type]
    assert str(fault.value).endswith(".")
    return fault.value


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("1, 2,3", [1, 2, 3]),
        ("1-5", [1, 2, 3, 4, 5]),
        ("5-1", [5, 4, 3, 2, 1]),
        ("1-10 (+3)", [1, 4, 7, 10]),
        ("10-1(-3)", [10, 7, 4, 1]),
        ("1-10 [5]", [1, 3, 5, 7, 10]),
        ("-3--1", [-3, -2, -1]),
        ("4-4, 9 [1]", None),
        ("7-7 [1], 2", [7, 2]),
        ("", []),
        (" , ,", []),
        ("1.5", None),
        ("x", None),
        ("1-5 (-1)", None),
        ("1-5 (+0)", None),
        ("1-99999999", None),
    ],
)
def test_whole_numbers(text: str, numbers: list[int] | None) -> None:
    if numbers is None:
        with pytest.raises(ValuesError):
            values.wholes(text)
    else:
        assert values.wholes(text) == numbers


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("0.1-0.5 (+0.1)", [0.1, 0.2, 0.3, 0.4, 0.5]),
        ("1-2 [3]", [1, 1.5, 2]),
        ("1.5-3", [1.5, 2.5]),
        ("3-9 [4], 20", [3, 5, 7, 9, 20]),
    ],
)
def test_numbers(text: str, numbers: list[float]) -> None:
    assert values.reals(text) == numbers


def test_quotes_keep_a_comma() -> None:
    assert values.split('"a, b", c, "d"') == ["a, b", "c", "d"]


@given(st.text('0123456789-+()[]., "x?', max_size=40))
def test_reading_values_never_raises_anything_else(text: str) -> None:
    for read in (values.split, values.wholes, values.reals):
        with contextlib.suppress(ValuesError):
            assert len(read(text)) <= max(len(text), values.MAX_VALUES)


@settings(max_examples=200)
@given(st.sampled_from(AXES), st.text(max_size=30) | st.text('0123456789-+()[]., "x?', max_size=20))
def test_every_axis_makes_recipes_or_one_sentence(axis: Axis, text: str) -> None:
    said = ""
    try:
        found = sweep((axis.name, text), recipe=Recipe(prompt="{a|b} __c__"))
    except SweepError as fault:
        said = str(fault)
    if said:
        assert said.endswith((".", "?"))
        assert "\n" not in said
    else:
        assert len(found.cells) == math.prod(map(len, found.labels)) <= MAX_CELLS
        assert not any(find_problems(cell.recipe) for cell in found.able)


def test_every_field_of_a_recipe_has_an_axis() -> None:
    walked = {"earlier_variations"}  # a chain that comes from going on from one variation to the next
    assert {field for axis in AXES for field in axis.fields} == set(Recipe.__struct_fields__) - walked
    assert len(BY_NAME) == len(AXES)


@given(st.integers(1, 8), st.integers(1, 8), st.integers(1, 4))
def test_counts_are_products_in_the_order_of_reading(columns: int, rows: int, pages: int) -> None:
    found = sweep(("steps", f"1-{columns}"), ("seed", f"1-{rows}"), ("guidance", f"1-{pages}"))
    assert [len(labels) for labels in found.labels] == [columns, rows, pages]
    places = [(cell.x, cell.y, cell.z) for cell in found.cells]
    assert places == sorted(places, key=lambda place: place[::-1])
    for cell in found.cells:
        recipe = cell.recipe
        assert (recipe.steps, recipe.seed, recipe.guidance_scale) == (cell.x + 1, cell.y + 1, cell.z + 1)


def test_search_and_replace() -> None:
    found = sweep(("prompt S/R", 'red, blue, "blue, old"'))
    assert [cell.recipe.prompt for cell in found.cells] == [
        "a red house, a tree", "a blue house, a tree", "a blue, old house, a tree"
    ]  # fmt: skip
    both = sweep(("prompt S/R", "red, blue"), ("prompt S/R", "tree, sun"))
    assert both.cells[-1].recipe.prompt == "a blue house, a sun"
    assert both.label(both.cells[-1]) == "blue · sun"
    after = sweep(("prompt S/R", "red, blue"), ("prompt", "a red car, a red boat"))
    assert after.cells[-1].recipe.prompt == "a blue boat"


def test_what_changes_nothing_is_said() -> None:
    (note,) = sweep(("prompt S/R", "green, blue")).notes
    assert note.startswith("Prompt S/R changes nothing")
    (note,) = sweep(("strength", "0.2, 0.4"), ("steps", "5, 6")).notes
    assert note.startswith("Strength changes nothing")
    assert sweep(("seed", "1, 2")).notes == ()
    (note,) = sweep(("mask blur", "0, 4"), seeds="each").notes
    assert note.startswith("Mask blur changes nothing")


def test_orders() -> None:
    found = sweep(("prompt order", "house, tree"))
    assert [cell.recipe.prompt for cell in found.cells] == ["a red house, a tree", "a red tree, a house"]


def test_seeds() -> None:
    found = sweep(("seed", "5, -1, 2 random, 8-9"))
    assert [cell.recipe.seed for cell in found.cells] == [5, 100, 101, 102, 8, 9]
    each = sweep(("steps", "5, 6"), ("guidance", "1, 2"), seeds="each", recipe=Recipe(seed=7, batch_size=3))
    assert [cell.recipe.seed for cell in each.cells] == [7, 10, 13, 16]


def test_a_matrix_is_every_choice_of_its_parts() -> None:
    recipe = Recipe(prompt="a house | at night | {in rain|in snow} | [x|y]")
    found = sweep(recipe=recipe, matrix=True)
    assert found.names == ("matrix", "matrix", "")
    assert [len(labels) for labels in found.labels] == [4, 2, 1]
    assert found.cells[0].recipe.prompt == "a house"
    assert found.cells[5].recipe.prompt == "a house, at night, [x|y]"
    with_steps = sweep(("steps", "5, 6"), recipe=recipe, matrix=True)
    assert with_steps.names == ("steps", "matrix", "matrix")
    alone = sweep(("steps", "5"), ("seed", "1"), recipe=recipe, matrix=True)
    assert len(alone.labels[2]) == 8
    assert matrix_parts("a (b|c) | d") == ["a (b|c)", "d"]


def test_a_matrix_needs_bars_and_room() -> None:
    assert "bars" in str(refused(matrix=True))
    many = Recipe(prompt="|".join("abcdefghijklm"))
    assert "at most" in str(refused(matrix=True, recipe=many))
    full = [("steps", "5"), ("seed", "1"), ("guidance", "2")]
    assert "free" in str(refused(*full, matrix=True, recipe=Recipe(prompt="a|b")))


def test_choices_are_drawn_by_the_seed_of_each_image() -> None:
    recipe = Recipe(prompt="a {red|blue|green|white} house")
    found = sweep(("seed", "1-12"), recipe=recipe)
    assert len({cell.recipe.prompt for cell in found.cells}) > 1
    assert {cell.template for cell in found.cells} == {Template(prompt=recipe.prompt)}
    same = sweep(("steps", "1-12"), recipe=recipe)
    assert len({cell.recipe.prompt for cell in same.cells}) == 1
    every = sweep(("combinations", ""), recipe=recipe)
    assert [cell.recipe.prompt.split()[1] for cell in every.cells] == ["red", "blue", "green", "white"]
    assert {cell.template for cell in every.cells} == {Template(prompt=recipe.prompt)}


def test_combinations_of_a_prompt_without_choices_are_told() -> None:
    assert sweep(("combinations", "")).notes[0].startswith("The prompt holds no choices")


def test_names_are_found_in_any_case() -> None:
    found = sweep(("sampler", "euler A, lms, k_euler"))
    assert found.labels[0] == ("Euler a", "LMS", "Euler")
    assert refused(("sampler", "LMS, nonsense")).axis == 0
    assert refused(("model", "tiny, absent")).axis == 0
    assert sweep(("model", "tiny, someone/model, /a/b.safetensors")).labels[0] == (
        "tiny",
        "someone/model",
        "b",
    )


def test_sizes_and_sigmas() -> None:
    sizes = sweep(("size", "64x128, 96")).cells
    assert [(cell.recipe.width, cell.recipe.height) for cell in sizes] == [(64, 128), (96, 96)]
    cell = sweep(("sigmas", '"10 5 1", "9 2"'), recipe=Recipe(sampler="Euler")).cells[1]
    assert (cell.recipe.sigmas, cell.recipe.steps, cell.recipe.schedule) == ((9.0, 2.0), 2, "custom")


def test_cells_that_cannot_be_made_are_told_and_left_out() -> None:
    found = sweep(("sampler", "LMS, Euler a"), ("schedule", "Karras, automatic"))
    assert [cell.problem != "" for cell in found.cells] == [False, True, False, False]
    assert len(found.able) == 3
    assert found.notes[0].startswith("1 of 4 cannot be made: Euler a cannot follow the Karras schedule")


@pytest.mark.parametrize(
    ("lines", "axis", "said"),
    [
        ([("steps", "0, 1")], 0, "Steps must be 1 to 1000, not 0."),
        ([("steps", "x")], 0, "Steps: 'x' is not a whole number"),
        ([("seed", "1"), ("steps", "")], 1, "Steps: type its values"),
        ([("steps", "5"), ("steps", "6")], 1, "x and y both set the steps"),
        ([("size", "64"), ("width", "64")], 1, "x and y both set the width"),
        ([("steps", "1-100"), ("seed", "1-100")], None, "These are 10,000 images"),
        ([("nonsense", "1")], 0, "There is nothing called"),
        ([], None, "Choose what to go along"),
        ([("prompt order", "a,b,c,d,e,f,g")], 0, "Prompt order: 7 words have too many orders"),
        ([("guidance", "1e400")], 0, "Guidance: '1e400' is not a number"),
    ],
)
def test_what_is_wrong_is_said_where_it_is(lines: list[tuple[str, str]], axis: int | None, said: str) -> None:
    fault = refused(*lines)
    assert str(fault).startswith(said)
    assert fault.axis == axis


def test_all_images_of_a_model_come_before_the_next() -> None:
    found = sweep(("model", "tiny, a/b"), ("steps", "5, 6, 7"))
    assert [cell.recipe.model for cell in in_order(found)] == ["tiny"] * 3 + ["a/b"] * 3


def test_a_wildcard_without_a_file_is_named() -> None:
    (note,) = sweep(("steps", "5, 6"), recipe=Recipe(prompt="__absent__")).notes
    assert "__absent__" in note
