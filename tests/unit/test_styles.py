"""Styles: how a prompt is put into them, how they are kept, and what A1111's file brings."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdcore.library.named_tables import NamedTablesError
from sdcore.library.styles import Styles, read_csv
from sdcore.spec.recipe import Recipe
from sdcore.spec.styles import Style, in_style, merged

HAND_WRITTEN = """\
# my styles
note = "kept"

[styles."oil painting"]  # the best one
prompt = "oil painting of {prompt}, thick paint"
# no photographs
negative = "photograph"

[styles.plain]
prompt = 'studio light'

[other]
x = 1
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "styles.toml"
    path.write_text(HAND_WRITTEN)
    return path


@pytest.mark.parametrize(
    ("prompt", "fragment", "result"),
    [
        ("a cat", "oil of {prompt}, thick", "oil of a cat, thick"),
        ("a cat", "{prompt} and {prompt}", "a cat and a cat"),
        ("a cat ", " studio light", "a cat, studio light"),
        ("", "studio light", "studio light"),
        ("a cat", "", "a cat"),
        ("", "", ""),
    ],
)
def test_a_prompt_in_a_fragment(prompt: str, fragment: str, result: str) -> None:
    assert merged(prompt, fragment) == result


def test_several_styles_one_after_another() -> None:
    styles = [Style("a", "oil of {prompt}", "photo"), Style("b", "night", "{prompt}, day")]
    made = in_style(Recipe(prompt="a cat", negative_prompt="dog"), styles)
    assert (made.prompt, made.negative_prompt) == ("oil of a cat, night", "dog, photo, day")
    assert in_style(made, []) == made


def test_they_are_read_in_the_order_of_the_file(path: Path) -> None:
    found, problems = Styles(path).load()
    assert problems == []
    assert list(found.values()) == [
        Style("oil painting", "oil painting of {prompt}, thick paint", "photograph"),
        Style("plain", "studio light"),
    ]


def test_what_is_not_changed_stays_to_the_letter(path: Path) -> None:
    styles = Styles(path)
    styles.put(Style("plain", "soft light", "hard light"))
    assert path.read_text() == HAND_WRITTEN.replace(
        "prompt = 'studio light'\n", 'prompt = "soft light"\nnegative = "hard light"\n'
    )
    styles.put(Style("new: [one]", 'with "quotes"\nand lines', "日本"))
    text = path.read_text()
    for comment in ("# my styles", "# the best one", "# no photographs"):
        assert comment in text
    assert tomllib.loads(text)["other"] == {"x": 1}
    assert Styles(path).load()[0]["new: [one]"] == Style("new: [one]", 'with "quotes"\nand lines', "日本")


def test_a_renamed_one_keeps_its_words_and_comments(path: Path) -> None:
    Styles(path).rename("oil painting", "oils")
    assert "# no photographs" in path.read_text()
    assert Styles(path).load()[0]["oils"].negative_prompt == "photograph"
    with pytest.raises(NamedTablesError, match="already"):
        Styles(path).rename("oils", "plain")
    assert set(Styles(path).load()[0]) == {"oils", "plain"}


def test_a_removed_one_is_gone_and_nothing_else(path: Path) -> None:
    Styles(path).remove("oil painting")
    assert set(Styles(path).load()[0]) == {"plain"}
    Styles(path).remove("plain")
    assert Styles(path).load() == ({}, [])
    assert tomllib.loads(path.read_text())["other"] == {"x": 1}
    assert "# my styles" in path.read_text()


def test_the_first_one_makes_the_file(private_home: Path) -> None:
    assert Styles().load() == ({}, [])
    Styles().put(Style("a", "b"))
    written = private_home / "config" / "styles.toml"
    assert tomllib.loads(written.read_text()) == {"styles": {"a": {"prompt": "b"}}}
    assert written.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "text", ["[styles", "styles = 3", "\xff\xfe", "[styles]\na = 1\n", "[styles.a]\nprompt = 3\n"]
)
def test_a_broken_file_is_told_and_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "styles.toml"
    path.write_bytes(text.encode("latin-1"))
    found, problems = Styles(path).load()
    assert found == {}
    assert len(problems) == 1
    assert "\n" not in problems[0]


@pytest.mark.parametrize("text", ["[styles", "styles = 3", "\xff\xfe"])
def test_what_cannot_be_changed_safely_is_not_changed(tmp_path: Path, text: str) -> None:
    path = tmp_path / "styles.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(NamedTablesError, match="by hand"):
        Styles(path).put(Style("a", "b"))
    assert path.read_bytes() == text.encode("latin-1")


@pytest.mark.parametrize("name", ["", " ", " a", "a\nb", "a\x1b[31m", "x" * 201])
def test_names_that_nothing_can_have(tmp_path: Path, name: str) -> None:
    with pytest.raises(NamedTablesError, match="name"):
        Styles(tmp_path / "s.toml").put(Style(name, "b"))


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
_NAME = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp", "Zs", "Cf"]), min_size=1, max_size=12
)


@given(st.dictionaries(_NAME, st.tuples(_TEXT, _TEXT), max_size=4))
def test_whatever_it_says_it_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, said: dict[str, tuple[str, str]]
) -> None:
    path = tmp_path_factory.mktemp("styles") / "styles.toml"
    wanted = {name: Style(name, *texts) for name, texts in said.items()}
    for style in wanted.values():
        Styles(path).put(style)
    assert Styles(path).load() == (wanted, [])


# A1111's file

CSV = (
    "\ufeffname,prompt,negative_prompt\r\n"
    '"Oil, thick","oil painting of {prompt}, ""alla prima""",photograph\r\n'
    'Two lines,"first\nsecond",\r\n'
    "\r\n"
    ",nameless,\r\n"
    "------,,\r\n"
    "short,only a prompt\r\n"
    "long,a,b,c\r\n"
)


def test_a_styles_csv(tmp_path: Path) -> None:
    path = tmp_path / "styles.csv"
    path.write_bytes(CSV.encode())
    found, problems = read_csv(path)
    assert found == [
        Style("Oil, thick", 'oil painting of {prompt}, "alla prima"', "photograph"),
        Style("Two lines", "first\nsecond"),
        Style("short", "only a prompt"),
    ]
    assert problems == [
        "Line 6 has no name that a style can have.",
        "Line 7 says nothing.",
        "Line 9 has too many columns; a text with commas wants quotes.",
    ]


def test_the_oldest_files_say_text(tmp_path: Path) -> None:
    path = tmp_path / "styles.csv"
    path.write_text("name,text\nold,words\n")
    assert read_csv(path) == ([Style("old", "words")], [])


def test_taken_into_the_own_file_nothing_is_replaced(path: Path) -> None:
    csv = path.with_name("styles.csv")
    csv.write_text('name,prompt,negative_prompt\nplain,other words,\nnew,"a, b",c\n')
    taken, problems = Styles(path).take_csv(csv)
    assert (taken, problems) == (1, ["plain is here already with other words; yours was kept."])
    assert Styles(path).load()[0]["new"] == Style("new", "a, b", "c")
    assert Styles(path).take_csv(csv)[0] == 0


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n"])
def test_what_is_no_file_of_styles(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(text)
    if text:
        with pytest.raises(NamedTablesError, match="no file of styles"):
            read_csv(path)
    else:
        assert read_csv(path) == ([], [])
    with pytest.raises(NamedTablesError, match="could not be read"):
        read_csv(tmp_path / "none.csv")


@given(st.binary(max_size=300))
def test_any_bytes_for_a_csv(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("csv") / "styles.csv"
    path.write_bytes(b"name,prompt,negative_prompt\n" + data)
    found, _ = read_csv(path)
    for style in found:
        assert style.name == style.name.strip()
