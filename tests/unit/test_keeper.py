"""The keeper: everything on disk is in the index soon, whatever happens to files, settings, the index or keepers."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from sdcore.library import config, marks, outputs, paths, trash
from sdcore.library.index import Index, keeping, lock, schema, watching
from sdcore.library.index.keeper import Keeper, start_keeper
from sdcore.library.index.scanning import stamp_of
from sdcore.spec.recipe import Recipe
from tests.library_files import keeping as kept
from tests.library_files import until, write_image


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of another program, in the settings, with two images."""
    folder = tmp_path / "others"
    write_image(folder / "a.png", prompt="an apple")
    write_image(folder / "day/b.png", prompt="a boat")
    share(folder)
    return folder


@pytest.fixture
def index() -> Iterator[Index]:
    index = Index.open()
    yield index
    index.close()


def share(*folders: Path) -> None:
    config.config_file().write_text(f"library_folders = {json.dumps([str(folder) for folder in folders])}\n")


def shown(index: Index) -> list[str]:
    return sorted(Path(row.path).name for row in index.rows(index.ids()))


def has(index: Index, *names: str) -> None:
    until(lambda: shown(index) == sorted(names))


def test_what_is_there_is_found_and_left_as_it_is(index: Index, folder: Path) -> None:
    (folder / "notes.txt").write_text("no image")
    (folder / "broken.JPG").write_text("no image either")
    write_image(folder / ".hidden.png")
    write_image(folder / ".thumbnails/c.png")
    (folder / "folder.png").mkdir()
    (folder / "loop").symlink_to(folder)
    saved = outputs.save_image(picture(), Recipe(prompt="ours"))
    before = {path: stamp_of(path) for path in folder.rglob("*")}
    with kept():
        has(index, "a.png", "b.png", "broken.JPG", saved.name)
        until(lambda: not index.progress().running)
    assert {path: stamp_of(path) for path in folder.rglob("*")} == before
    assert index.rows(index.ids("ours"))[0].writer == "sdtui"
    problems = {Path(row.path).name: row.problem for row in index.rows(index.ids())}
    assert problems.pop("broken.JPG").endswith("no PNG, JPEG or WebP image.")
    assert set(problems.values()) == {""}


def test_changes_are_followed(index: Index, folder: Path) -> None:
    with kept():
        has(index, "a.png", "b.png")
        saved = outputs.save_image(picture(), Recipe(prompt="ours"))
        has(index, "a.png", "b.png", saved.name)
        first = index.find(folder / "a.png")
        write_image(folder / "a.png", prompt="an apricot", changed=1_760_000_000)
        until(lambda: len(index.ids("apricot")) == 1)
        assert index.find(folder / "a.png") == first, "it is the same image still"
        saved.unlink()
        has(index, "a.png", "b.png")
        (folder / "day").rename(folder / "night")
        until(lambda: index.find(folder / "night/b.png") is not None and index.count() == 2)
        write_image(folder / "night/deep/er/c.png")
        has(index, "a.png", "b.png", "c.png")
        shutil.rmtree(folder / "night")
        has(index, "a.png")
        shutil.rmtree(folder)
        has(index)
        write_image(folder / "d.png")
        has(index, "d.png")


def test_a_folder_that_is_put_in_the_place_of_another_is_followed(index: Index, folder: Path) -> None:
    with kept():
        has(index, "a.png", "b.png")
        for name in ("c.png", "d.png"):
            shutil.rmtree(folder)
            write_image(folder / name)  # the new folder may have the number of the old one on the disk
            has(index, name)


def test_names_that_are_no_text_are_followed(index: Index, folder: Path) -> None:
    with kept():
        has(index, "a.png", "b.png")
        odd = os.fsdecode(os.fsencode(folder) + b"/odd\xff.png")
        shutil.copy(folder / "a.png", odd)
        until(lambda: index.find(odd) is not None)
        os.unlink(odd)  # noqa: PTH108
        has(index, "a.png", "b.png")


def test_changes_while_no_keeper_lived_are_found(index: Index, folder: Path) -> None:
    with kept():
        has(index, "a.png", "b.png")
    (folder / "a.png").unlink()
    write_image(folder / "day/b.png", prompt="a bear", changed=1_760_000_000)
    write_image(folder / "c.png")
    with kept():
        has(index, "b.png", "c.png")
        until(lambda: len(index.ids("bear")) == 1)


def test_the_settings_are_followed(index: Index, folder: Path, tmp_path: Path) -> None:
    write_image(tmp_path / "more/c.png")
    with kept():
        has(index, "a.png", "b.png")
        share(folder, tmp_path / "more")
        has(index, "a.png", "b.png", "c.png")
        share(tmp_path / "more", tmp_path / "never/there")
        has(index, "c.png")
        share(folder / "day", folder)
        has(index, "a.png", "b.png")


def test_marks_are_followed_and_go_with_a_file_that_moves(index: Index, folder: Path) -> None:
    with kept():
        has(index, "a.png", "b.png")
        marks.set_star([folder / "a.png"], True)
        marks.add_tags([folder / "a.png", folder / "day/b.png"], ["fine"])
        until(lambda: len(index.ids("star")) == 1 and len(index.ids("tag:fine")) == 2)
        (folder / "a.png").rename(folder / "day/z.png")
        until(lambda: index.find(folder / "day/z.png") is not None and index.count() == 2)
        assert [Path(row.path).name for row in index.rows(index.ids("star tag:fine"))] == ["z.png"]
        marks.set_star([folder / "day/z.png"], False)
        marks.remove_tags([folder / "day/z.png"], ["FINE"])
        until(lambda: len(index.ids("star")) == 0 and len(index.ids("tag:fine")) == 1)


def test_what_is_thrown_away_goes_and_comes_back(index: Index, folder: Path, tmp_path: Path) -> None:
    share(tmp_path)  # the trash lies in it
    marks_before = folder / "a.png"
    marks.set_star([marks_before], True)
    with kept():
        has(index, "a.png", "b.png")
        thrown = trash.throw([folder / "a.png"])
        has(index, "b.png")
        trash.undo(thrown)
        has(index, "a.png", "b.png")
        until(lambda: len(index.ids("star")) == 1)


@pytest.mark.parametrize("harm", ["deleted", "damaged"])
def test_an_index_that_is_lost_is_made_again(index: Index, folder: Path, harm: str) -> None:
    with kept():
        has(index, "a.png", "b.png")
        before = index.version()
        if harm == "deleted":
            for ending in ("", "-wal", "-shm"):
                Path(f"{schema.index_file()}{ending}").unlink(missing_ok=True)
        else:
            other = schema.index_file().with_name("other")
            other.write_bytes(b"something else" * 1000)
            other.replace(schema.index_file())
        write_image(folder / "c.png")
        has(index, "a.png", "b.png", "c.png")
        assert index.version() != before


@pytest.mark.parametrize(
    "fault", [sqlite3.OperationalError("database or disk is full"), OSError(5), KeyError("?")]
)
def test_what_goes_wrong_once_is_tried_again(
    index: Index, folder: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    faults = iter([fault])
    real = schema.open_to_write

    def fails_once(path: Path) -> sqlite3.Connection:
        for one in faults:
            raise one
        return real(path)

    monkeypatch.setattr(keeping, "_RETRY_SECONDS", 0.01)
    monkeypatch.setattr(schema, "open_to_write", fails_once)
    with kept():
        has(index, "a.png", "b.png")


def test_times_beyond_all_calendars(index: Index, folder: Path) -> None:
    os.utime(folder / "a.png", (2**36, 2**36))
    os.utime(folder / "day/b.png", (-5, -5))
    with kept():
        has(index, "a.png", "b.png")
    assert [row.created for row in index.rows(index.ids())] == [4e9, 0.0]


def test_folders_that_cannot_be_watched_are_looked_through(
    index: Index, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError("OS file watch limit reached")

    monkeypatch.setattr(watching, "RustNotify", refuse)
    monkeypatch.setattr(keeping, "_POLLED_SECONDS", 0.05)
    with kept():
        has(index, "a.png", "b.png")
        write_image(folder / "c.png")
        has(index, "a.png", "b.png", "c.png")
        (folder / "a.png").unlink()
        has(index, "b.png", "c.png")


def test_a_folder_that_cannot_be_read_now_keeps_its_rows(
    index: Index, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with kept():
        has(index, "a.png", "b.png")
    real = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("/day"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    (folder / "a.png").unlink()
    monkeypatch.setattr(os, "scandir", refuse)
    with kept():
        has(index, "b.png")


def test_a_newer_image_waits_for_no_backlog(
    index: Index, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "_BATCH_SECONDS", 0.0)
    real = keeping.read
    order = []

    def read(place: str, name: str, stamp: keeping.Stamp) -> keeping.Reading:
        order.append(name)
        if len(order) == 1:
            write_image(folder / "new.png")
        return real(place, name, stamp)

    for number in range(300):
        write_image(folder / f"old/{number:03d}.png", changed=1_700_000_000 + number)
    monkeypatch.setattr(keeping, "read", read)
    with kept():
        until(lambda: "new.png" in order)
    assert order.index("new.png") < 250
    old = [name for name in order if name[0].isdigit()]
    assert old == sorted(old, reverse=True), "the newest first"


@pytest.fixture
def keepers() -> Iterator[list[Keeper]]:
    """Keepers in processes of their own, ended with the test."""
    started: list[Keeper] = []
    yield started
    for one in started:
        one.close(10)
        with contextlib.suppress(ProcessLookupError):
            os.kill(one.pid, signal.SIGKILL)


def test_there_is_one_keeper_and_another_takes_over(
    index: Index, folder: Path, keepers: list[Keeper]
) -> None:
    keepers.append(start_keeper())
    has(index, "a.png", "b.png")
    assert lock.is_kept(schema.index_file())
    assert lock.take(schema.index_file()) is None
    keepers.append(start_keeper())
    os.kill(keepers[0].pid, signal.SIGKILL)
    write_image(folder / "c.png")
    has(index, "a.png", "b.png", "c.png")
    assert not keepers[0].alive
    keepers[1].close(10)
    assert not keepers[1].alive
    assert not lock.is_kept(schema.index_file())
    assert (paths.state_dir() / "keeper.log").stat().st_mode & 0o777 == 0o600


def picture() -> object:
    from PIL import Image

    return Image.new("RGB", (16, 16), (10, 200, 30))
