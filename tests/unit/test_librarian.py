"""What the library of the engine's machine gives to clients on another one, and what it does not."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from sdcore.engine import file_answers, packing
from sdcore.engine import messages as m
from sdcore.engine.librarian import AboutFiles, Librarian
from sdcore.engine.mailbox import Mailbox
from sdcore.library import config, marks, trash
from sdcore.library.catalogue import Catalogue
from sdcore.library.grounds import Grounds
from sdcore.library.index import Row
from tests.library_files import index_folder, write_image

HUGE_SEED = 10**20 - 1
NASTY = b"/box/\xff[/x]\x1b.png"
ROWS = [
    Row(id=3, path=os.fsdecode(NASTY), width=64, height=48, bytes=9, created=1.5, prompt="house " * 200,
        seed=HUGE_SEED, tags=("sea", "keep"), star=True),
    Row(id=1, path="/box/b.png", width=1, height=1, bytes=2, created=0.0),
]  # fmt: skip


class NoKeeper:
    alive = True

    def close(self, seconds: float = 0.5) -> None:
        pass


class Client:
    """A client that waits for its answers."""

    def __init__(self) -> None:
        self.librarian = Librarian(NoKeeper)  # type: ignore[arg-type]
        self.mailbox = Mailbox()

    def ask(self, command: AboutFiles) -> m.AnyEvent:
        self.librarian.take(command, self.mailbox)
        return next(iter(self.mailbox))


@pytest.fixture
def client() -> Iterator[Client]:
    one = Client()
    yield one
    one.librarian.stop()


@pytest.fixture
def outputs(private_home: Path) -> Path:
    """Three images in the index."""
    folder = private_home / "outputs"
    for number in range(3):
        write_image(folder / "day" / f"{number}.png", changed=1_700_000_000 + number, prompt=f"house {number}",
                    seed=number)  # fmt: skip
    index_folder(folder)
    return folder


def path_of(row: Row) -> bytes:
    return os.fsencode(row.path)


# Packing


@pytest.mark.parametrize("ids", [[], [5], [9, 8, 7, 3], [1, 2**62, 5]])
def test_ids_are_unpacked_as_they_were(ids: list[int]) -> None:
    assert packing.unpack_ids(packing.pack_ids(array("q", ids))) == array("q", ids)


def test_neighbours_take_next_to_nothing() -> None:
    assert len(packing.pack_ids(array("q", range(100_000, 0, -1)))) < 500


def test_rows_are_unpacked_as_they_were() -> None:
    data, count = packing.pack_rows(ROWS)
    assert (packing.unpack_rows(data), count) == (ROWS, 2)


def test_long_texts_are_cut_and_rows_are_bounded() -> None:
    (first, _) = packing.unpack_rows(packing.pack_rows(ROWS, whole=False)[0])
    assert ROWS[0].prompt.startswith(first.prompt)
    assert len(first.prompt) == 300
    data, count = packing.pack_rows(ROWS * 5, room=5000)
    assert count == 1
    assert packing.unpack_rows(data) == ROWS[:1]


def test_texts_come_word_for_word() -> None:
    texts = {"prompt": "家\ud800", "": "x\0y"}
    assert packing.unpack_texts(packing.pack_texts(texts)) == texts
    with pytest.raises(packing.PackingError, match="too much"):
        packing.pack_texts({"workflow": "x" * (packing.MOST_BYTES + 1)})


@pytest.mark.parametrize("data", [b"", b"x", packing._deflated([[1]]), packing._deflated("a")])
def test_what_is_packed_otherwise_is_refused(data: bytes) -> None:
    for unpack in (packing.unpack_ids, packing.unpack_rows, packing.unpack_texts):
        with pytest.raises(packing.PackingError):
            unpack(data)


def test_a_bomb_is_not_unpacked() -> None:
    with pytest.raises(packing.PackingError, match="more than"):
        packing.unpack_texts(packing._deflated({b"a": b"x" * (packing.MOST_BYTES + 1)}))


# What is given out


def test_only_images_of_the_library_are_given_out(outputs: Path, tmp_path: Path) -> None:
    folder = tmp_path / "more"
    config.change({"library_folders": [str(folder)]})
    secret = write_image(tmp_path / "secret.png")
    more = write_image(folder / "a" / "x.JPG")
    (outputs / "link.png").symlink_to(secret)
    (outputs / "out").symlink_to(tmp_path)
    (outputs / "inside.png").symlink_to(outputs / "day" / "0.png")
    (outputs / "secret.txt").write_text("secret")
    grounds = Grounds()
    given = [outputs / "day" / "0.png", more, outputs / "inside.png", outputs / "0.trace.safetensors"]
    assert all(grounds.real(os.fsencode(path)) for path in given)
    kept = [
        secret, outputs / "link.png", outputs / "out" / "secret.png", outputs / ".." / ".." / "secret.png",
        outputs / "secret.txt", outputs / ".hidden.png", outputs / ".git" / "x.png", trash.trash_dir() / "a" / "0.png",
        Path("day/0.png"), outputs, Path("/etc/passwd"),
    ]  # fmt: skip
    assert [path for path in kept if grounds.real(os.fsencode(path))] == []
    assert grounds.real(os.fsencode(outputs / "day" / "0.png") + b"\0.png") is None


def test_parts_of_files_are_those_of_the_library(outputs: Path, tmp_path: Path) -> None:
    image = outputs / "day" / "0.png"
    part = file_answers.part(m.GetFile(request=1, path=os.fsencode(image), offset=4))
    assert (part.data, part.total) == (image.read_bytes()[4:], image.stat().st_size)
    other = write_image(tmp_path / "secret.png")
    part = file_answers.part(m.GetFile(request=1, path=os.fsencode(other)))
    assert (part.data, part.problem) == (b"", "That is no image in a folder of the library.")


# Answers


def test_a_search(client: Client, outputs: Path) -> None:
    found = client.ask(m.FindImages(request=7, text="house", count=2, rows=1))
    assert isinstance(found, m.ImagesFound)
    assert (found.request, found.count, found.total, found.first, found.at) == (7, 3, 3, 0, -1)
    ids = packing.unpack_ids(found.ids)
    (row,) = packing.unpack_rows(found.rows)
    assert (len(ids), row.prompt, row.id) == (2, "house 2", ids[0])
    later = client.ask(m.FindImages(request=8, text="house", first=2, count=2, at=ids[1]))
    assert isinstance(later, m.ImagesFound)
    assert (later.at, later.first) == (1, 0)  # around the image that was asked for
    known = client.ask(m.GetImages(request=9, ids=(ids[1], 12345, ids[0]), whole=True))
    assert isinstance(known, m.ImagesKnown)
    assert [one.id for one in packing.unpack_rows(known.rows)] == [ids[1], ids[0]]
    assert known.seen == 3


def test_a_number_that_is_none_is_a_problem_and_not_the_end(client: Client, outputs: Path) -> None:
    known = client.ask(m.GetImages(request=1, ids=(2**64 - 1,)))
    assert isinstance(known, m.ImagesKnown)
    assert "could not answer" in known.problem
    assert isinstance(client.ask(m.GetLists(request=2)), m.LibraryLists)


def test_what_a_file_says(client: Client, outputs: Path, tmp_path: Path) -> None:
    read = client.ask(m.GetTexts(request=1, path=os.fsencode(outputs / "day" / "1.png")))
    assert isinstance(read, m.TextsRead)
    assert "house 1" in packing.unpack_texts(read.texts)["parameters"]
    other = write_image(tmp_path / "[x]\x1b.png")
    read = client.ask(m.GetTexts(request=1, path=os.fsencode(other)))
    assert isinstance(read, m.TextsRead)
    assert read.problem.startswith("[x]\ufffd.png lies in no folder of the library")
    assert read.texts == b""


def test_small_copies(client: Client, outputs: Path, tmp_path: Path) -> None:
    paths = [os.fsencode(outputs / "day" / f"{number}.png") for number in (2, 0)]
    other = os.fsencode(write_image(tmp_path / "secret.png"))
    client.librarian.take(m.GetThumbs(request=1, side=32, paths=(*paths, other)), client.mailbox)
    events = iter(client.mailbox)
    made = [next(events) for _ in range(3)]
    assert [one.path for one in made] == [*paths, other]  # type: ignore[union-attr]
    assert [bool(one.data) for one in made] == [True, True, False]  # type: ignore[union-attr]
    one = client.ask(m.GetPicture(request=2, side=16, path=paths[0]))
    assert isinstance(one, m.ThumbMade)
    (tmp_path / "copy").write_bytes(one.data)
    with Image.open(tmp_path / "copy") as image:
        assert (image.format, max(image.size)) == ("WEBP", 16)


def test_stars_tags_trash_and_back(client: Client, outputs: Path, tmp_path: Path) -> None:
    image = outputs / "day" / "1.png"
    path, other = os.fsencode(image), os.fsencode(write_image(tmp_path / "other.png"))
    done = client.ask(
        m.MarkImages(request=1, paths=(path, other), star=True, new=("sea", "old"), old=("old",))
    )
    assert isinstance(done, m.LibraryDone)
    assert "other.png lies in no folder" in done.problem
    (mark,) = marks.read()
    assert (mark.path, mark.star, mark.tags) == (str(image), True, ("sea",))
    thrown = client.ask(m.ThrowImages(request=2, paths=(path, other)))
    assert isinstance(thrown, m.ImagesThrown)
    assert (thrown.gone, len(thrown.problems)) == ((path,), 1)
    assert not image.exists()
    found = client.ask(m.FindImages(request=3, text="", count=9))
    assert isinstance(found, m.ImagesFound)
    assert (found.count, found.total) == (2, 2)  # though the index has not noticed it yet
    done = client.ask(m.RestoreImages(request=4, thrown=thrown.thrown))
    assert done == m.LibraryDone(request=4)
    assert image.exists()
    done = client.ask(m.RestoreImages(request=5, thrown="../../outputs"))
    assert isinstance(done, m.LibraryDone)
    assert done.problem == "That is not in the trash any more."


def test_what_another_process_threw_away_is_put_back(outputs: Path) -> None:
    image = outputs / "day" / "1.png"
    removed = Catalogue().throw([str(image)])
    assert Catalogue().restore(removed.name) == ()
    assert image.exists()


def test_who_watches_is_told_once(client: Client, outputs: Path) -> None:
    told = client.ask(m.WatchLibrary(request=1))
    assert isinstance(told, m.LibraryChanged)
    again = client.ask(m.WatchLibrary(request=2))
    assert again == told
    write_image(outputs / "new.png", changed=1_800_000_000)
    index_folder(outputs)
    changed = next(iter(client.mailbox))
    assert isinstance(changed, m.LibraryChanged)
    assert changed.version != told.version


def test_what_nobody_waits_for_any_more_is_not_made(client: Client, outputs: Path) -> None:
    paths = tuple(os.fsencode(outputs / "day" / f"{number % 3}.png") for number in range(200))
    client.librarian.take(m.GetThumbs(request=1, side=32, paths=paths), client.mailbox)
    client.librarian.take(m.GetThumbs(request=2, side=64, paths=paths[:1]), client.mailbox)
    client.librarian.take(m.GetThumbs(request=3, side=64, paths=paths[1:2], behind=True), client.mailbox)
    numbers = []
    for event in client.mailbox:
        numbers.append(event.request)  # type: ignore[union-attr]
        if numbers[-1] == 3:
            break
    assert numbers[-2:] == [2, 3]
    assert len(numbers) < 100
