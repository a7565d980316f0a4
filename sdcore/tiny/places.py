"""What each place looks like: a sky, and layers in front of it, in a frame of side 1 with y downwards.

Tones are paler or duller than the subjects' so that a blue fish stays visible in the blue sea.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from math import pi, sin
from typing import Any, NamedTuple

from PIL import Image, ImageDraw

RGB = tuple[int, int, int]
VARIANTS = 6
"""How many lies of the land each place has."""


class Ridge(NamedTuple):
    """Everything below a line with `waves` crests of half `height` is filled: hills, dunes, the sea."""

    y: float
    height: float
    waves: float
    colour: RGB


class Peaks(NamedTuple):
    """A row of mountains from `y` up to `height` above it, with tops in the colour `cap` (None: bare)."""

    y: float
    height: float
    number: int
    colour: RGB
    cap: RGB | None = None


class Dots(NamedTuple):
    """A number of discs of about one radius, strewn evenly between two heights."""

    top: float
    bottom: float
    number: int
    radius: float
    colour: RGB


class Disc(NamedTuple):
    """One disc, such as the setting sun."""

    x: float
    y: float
    radius: float
    colour: RGB


class Cloud(NamedTuple):
    """A cloud of three discs on a level base, `width` wide, at about (x, y)."""

    x: float
    y: float
    width: float
    colour: RGB


class Cactus(NamedTuple):
    """A cactus with two arms standing at about (x, y)."""

    x: float
    y: float
    height: float
    colour: RGB


Layer = Ridge | Peaks | Dots | Disc | Cloud | Cactus


class Place(NamedTuple):
    """A sky from the colour `top` to `bottom`, reached at `horizon`, and what lies in front of it."""

    top: RGB
    bottom: RGB
    horizon: float
    layers: tuple[Layer, ...]
    shadow: RGB


PLACES: dict[str, Place] = {
    "white background": Place((252, 252, 250), (232, 232, 234), 1.0, (), (150, 150, 160)),
    "green field": Place((150, 205, 240), (226, 243, 246), 0.6, (
        Cloud(0.24, 0.17, 0.26, (250, 253, 255)),
        Cloud(0.78, 0.27, 0.22, (250, 253, 255)),
        Ridge(0.56, 0.05, 1.2, (158, 208, 136)),
        Ridge(0.68, 0.03, 0.9, (134, 194, 112)),
        Ridge(0.86, 0.02, 1.4, (116, 180, 98)),
    ), (72, 128, 70)),
    "blue sea": Place((206, 232, 244), (240, 246, 240), 0.48, (
        Ridge(0.46, 0.0, 1.0, (120, 186, 220)),
        Ridge(0.60, 0.016, 4.0, (100, 170, 212)),
        Ridge(0.74, 0.02, 3.0, (84, 154, 202)),
        Ridge(0.89, 0.022, 2.5, (70, 138, 190)),
    ), (44, 100, 150)),
    "night sky": Place((44, 50, 104), (112, 104, 168), 0.9, (
        Dots(0.04, 0.66, 12, 0.016, (246, 240, 204)),
        Ridge(0.8, 0.04, 1.1, (66, 68, 118)),
        Ridge(0.91, 0.025, 1.5, (52, 54, 98)),
    ), (34, 36, 70)),
    "sunset": Place((232, 120, 122), (255, 212, 138), 0.64, (
        Disc(0.5, 0.62, 0.2, (255, 240, 190)),
        Ridge(0.64, 0.015, 1.3, (176, 104, 128)),
        Ridge(0.78, 0.02, 1.0, (146, 84, 116)),
        Ridge(0.91, 0.02, 1.5, (120, 68, 104)),
    ), (84, 46, 80)),
    "desert": Place((176, 222, 228), (250, 240, 214), 0.55, (
        Ridge(0.52, 0.05, 1.0, (240, 214, 160)),
        Cactus(0.14, 0.66, 0.22, (120, 158, 112)),
        Cactus(0.87, 0.7, 0.24, (120, 158, 112)),
        Ridge(0.66, 0.05, 0.8, (230, 198, 142)),
        Ridge(0.84, 0.04, 0.9, (218, 182, 126)),
    ), (170, 128, 82)),
    "snow": Place((146, 172, 200), (196, 212, 228), 0.6, (
        Ridge(0.6, 0.05, 0.9, (216, 226, 238)),
        Ridge(0.74, 0.04, 1.2, (232, 239, 247)),
        Ridge(0.9, 0.02, 1.0, (248, 251, 254)),
        Dots(0.04, 0.66, 14, 0.019, (250, 252, 255)),
    ), (170, 184, 206)),
    "mountains": Place((190, 214, 236), (240, 240, 236), 0.6, (
        Peaks(0.74, 0.54, 3, (142, 158, 186), (246, 249, 252)),
        Peaks(0.76, 0.3, 4, (112, 132, 162)),
        Ridge(0.7, 0.02, 1.2, (150, 168, 140)),
        Ridge(0.85, 0.02, 1.0, (130, 150, 122)),
    ), (84, 104, 84)),
}  # fmt: skip


PEAK = ((0.0, 0.0), (1.0, -1.0), (1.0, 1.0))
PEAK_CAP = ((0.0, 0.0), (0.36, -1.0), (0.26, -0.4), (0.4, 0.05), (0.27, 0.45), (0.36, 1.0))
"""Outlines as (share of the way down, share of the way to the side at that height)."""


def paint(place: str, variant: int, side: int) -> Image.Image:
    """Paint a place without light or subject: an RGB image of `side` x `side`, always the same."""
    what = PLACES[place]
    rng = random.Random(f"{place}/{variant}")
    ramp = Image.linear_gradient("L").resize((side, max(1, int(side * what.horizon))))
    image = Image.new("RGB", (side, side), what.bottom)
    bottom, top = (Image.new("RGB", ramp.size, colour) for colour in (what.bottom, what.top))
    image.paste(Image.composite(bottom, top, ramp))
    draw = ImageDraw.Draw(image)
    for layer in what.layers:
        _PAINTERS[type(layer)](draw, layer, rng, side)
    return image


def _ridge(draw: ImageDraw.ImageDraw, ridge: Ridge, rng: random.Random, side: int) -> None:
    phase, shift = rng.uniform(0, 2 * pi), rng.uniform(-0.012, 0.012)
    steps = 64 if ridge.height else 1
    line = [
        (
            side * k / steps,
            side * (ridge.y + shift + ridge.height * sin(2 * pi * ridge.waves * k / steps + phase)),
        )
        for k in range(steps + 1)
    ]
    draw.polygon([*line, (side, side), (0, side)], fill=ridge.colour)


def _peaks(draw: ImageDraw.ImageDraw, peaks: Peaks, rng: random.Random, side: int) -> None:
    shift = rng.uniform(-0.25, 0.25)
    tops = []
    for k in range(-1, peaks.number + 1):
        x = (k + 0.5 + shift + rng.uniform(-0.1, 0.1)) / peaks.number
        tops.append((x, peaks.y - peaks.height * rng.uniform(0.75, 1.0)))
    for x, top in sorted(tops, key=lambda peak: peak[1]):
        half = 0.72 / peaks.number * (peaks.y - top) / peaks.height + 0.2 / peaks.number
        for colour, outline in ((peaks.colour, PEAK), (peaks.cap, PEAK_CAP)):
            points = [
                (side * (x + sideways * down * half), side * (top + down * (peaks.y - top)))
                for down, sideways in outline
            ]
            if colour is not None:
                draw.polygon(points, fill=colour)


def _dots(draw: ImageDraw.ImageDraw, dots: Dots, rng: random.Random, side: int) -> None:
    start = rng.random()
    for k in range(dots.number):
        x = (start + k * 0.618034) % 1
        y = dots.top + (dots.bottom - dots.top) * ((k + rng.uniform(0.1, 0.9)) / dots.number)
        _disc(draw, Disc(x, y, dots.radius * rng.choice((0.9, 1.0, 1.2)), dots.colour), None, side)


def _disc(draw: ImageDraw.ImageDraw, disc: Disc, rng: random.Random | None, side: int) -> None:
    shift = rng.uniform(-0.06, 0.06) if rng else 0.0
    x, y, r = disc.x + shift, disc.y, disc.radius
    draw.ellipse([side * (x - r), side * (y - r), side * (x + r), side * (y + r)], fill=disc.colour)


def _cloud(draw: ImageDraw.ImageDraw, cloud: Cloud, rng: random.Random, side: int) -> None:
    x, y, w = cloud.x + rng.uniform(-0.08, 0.08), cloud.y + rng.uniform(-0.03, 0.03), cloud.width
    for dx, dy, r in ((-0.3, 0.0, 0.16), (0.0, -0.08, 0.24), (0.3, 0.02, 0.14)):
        _disc(draw, Disc(x + dx * w, y + dy * w, r * w, cloud.colour), None, side)
    box = [side * (x - 0.44 * w), side * (y - 0.02 * w), side * (x + 0.44 * w), side * (y + 0.16 * w)]
    draw.rounded_rectangle(box, radius=side * 0.09 * w, fill=cloud.colour)


def _cactus(draw: ImageDraw.ImageDraw, cactus: Cactus, rng: random.Random, side: int) -> None:
    x, y, h = cactus.x + rng.uniform(-0.03, 0.03), cactus.y + rng.uniform(-0.02, 0.02), cactus.height
    for x0, y0, x1, y1 in (
        (-0.11, -1.0, 0.11, 0.2), (-0.38, -0.52, 0.0, -0.36), (-0.38, -0.76, -0.22, -0.36),
        (0.0, -0.4, 0.38, -0.24), (0.22, -0.66, 0.38, -0.24),
    ):  # fmt: skip
        box = [side * (x + x0 * h), side * (y + y0 * h), side * (x + x1 * h), side * (y + y1 * h)]
        draw.rounded_rectangle(box, radius=side * 0.07 * h, fill=cactus.colour)


_PAINTERS: dict[type, Callable[[ImageDraw.ImageDraw, Any, random.Random, int], None]] = {
    Ridge: _ridge,
    Peaks: _peaks,
    Dots: _dots,
    Disc: _disc,
    Cloud: _cloud,
    Cactus: _cactus,
}
