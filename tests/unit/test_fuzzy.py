"""Finding prompts by a few of their letters."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tui.fuzzy import Fuzzy

PROMPTS = [
    "a small japanese house, radiant light",
    "a lighthouse at night",
    "Cat, photograph, 85mm",
    "concatenated strings",
]


def found(query: str) -> list[str]:
    return [PROMPTS[index] for index in Fuzzy(PROMPTS).search(query)]


def test_nothing_typed_is_everything_as_it_came() -> None:
    assert found("") == found("   ") == PROMPTS


def test_a_word_at_its_beginning_comes_before_one_inside_another() -> None:
    assert found("cat") == ["Cat, photograph, 85mm", "concatenated strings"]
    assert found("house")[0] == "a small japanese house, radiant light"


def test_every_word_has_to_be_there_in_any_order_and_case() -> None:
    assert found("LIGHT house") == PROMPTS[:2]
    assert found("night light") == ["a lighthouse at night"]
    assert found("night cat") == []


def test_letters_close_by_are_enough_and_far_apart_are_not() -> None:
    assert found("jpns") == ["a small japanese house, radiant light"]
    assert found("phtgrph") == ["Cat, photograph, 85mm"]
    assert found("amt") == []  # somewhere in the first, but words apart


def test_of_equals_the_first_comes_first() -> None:
    assert Fuzzy(["a red cat", "b", "the cat", "cat"]).search("cat") == [0, 2, 3]


def test_the_letters_are_those_that_were_looked_for() -> None:
    fuzzy = Fuzzy(PROMPTS)
    assert "".join(PROMPTS[0][at] for at in fuzzy.letters(0, "hou jpns")) == "jpnshou"
    assert fuzzy.letters(2, "cat") == [0, 1, 2]


@given(st.lists(st.text(max_size=60), max_size=6), st.text(max_size=12))
def test_any_text_and_any_query(texts: list[str], query: str) -> None:
    fuzzy = Fuzzy(texts)
    ranked = fuzzy.search(query)
    assert len(set(ranked)) == len(ranked)
    for index in ranked:
        assert all(0 <= at < len(texts[index]) for at in fuzzy.letters(index, query))


@given(st.text(min_size=1, max_size=60), st.data())
def test_a_part_of_a_text_finds_it(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    assert Fuzzy([text]).search(text[start : start + 5].lower()) == [0] or not text.isascii()
