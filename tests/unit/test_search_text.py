"""What a person types to find images: every field, and whatever else."""

from __future__ import annotations

from datetime import date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdcore.spec import search
from sdcore.spec.search import Named, Query, Range, Size, Starred, Words, parse

TODAY = date(2026, 3, 15)


def epoch(*day: int) -> float:
    return datetime(*day).timestamp()


def created(low: float | None, high: float | None, **more: bool) -> Range:
    return Range("created", low, high, **more)


TERMS = {
    "lighthouse": Words("lighthouse"),
    '"red house"': Words("red house", whole=True),
    '"red ho': Words("red ho"),
    "prompt:storm": Words("storm", within="prompt"),
    "negative:blurry": Words("blurry", within="negative_prompt"),
    "model:dream": Named("model", "dream"),
    'Model:"dream shaper"': Named("model", "dream shaper", whole=True),
    "sampler:euler": Named("sampler", "euler"),
    "writer:A1111": Named("writer", "A1111"),
    "folder:/old": Named("folder", "/old"),
    "tag:sea": Named("tag", "sea"),
    "steps:20": Range("steps", 20, 20),
    "steps:>20": Range("steps", 20, low_open=True),
    "steps:<20": Range("steps", high=20, high_open=True),
    "steps:>=20": Range("steps", 20),
    "steps:<=20": Range("steps", high=20),
    "steps:20..30": Range("steps", 20, 30),
    "steps:..30": Range("steps", None, 30),
    "cfg:7.5": Range("guidance_scale", 7.5, 7.5),
    "guidance:<.5": Range("guidance_scale", high=0.5, high_open=True),
    "seed:18446744073709551615": Range("seed", 2**64 - 1, 2**64 - 1),
    "size:512x768": Size(512, 768),
    "size:512×768": Size(512, 768),
    "width:>=1024": Range("width", 1024),
    "date:2026": created(epoch(2026, 1, 1), epoch(2027, 1, 1), high_open=True),
    "date:2026-12": created(epoch(2026, 12, 1), epoch(2027, 1, 1), high_open=True),
    "date:2026-03": created(epoch(2026, 3, 1), epoch(2026, 4, 1), high_open=True),
    "date:2026-03-09": created(epoch(2026, 3, 9), epoch(2026, 3, 10), high_open=True),
    "date:2026-": created(epoch(2026, 1, 1), epoch(2027, 1, 1), high_open=True),
    "date:today": created(epoch(2026, 3, 15), epoch(2026, 3, 16), high_open=True),
    "date:yesterday": created(epoch(2026, 3, 14), epoch(2026, 3, 15), high_open=True),
    "date:2025-12..2026-01": created(epoch(2025, 12, 1), epoch(2026, 2, 1), high_open=True),
    "date:>2026-03": created(epoch(2026, 4, 1), None),
    "after:2026-03": created(epoch(2026, 4, 1), None),
    "before:2026-03": created(None, epoch(2026, 3, 1), high_open=True),
    "star": Starred(),
    "STAR": Starred(),
    '"star"': Words("star", whole=True),
    "artist:monet": Words("artist:monet"),
    "http://x": Words("http://x"),
    "1girl,": Words("1girl,"),
}


@pytest.mark.parametrize("text", TERMS)
def test_every_term_is_understood(text: str) -> None:
    assert parse(text, today=TODAY) == Query(wanted=(TERMS[text],))


def test_all_fields_are_read() -> None:
    assert {text.partition(":")[0].lower() for text in TERMS if ":" in text} >= set(search.FIELDS) - {
        "height"
    }


def test_a_minus_leaves_out() -> None:
    found = parse('house -storm -"blue sky" -star -model:xl -steps:>20 well-known', today=TODAY)
    assert found.wanted == (Words("house"), Words("well-known"))
    assert found.unwanted == (
        Words("storm", whole=True, within="prompt"),
        Words("blue sky", whole=True, within="prompt"),
        Starred(),
        Named("model", "xl"),
        Range("steps", 20, low_open=True),
    )


@pytest.mark.parametrize("text", ["", "  ", "-", '""', '-""', '"', "\0"])
def test_nothing_asks_for_all(text: str) -> None:
    found = parse(text)
    assert (found.wanted, found.unwanted) == ((), ())


@pytest.mark.parametrize("text", ["steps:", "model:", "date:", "size:", 'tag:""', "-model:"])
def test_a_field_without_a_value_asks_for_nothing_yet(text: str) -> None:
    found = parse(text)
    assert (found.wanted, found.unwanted) == ((), ())
    assert len(found.notes) == 1


@pytest.mark.parametrize(
    "text",
    ["steps:many", "steps:>", "steps:1..x", "size:512", "date:2026-13", "date:2026-02-30", "before:>2026", "cfg:nan",
     "seed:" + "9" * 30, "date:0000", "date:..", "after:2026..2027"],
)  # fmt: skip
def test_what_makes_no_sense_as_a_field_is_words_and_said(text: str) -> None:
    found = parse(text)
    assert found.wanted == (Words(text),)
    assert len(found.notes) == 1
    assert "searched as words" in found.notes[0]


def test_what_has_no_letter_is_said() -> None:
    found = parse("-- house ???")
    assert found.wanted == (Words("house"),)
    assert len(found.notes) == 2


def test_much_is_cut_and_said() -> None:
    assert len(parse("a " * 900).wanted) == search.MAX_TERMS
    assert parse("a" * 5000).wanted == (Words("a" * search.MAX_LENGTH),)
    assert parse("a " * 900).notes
    assert parse("a" * 5000).notes


PIECES = st.sampled_from(
    ["-", '"', ":", " ", "..", ">", "<", "=", "x", "*", "star", "steps:", "date:", "2026", "-03", "size:", "tag:",
     "AND", "NEAR(", ")", "\0", "\ud800", "é", "日本", "9" * 40, "1e999", "%", "'", ";", "\n"]
)  # fmt: skip


@settings(max_examples=300)
@given(st.one_of(st.text(), st.lists(PIECES).map("".join)))
def test_nothing_that_is_typed_raises(text: str) -> None:
    found = parse(text, today=TODAY)
    assert found == parse(text, today=TODAY)
    assert all(note.endswith(".") for note in found.notes)
    hash(found.wanted + found.unwanted)
    for term in found.wanted:
        if isinstance(term, Range):
            assert term.low is not None or term.high is not None
        if isinstance(term, Words):
            assert any(map(str.isalnum, term.text))
