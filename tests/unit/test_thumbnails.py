"""Thumbnails: right, bounded, private, and made once."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from PIL import Image

from sdcore.library import thumbnails
from sdcore.library.pruning import prune
from sdcore.library.thumbnails import thumbnail, thumbnails_dir, warm


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """An image of 300x200 whose left half is red, the right one blue."""
    picture = Image.new("RGB", (300, 200), (200, 0, 0))
    picture.paste((0, 0, 200), (150, 0, 300, 200))
    picture.save(tmp_path / "image.png")
    return tmp_path / "image.png"


@pytest.fixture(autouse=True)
def no_pruning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pruning happens when a test says so."""
    monkeypatch.setattr(thumbnails, "_account", Account())


class Account:
    def add(self, size: int) -> None:
        pass


def copies() -> list[Path]:
    return [path for path in thumbnails_dir().rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("box", "size"), [((60, 60), (60, 40)), ((30, 100), (30, 20)), ((900, 100), (150, 100)), ((2000, 2000), (300, 200))]
)  # fmt: skip
def test_it_fits_into_the_box(image: Path, box: tuple[int, int], size: tuple[int, int]) -> None:
    for _ in range(2):
        made = thumbnail(image, box)
        assert made is not None
        assert (made.mode, made.size) == ("RGB", size)
        left, right = (made.getpixel((x, size[1] // 2)) for x in (size[0] // 4, size[0] * 3 // 4))
        assert left == pytest.approx((200, 0, 0), abs=12)
        assert right == pytest.approx((0, 0, 200), abs=12)


def test_one_copy_serves_all_boxes_and_is_private(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    thumbnail(image, (40, 40))
    assert len(copies()) == 1
    assert copies()[0].stat().st_mode & 0o777 == 0o600
    monkeypatch.setattr(thumbnails, "_make", never)
    assert thumbnail(image, (100, 128)) is not None
    assert len(copies()) == 1


def never(*arguments: object) -> None:
    raise AssertionError("it was made again")


def test_a_changed_file_has_another(image: Path) -> None:
    thumbnail(image, (40, 40))
    Image.new("RGB", (300, 200), (0, 255, 0)).save(image)
    made = thumbnail(image, (40, 40))
    assert made is not None
    assert made.getpixel((5, 5)) == pytest.approx((0, 255, 0), abs=3)


def test_a_damaged_copy_is_made_again(image: Path) -> None:
    thumbnail(image, (40, 40))
    for damage in (b"", b"nonsense", copies()[0].read_bytes()[:200]):
        copies()[0].write_bytes(damage)
        made = thumbnail(image, (40, 40))
        assert made is not None
        assert made.getpixel((5, 5)) == pytest.approx((200, 0, 0), abs=12)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "PNG"])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_kinds_of_files(tmp_path: Path, kind: str, mode: str) -> None:
    if (kind, mode) == ("JPEG", "RGBA"):
        mode = "CMYK"
    path = tmp_path / "image"
    Image.new(mode, (2000, 1000)).save(path, kind)
    made = thumbnail(path, (100, 100))
    assert made is not None
    assert (made.mode, made.size) == ("RGB", (100, 50))


def test_a_photo_is_turned_as_it_says(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (400, 200)).save(tmp_path / "photo.jpg", exif=exif)
    made = thumbnail(tmp_path / "photo.jpg", (100, 100))
    assert made is not None
    assert made.size == (50, 100)


def test_what_cannot_be_read_has_none(tmp_path: Path, image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "cut.png").write_bytes(image.read_bytes()[:150])
    for path in (tmp_path / "none.png", tmp_path / "text.png", tmp_path / "cut.png", tmp_path, "nul\0.png"):
        assert thumbnail(path, (40, 40)) is None
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert thumbnail(image, (40, 40)) is None
    assert copies() == []


def test_a_cache_that_cannot_be_written_is_done_without(image: Path) -> None:
    thumbnails_dir().write_text("in the way")
    assert thumbnail(image, (40, 40)) is not None


def test_the_least_recently_used_go_first(tmp_path: Path, image: Path) -> None:
    places = []
    for number in range(10):
        path = tmp_path / f"{number}.png"
        path.write_bytes(image.read_bytes())
        thumbnail(path, (40, 40))
        place = next(place for place in copies() if place not in places)
        os.utime(place, (number, number))
        places.append(place)
    thumbnail(tmp_path / "0.png", (40, 40))  # used just now
    size = places[0].stat().st_size
    prune(thumbnails_dir(), 10 * size)
    assert len(copies()) == 10
    prune(thumbnails_dir(), 9 * size)
    assert set(copies()) == {places[0], *places[3:]}


def test_the_cache_is_looked_through_by_itself(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pruned = threading.Event()
    monkeypatch.setattr(thumbnails, "prune", lambda folder, limit: pruned.set())
    monkeypatch.setattr(thumbnails, "_account", thumbnails._Account())
    thumbnail(image, (40, 40))
    assert pruned.wait(10)


def test_warming_makes_them_until_it_is_stopped(
    tmp_path: Path, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(4)]
    for path in paths:
        path.write_bytes(image.read_bytes())
    answers = iter([False, False, True])
    warm([tmp_path / "none.png", *paths], (40, 40), lambda: next(answers))
    assert len(copies()) == 1
    warm(paths, (40, 40))
    assert len(copies()) == 4
    monkeypatch.setattr(thumbnails, "_make", never)
    warm(paths, (40, 40))


def test_threads_may_ask_for_the_same(image: Path) -> None:
    made: list[Image.Image | None] = []
    threads = [
        threading.Thread(target=lambda: made.append(thumbnail(image, (40, 40)))) for _ in range(8)
    ]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one is not None and one.size for one in made] == [(40, 27)] * 8
    assert len(copies()) == 1
