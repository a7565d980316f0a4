"""A variation of a variation: one recipe, its noise turned once for each generation."""

from __future__ import annotations

import msgspec
import pytest
import torch

from sdcore.diffusion.noise import draw, generators, initial_noise, slerp
from sdcore.spec.recipe import MAX_TURNS, Recipe, Turn, acting, find_problems
from tui.parameter_rows import read_rows, write_rows

SHAPE = (4, 8, 8)


def noise(recipe: Recipe) -> torch.Tensor:
    return initial_noise(recipe, generators(recipe, SHAPE), SHAPE)


def of_seed(seed: int) -> torch.Tensor:
    return draw(generators(Recipe(seed=seed), SHAPE), SHAPE)[0]


def test_each_generation_turns_the_noise_of_the_one_before() -> None:
    child = Recipe(seed=5, variation_seed=7, variation_strength=0.3)
    grandchild = msgspec.structs.replace(
        child, earlier_variations=(Turn(7, 0.3),), variation_seed=9, variation_strength=0.1
    )
    assert noise(child)[0].equal(slerp(of_seed(5), of_seed(7), 0.3))
    assert noise(grandchild)[0].equal(slerp(noise(child)[0], of_seed(9), 0.1))


def test_a_batch_shares_the_generations_before() -> None:
    recipe = Recipe(
        seed=5, batch_size=2, earlier_variations=(Turn(7, 0.3),), variation_seed=9, variation_strength=0.1
    )
    both = noise(recipe)
    assert both[1].equal(noise(recipe.for_image(1))[0])
    assert not both[0].equal(both[1])


def test_without_a_last_one_there_are_none_before() -> None:
    turns = (Turn(7, 0.3),)
    assert [one.field for one in find_problems(Recipe(earlier_variations=turns))] == ["earlier_variations"]
    idle = acting(Recipe(earlier_variations=turns))
    assert idle == Recipe()


@pytest.mark.parametrize("turns", [(Turn(-1, 0.3),), (Turn(1, 1.5),), (Turn(1, 0.1),) * (MAX_TURNS + 1)])
def test_turns_that_cannot_be(turns: tuple[Turn, ...]) -> None:
    found = find_problems(Recipe(variation_strength=0.1, earlier_variations=turns))
    assert [one.field for one in found] == ["earlier_variations"]


def test_the_parameters_keep_them_until_nothing_varies() -> None:
    recipe = Recipe(variation_seed=9, variation_strength=0.1, earlier_variations=(Turn(7, 0.3),))
    texts = write_rows(recipe)
    assert read_rows(texts, recipe) == (recipe, {})
    assert read_rows(texts | {"variation": ""}, recipe)[0].earlier_variations == ()


def test_it_survives_a_message_and_a_record() -> None:
    recipe = Recipe(variation_strength=0.1, earlier_variations=(Turn(7, 0.3),))
    assert msgspec.json.decode(msgspec.json.encode(recipe), type=Recipe) == recipe
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(recipe), type=Recipe) == recipe
