"""What goes on with a word that is being written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.completion import MOST, Vocabulary, begun


def vocabulary() -> Vocabulary:
    made = Vocabulary()
    made.loras = ("detail-tweaker", "Watercolour", "old [paint]")
    made.embeddings = ("easynegative", "bad-hands-5")
    made.wildcards = ("animals", "animals/birds", "colours")
    made.learn(
        ["a lighthouse at night", "lightning, light rain", "light", "night <lora:nightly:1> __nights__"]
    )
    made.know(["lightweight", "night", "zebra"])
    return made


def names(before: str, after: str = "", **options: bool) -> list[str]:
    return [one.name for one in vocabulary().suggest(before, after, **options)]


def texts(before: str, after: str = "") -> list[str]:
    return [one.text for one in vocabulary().suggest(before, after)]


@pytest.mark.parametrize(
    ("before", "after", "kind", "typed"),
    [
        ("a <lora:", "", "LoRA", ""),
        ("a <lora:det", ":0.8> b", "LoRA", "det"),
        ("<LoRA:det", "", "LoRA", "det"),
        ("a __", "", "wildcard", ""),
        ("(__animals/bi", "", "wildcard", "animals/bi"),
        ("a re", "", "word", "re"),
        ("(light-blu", ":1.2)", "word", "light-blu"),
        ("日本", "", "word", "日本"),
    ],
)
def test_what_was_begun(before: str, after: str, kind: str, typed: str) -> None:
    now = begun(before, after)
    assert now is not None
    assert (now.kind, now.typed) == (kind, typed)
    assert before[-now.length :].endswith(typed)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ""),
        ("a ", ""),
        ("wo", "rd"),
        ("__animals__", ""),
        ("a_", "b"),
        ("<lora:a:", ""),
        ("12", ""),
        ("1girl", ""),
    ],
)
def test_nothing_was_begun(before: str, after: str) -> None:
    assert begun(before, after) is None


def test_words_used_often_come_first_and_known_ones_last() -> None:
    assert names("a lig") == ["light", "lighthouse", "lightning", "lightweight"]
    assert names("l") == []
    assert names("l", asked=True)[0] == "light"


def test_a_word_that_is_one_already_brings_no_list_by_itself() -> None:
    assert names("a light") == []
    assert names("a light", asked=True) == ["lighthouse", "lightning", "lightweight"]
    assert names("a lighth") == ["lighthouse"]


def test_a_word_that_is_whole_is_not_suggested_and_its_capital_stays() -> None:
    assert "light" not in names("light")
    assert texts("Nig") == ["Night"]
    assert texts("NIGHT") == []


def test_names_in_extras_are_no_words() -> None:
    assert names("nightl") == names("nights") == []


def test_embeddings_by_any_part_of_their_name() -> None:
    assert names("hands") == ["bad-hands-5"]
    assert names("eas") == ["easynegative"]


def test_loras_and_wildcards_are_written_whole() -> None:
    assert names("<lora:") == ["detail-tweaker", "Watercolour", "old [paint]"]
    assert texts("a <lora:col") == ["<lora:Watercolour:1>"]
    assert texts("a <lora:col", ":0.5>") == ["<lora:Watercolour"]
    assert texts("__ani") == ["__animals__", "__animals/birds__"]
    assert texts("__colo", "__ sky") == ["__colours"]
    assert texts("__bir") == ["__animals/birds__"]


def test_no_more_than_fit_a_small_list() -> None:
    made = vocabulary()
    made.know(f"word{letter}" for letter in "abcdefghijk")
    assert len(made.suggest("wo", "")) == MOST


@given(st.text(max_size=300), st.text(max_size=20))
def test_whatever_is_written(before: str, after: str) -> None:
    made = vocabulary()
    made.learn([before])
    now = begun(before, after)
    for one in made.suggest(before, after, asked=True):
        assert now is not None
        assert one.text
