"""Files that a person names: pasted, completed, listed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tui import files
from tui.files import complete, list_folder, pasted_path


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/a/b.png\n", "/a/b.png"), ("'/a/b c.png'", "/a/b c.png"), ("/a/b\\ c.png", "/a/b c.png"),
        ("file:///a/b%20c.png", "/a/b c.png"), ("/a b.png\n/c.png", "/a b.png"), ("it's", "it's"), ("", ""),
        ("~/a", "~/a"), ("~//a/b", "/a/b"), ("~/~/a", "~/a"), ("~/'/a b'", "/a b"), ("~/file:///a%20b", "/a b"),
    ],
)  # fmt: skip
def test_a_pasted_path(text: str, path: str) -> None:
    assert pasted_path(text) == path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.PNG", "a.jpg", "note.txt", ".hidden.png", "model.safetensors", "we\x1b[2Jird.png"):
        (tmp_path / name).write_bytes(b"x" * 10)
    for name in ("zoo", ".git", "Album"):
        (tmp_path / name).mkdir()
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere")
    (Path(os.fsdecode(os.fsencode(str(tmp_path)) + b"/\xff.png"))).write_bytes(b"x")
    return tmp_path


def test_a_folder_lists_folders_then_files_of_a_kind(folder: Path) -> None:
    assert [entry.name for entry in list_folder(folder, "image")] == [
        "Album/", "zoo/", "a.jpg", "b.PNG", "we\x1b[2Jird.png",
    ]  # fmt: skip
    assert [entry.name for entry in list_folder(folder, "weights")] == ["Album/", "zoo/", "model.safetensors"]
    assert list_folder(folder, "image")[2].bytes == 10


def test_a_folder_that_cannot_be_opened(folder: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        list_folder(folder / "nowhere", "image")


def test_a_huge_folder_is_looked_at_in_part(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_ENTRIES", 2)
    assert len(list_folder(folder, "image")) == 2


@pytest.mark.parametrize(
    ("begun", "rest"),
    [
        ("A", "lbum/"), ("z", "oo/"), ("b", ".PNG"), ("a", ".jpg"), ("n", ""), ("", ""), (".h", "idden.png"),
        ("Album", "/"), ("Album/", ""), ("nowhere/x", ""),
    ],
)  # fmt: skip
def test_a_path_is_completed(folder: Path, begun: str, rest: str) -> None:
    assert complete(f"{folder}/{begun}", "image") == rest


def test_home_is_completed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.chdir(folder)
    assert complete("~", "image") == "/"
    assert complete("~/Al", "image") == "bum/"
    assert complete("Al", "image") == "bum/"
    assert complete("~nobody-at-all/x", "image") == ""
