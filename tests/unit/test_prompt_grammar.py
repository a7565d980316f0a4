"""The grammar of prompts: the tables that people know, and that nothing raises or changes without a mark."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdcore.spec.prompt import (
    BREAK,
    Branch,
    Extra,
    Part,
    Stage,
    Weighted,
    compose,
    parse,
    schedule,
    take_extras,
    weights,
)
from sdcore.spec.prompt_extras import unread_extras
from sdcore.spec.prompt_schedule import MAX_DEPTH, MAX_WEIGHT, in_second_pass
from sdcore.spec.recipe import MAX_PROMPT

MARKS = r"()[]\:|<>,.-+0123456789 aBREAKNDlora"
anything = st.text() | st.text(alphabet=MARKS) | st.text(alphabet="()[]\\:|1a ")
plain = st.text(alphabet=st.characters(exclude_characters=r"()[]\<>", codec="utf-8")).filter(
    lambda text: "BREAK" not in text and "AND" not in text
)


def pieces(text: str) -> list[tuple[str, float] | str]:
    """The pieces of a text as tuples, a break as its word."""
    return [(p.text, p.weight) if isinstance(p, Weighted) else "BREAK" for p in weights(text)]


def untils(text: str, steps: int = 10) -> list[tuple[int, str]]:
    """A schedule as tuples."""
    return [(until.step, until.text) for until in schedule(text, steps)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("normal text", [("normal text", 1.0)]),
        ("", [("", 1.0)]),
        ("an (important) word", [("an ", 1.0), ("important", 1.1), (" word", 1.0)]),
        ("(unbalanced", [("unbalanced", 1.1)]),
        ("[unbalanced", [("unbalanced", 0.909090909)]),
        (r"\(literal\]", [("(literal]", 1.0)]),
        (r"\[\) \\", [(r"[) " + "\\", 1.0)]),
        ("(unnecessary)(parens)", [("unnecessaryparens", 1.1)]),
        (
            "a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).",
            [
                ("a ", 1.0), ("house", 1.573), (" ", 1.1), ("on", 1.0), (" a ", 1.1), ("hill", 0.55),
                (", sun, ", 1.1), ("sky", 1.4641), (".", 1.1),
            ],
        ),
        ("(a:1.3)", [("a", 1.3)]),
        ("(a: 1.3 )", [("a", 1.3)]),
        ("(a:.5)", [("a", 0.5)]),
        ("(a:2.)", [("a", 2.0)]),
        ("(a:-1)", [("a", -1.0)]),
        ("(a:0)", [("a", 0.0)]),
        ("(a b:c:1.3)", [("a b:c", 1.3)]),
        ("(a:1.2.3)", [("a:1.2.3", 1.1)]),
        ("(a:)", [("a:", 1.1)]),
        ("a:1.3)", [("a:1.3)", 1.0)]),
        ("a) b]", [("a) b]", 1.0)]),
        ("[a:1.3]", [("a:1.3", 0.909090909)]),
        (r"(a\:1.3)", [("a", 1.3)]),
        (r"a\b", [("ab", 1.0)]),
        ("(a [b) c]", [("a ", 1.1), ("b", 1.0), (" c", 0.909090909)]),
        ("([a])", [("a", 1.0)]),
        ("()", [("", 1.0)]),
        ("a BREAK b", [("a", 1.0), "BREAK", ("b", 1.0)]),
        ("BREAK", ["BREAK"]),
        ("a BREAK BREAK b", [("a", 1.0), "BREAK", "BREAK", ("b", 1.0)]),
        ("(a BREAK b)", [("a", 1.1), "BREAK", ("b", 1.1)]),
        ("aBREAK BREAKS break", [("aBREAK BREAKS break", 1.0)]),
    ],
)  # fmt: skip
def test_weights(text: str, expected: list[tuple[str, float] | str]) -> None:
    found = pieces(text)
    assert [p if isinstance(p, str) else (p[0], pytest.approx(p[1])) for p in expected] == found


def test_weights_stay_finite() -> None:
    assert weights("(" * 10_000 + "a") == (Weighted("a", MAX_WEIGHT),)
    assert weights("[" * 10_000 + "a") == (Weighted("a", 0.0),)
    assert weights("(a:-99999999)") == (Weighted("a", -MAX_WEIGHT),)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("test", [(10, "test")]),
        ("a [b:3]", [(3, "a "), (10, "a b")]),
        ("a [b: 3]", [(3, "a "), (10, "a b")]),
        ("a [b:c:1] d", [(1, "a b d"), (10, "a c d")]),
        ("a [b : c : 1] d", [(1, "a b  d"), (10, "a  c  d")]),
        ("a [b:.5] c", [(5, "a  c"), (10, "a b c")]),
        ("a[b:[c:d:2]:1]e", [(1, "abe"), (2, "ace"), (10, "ade")]),
        ("a [[[b]]:2]", [(2, "a "), (10, "a [[b]]")]),
        ("[(a:2):3]", [(3, ""), (10, "(a:2)")]),
        ("a [b::3] c", [(3, "a b c"), (10, "a  c")]),
        ("a [b:c:99]", [(10, "a b")]),
        ("a [b:c:0]", [(10, "a c")]),
        ("a [b:c:-4]", [(10, "a c")]),
        ("a [b:c:1e1]", [(10, "a b")]),
        ("a [b:1.0]", [(10, "a ")]),
        ("a [b:1]", [(1, "a "), (10, "a b")]),
        ("a [unbalanced", [(10, "a [unbalanced")]),
        ("((a][:b:c [d:3]", [(3, "((a][:b:c "), (10, "((a][:b:c d")]),
        ("a [b]", [(10, "a [b]")]),
        ("a [b:c]", [(10, "a [b:c]")]),
        ("a [b:c:d:3]", [(10, "a [b:c:d:3]")]),
        ("a [b|c:3]", [(10, "a [b|c:3]")]),
        ("(a:b:c [d:3])", [(3, "(a:b:c )"), (10, "(a:b:c d)")]),
        ("[(a:b:c):3]", [(10, "[(a:b:c):3]")]),
        ("a | b [c:3]", [(3, "a | b "), (10, "a | b c")]),
        (r"a \[b:3]", [(10, r"a \[b:3]")]),
        (r"[a\:b:3]", [(3, ""), (10, r"a\:b")]),
        ("(a [b:1.2:3])", [(3, "(a b)"), (10, "(a 1.2)")]),
    ],
)
def test_schedules_over_ten_steps(text: str, expected: list[tuple[int, str]]) -> None:
    assert untils(text) == expected


def test_alternation_goes_round_step_by_step() -> None:
    assert untils("[fe|]male", 5) == [(1, "female"), (2, "male"), (3, "female"), (4, "male"), (5, "female")]
    assert untils("[a|b|c]", 5) == [(1, "a"), (2, "b"), (3, "c"), (4, "a"), (5, "b")]
    assert untils("[a|(b:1.1)]", 2) == [(1, "a"), (2, "(b:1.1)")]
    assert untils("[fe|||]male") == [
        (1, "female"), (4, "male"), (5, "female"), (8, "male"), (9, "female"), (10, "male"),
    ]  # fmt: skip
    assert untils("[a|b] [c:2]", 4) == [(1, "a "), (2, "b "), (3, "a c"), (4, "b c")]
    assert untils("[[a|b]:[c|d|e]:2]", 5) == [(1, "a"), (2, "b"), (3, "e"), (4, "c"), (5, "d")]


def test_a_second_pass_counts_on_from_the_first() -> None:
    assert untils(in_second_pass("a [b:.5] c", 10)) == [(10, "a b c")]
    assert untils(in_second_pass("a [b:1.5] c", 10)) == [(5, "a  c"), (10, "a b c")]
    assert untils(in_second_pass("a [b:15] c", 10)) == [(5, "a  c"), (10, "a b c")]
    assert untils(in_second_pass("a [b:c:25] d", 20), 8) == [(5, "a b d"), (8, "a c d")]
    assert untils(in_second_pass("[a|b] [[c::12]:d:1.9] (e:1.2)", 10), 3) == [
        (1, "a c (e:1.2)"), (2, "b c (e:1.2)"), (3, "a d (e:1.2)"),
    ]  # fmt: skip
    assert in_second_pass("(a:1.2), b", 10) == "(a:1.2), b"


def test_brackets_nest_so_deep_and_no_deeper() -> None:
    def nested(depth: int) -> str:
        return "(" * (depth - 1) + "[a:3]" + ")" * (depth - 1)

    assert len(untils(nested(MAX_DEPTH))) == 2
    assert len(untils("[a:3]" + "(" * 100 + "b" + ")" * 100 + "[c:5]")) == 3
    assert untils("[" * 5000 + ":1]" * 5000)[-1][0] == 10


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a cat", [("a cat", 1.0)]),
        ("a cat AND a dog", [("a cat", 1.0), (" a dog", 1.0)]),
        ("a cat :1.2 AND a dog:0.5 AND x : -.5 ", [("a cat", 1.2), (" a dog", 0.5), (" x", -0.5)]),
        ("at 16:9", [("at 16:9", 1.0)]),
        ("a AND b:c", [("a", 1.0), (" b:c", 1.0)]),
        ("[a:b:3] AND (c:1.2)", [("[a:b:3]", 1.0), (" (c:1.2)", 1.0)]),
        ("SAND AND_ and", [("SAND AND_ and", 1.0)]),
        ("AND", [("", 1.0), ("", 1.0)]),
    ],
)
def test_and_composes(text: str, expected: list[tuple[str, float]]) -> None:
    assert compose(text) == tuple(Part(*part) for part in expected)


def test_extras_are_taken_out() -> None:
    prompt = "a <lora:x:0.8>cat<lora:my file.v2>, <lora:y:1:.5> <lora:z:-1.>"
    assert take_extras(prompt) == (
        "a cat,  ",
        (
            Extra("lora", "x", (0.8,)),
            Extra("lora", "my file.v2"),
            Extra("lora", "y", (1.0, 0.5)),
            Extra("lora", "z", (-1.0,)),
        ),
    )


@pytest.mark.parametrize(
    ("tag", "extra"),
    [
        ("<lora:x:te=0.5:unet=1>", Extra("lora", "x", (0.5, 1.0))),
        ("<lora:x:unet=.3>", Extra("lora", "x", (1.0, 0.3))),
        ("<lora:x: te = 0.5 >", Extra("lora", "x", (0.5, 0.5))),
        ("<lora:x:0.8:unet=0.2>", Extra("lora", "x", (0.8, 0.2))),
        ("<lora:x:0.8:0.4:te=0.2>", Extra("lora", "x", (0.2, 0.4))),
        ("<lora:x: 0.8:dyn=16>", Extra("lora", "x", (0.8,), 16)),
        ("<lora:x:te=99999>", Extra("lora", "x", (MAX_WEIGHT, MAX_WEIGHT))),
    ],
)
def test_weights_by_name(tag: str, extra: Extra) -> None:
    assert take_extras(f"a {tag}cat") == ("a cat", (extra,))
    assert list(unread_extras(tag)) == []


@pytest.mark.parametrize(
    ("tag", "reason"),
    [
        ("<lora:x:0,8>", "a weight is written with a point, as 0.8"),
        ("<lora:x:abc>", "its weights are no numbers"),
        ("<lora:x:dyn=0>", "its weights are no numbers"),
        ("<lora:a,b 1,2:x>", "its weights are no numbers"),
        ("<lora:>", "a tag is written <lora:name:0.8>"),
        ("<LoRA:x:1>", "a tag is written <lora:name:0.8>"),
        ("<lyco:x:1>", "a tag is written <lora:name:0.8>"),
        ("<hypernet:x:1>", "sdtui has no hypernetworks"),
        ("<lora:", "it has no > at its end"),
    ],
)
def test_what_was_meant_as_a_tag_says_why_it_is_none(tag: str, reason: str) -> None:
    (found,) = unread_extras(f"a {tag}<lora:y:1>")
    assert (found.start, found.end, found.reason) == (2, 2 + len(tag), reason)


@pytest.mark.parametrize(
    "text", ["<3", "<b>", "<lora:x:{0.5|1}>", "<lora:__any__:1,5>", "<lora:x:${w}>", "<lora>"]
)
def test_what_is_no_tag_or_still_to_be_drawn_is_not_complained_of(text: str) -> None:
    assert list(unread_extras(text)) == []


@pytest.mark.parametrize(
    "text",
    ["<lora:>", "<lora:a:b>", "<lora:a:1:2:3>", "<hypernet:a:1>", "<lora:a", "a < b > c", "<3", "<lora>"],
)
def test_other_angle_brackets_stay(text: str) -> None:
    assert take_extras(text) == (text, ())


def test_a_whole_prompt() -> None:
    prompt = parse("(red:1.2) [house:barn:2]<lora:farm:0.5> AND fog:0.3", 4)
    assert prompt.text == "(red:1.2) [house:barn:2] AND fog:0.3"
    assert prompt.extras == (Extra("lora", "farm", (0.5,)),)
    assert prompt.branches == (
        Branch(
            1.0,
            (
                Stage(2, (Weighted("red", 1.2), Weighted(" house"))),
                Stage(4, (Weighted("red", 1.2), Weighted(" barn"))),
            ),
        ),
        Branch(0.3, (Stage(4, (Weighted(" fog"),)),)),
    )


def test_and_is_a_word_in_a_negative_prompt() -> None:
    assert parse("a AND b:0.5", 3, composed=False).branches == (
        Branch(1.0, (Stage(3, (Weighted("a AND b:0.5"),)),)),
    )


@given(plain, st.integers(1, 1000))
def test_what_has_no_syntax_is_unchanged(text: str, steps: int) -> None:
    prompt = parse(text, steps)
    assert prompt.text == text
    assert prompt.extras == ()
    assert prompt.branches == (Branch(1.0, (Stage(steps, (Weighted(text),)),)),)


@given(anything, st.integers(1, 30), st.booleans())
def test_nothing_raises_and_everything_is_whole(text: str, steps: int, second: bool) -> None:
    prompt = parse(in_second_pass(text, steps) if second else text, steps)
    assert prompt.branches
    for branch in prompt.branches:
        ends = [stage.step for stage in branch.stages]
        assert ends == sorted(set(ends))
        assert ends[0] >= 1
        assert ends[-1] == steps
        for stage in branch.stages:
            assert stage.pieces
            found = [piece.weight for piece in stage.pieces if piece is not BREAK]
            assert all(math.isfinite(weight) and abs(weight) <= MAX_WEIGHT for weight in found)


@given(anything.filter(lambda text: "BREAK" not in text))
def test_escaped_marks_are_read_as_they_are(text: str) -> None:
    escaped = "".join("\\" + letter if letter in "()[]\\" else letter for letter in text)
    assert weights(escaped) == (Weighted(text),)


@pytest.mark.parametrize(
    "unit",
    [
        "(",
        ")",
        "[",
        "]",
        "(a)",
        "[a|b]",
        "[a:b:3]",
        "(a:1.2)",
        "\\",
        " ",
        ": ",
        "BREAK ",
        "a AND ",
        "<lora:a>",
        "<",
    ],
)
def test_the_longest_prompts_are_read(unit: str) -> None:
    text = (unit * MAX_PROMPT)[:MAX_PROMPT]
    assert parse(text, 30).branches
    half = MAX_PROMPT // 2
    assert parse(unit * (half // len(unit)) + "BREAK" + " " * half + "BREAK", 30).branches
