"""Hashes of model files: right, made once, and kept through whatever happens to where they are kept."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sdcore.library import hashes, paths
from sdcore.library.hashes import HashError, HashStopped, known_hash, sha256_of


def digits(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def known(path: Path | str) -> str:
    """The short hash of one file, "" where it is not known."""
    return known_hash([path])


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"weights" * 1000)
    return path


def test_a_hash_is_reckoned_once(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(model.parent)
    assert known(model) == ""
    shares: list[float] = []
    wanted = digits(b"weights" * 1000)
    for _ in range(2):
        assert sha256_of(model, progress=shares.append) == wanted
        assert known(model) == known(model.name) == wanted[:10]
    assert shares == [1.0]
    assert (paths.cache_dir() / "hashes.json").stat().st_mode & 0o777 == 0o600


def test_several_files_have_one_name(model: Path, tmp_path: Path) -> None:
    other = tmp_path / "b"
    other.write_text("b")
    assert known_hash([]) == ""
    sha256_of(model)
    assert known_hash([model, other]) == ""
    both = sha256_of(model) + sha256_of(other)
    assert known_hash([model, other]) == digits(both.encode())[:10]


def test_a_changed_file_has_another(model: Path) -> None:
    sha256_of(model)
    model.write_bytes(b"other")
    assert known(model) == ""
    assert sha256_of(model) == digits(b"other")
    about = model.stat()
    os.utime(model, ns=(about.st_atime_ns, about.st_mtime_ns + 1))
    assert known(model) == ""


def test_hashing_can_be_stopped(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashes, "_CHUNK", 1000)
    shares: list[float] = []
    with pytest.raises(HashStopped):
        sha256_of(model, progress=shares.append, stop=lambda: len(shares) == 3)
    assert shares == [1 / 7, 2 / 7, 3 / 7]
    assert known(model) == ""


def test_a_file_that_changes_meanwhile_is_not_kept(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def change(share: float) -> None:
        with model.open("ab") as file:
            file.write(b"x")

    monkeypatch.setattr(hashes, "_CHUNK", 7000)
    sha256_of(model, progress=lambda share: change(share) if model.stat().st_size == 7000 else None)
    assert known(model) == ""


_DAMAGED = {
    "empty": b"", "no text": b"\xff", "a list": b"[]", "cut off": b"{", "a number": b'{"a": 1}',
    "no hash": b'{"a": [1, 2, "no hex at all"]}', "deep": b"[" * 10_000, "too much": b" " * 9_000_000,
}  # fmt: skip


@pytest.mark.parametrize("name", _DAMAGED)
def test_a_damaged_cache_is_made_again(name: str, model: Path) -> None:
    (paths.cache_dir() / "hashes.json").write_bytes(_DAMAGED[name])
    assert known(model) == ""
    assert sha256_of(model) == digits(model.read_bytes())
    assert known(model) == sha256_of(model)[:10]


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(model: Path) -> None:
    (paths.cache_dir() / "hashes.json").mkdir()
    assert sha256_of(model) == digits(model.read_bytes())
    assert known(model) == ""


def test_only_the_newest_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashes, "MOST", 2)
    for name in "abc":
        (tmp_path / name).write_text(name)
        sha256_of(tmp_path / name)
    assert [known(tmp_path / name) for name in "abc"] == ["", digits(b"b")[:10], digits(b"c")[:10]]


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for name, says in {
        "absent": "No such file",
        "folder": "directory",
        "a\0b": "null",
        "\x1b[31m": "No such file",
    }.items():
        assert known(tmp_path / name) == ""
        with pytest.raises(HashError, match=says) as caught:
            sha256_of(tmp_path / name)
        assert "\x1b" not in str(caught.value)


def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"\xff.safetensors")
    path.write_bytes(b"x")
    assert sha256_of(path) == digits(b"x")
    assert known(path) == digits(b"x")[:10]


def test_two_processes_keep_what_both_found(tmp_path: Path) -> None:
    code = (
        "import sys; from sdcore.library.hashes import sha256_of\nfor path in sys.argv[1:]: sha256_of(path)"
    )
    names = [[tmp_path / f"{process}-{number}" for number in range(20)] for process in range(2)]
    for path in (path for some in names for path in some):
        path.write_text(path.name)
    running = [subprocess.Popen([sys.executable, "-c", code, *some]) for some in names]
    assert [process.wait() for process in running] == [0, 0]
    assert all(known(path) == digits(path.name.encode())[:10] for some in names for path in some)
