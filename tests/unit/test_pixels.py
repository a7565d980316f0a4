"""Finished pictures: the renderer against rich_pixels' own, fitting, and what odd images do."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from rich.color import ColorType
from rich.segment import Segment
from rich_pixels import HalfcellRenderer

from tui.term.mixing import linear, oklab
from tui.term.palette import quantise, rich_colors, sgr_codes
from tui.term.picture_strips import picture_strips
from tui.term.pixels import HalfCellRenderer, fit, flatten, resize


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    """An image in which no two pixels are alike."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def cells(segments: list[Segment]) -> list[list[tuple[tuple[int, ...], tuple[int, ...]]]]:
    """(upper, lower) colours of every cell, line by line, however they were written."""
    lines = []
    for line in Segment.split_lines(segments):
        row = []
        for text, style, _ in line:
            assert style is not None
            assert style.bgcolor is not None
            upper = tuple(style.bgcolor.get_truecolor())
            for character in text:
                lower = tuple(style.color.get_truecolor()) if character == "▄" and style.color else upper
                row.append((upper, lower))
        lines.append(row)
    return lines


def test_same_picture_as_rich_pixels() -> None:
    image = noise(9, 6)
    ours = HalfCellRenderer(bits=8).render(image, None)
    assert cells(ours) == cells(HalfcellRenderer().render(image, None))


def test_equal_neighbours_share_a_segment() -> None:
    segments = HalfCellRenderer().render(Image.new("RGB", (40, 4), "red"), None)
    assert [segment.text for segment in segments] == [" " * 40, "\n", " " * 40, "\n"]


def test_odd_height_repeats_the_last_row() -> None:
    image = noise(3, 5)
    rows = cells(HalfCellRenderer(bits=8).render(image, None))
    assert len(rows) == 3
    assert all(upper == lower for upper, lower in rows[-1])


@pytest.mark.parametrize("bits", [1, 4, 5, 6, 8])
def test_bits_round_to_the_nearest_kept_value(bits: int) -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(2, 128, 1).repeat(3, -1)
    kept = quantise(ramp, "truecolor", bits) & 255
    assert len(np.unique(kept)) == 2**bits
    assert {0, 255} <= set(kept.ravel().tolist())
    assert np.abs(kept.astype(int) - ramp[..., 0]).max() <= 255 / (2**bits - 1) / 2 + 1


@pytest.mark.parametrize(
    ("image", "box", "expected"),
    [
        ((128, 128), (80, 40), (80, 40)),
        ((128, 128), (80, 20), (40, 20)),
        ((512, 256), (80, 40), (80, 20)),
        ((256, 512), (80, 40), (40, 40)),
        ((4000, 10), (80, 40), (80, 1)),
        ((10, 4000), (80, 40), (1, 40)),
        ((1, 1), (1, 1), (1, 1)),
    ],
)
def test_fit(image: tuple[int, int], box: tuple[int, int], expected: tuple[int, int]) -> None:
    assert fit(*image, *box) == expected


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    image = noise(8, 8).convert("RGB" if mode == "CMYK" else "L").convert(mode)
    small = resize(image, 4, 2)
    assert (small.mode, small.size) == ("RGB", (4, 4))


def test_transparent_is_black() -> None:
    assert flatten(Image.new("RGBA", (1, 1), (200, 100, 50, 0))).getpixel((0, 0)) == (0, 0, 0)


@pytest.mark.parametrize("depth", ["truecolor", "256", "standard"])
def test_lines_have_the_asked_size(depth: str) -> None:
    lines = picture_strips(noise(33, 17), 12, 5, depth)  # type: ignore[arg-type]
    assert [line.cell_length for line in lines] == [12] * 5
    assert [sum(segment.cell_length for segment in line) for line in lines] == [12] * 5


def test_palette_keeps_its_own_colours_and_hues() -> None:
    corners = np.array([[(0, 0, 0), (255, 0, 0), (0, 255, 0), (255, 255, 255)]], np.uint8)
    assert quantise(corners, "256").tolist() == [[16, 196, 46, 231]]
    # a dark brown that plain RGB distance would turn into a grey
    brown = quantise(np.full((16, 16, 3), (120, 75, 50), np.uint8), "256")
    shown = np.array([color.get_truecolor() for color in rich_colors(brown.ravel(), "256")]).mean(0)
    assert shown[0] > shown[1] + 20 > shown[2] + 30


def test_few_colours_are_mixed() -> None:
    grey = np.full((8, 8, 3), 180, np.uint8)
    assert len(set(quantise(grey, "standard").ravel().tolist())) > 1
    assert len(set(quantise(grey, "standard", 3).ravel().tolist())) == 1


@pytest.mark.parametrize(("depth", "most"), [("256", 0.05), ("standard", 0.1)])
def test_a_dark_picture_keeps_its_colours(depth: str, most: float) -> None:
    night = np.full((32, 32, 3), (20, 23, 48), np.uint8)
    codes = quantise(night, depth)  # type: ignore[arg-type]
    shown = np.array([color.get_truecolor() for color in rich_colors(codes.ravel(), depth)])  # type: ignore[arg-type]
    light = linear(shown).mean(0)
    assert np.abs(oklab(light) - oklab(linear(np.array([20, 23, 48])))).max() < most
    assert light[2] > 1.5 * light[0]


def test_a_picture_that_stays_is_mixed_alike() -> None:
    picture = np.asarray(noise(20, 20))
    assert np.array_equal(quantise(picture, "256"), quantise(picture.copy(), "256"))
    moved = picture.copy()
    moved[:10] = 0
    assert np.array_equal(quantise(moved, "256")[10:], quantise(picture, "256")[10:])


def test_flat_colours_of_the_palette_are_not_mixed() -> None:
    flat = np.full((16, 16, 3), (215, 95, 0), np.uint8)
    assert len(np.unique(quantise(flat, "256"))) == 1


def test_codes_are_what_terminals_read() -> None:
    assert sgr_codes("truecolor")[0][0xFF8000] == "38;2;255;128;0"
    assert sgr_codes("256")[1][201] == "48;5;201"
    assert [sgr_codes("standard")[0][code] for code in (0, 7, 8, 15)] == ["30", "37", "90", "97"]
    assert [sgr_codes("standard")[1][code] for code in (0, 7, 8, 15)] == ["40", "47", "100", "107"]


def test_colours_have_a_triplet_or_a_number() -> None:
    assert rich_colors(np.array([0x010203], np.uint32), "truecolor")[0].triplet == (1, 2, 3)
    assert rich_colors(np.array([99], np.uint32), "256")[0].type is ColorType.EIGHT_BIT
