"""What image files say about themselves, whatever state they are in."""

from __future__ import annotations

import contextlib
import os
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from sdcore.library.metadata import ImageFacts, MetadataError, read_image, read_pixels
from sdcore.library.outputs import save_image
from sdcore.spec.recipe import Recipe

TEXT = "a house\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 64x64"


def _png(path: Path, **texts: str) -> Path:
    chunks = PngInfo()
    for key, text in texts.items():
        chunks.add_text(key, text)
    Image.new("RGB", (8, 8)).save(path, pnginfo=chunks)
    return path


def test_the_parameters_of_others(tmp_path: Path) -> None:
    facts = read_image(_png(tmp_path / "a.png", parameters=TEXT))
    assert (facts.prompt, facts.sampler, facts.writer, facts.exact) == ("a house", "Euler a", "A1111", False)


def test_the_record_wins_over_the_text(tmp_path: Path) -> None:
    recipe = Recipe(prompt="a\nNegative prompt: b", negative_prompt="Steps: 1, Sampler: x, Seed: 2", seed=5)
    facts = read_image(save_image(Image.new("RGB", (8, 8)), recipe, folder=tmp_path))
    assert facts.recipe() == recipe
    assert facts.exact


@pytest.mark.parametrize(
    "broken",
    ["", "{", "[]", '{"version":1}', '{"version":1,"recipe":{"steps":"x"}}', '{"x":' + "[" * 100_000],
)
def test_a_broken_record_leaves_the_text(broken: str, tmp_path: Path) -> None:
    facts = read_image(_png(tmp_path / "a.png", sdtui=broken, parameters=TEXT))
    assert (facts.prompt, facts.exact) == ("a house", False)


def test_a_record_of_a_later_version_is_understood_as_far_as_it_goes(tmp_path: Path) -> None:
    facts = read_image(
        _png(tmp_path / "a.png", sdtui='{"version":9,"recipe":{"prompt":"x","new":1},"newer":2}')
    )
    assert facts.prompt == "x"


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp"])
def test_an_image_that_says_nothing(name: str, tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / name)
    assert read_image(tmp_path / name) == ImageFacts()


def test_texts_that_are_too_large_are_not_looked_at(tmp_path: Path) -> None:
    assert read_image(_png(tmp_path / "a.png", parameters="x" * 1_100_000 + TEXT)) == ImageFacts()


def test_what_no_image_is(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "empty.png").touch()
    os.mkfifo(tmp_path / "pipe.png")
    for path in (
        *tmp_path.iterdir(),
        tmp_path,
        tmp_path / "absent.png",
        Path("/dev/zero"),
        "nul\0.png",
        "x" * 5000,
    ):
        with pytest.raises(MetadataError) as caught:
            read_image(path)
        assert str(caught.value).endswith(".")
        assert "\n" not in str(caught.value)


def test_names_are_shown_safely() -> None:
    with pytest.raises(MetadataError) as caught:
        read_image("\x1b[31m\u202e.png")
    assert "\x1b" not in str(caught.value)
    assert "\u202e" not in str(caught.value)


def test_a_file_cut_off_anywhere(tmp_path: Path) -> None:
    whole = save_image(
        Image.effect_noise((64, 64), 50).convert("RGB"), Recipe(seed=5), folder=tmp_path
    ).read_bytes()
    path = tmp_path / "cut.png"
    known = 0
    for length in range(0, len(whole), 211):
        path.write_bytes(whole[:length])
        with contextlib.suppress(MetadataError):  # and nothing else
            known += read_image(path).recipe() == Recipe(seed=5)
        with pytest.raises(MetadataError):
            read_pixels(path)
    assert known > 0


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def test_bombs(tmp_path: Path) -> None:
    header = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    (tmp_path / "large.png").write_bytes(header + _chunk(b"IDAT", b"") + _chunk(b"IEND", b""))
    with pytest.raises(MetadataError, match="monstrous"):
        read_image(tmp_path / "large.png")
    header = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0))
    bomb = _chunk(b"zTXt", b"parameters\0\0" + zlib.compress(b"x" * 2_000_000))
    (tmp_path / "text.png").write_bytes(header + bomb + _chunk(b"IDAT", b"") + _chunk(b"IEND", b""))
    assert read_image(tmp_path / "text.png") == ImageFacts()


def test_defaults_stand_in_for_what_is_not_said() -> None:
    assert ImageFacts(prompt="x", steps=5).recipe() == Recipe(prompt="x", steps=5)
