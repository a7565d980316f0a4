"""What an editor shows of a prompt's grammar, and weights changed in place."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdcore.spec.prompt import BREAK, weights
from sdcore.spec.prompt_marks import change_weight, spans
from sdcore.spec.recipe import MAX_PROMPT

MARKS = r"()[]\:|<>,.-+0123456789 aBREAKNDlora"
anything = st.text() | st.text(alphabet=MARKS) | st.text(alphabet="()[]\\:|1a ")


def marked(text: str, *kinds: str) -> list[tuple[str, str, float]]:
    """(text, kind, weight) of the spans of these kinds, from left to right."""
    found = sorted((span for span in spans(text) if span.kind in kinds), key=lambda span: span.start)
    return [(text[span.start : span.end], span.kind, span.weight) for span in found]


def test_words_are_marked_by_their_weight_with_their_brackets() -> None:
    assert marked("a (((house:1.3)) [on] [x]", "weight") == [
        ("(", "weight", 1.1), ("(", "weight", 1.21), ("(house:1.3)", "weight", 1.573), (")", "weight", 1.21),
        (" ", "weight", 1.1), (" ", "weight", 1.1),
    ]  # fmt: skip
    assert marked("(a)(b:1.1) [c]", "weight") == [
        ("(a)(b:1.1)", "weight", 1.1),
        ("[c]", "weight", 0.909090909),
    ]
    assert marked("a plain prompt, and more", "weight", "open") == []


@pytest.mark.parametrize(
    ("text", "kinds", "expected"),
    [
        ("[a:(b:1.2):3] c", ("schedule",), ["[", ":", ":3]"]),
        ("[a:[b::2]: .5]", ("schedule",), ["[", ":", "[", ":", ":2]", ": .5]"]),
        ("[a|(b)|c]", ("alternation",), ["[", "|", "|", "]"]),
        ("a AND b :0.5 AND c", ("and",), ["AND", ":0.5", "AND"]),
        ("at 16:9", ("and",), []),
        ("a BREAK b", ("break",), ["BREAK"]),
        (r"\( \] \\ \a", ("escape",), [r"\(", r"\]", r"\\", "\\"]),
        ("a <lora:x:0.8>, <other:1>", ("extra",), ["<lora:x:0.8>"]),
        ("<lora:x:0,8> <lora:y", ("extra", "unread"), ["<lora:x:0,8>", "<"]),
        ("(a [b", ("open",), ["(", "["]),
        ("(a AND b)", ("open", "stray"), ["(", ")"]),
        ("a) b:1.2) ]", ("stray",), [")", ":1.2)", "]"]),
        ("[a:b", ("open", "schedule"), ["["]),
    ],
)  # fmt: skip
def test_marks(text: str, kinds: tuple[str, ...], expected: list[str]) -> None:
    found = [piece for piece, _, _ in marked(text, *kinds)]
    assert found == expected


@given(anything)
def test_spans_lie_in_the_text_and_weights_do_not_overlap(text: str) -> None:
    found = spans(text)
    assert all(0 <= span.start < span.end <= len(text) for span in found)
    weighted = [span for span in found if span.kind == "weight"]
    assert [span.start for span in weighted] == sorted(span.start for span in weighted)
    assert all(one.end <= other.start for one, other in pairwise(weighted))


@given(st.text(alphabet="()[]\\a 1.:").filter(lambda text: "[" not in text))
def test_what_is_shown_is_what_is_read(text: str) -> None:
    """The letters of a text under each weight are those that the prompt is read with."""
    shown = dict.fromkeys(range(len(text)), 1.0)
    for span in spans(text):
        if span.kind == "weight":
            shown |= dict.fromkeys(range(span.start, span.end), span.weight)
    letters = [(text[at], shown[at]) for at in shown if text[at] == "a"]
    pieces = [piece for piece in weights(text) if piece is not BREAK]
    assert letters == [(letter, piece.weight) for piece in pieces for letter in piece.text if letter == "a"]  # type: ignore[union-attr]


@pytest.mark.parametrize("unit", ["(", "(a)", "[a|b]", "\\", "a AND ", "<lora:a>", "(a:1.2), "])
def test_the_longest_prompts_are_marked(unit: str) -> None:
    text = (unit * MAX_PROMPT)[:MAX_PROMPT]
    assert spans(text)
    assert change_weight(text, 3, 4, 0.1) is not None


def edited(text: str, delta: float) -> str:
    """`text` with a weight changed; `|` is the cursor, or two of them the selection, in both."""
    start, _, rest = text.partition("|")
    selected, bar, end = rest.partition("|")
    plain = start + selected + end
    places = (len(start), len(start + selected) if bar else len(start))
    if not bar:
        plain = start + rest
    edit = change_weight(plain, *places, delta)
    if edit is None:
        return text
    new = plain[: edit.start] + edit.new + plain[edit.end :]
    first, last = edit.selection
    return new[:first] + "|" + (new[first:last] + "|" if last > first else "") + new[last:]


@pytest.mark.parametrize(
    ("text", "up", "down"),
    [
        ("a cat| sat", "a (cat|:1.1) sat", "a (cat|:0.9) sat"),
        ("a c|at sat", "a (c|at:1.1) sat", "a (c|at:0.9) sat"),
        ("a (cat|:1.1) sat", "a (cat|:1.2) sat", "a cat| sat"),
        ("a (c|at) sat", "a (c|at:1.2) sat", "a c|at sat"),
        ("a [c|at] sat", "a c|at sat", "a (c|at:0.8) sat"),
        ("a (cat|:0.9) sat", "a cat| sat", "a (cat|:0.8) sat"),
        ("(cat|:1.9)", "(cat|:2.0)", "(cat|:1.8)"),
        ("(cat:1|.1)", "(cat|:1.2)", "cat|"),
        ("a |red cat| sat", "a (|red cat|:1.1) sat", "a (|red cat|:0.9) sat"),
        ("a | red cat | sat", "a  (|red cat|:1.1)  sat", "a  (|red cat|:0.9)  sat"),
        ("a (|red cat|:1.1) sat", "a (|red cat|:1.2) sat", "a |red cat| sat"),
        ("a |(red cat:1.1)| sat", "a (|red cat|:1.2) sat", "a |red cat| sat"),
        ("((a |b:1.2) c)", "((a |b:1.3) c)", "((a |b:1.1) c)"),
        ("((a b:1.2) |c)", "((a b:1.2) |c:1.2)", "(a b:1.2) |c"),
        ("[a|:b:3]", "[(a|:1.1):b:3]", "[(a|:0.9):b:3]"),
        ("<lo|ra:x>", "<lo|ra:x:1.1>", "<lo|ra:x:0.9>"),
        ("<lora:x:0.8:|0.5>", "<lora:x:0.9:|0.6>", "<lora:x:0.7:|0.4>"),
        ("<lora:x:0.8>|, b", "<lora:x:0.9>|, b", "<lora:x:0.7>|, b"),
        ("<lora:x:0.8>|b", "<lora:x:0.8>(|b:1.1)", "<lora:x:0.8>(|b:0.9)"),
        (
            "<lo|ra:x:te=0.5:unet=1:dyn=8>",
            "<lo|ra:x:te=0.6:unet=1.1:dyn=8>",
            "<lo|ra:x:te=0.4:unet=0.9:dyn=8>",
        ),
        ("<lo|ra:x:dyn=8>", "<lo|ra:x:1.1:dyn=8>", "<lo|ra:x:0.9:dyn=8>"),
        ("a, | b", "a, | b", "a, | b"),
        ("a AN|D b", "a AN|D b", "a AN|D b"),
        ("|", "|", "|"),
    ],
)
def test_weights_are_changed_in_place(text: str, up: str, down: str) -> None:
    assert (edited(text, 0.1), edited(text, -0.1)) == (up, down)


def test_ten_times_up_and_ten_times_down_is_nothing() -> None:
    text = "a cat| sat"
    for delta in [0.1] * 10 + [-0.1] * 10:
        text = edited(text, delta)
    assert text == "a cat| sat"


@given(anything, st.data())
def test_changing_never_raises_and_stays_in_the_text(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    edit = change_weight(text, start, end, data.draw(st.sampled_from([0.1, -0.1])))
    if edit is not None:
        new = text[: edit.start] + edit.new + text[edit.end :]
        assert 0 <= edit.selection[0] <= edit.selection[1] <= len(new)
