"""Other keys for actions: what people write, what can be had, and why the rest cannot."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ui.test_actions import COLLIDING as KNOWN
from tui.actions import ACTIONS, BY_NAME
from tui.actions.remap import COLLIDING, fault_of_key, key_named, remap, remapping
from tui.screens.help import help_text


@pytest.fixture(autouse=True)
def own_keys() -> Iterator[None]:
    """However a test ends, the keys are those of the registry again."""
    yield
    remap({})


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("ctrl+g", "ctrl+g"), ("Ctrl+G", "ctrl+g"), ("F5", "f5"), ("?", "question_mark"), ("shift+g", "G"),
        ("alt+K", "alt+K"), ("ctrl+[", "ctrl+left_square_bracket"), ("+", "plus"), (",", "comma"), (" ", "space"),
        ("ctrl+shift+left", "ctrl+shift+left"), ("PageUp", "pageup"), ("é", "é"),
        ("", None), ("f99", None), ("hyper+g", None), ("ctrl+", None), ("ctrl+ctrl+g", None), ("\x1b", None),
        ("hello", None), ("<any>", None),
    ],
)  # fmt: skip
def test_a_key_as_people_write_it(text: str, key: str | None) -> None:
    assert key_named(text) == key


def test_every_key_of_the_registry_can_be_written() -> None:
    keys = {key for action in ACTIONS for key in action.keys}
    assert {key for key in keys if key_named(key) != key} == set()


def test_the_keys_that_collide_are_known() -> None:
    assert set(COLLIDING) == KNOWN


def test_what_can_be_had() -> None:
    wanted = {"generate": "f24", "compare": ["alt+z", "f23"], "mask_clear": "z"}
    assert remapping(wanted) == (
        {"generate": ("f24",), "compare": ("alt+z", "f23"), "mask_clear": ("z",)}, {},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("nothing", "f5", "there is no such action"),
        ("generate", 3, "a key or a list of keys is wanted"),
        ("generate", [], "a key or a list of keys is wanted"),
        ("generate", "f99", "there is no key 'f99'"),
        ("generate", "ctrl+i", "^I is ⇥ in plain terminals"),
        ("generate", "ctrl+b", "^B is taken by screen and tmux"),
        ("generate", "g", "g is typed there; take one with Ctrl or Alt, or a function key"),
        ("generate", "f5", "F5 is taken by “Compare two images”"),
        ("go_queue", "f10", "F10 is taken by “Draw a mask”"),
        ("mask_clear", "x", "x is taken by “Paint, or erase”"),
    ],
)
def test_what_cannot_be_had(name: str, value: object, why: str) -> None:
    assert remapping({name: value}) == ({}, {name: why})


def test_two_actions_may_change_places() -> None:
    swapped = {"compare": "f6", "recent": "f5"}
    assert remapping(swapped) == ({"compare": ("f6",), "recent": ("f5",)}, {})


def test_who_comes_later_gives_way_and_so_does_who_leans_on_it() -> None:
    keymap, faults = remapping({"compare": "f24", "recent": "f24", "inspect": "f6"})
    assert keymap == {"compare": ("f24",)}
    assert faults == {
        "recent": "F24 is taken by “Compare two images”",
        "inspect": "F6 is taken by “Recent images”",
    }


def test_a_key_is_tried_beside_those_that_are_set() -> None:
    assert fault_of_key("compare", "f6", {}) == "F6 is taken by “Recent images”"
    assert fault_of_key("compare", "f6", {"recent": ("f24",)}) == ""
    assert fault_of_key("compare", "f5", {}) == ""


def test_what_is_shown_is_what_is_set() -> None:
    assert BY_NAME["compare"].key == "F5"
    remap({"compare": ("alt+z",)})
    assert BY_NAME["compare"].key == "⌥z"
    assert any("⌥z" in line and "Compare two images" in line for line in help_text("").plain.splitlines())


@given(st.dictionaries(st.sampled_from(["generate", "compare", "stop", "x"]), st.one_of(
    st.text(max_size=8), st.integers(), st.lists(st.sampled_from(["f5", "F6", "ctrl+g", "a", ""]), max_size=3),
)))  # fmt: skip
def test_whatever_is_wanted(wanted: dict[str, object]) -> None:
    keymap, faults = remapping(wanted)
    assert keymap.keys() | faults.keys() == wanted.keys()
    assert keymap.keys() & faults.keys() == set()
