"""Wildcard files: which names mean which lines, and what a folder may hold that is none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdcore.library import config, wildcards
from sdcore.library.wildcards import NAME, Wildcards, path_of, read_lines


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_names_and_patterns_mean_lines(tmp_path: Path) -> None:
    write(tmp_path, "animals/pets.txt", "\ufeffcat\n\n# not this\n  dog  \n")
    write(tmp_path, "animals/wild.txt", "wolf\r\nbear")
    write(tmp_path, "my colours.txt", "red")
    files = Wildcards(tmp_path)
    assert files("animals/pets") == ("cat", "dog")
    assert files("animals/*") == ("cat", "dog", "wolf", "bear")
    assert files("my colours") == ("red",)
    assert files("absent") == ()
    assert files("*/absent") == ()
    assert list(files.files()) == ["animals/pets", "animals/wild", "my colours"]


def test_they_are_looked_at_again_when_told(tmp_path: Path) -> None:
    files = Wildcards(tmp_path)
    assert files("a") == ()
    write(tmp_path, "a.txt", "1")
    assert files("a") == ()
    files.forget()
    assert files("a") == ("1",)


def test_a_person_has_a_folder_of_their_own(private_home: Path) -> None:
    write(private_home / "wildcards", "a.txt", "1")
    assert Wildcards()("a") == ("1",)
    assert path_of("b/c") == private_home / "wildcards" / "b" / "c.txt"


def test_the_settings_name_the_folder(private_home: Path, tmp_path: Path) -> None:
    config.change({"wildcards_folder": str(tmp_path)})
    write(tmp_path, "colour.txt", "red")
    assert Wildcards()("colour") == ("red",)
    assert path_of("a/b") == tmp_path / "a" / "b.txt"


def test_what_is_no_wildcard_file_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, ".hidden.txt", "1")
    write(tmp_path, ".folder/a.txt", "1")
    write(tmp_path, "a\x1b[31m.txt", "1")
    write(tmp_path, "a__b.txt", "1")
    write(tmp_path, "picture.png", "1")
    write(tmp_path / "outside", "secret.txt", "1")
    (tmp_path / "link").symlink_to("/etc")
    os.mkfifo(tmp_path / "pipe.txt")
    files = Wildcards(tmp_path)
    assert files("pipe") == ()
    assert files("../outside/secret") == files("/etc/passwd") == files("link/passwd") == ()
    assert set(files.files()) == {"a__b", "pipe", "outside/secret"}


def test_large_folders_and_files_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wildcards, "MAX_FILES", 3)
    monkeypatch.setattr(wildcards, "MAX_LINES", 5)
    monkeypatch.setattr(wildcards, "MAX_BYTES", 100)
    for name in "abcde":
        write(tmp_path, f"{name}.txt", "x\n" * 4)
    files = Wildcards(tmp_path)
    assert len(files.files()) == 3
    assert len(files("*")) == 5
    assert read_lines(write(tmp_path, "long.txt", "y" * 1000)) == ("y" * 100,)


def test_bytes_that_are_no_text_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xff\xfe caf\xe9\nb")
    assert read_lines(path)[1] == "b"
    assert read_lines(tmp_path / "absent.txt") == ()


@given(st.text(max_size=80))
def test_a_name_never_leaves_the_folder(name: str) -> None:
    folder = Path("/folder")
    try:
        path = path_of(name, folder)
    except ValueError:
        return
    assert NAME.fullmatch(name)
    assert path.resolve().is_relative_to(folder)
