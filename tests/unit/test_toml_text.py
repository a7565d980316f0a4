"""The one writer of TOML: what is changed says what it should, and the rest stays to the letter."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sdcore.library.setting import MISSING
from sdcore.library.toml_text import UnsafeError, changed, line_of, with_table_renamed, without_table

FILE = """\
# mine
note = "kept"

# the first
[t."a b"]  # why
x = 1 # one
# two
y = [
  2, # in
]

# the second
[t.c]
x = 'c'
[t.c.deep]
z = true

# others
[o]
x = 1
"""


def cut(text: str, begin: str, end: str) -> str:
    return text[: text.index(begin)] + text[text.index(end) :]


def test_a_table_without_what_is_in_it() -> None:
    assert without_table(FILE, "t", "a b") == cut(FILE, '[t."a b"]', "\n# the second")
    assert without_table(FILE, "t", "c") == cut(FILE, "[t.c]", "\n# others")
    assert without_table(FILE, "o") == FILE[: FILE.index("[o]")]
    assert without_table("[a]\n\n[b]\nx = 1\n\n[c]\n", "b") == "[a]\n\n[c]\n"
    assert without_table("[b]\nx = 1\n\n# of c\n[c]\n", "b") == "# of c\n[c]\n"


def test_a_table_with_another_name_stays_where_it_is() -> None:
    assert with_table_renamed(FILE, ("t", "a b"), "new: [one]") == FILE.replace(
        '[t."a b"]', '[t."new: [one]"]'
    )
    renamed = with_table_renamed(FILE, ("t", "c"), "d")
    assert renamed == FILE.replace("[t.c]", "[t.d]").replace("[t.c.deep]", "[t.d.deep]")
    odd = "[ 't' . \"]\" ]# [no]\r\nx = 1\r\n"
    assert with_table_renamed(odd, ("t", "]"), "b") == "[t.b]# [no]\r\nx = 1\r\n"


def test_new_tables_stand_at_the_end() -> None:
    assert changed(FILE, {"t": {"n": {"x": "1\n2", "y": 2}}}) == FILE + '\n[t.n]\nx = "1\\n2"\ny = 2\n'
    assert changed(FILE, {"t": {"n": {}}}) == FILE + "\n[t.n]\n"
    assert changed("a = 1\r\n", {"t": {"n": {"x": 1}}}) == "a = 1\r\n\r\n[t.n]\r\nx = 1\r\n"
    assert changed("", {"t": {"n": {}}}) == "[t.n]\n"


@pytest.mark.parametrize(
    "text",
    [
        "t = {a = {x = 1, y = 'k'}, b = {}} # c\n",
        "t.a.x = 1 # c\nt.a.y = 'k'\n",
        "[t] # c\na = {x = 1, y = 'k'}\n",
        "[t] # c\na.x = 1\na.y = 'k'\n",
    ],
)
def test_tables_without_a_header(text: str) -> None:
    put = changed(text, {"t": {"a": {"x": 2, "y": MISSING, "z": "n"}}})
    assert tomllib.loads(put)["t"]["a"] == {"x": 2, "z": "n"}
    assert "# c" in put
    renamed = tomllib.loads(with_table_renamed(text, ("t", "a"), "q"))
    assert renamed["t"]["q"] == {"x": 1, "y": "k"}
    assert "a" not in renamed["t"]
    assert "a" not in tomllib.loads(without_table(text, "t", "a")).get("t", {})


@pytest.mark.parametrize("edit", [
    lambda: changed("t = 3\n", {"t": {"a": 1}}),
    lambda: changed("[[t]]\na = 1\n", {"t": {"a": 1}}),
    lambda: changed("t.a = 1\n", {"t": {"a": {}}}),
    lambda: without_table("t = 3\n", "t", "a"),
    lambda: without_table("[t.b]\n", "t", "a"),
    lambda: with_table_renamed("[t.b]\n[t.a]\n", ("t", "a"), "b"),
    lambda: with_table_renamed("[t.b]\n", ("t", "a"), "c"),
    lambda: with_table_renamed("[[t.a]]\n", ("t", "a"), "c"),
    lambda: changed("", {"a": None}),
])  # fmt: skip
def test_what_cannot_be_changed_is_refused(edit: Callable[[], str]) -> None:
    with pytest.raises(UnsafeError):
        edit()


def test_lines_are_found() -> None:
    assert [line_of(FILE, *way) for way in (("t", "a b"), ("t", "a b", "y"), ("o", "x"), ("no",))] == [
        5,
        8,
        20,
        0,
    ]


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_MARKS = ['"', "'", '"""', "'''", "\\", "#", "]", "[a]", "a.b", "\0", "\x7f", "\r\n", "\x85", "\u2028", "\x1b[2J",
          "\ufeff", "=", "{x = 1}", "  "]  # fmt: skip
_HOSTILE = _TEXT | st.sampled_from(_MARKS)
_VALUES = _HOSTILE | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)
_TABLE = st.dictionaries(_HOSTILE, _VALUES | st.lists(_HOSTILE, max_size=3), max_size=3)


@given(st.dictionaries(_HOSTILE, _TABLE, max_size=4), st.sampled_from(["", FILE, FILE.replace("\n", "\r\n")]))
def test_hostile_names_and_values_come_back(tables: dict[str, dict[str, Any]], text: str) -> None:
    for name, table in tables.items():
        text = changed(text, {"mine": {name: table}})
    found = tomllib.loads(text)
    assert found.get("mine", {}) == tables
    if "note" in found:
        assert [text.count(comment) for comment in ("# why", "# two", "# in", "# others")] == [1] * 4


@given(st.dictionaries(_HOSTILE, _TABLE, min_size=1, max_size=4), st.data())
def test_tables_are_changed_renamed_and_removed_alone(
    tables: dict[str, dict[str, Any]], data: st.DataObject
) -> None:
    text = changed(FILE, {"mine": tables})
    name, new = data.draw(st.sampled_from(list(tables))), data.draw(_HOSTILE)
    assume(new not in tables)
    table = data.draw(_TABLE)
    text = changed(text, {"mine": {name: {**dict.fromkeys(tables[name], MISSING), **table}}})
    assert tomllib.loads(text)["mine"] == {**tables, name: table}
    text = with_table_renamed(text, ("mine", name), new)
    rest = {key: value for key, value in tables.items() if key != name}
    assert tomllib.loads(text)["mine"] == {**rest, new: table}
    text = without_table(text, "mine", new)
    assert tomllib.loads(text).get("mine", {}) == rest
    assert text.startswith(FILE.rstrip("\n"))
