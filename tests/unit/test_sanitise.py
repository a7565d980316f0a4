"""Nothing that passes `sanitise` can move a cursor, reorder text or fail to be encoded."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdcore.spec.sanitise import REPLACEMENT, sanitise


@pytest.mark.parametrize(
    "hostile",
    [
        "\x1b",
        "\x9b",
        "\x7f",
        "\x00",
        "\r",
        "\x0b",
        "\u202e",
        "\u2066",
        "\u200f",
        "\u061c",
        "\u2028",
        "\ud800",
    ],
)
def test_what_a_terminal_obeys_is_replaced(hostile: str) -> None:
    assert sanitise(f"a{hostile}b") == f"a{REPLACEMENT}b"


def test_lines_and_tabs() -> None:
    assert sanitise("a\r\nb\n\tc") == "a\nb\n c"
    assert sanitise("a\r\nb\n\tc", newlines=False) == "a b  c"


def test_ordinary_text_is_left_alone() -> None:
    text = "日本の家, naïve café — σ 🏠 [bold]not markup[/bold] שלום"
    assert sanitise(text) == text


@given(st.text(st.characters()), st.booleans())
def test_no_control_character_is_left(text: str, newlines: bool) -> None:
    safe = sanitise(text, newlines=newlines)
    assert all(unicodedata.category(character) != "Cc" for character in safe.replace("\n", ""))
    assert newlines or "\n" not in safe
    assert safe == sanitise(safe, newlines=newlines)
    safe.encode()
