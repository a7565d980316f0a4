"""Texts that are hidden in the pixels: found where they are, cheaply not found where they are not."""

from __future__ import annotations

import gzip
import json
import random
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from sdcore.library import hidden
from sdcore.library.exporting import export
from sdcore.library.hidden import hidden_text, may_hide
from sdcore.library.metadata import read_image, read_texts

NOVELAI = {
    "Title": "AI generated image", "Description": "a boat", "Software": "NovelAI", "Source": "Stable Diffusion XL",
    "Comment": json.dumps({"prompt": "a boat, 海", "steps": 28, "height": 144, "width": 160, "scale": 5.0, "seed": 77,
                           "sampler": "k_euler", "uc": "fog"}),
}  # fmt: skip


def noise(mode: str = "RGBA", size: tuple[int, int] = (160, 144)) -> Image.Image:
    """Pixels that every filter of PNG is used for; opaque as pictures are."""
    draws = random.Random(1)
    picture = Image.new("RGB", size)
    for y in range(size[1]):
        for x in range(0, size[0], 1 + y % 7):
            picture.putpixel((x, y), (x % 256, (x * y) % 256, draws.randrange(256)))
    if mode == "RGBA":
        picture.putalpha(255)
    return picture


def bits_of(data: bytes) -> list[int]:
    return [byte >> place & 1 for byte in data for place in range(7, -1, -1)]


def hide(picture: Image.Image, mark: bytes, data: bytes, length: int | None = None) -> Image.Image:
    """A picture with a text hidden in it, in transparency or in the colours, column by column."""
    bits = (
        bits_of(mark)
        + bits_of(struct.pack(">I", len(data) * 8 if length is None else length))
        + bits_of(data)
    )
    pixels = picture.load()
    assert pixels is not None
    alpha = b"png" in mark
    slots = [(x, y, band) for x in range(picture.width) for y in range(picture.height)
             for band in ((3,) if alpha else (0, 1, 2))]  # fmt: skip
    for bit, (x, y, band) in zip(bits, slots, strict=False):
        values = list(pixels[x, y])  # type: ignore[arg-type]
        values[band] = values[band] & 254 | bit
        pixels[x, y] = tuple(values)
    return picture


def novelai(size: tuple[int, int] = (160, 144)) -> Image.Image:
    return hide(noise(size=size), b"stealth_pngcomp", gzip.compress(json.dumps(NOVELAI).encode(), mtime=0))


def saved(picture: Image.Image, path: Path, **options: object) -> Path:
    picture.save(path, **options)  # type: ignore[arg-type]
    return path


def check_novelai(path: Path) -> None:
    facts = read_image(path)
    assert (facts.writer, facts.prompt, facts.negative_prompt, facts.seed) == (
        "NovelAI",
        "a boat, 海",
        "fog",
        77,
    )
    assert (facts.steps, facts.width, facts.model) == (28, 160, "Stable Diffusion XL")


@pytest.mark.parametrize("level", [0, 1, 9])
def test_novelai_in_transparency(tmp_path: Path, level: int) -> None:
    check_novelai(saved(novelai(), tmp_path / "a.png", compress_level=level))


def test_lossless_webp(tmp_path: Path) -> None:
    path = saved(novelai(), tmp_path / "a.webp", lossless=True, exact=True)
    assert may_hide(path, "WEBP")
    check_novelai(path)
    assert not may_hide(saved(noise("RGB"), tmp_path / "b.webp", lossless=True), "WEBP")
    assert not may_hide(saved(noise(), tmp_path / "c.webp"), "WEBP")


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("packed", [False, True])
def test_the_text_of_the_web_ui_in_the_colours(tmp_path: Path, mode: str, packed: bool) -> None:
    text = "a 家 house\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 64x64".encode()
    mark = b"stealth_rgbcomp" if packed else b"stealth_rgbinfo"
    path = saved(hide(noise(mode), mark, gzip.compress(text) if packed else text), tmp_path / "a.png")
    facts = read_image(path)
    assert (facts.prompt, facts.steps, facts.sampler) == ("a 家 house", 20, "Euler a")


def test_what_the_file_says_openly_is_believed(tmp_path: Path) -> None:
    said = PngInfo()
    said.add_text("parameters", "a tree\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 64x64")
    assert read_image(saved(novelai(), tmp_path / "a.png", pnginfo=said)).prompt == "a tree"
    beside = PngInfo()
    beside.add_text("Author", "me")
    path = saved(novelai(), tmp_path / "b.png", pnginfo=beside)
    check_novelai(path)
    assert read_texts(path).texts["Author"] == "me"


def test_pictures_without_a_mark_are_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def decoded(image: Image.Image) -> str:
        raise AssertionError

    monkeypatch.setattr(hidden, "hidden_text", decoded)
    for mode in ("RGB", "RGBA", "L", "P", "LA"):
        path = saved(noise().convert(mode), tmp_path / f"{mode}.png")
        assert read_texts(path).texts == {}
    assert read_texts(saved(noise("RGB"), tmp_path / "a.jpg")).texts == {}


def test_only_the_first_rows_are_unpacked(tmp_path: Path) -> None:
    """The rest of the file may be missing: an opaque picture is known by its first rows not to bear a mark."""
    path = saved(noise(size=(800, 600)), tmp_path / "a.png", compress_level=0)
    whole = path.read_bytes()
    path.write_bytes(whole[:40_000])
    assert not may_hide(path, "PNG")
    marked = saved(novelai((800, 600)), path, compress_level=0).read_bytes()
    path.write_bytes(marked[:450_000])
    assert may_hide(path, "PNG")
    assert read_texts(path).texts == {}  # for the text the pixels must be whole


@pytest.mark.parametrize("length", [0, 7, 2**31, 2**32 - 1, 160 * 144, 8 * 2**20 + 8])
def test_lengths_that_lie(length: int) -> None:
    assert hidden_text(hide(noise(), b"stealth_pnginfo", b"a text", length)) is None


def test_a_text_that_unpacks_to_too_much() -> None:
    bomb = gzip.compress(bytes(2**22))
    assert hidden_text(hide(noise(size=(400, 300)), b"stealth_pngcomp", bomb)) is None
    assert hidden_text(hide(noise(), b"stealth_pngcomp", b"not gzip")) is None


def test_huge_pictures_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(novelai(), tmp_path / "a.png")
    monkeypatch.setattr(hidden, "MOST_PIXELS", 160 * 144 - 1)
    assert not may_hide(path, "PNG")
    assert hidden_text(novelai()) is None


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def test_a_header_that_claims_much_costs_little(tmp_path: Path) -> None:
    header = struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 8, 6, 0, 0, 0)
    path = tmp_path / "a.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(2**20)))
    )
    assert not may_hide(path, "PNG")
    wide = struct.pack(">IIBBBBB", 60_000, 500, 8, 6, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", wide) + chunk(b"IDAT", zlib.compress(bytes(100))))
    assert not may_hide(path, "PNG")


def test_an_export_without_what_it_says_hides_nothing(tmp_path: Path) -> None:
    path = saved(novelai(), tmp_path / "a.png")
    check_novelai(export(path, tmp_path / "kept.png", "PNG"))
    bare = export(path, tmp_path / "bare.png", "PNG", keep_metadata=False)
    assert read_texts(bare).texts == {}
    with Image.open(bare) as image:
        assert hidden_text(image) is None
        assert image.getchannel("A").getextrema() == (255, 255)
    coloured = saved(hide(noise("RGB"), b"stealth_rgbinfo", b"a text"), tmp_path / "b.png")
    with Image.open(export(coloured, tmp_path / "c.png", "PNG", keep_metadata=False)) as image:
        assert hidden_text(image) is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_damage_is_borne(tmp_path: Path, data: st.DataObject) -> None:
    path = saved(novelai((80, 160)), tmp_path / "whole.png")
    broken = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(0, 3))):
        broken[data.draw(st.integers(8, len(broken) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(broken[: data.draw(st.integers(0, len(broken)))])
    assert may_hide(path, "PNG") in (True, False)
