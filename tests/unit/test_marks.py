"""Stars, tags and saved searches: they outlive the index, moved files and each other's writers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdcore.environment import for_child
from sdcore.library import marks, searches
from sdcore.library.marks import Mark


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return write(tmp_path / "images/a.png")


def write(path: Path, changed: int = 1_750_000_000_123_456_789) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"an image")
    os.utime(path, ns=(changed, changed))
    return path


def mark_of(path: Path) -> Mark:
    about = path.stat()
    return marks.read().of(str(path), about.st_size, about.st_mtime_ns)


def test_stars_and_tags_come_and_go(image: Path) -> None:
    assert (mark_of(image).star, mark_of(image).tags) == (False, ())
    marks.set_star([image], True)
    marks.add_tags([str(image)], ["sea", " two  words ", "", "\x1b"])
    marks.add_tags([image], ["Sea"])
    assert (mark_of(image).star, mark_of(image).tags) == (True, ("sea", "two words", "\ufffd"))
    marks.remove_tags([image], ["SEA", "\x1b"])
    marks.set_star([image], False)
    assert (mark_of(image).star, mark_of(image).tags) == (False, ("two words",))
    marks.remove_tags([image], ["two words"])
    assert list(marks.read()) == []
    assert marks.marks_file().stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("target", ["other/a.png", "images/b.png", "other/b.png"])
def test_a_file_that_was_moved_keeps_its_marks(image: Path, target: str) -> None:
    marks.set_star([image], True)
    new = image.parent.parent / target
    new.parent.mkdir(exist_ok=True)
    image.rename(new)
    assert mark_of(new).star
    marks.add_tags([new], ["moved"])
    assert [(mark.path, mark.star, mark.tags) for mark in marks.read()] == [(str(new), True, ("moved",))]


def test_another_file_in_its_place_does_not_take_them_from_it(image: Path) -> None:
    marks.set_star([image], True)
    moved = image.rename(image.with_name("moved.png"))
    write(image, changed=1)
    assert mark_of(moved).star


def test_a_copy_has_none(image: Path) -> None:
    marks.set_star([image], True)
    copy = Path(shutil.copy2(image, image.with_name("copy.png")))
    assert not mark_of(copy).star


def test_a_coarse_clock_tells_files_of_one_name_only(image: Path) -> None:
    write(image, changed=1_750_000_000 * 10**9)
    marks.set_star([image], True)
    image.unlink()
    assert not mark_of(write(image.with_name("b.png"), changed=1_750_000_000 * 10**9)).star
    (image.parent / "deep").mkdir()
    assert mark_of(write(image.parent / "deep/a.png", changed=1_750_000_000 * 10**9)).star


def test_a_file_that_was_edited_keeps_them(image: Path) -> None:
    marks.set_star([image], True)
    write(image, changed=5)
    assert mark_of(image).star


def test_names_that_are_no_text(image: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(image.parent) + b"/\xff.png"))
    write(odd)
    marks.set_star([odd], True)
    assert mark_of(odd).star


@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"[]", b'{"marks": 3}', b'{"marks": [{"path": 1}]}', b"[" * 9999]
)
def test_a_damaged_file_is_kept_aside(image: Path, content: bytes) -> None:
    marks.marks_file().write_bytes(content)
    assert list(marks.read()) == []
    marks.set_star([image], True)
    assert mark_of(image).star
    assert Path(f"{marks.marks_file()}.damaged").read_bytes() == content


def test_what_cannot_be_kept_is_said(image: Path) -> None:
    marks.marks_file().mkdir()
    with pytest.raises(marks.MarksError, match="could not be kept"):
        marks.set_star([image], True)
    assert list(marks.read()) == []


def test_two_processes_lose_nothing(image: Path) -> None:
    code = (
        "import sys; from sdcore.library import marks\n"
        "for n in range(15): marks.add_tags([sys.argv[1]], [f'{sys.argv[2]}{n}'])"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(image), name], env=for_child())
        for name in ("a", "b")
    ]
    assert [one.wait(60) for one in running] == [0, 0]
    assert len(mark_of(image).tags) == 30


@given(st.text())
def test_a_tag_is_one_short_line(text: str) -> None:
    tag = marks.tidy(text)
    assert tag == marks.tidy(tag)
    assert len(tag) <= marks.MAX_TAG
    assert tag.isprintable() or "\ufffd" in tag or not tag.isascii()
    assert "\n" not in tag
    assert '"' not in tag
    tag.encode()


def test_searches_are_saved_replaced_and_removed() -> None:
    assert searches.read() == {}
    assert searches.add("  the \n best ", "star -tag:old \ud800") == "the best"
    searches.add("large", "width:>1024")
    searches.add("the best", "star")
    assert searches.read() == {"the best": "star", "large": "width:>1024"}
    assert list(searches.read()) == ["the best", "large"]
    searches.remove("large")
    searches.remove("never there")
    assert searches.read() == {"the best": "star"}


def test_searches_that_cannot_be_kept() -> None:
    with pytest.raises(searches.SearchesError, match="name"):
        searches.add(" \n", "star")
    searches.searches_file().write_text("{ torn")
    assert searches.read() == {}
    with pytest.raises(searches.SearchesError, match="left alone"):
        searches.add("a", "star")
    assert searches.searches_file().read_text() == "{ torn"
