"""Choices and wildcards in prompts: the grammar, a draw by the seed, and all combinations."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdcore.spec.recipe import MAX_PROMPT, Recipe
from sdcore.spec.sweep.drawing import DrawingError, draw, every
from sdcore.spec.sweep.template import MAX_DEPTH, Text, parse
from sdcore.spec.sweep.typed import Template

FILES = {
    "animals/pets": ["cat", "2::dog", "{red|blue} fish"],
    "loop": ["__loop__"],
    "twice": ["__animals/pets__"],
}


def words(name: str) -> Sequence[str]:
    return FILES.get(name, ())


def drawn(prompt: str, seed: int = 3) -> str:
    return draw(Recipe(prompt=prompt, seed=seed), words).recipe.prompt


@pytest.mark.parametrize(
    ("template", "prompts"),
    [
        ("{a|b}", ["a", "b"]),
        ("a {red|blue} house", ["a red house", "a blue house"]),
        ("{a|{b|c}}", ["a", "b", "c"]),
        ("{2$$a|b|c}", ["a, b", "a, c", "b, c"]),
        ("{1-2$$ and $$a|b}", ["a", "b", "a and b"]),
        ("{2$${a|b}|c}", ["a, c", "b, c"]),
        ("{3::a|b}", ["a", "b"]),
        ("__animals/pets__", ["cat", "dog", "red fish", "blue fish"]),
        (
            "{2$$__animals/pets__}",
            ["cat, dog", "cat, red fish", "cat, blue fish", "dog, red fish", "dog, blue fish"],
        ),
        ("${x=!{a|b}}${x} ${x}", ["a a", "b b"]),
        ("${x={a|b}}${x} ${x}", ["a a", "a b", "b a", "b b"]),
        ("house{| by the sea}", ["house", "house by the sea"]),
        ("[a|{b|c}]", ["[a|b]", "[a|c]"]),
        ("{a [b|c]|d}", ["a [b|c]", "d"]),
        ("{(a:1.2)|<lora:x:0.5>}", ["(a:1.2)", "<lora:x:0.5>"]),
        (r"\{a|b\} {c|d}", ["{a|b} c", "{a|b} d"]),
    ],
)
def test_what_a_template_means(template: str, prompts: list[str]) -> None:
    assert every(template, words, most=100) == prompts
    assert {drawn(template, seed) for seed in range(200)} >= set(prompts)


@pytest.mark.parametrize(
    "prompt",
    ["a cat", "[a|b] x", "[a:b:0.4]", "(x:1.2), <lora:foo:0.8>", "{a", "a}", "{}", "{a}", "costs $5, 100% off # x",
     "a | b", "{a|b", "a__b", "__missing__", "${x}", "${x=}{", "a AND b:0.6", "\n", ":( | :)"],
)  # fmt: skip
def test_what_is_no_choice_stays_as_it_is(prompt: str) -> None:
    if prompt.startswith("${x="):
        prompt = prompt.removeprefix("${x=}")
    found = draw(Recipe(prompt=prompt), words)
    assert found.recipe.prompt == prompt
    assert found.template is None


def test_a_draw_is_that_of_its_seed() -> None:
    template = "{a|b|c|d} {e|f|g|h} __animals/pets__"
    assert drawn(template, 7) == drawn(template, 7)
    assert len({drawn(template, seed) for seed in range(50)}) > 10
    assert drawn("{a|b|c|d}", 1632) == "d"  # a repeated image depends on it: this must never change
    assert drawn("{3$$a|b|c|d}", 1632) == "d, a, c"


def test_weights_are_kept_to() -> None:
    found = [drawn("{9::a|b}", seed) for seed in range(400)]
    assert 320 < found.count("a") < 395
    assert {drawn("{0::a|b}", seed) for seed in range(50)} == {"b"}
    assert {drawn("{0::a|0::b}", seed) for seed in range(50)} == {"a", "b"}


def test_the_negative_prompt_is_drawn_apart() -> None:
    recipe = Recipe(prompt="${c=!{red|blue}}a ${c} house", negative_prompt="${c}, {x|y|z}", seed=5)
    found = draw(recipe, words)
    colour = found.recipe.prompt.split()[1]
    assert found.recipe.negative_prompt.startswith(f"{colour}, ")
    assert found.template == Template(prompt=recipe.prompt, negative_prompt=recipe.negative_prompt)
    longer = draw(Recipe(prompt="{q|r} {s|t}", negative_prompt="{x|y|z}", seed=5), words)
    assert (
        longer.recipe.negative_prompt
        == draw(Recipe(negative_prompt="{x|y|z}", seed=5)).recipe.negative_prompt
    )


def test_what_was_drawn_and_what_is_missing_is_told() -> None:
    found = draw(Recipe(prompt="{a|a} __missing__ {__other__|__other__} __twice__", seed=1), words)
    assert found.choices[0] == "a"
    assert len(found.choices) == 3
    assert found.unknown == ("missing", "other")


@pytest.mark.parametrize(
    "hostile",
    ["__loop__", "${x=${x}}${x}", "${a=x${b}}${b=${a}${a}}${a}", "{a|b}" * 5000,
     "${a=!" + "x" * 900 + "}" + "${a}" * 60],
)  # fmt: skip
def test_what_never_ends_is_refused_in_a_sentence(hostile: str) -> None:
    with pytest.raises(DrawingError) as fault:
        every(hostile, words, most=1000)
    assert str(fault.value).endswith(".")


@pytest.mark.parametrize(
    "hostile", ["{", "{a|", "[", "{[|", "${", "__a", "\\{", "{2$$", "}", "{a::", "|", "${a="]
)
def test_the_longest_text_of_marks_is_read(hostile: str) -> None:
    # in no time: read in quadratic time it would take minutes
    text = hostile * ((MAX_PROMPT - 50) // len(hostile)) + "}" * 50
    assert parse(text)


@given(st.text("{}[]|$_\\ab:1-2 =!", max_size=60))
def test_nothing_raises_and_what_is_drawn_is_among_all(template: str) -> None:
    try:
        found = every(template, words, most=5000)
    except DrawingError:
        return
    prompt = drawn(template)
    assert prompt in found
    assert len(prompt) <= MAX_PROMPT


@given(st.text(max_size=40))
def test_text_without_marks_is_itself(text: str) -> None:
    if not any(mark in text for mark in "{}_$\\"):
        assert "".join(node.text for node in parse(text) if isinstance(node, Text)) == text


def test_deep_brackets_are_text() -> None:
    deep = "{" * (MAX_DEPTH + 5) + "a|b" + "}" * (MAX_DEPTH + 5)
    assert len(every(deep, words, most=10)) <= 2
