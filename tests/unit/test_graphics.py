"""Kitty, iTerm2 and Sixel: what a terminal decodes is the picture that was sent."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageChops
from rich.console import Console
from rich.segment import Segment
from rich.style import Style

from tests.terminal.graphics import KittyStore, inline_images, placeholders, sixel_images
from tui.term.capabilities import Capabilities
from tui.term.graphics.iterm import inline
from tui.term.graphics.kitty import (
    DIACRITICS,
    PLACEHOLDER,
    Numbers,
    broken_off,
    deletion,
    placeholder_strips,
    transmission,
)
from tui.term.graphics.overlay import placed
from tui.term.graphics.payload import compact, png, scaled
from tui.term.graphics.quadrants import BLOCKS, quadrant_cells, quadrant_strips
from tui.term.graphics.sixel import sixels
from tui.term.graphics.ways import Pictures, best, possible
from tui.widgets.drawing import FINE, Means, Pane, draw

LEFT, RIGHT = Segment("  ", Style.parse("on #102030")), Segment("", Style())


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def smooth(width: int, height: int) -> Image.Image:
    y, x = np.mgrid[:height, :width]
    return Image.fromarray(np.stack([x * 2, y * 2, 255 - x], -1).clip(0, 255).astype(np.uint8))


def difference(one: Image.Image, other: Image.Image) -> float:
    return float(np.asarray(ImageChops.difference(one, other)).mean())


# Kitty


@pytest.mark.parametrize("tmux", [False, True])
def test_a_kitty_image_arrives_whole(tmux: bool) -> None:
    image = noise(90, 60)
    pieces = transmission(7, png(image), 30, 10, tmux=tmux)
    assert len(pieces) > 2
    store = KittyStore("text between the pieces".join(pieces).encode())
    assert not store.errors
    assert (store.images[7].columns, store.images[7].rows) == (30, 10)
    assert difference(store.images[7].image, image) == 0


def test_a_kitty_image_is_taken_away() -> None:
    pieces = transmission(7, png(noise(8, 8)), 3, 2, tmux=False)
    assert not KittyStore("".join([*pieces, deletion(7, tmux=False)]).encode()).images


def test_the_next_image_survives_one_that_was_broken_off() -> None:
    begun = transmission(7, png(noise(90, 60)), 3, 2, tmux=False)[:1]
    whole = transmission(8, png(noise(8, 8)), 3, 2, tmux=False)
    store = KittyStore("".join([*begun, broken_off(tmux=False), *whole]).encode())
    assert list(store.images) == [8]
    assert "within another" not in " ".join(store.errors)
    assert KittyStore("".join([*begun, *whole]).encode()).errors


def test_there_are_as_many_letters_as_the_protocol_has() -> None:
    assert len(DIACRITICS) == len(set(DIACRITICS)) == 297
    assert [f"{ord(DIACRITICS[number]):X}" for number in (0, 1, 30, 255, 296)] == [
        "305", "30D", "483", "A8E5", "1D244",
    ]  # fmt: skip


def test_placeholders_stand_for_their_place_however_they_are_cut() -> None:
    strips = placeholder_strips(0x123456, 12, 3, "truecolor", LEFT, RIGHT)
    console = Console(color_system="truecolor", force_terminal=True)
    for row, strip in enumerate(strips):
        assert strip.cell_length == 14
        line = strip.render(console)
        assert "38;2;18;52;86" in line
        assert placeholders(line) == [(row, column) for column in range(12)]
        cut = strip.crop(5, 9)
        assert cut.cell_length == 4
        assert placeholders(cut.render(console)) == [(row, column) for column in range(3, 7)]
        assert "38;2;18;52;86" in cut.render(console)


def test_few_colours_have_few_numbers() -> None:
    numbers = Numbers(1000)
    taken = [numbers.take("256") for _ in range(240)]
    assert len(set(taken)) == 240
    assert (min(taken), max(taken)) == (16, 255)
    (strip,) = placeholder_strips(taken[0], 3, 1, "256", RIGHT, RIGHT)
    assert f"38;5;{taken[0]}m{PLACEHOLDER}" in strip.render(Console(color_system="256", force_terminal=True))
    cut = strip.crop(1, 2).render(Console(color_system="256", force_terminal=True))
    assert f"38;5;{taken[0]}m" in cut


def test_many_colours_have_many_numbers() -> None:
    numbers = Numbers()
    taken = [numbers.take("truecolor") for _ in range(1000)]
    assert len(set(taken)) == 1000
    assert min(taken) >= 256
    assert max(taken) < 1 << 24


# iTerm2 and Sixel


def test_an_inline_image_arrives_whole() -> None:
    image = smooth(40, 30)
    (drawn,) = inline_images(placed(inline(compact(image), 20, 8), 4, 2).encode())
    assert (drawn.column, drawn.row, drawn.columns, drawn.rows) == (5, 3, 20, 8)
    assert difference(drawn.image, image) == 0


def test_a_large_inline_image_is_a_little_worse_and_much_shorter() -> None:
    image = noise(400, 400)
    data = compact(image)
    assert len(data) < len(png(image)) * 0.8
    assert difference(compact_back(data), image) < 30
    assert len(compact(image, quick=True)) < len(data) / 2


def compact_back(data: bytes) -> Image.Image:
    import io

    return Image.open(io.BytesIO(data)).convert("RGB")


@pytest.mark.parametrize("size", [(60, 36), (61, 35), (1, 1)])
def test_a_sixel_image_looks_like_what_was_sent(size: tuple[int, int]) -> None:
    image = smooth(*size)
    (drawn,) = sixel_images(sixels(image).encode())
    assert drawn.size == image.size
    assert difference(drawn, image) < 6


def test_a_sixel_image_of_few_colours_is_exact() -> None:
    image = Image.new("RGB", (30, 14), (255, 0, 0))
    image.paste((0, 0, 255), (7, 3, 20, 9))
    text = sixels(image)
    (drawn,) = sixel_images(text.encode())
    assert difference(drawn, image) == 0
    assert len(text) < 300


# Quadrants


def test_quadrants_show_what_two_colours_can() -> None:
    red, blue = (255, 0, 0), (0, 0, 255)
    pixels = np.array([[red, blue, blue, blue], [blue, red, red, red]], np.uint8)
    blocks, ink, paper = quadrant_cells(pixels, "truecolor", 8)
    for cell in range(2):
        lit = [int(blocks[0, cell]) >> place & 1 for place in range(4)]
        shown = [ink[0, cell] if bit else paper[0, cell] for bit in lit]
        wanted = pixels[:, 2 * cell : 2 * cell + 2].reshape(4, 3)
        assert shown == [int(r) << 16 | int(g) << 8 | int(b) for r, g, b in wanted]


def test_quadrant_strips_are_the_same_cut_and_whole() -> None:
    pixels = np.asarray(noise(20, 4))
    console = Console(color_system="truecolor", force_terminal=True)
    for strip in quadrant_strips(pixels, "truecolor", 6, LEFT, RIGHT):
        assert strip.cell_length == 12
        whole = strip.render(console)
        assert set(strip.text) <= set(BLOCKS)
        assert [letter for letter in whole if letter in BLOCKS[1:]] == [
            letter for letter in strip.text if letter in BLOCKS[1:]
        ]


# Which way, and the whole


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (Capabilities(), "halfblocks"),
        (Capabilities(kitty=True), "kitty"),
        (Capabilities(kitty=True, multiplexer="tmux"), "halfblocks"),
        (Capabilities(kitty=True, multiplexer="tmux", passthrough=True), "kitty"),
        (Capabilities(inline=True, sixel=True, cell=(8, 16)), "iterm"),
        (Capabilities(sixel=True, cell=(8, 16)), "sixel"),
        (Capabilities(sixel=True), "halfblocks"),
    ],
)
def test_the_best_way_is_taken(found: Capabilities, wanted: str) -> None:
    assert best(found) == wanted


def test_the_ways_go_round_and_a_setting_wins() -> None:
    pictures = Pictures()
    pictures.know(Capabilities(kitty=True))
    assert [pictures.go_on() for _ in range(3)] == ["quadrants", "halfblocks", "kitty"]
    assert possible(pictures.found) == ["kitty", "quadrants", "halfblocks"]
    pictures.want("sixel")
    assert pictures.way == "sixel"
    assert pictures.go_on() == "kitty"
    pictures.want("auto")
    assert pictures.way == "kitty"


PANE = Pane(40, 20, Style(), "truecolor")


@pytest.mark.parametrize("way", ["kitty", "iterm", "sixel", "quadrants", "halfblocks"])
@pytest.mark.parametrize("live", [False, True])
def test_every_way_fills_the_same_cells(way: str, live: bool) -> None:
    means = Means(way, Numbers(), cell=(8, 16))  # type: ignore[arg-type]
    drawing = draw(smooth(60, 30), PANE, means, FINE, live=live)
    assert [strip.cell_length for strip in drawing.strips] == [40] * 10
    assert drawing.offset == (0, 5)
    if drawing.substitute is not None:
        assert [strip.cell_length for strip in drawing.substitute()] == [40] * 10


def test_no_more_is_sent_than_the_pane_has_pixels() -> None:
    image = smooth(2000, 1000)
    assert scaled(image, 40, 10, (8, 16)).size == (320, 160)
    assert scaled(smooth(60, 30), 40, 10, (8, 16)).size == (60, 30)
    assert scaled(smooth(60, 30), 40, 10, (8, 16), exact=True).size == (320, 160)


def test_sixel_is_not_for_live_frames_and_slow_lines() -> None:
    from tui.term.pacing import QUALITIES

    means = Means("sixel", Numbers(), cell=(8, 16))
    assert draw(smooth(60, 30), PANE, means).overlay
    assert not draw(smooth(60, 30), PANE, means, live=True).overlay
    assert not draw(smooth(60, 30), PANE, means, QUALITIES[2]).overlay
