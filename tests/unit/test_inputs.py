"""Kept copies of init images and masks: named by their pixels, private, and refused with one sentence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from sdcore.library.exporting import export
from sdcore.library.inputs import InputError, input_path, input_size, keep_input, keep_inputs, read_input
from sdcore.library.metadata import read_pixels
from sdcore.library.paths import inputs_dir
from sdcore.library.thumbnails import thumbnail
from sdcore.spec.recipe import Recipe


def test_a_picture_is_kept_once_and_privately(tmp_path: Path) -> None:
    image = Image.new("RGB", (12, 8), (1, 2, 3))
    image.save(tmp_path / "a.png")
    name = keep_input(image)
    assert name.startswith("input:")
    assert len(name) == len("input:") + 16
    assert keep_input(tmp_path / "a.png") == keep_input(str(tmp_path / "a.png")) == keep_input(name) == name
    files = list(inputs_dir().iterdir())
    assert files == [input_path(name)]
    assert files[0].stat().st_mode & 0o777 == 0o600
    assert inputs_dir().stat().st_mode & 0o777 == 0o700
    assert read_input(name).getpixel((0, 0)) == (1, 2, 3)
    assert input_size(name) == (12, 8)


def test_a_mask_stays_grey() -> None:
    mask = Image.new("L", (4, 4), 255)
    name = keep_input(mask)
    assert read_input(name).mode == "L"
    assert keep_input(mask.convert("1")) == name
    assert keep_input(mask.convert("RGB")) != name
    assert keep_input(Image.new("L", (8, 2), 255)) != name


def test_a_photograph_is_turned_upright(tmp_path: Path) -> None:
    image = Image.new("RGB", (40, 20), "red")
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "phone.jpg", exif=exif)
    assert input_size(str(tmp_path / "phone.jpg")) == (20, 40)
    assert read_input(tmp_path / "phone.jpg").size == (20, 40)


def test_what_shines_through_is_on_white(tmp_path: Path) -> None:
    image = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    image.putpixel((1, 1), (10, 20, 30, 255))
    image.putpixel((2, 2), (0, 0, 0, 51))
    image.save(tmp_path / "a.png")
    read = read_input(tmp_path / "a.png")
    assert [read.getpixel(at) for at in ((0, 0), (1, 1), (2, 2))] == [(255,) * 3, (10, 20, 30), (204,) * 3]
    assert keep_input(tmp_path / "a.png") == keep_input(read) == keep_input(image)


def test_greys_of_sixteen_bits_are_seen_as_they_are(tmp_path: Path) -> None:
    greys = {0: 0, 1000: 4, 32768: 128, 65535: 255}
    deep = Image.new("I;16", (4, 1))
    for x, value in enumerate(greys):
        deep.putpixel((x, 0), value)
    deep.save(tmp_path / "deep.png")
    deep.save(tmp_path / "clear.png", transparency=1000)
    shown = [(grey,) * 3 for grey in greys.values()]
    read = read_input(tmp_path / "deep.png")
    assert read.mode == "L"
    assert [read.getpixel((x, 0)) for x in range(4)] == list(greys.values())
    assert keep_input(deep) == keep_input(tmp_path / "deep.png") == keep_input(read)
    seen = [
        read_pixels(tmp_path / "deep.png"),
        read_pixels(export(tmp_path / "deep.png", tmp_path / "x.png", "PNG")),
    ]
    thumb = thumbnail(tmp_path / "deep.png", (8, 8))
    assert thumb is not None
    assert [[one.getpixel((x, 0)) for x in range(4)] for one in seen] == [shown, shown]
    assert abs(thumb.getpixel((2, 0))[0] - 128) < 8  # a JPEG
    clear = read_input(tmp_path / "clear.png")
    assert [clear.getpixel((x, 0)) for x in range(4)] == [shown[0], (255,) * 3, *shown[2:]]


def test_the_pictures_of_a_recipe_are_kept(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4), "red").save(tmp_path / "a.png")
    plain = Recipe(seed=3)
    assert keep_inputs(plain) is plain
    asked = Recipe(seed=3, init_image=str(tmp_path / "a.png"))
    kept = keep_inputs(asked)
    assert kept.init_image == keep_input(tmp_path / "a.png")
    assert kept.mask_image == ""
    (tmp_path / "a.png").unlink()
    assert keep_inputs(kept) is kept
    with pytest.raises(InputError):
        keep_inputs(asked)


def test_a_name_with_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    Image.new("RGB", (4, 4)).save(tmp_path / "x.png")
    assert input_path("~/x.png") == tmp_path / "x.png"


@pytest.mark.parametrize(
    "ref",
    [
        "input:../../secret",
        "input:0123456789abcdef",
        "input:",
        "/nowhere/x.png",
        "~nobody-at-all/x.png",
        "a\0b",
    ],
)
def test_what_is_not_there_is_told_in_a_sentence(ref: str) -> None:
    with pytest.raises(InputError, match=r"^[A-Z][^\n\0]*\.$"):
        input_path(ref)


def test_what_is_no_image_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"no image")
    with pytest.raises(InputError, match="is no PNG"):
        read_input(tmp_path / "x.png")
    with pytest.raises(InputError, match="is no PNG"):
        input_size(str(tmp_path / "x.png"))
    whole = tmp_path / "whole.png"
    Image.frombytes("RGB", (64, 64), os.urandom(64 * 64 * 3)).save(whole)
    (tmp_path / "half.png").write_bytes(whole.read_bytes()[:4000])
    with pytest.raises(InputError, match="cut off or damaged"):
        keep_input(tmp_path / "half.png")
    with pytest.raises(InputError):
        input_path(str(tmp_path))
    assert list(inputs_dir().iterdir()) == []
