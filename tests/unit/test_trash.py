"""The trash: nothing is lost, nothing is overwritten, whatever lies where."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from sdcore import atomic
from sdcore.library import trash


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    """Three images, the first with its run beside it."""
    folder = tmp_path / "images"
    folder.mkdir()
    found = [folder / f"{number}.png" for number in range(3)]
    for path in found:
        path.write_text(path.name)
        os.utime(path, ns=(10**18 + 7, 10**18 + 7))
    (folder / "0.trace.safetensors").write_text("run")
    return found


@pytest.fixture(params=["one disk", "two disks"])
def disks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The trash on the images' disk, or on another."""
    if request.param == "one disk":
        return
    real_rename, real_link = os.rename, os.link

    def is_across(source: object, target: object) -> bool:
        return ("/trash/" in str(source)) != ("/trash/" in str(target))

    def rename(source: object, target: object) -> None:
        if is_across(source, target):
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        real_rename(source, target)

    def link(source: object, target: object) -> None:
        if is_across(source, target):
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        real_link(source, target)

    monkeypatch.setattr(os, "rename", rename)
    monkeypatch.setattr(os, "link", link)


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_thrown_away_and_back(images: list[Path], disks: None) -> None:
    before = content(images[0].parent)
    thrown = trash.throw(images[:2])
    assert content(images[0].parent) == {"2.png": "2.png"}
    assert [Path(one.origin).name for one in thrown.moved] == ["0.png", "0.trace.safetensors", "1.png"]
    assert [one.moved for one in trash.contents()] == [thrown.moved]
    restored = trash.undo(thrown)
    assert content(images[0].parent) == before
    assert (len(restored.paths), restored.problems) == (3, ())
    assert images[0].stat().st_mtime_ns == 10**18 + 7, "it is the same to the index and its marks"
    assert trash.contents() == []
    assert trash.undo(thrown).paths == ()


def test_what_is_in_the_way_stays(images: list[Path], disks: None) -> None:
    thrown = trash.throw(images[:1])
    images[0].write_text("another")
    images[0].with_name("0-2.png").write_text("a third")
    assert trash.undo(thrown).paths[0] == str(images[0].with_name("0-3.png"))
    assert images[0].read_text() == "another"
    assert images[0].with_name("0-2.png").read_text() == "a third"
    assert images[0].with_name("0-3.png").read_text() == "0.png"


def test_a_folder_that_is_gone_is_made_again(images: list[Path]) -> None:
    thrown = trash.throw(images)
    images[0].parent.rmdir()
    trash.undo(thrown)
    assert images[1].read_text() == "1.png"


def test_without_links_nothing_is_overwritten_either(
    images: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    thrown = trash.throw(images[1:2])
    images[1].write_text("another")
    monkeypatch.setattr(os, "link", refuse)
    trash.undo(thrown)
    assert content(images[0].parent)["1.png"] == "another"
    assert content(images[0].parent)["1-2.png"] == "1.png"


def test_what_cannot_be_thrown_is_said_and_stays(images: list[Path], tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    thrown = trash.throw([images[2], tmp_path / "folder.png", tmp_path / "none\x1b.png"])
    assert [Path(one.origin).name for one in thrown.moved] == ["2.png"]
    assert thrown.problems == (
        "folder.png could not be thrown away: it is a folder.",
        "none\ufffd.png could not be thrown away: No such file or directory.",
    )
    assert (tmp_path / "folder.png").is_dir()


def test_nothing_is_half_moved_where_a_disk_is_full(
    images: list[Path], disks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object, **more: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("shutil.copy2", full)
    before = content(images[0].parent)
    thrown = trash.throw(images)
    now = content(images[0].parent)
    assert {**now, **{Path(one.origin).name: Path(one.kept).read_text() for one in thrown.moved}} == before
    assert len(thrown.problems) + len(thrown.moved) == 4


def test_a_trash_that_cannot_be_written(images: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    trash.trash_dir().write_text("in the way")
    with pytest.raises(trash.TrashError, match="Nothing was thrown away"):
        trash.throw(images)
    assert images[0].exists()
    assert trash.contents() == []


def test_a_crash_before_anything_was_moved(images: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    class Crash(BaseException):
        pass

    def crash(source: str, target: str) -> None:
        if source == str(images[1]):
            raise Crash
        real(source, target)

    real = os.rename
    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", crash)
        with pytest.raises(Crash):
            trash.throw(images)
    (left,) = trash.contents()
    assert [Path(one.origin).name for one in left.moved] == ["0.png", "0.trace.safetensors"]
    trash.undo(left)
    assert sorted(content(images[0].parent)) == ["0.png", "0.trace.safetensors", "1.png", "2.png"]


def test_names_that_are_no_text(images: list[Path]) -> None:
    odd = Path(os.fsdecode(os.fsencode(images[0].parent) + b"/\xff.png"))
    odd.write_text("odd")
    trash.throw([odd])
    trash.undo(trash.contents()[0])
    assert odd.read_text() == "odd"


def test_a_journal_is_not_trusted(images: list[Path], tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine")
    thrown = trash.throw(images[:1])
    journal = Path(thrown.folder) / "moved.json"
    said = json.loads(journal.read_text())
    said["moved"].append({"origin": str(tmp_path / "stolen"), "kept": str(precious)})
    journal.write_text(json.dumps(said))
    trash.undo(trash.contents()[0])
    assert precious.read_text() == "mine"
    assert not (tmp_path / "stolen").exists()


def test_emptying_deletes_for_good(images: list[Path]) -> None:
    trash.throw(images[:1])
    trash.throw(images[1:2])
    assert [Path(one.moved[0].origin).name for one in trash.contents()] == ["1.png", "0.png"]
    assert trash.trash_dir().stat().st_mode & 0o777 == 0o700
    assert trash.empty() == 3
    assert trash.contents() == []
    assert images[2].exists()
    assert trash.empty() == 0


def test_a_new_name_is_never_another_files(tmp_path: Path) -> None:
    part, target = tmp_path / "part", tmp_path / "target"
    part.write_text("new")
    target.write_text("old")
    with pytest.raises(FileExistsError):
        atomic.place_new(part, target)
    assert target.read_text() == "old"
