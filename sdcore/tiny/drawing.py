"""Scenes to pictures: flat, antialiased illustrations, a pure function of the scene.

A picture is a place under a light, soft shadows, and the subjects. Places and subjects are painted large,
reduced, and kept, so that most pictures cost little more than a paste.
"""

from __future__ import annotations

import random
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from sdcore.tiny import places
from sdcore.tiny.places import RGB
from sdcore.tiny.subjects import SHAPES
from sdcore.tiny.world import Scene

SUPERSAMPLE = 4


_CREAM, _GOLD, _INK, _PAPER = (255, 244, 214), (250, 204, 66), (42, 38, 56), (255, 255, 252)


class Paints(NamedTuple):
    """The tones of one colour. Its edge is `rim` when flat, `contour` outlined, `wash` in watercolour."""

    body: RGB
    shade: RGB
    light: RGB
    wash: RGB
    accent: RGB = _CREAM
    spot: RGB = _PAPER
    eye: RGB = _GOLD
    rim: RGB = _PAPER
    contour: RGB = _INK


PALETTE: dict[str, Paints] = {
    "red": Paints((216, 40, 44), (164, 22, 38), (244, 112, 102), (164, 22, 38)),
    "orange": Paints((245, 130, 20), (206, 94, 8), (255, 178, 92), (206, 94, 8), eye=(140, 76, 30)),
    "yellow": Paints(
        (252, 214, 32), (224, 174, 12), (255, 238, 140), (224, 174, 12),
        accent=(150, 104, 52), eye=(150, 90, 36),
    ),
    "green": Paints((20, 146, 62), (8, 104, 48), (96, 196, 116), (8, 104, 48)),
    "blue": Paints((28, 82, 220), (16, 52, 160), (106, 152, 250), (16, 52, 160)),
    "purple": Paints((130, 48, 192), (92, 26, 146), (182, 118, 232), (92, 26, 146)),
    "pink": Paints((252, 122, 186), (222, 82, 150), (255, 186, 222), (222, 82, 150)),
    "brown": Paints((122, 74, 40), (88, 50, 26), (170, 118, 76), (88, 50, 26)),
    "black": Paints((44, 43, 50), (22, 21, 26), (92, 92, 102), (22, 21, 26), contour=(232, 230, 236)),
    "white": Paints(
        (250, 250, 248), (196, 202, 214), (228, 232, 240), (112, 118, 140),
        accent=(112, 132, 164), spot=(196, 202, 214), rim=(124, 130, 148),
    ),
}  # fmt: skip
FIXED: dict[str, RGB] = {
    "trunk": (130, 88, 58), "leaf": (84, 160, 84), "stone": (150, 150, 158), "window": (255, 236, 150),
    "cream": _CREAM, "glass": (178, 220, 240), "shine": _PAPER, "ink": _INK, "beak": (246, 164, 50),
    "nose": (238, 130, 140), "flame": (255, 176, 54),
}  # fmt: skip


class Style(NamedTuple):
    """A way of drawing. Lengths are shares of the frame, washes are how far colours go towards paper.

    `edge` names the tone of `Paints` around a subject and `width` is how wide it is; `blur` is of the place,
    and `margin` is the bare paper around it.
    """

    edge: str
    width: float
    subject_wash: float
    place_wash: float
    blur: float
    margin: float


STYLES: dict[str, Style] = {
    "flat": Style("rim", 0.017, 0.0, 0.0, 0.0, 0.0),
    "outlined": Style("contour", 0.02, 0.0, 0.0, 0.0, 0.0),
    "watercolour": Style("wash", 0.016, 0.12, 0.3, 0.014, 0.055),
}


class Light(NamedTuple):
    """A light: the place is multiplied by `cast`, the subjects by `subject_cast`.

    A `disc` of that `radius` stands in an upper corner, with a `halo` and a fan of `rays` in the colour
    `glow`; both are the share of `glow` where they are strongest.
    """

    cast: tuple[float, float, float]
    subject_cast: tuple[float, float, float]
    disc: RGB
    radius: float
    glow: RGB
    halo: float
    rays: float


LIGHTS: dict[str, Light] = {
    "radiant light": Light(
        (1.0, 0.98, 0.92), (1.0, 0.985, 0.94), (255, 250, 214), 0.1, (255, 226, 120), 0.75, 0.62
    ),
    "moonlight": Light(
        (0.66, 0.69, 0.82), (0.86, 0.89, 0.95), (252, 248, 224), 0.09, (206, 218, 250), 0.5, 0.0
    ),
}

SIDES = {"small": 0.34, "medium": 0.52, "large": 0.74}
BASELINES = {"small": 0.76, "medium": 0.85, "large": 0.93}
"""Side of a subject's box, and the height on which it stands; a floating one is centred at `FLOATING`."""
FLOATING = {"small": 0.44, "medium": 0.47, "large": 0.5}
PAIR_SIDES = {"small": 0.3, "medium": 0.43}
PAIR_X = {"left": 0.26, "right": 0.74}
SHIFT = 0.03


class Placement(NamedTuple):
    """A subject in the frame: the centre of its box, and the box's side, all as shares of the frame's."""

    subject: str
    colour: str
    x: float
    y: float
    side: float


def placements(scene: Scene) -> list[Placement]:
    """Where the scene's subjects stand, first and second, before `jitter` moves them by up to `SHIFT`."""
    named = [(scene.subject, scene.colour, 0.5)]
    side = SIDES[scene.size]
    if scene.second is not None:
        x, side = PAIR_X[scene.second.side], PAIR_SIDES[scene.size]
        named = [(scene.subject, scene.colour, 1 - x), (scene.second.subject, scene.second.colour, x)]
    return [
        Placement(
            subject,
            colour,
            x,
            FLOATING[scene.size] if SHAPES[subject].stance == "floats" else BASELINES[scene.size] - side / 2,
            side,
        )
        for subject, colour, x in named
    ]


def render(scene: Scene, size: int = 128) -> Image.Image:
    """Draw the scene: an RGB image of `size` x `size` pixels, the same for the same arguments.

    Raises `ValueError` if `size` is below 16.
    """
    if size < 16:
        raise ValueError(f"a picture of {size} pixels is too small to draw: at least 16")
    rng = random.Random(scene.jitter)
    variant = rng.randrange(places.VARIANTS)
    image = backdrop(scene.place, scene.light, scene.style, variant, size).copy()
    for subject, colour, x, y, side in placements(scene):
        shape = SHAPES[subject]
        x, y = x + rng.uniform(-SHIFT, SHIFT), y + rng.uniform(-SHIFT, SHIFT) * 0.7
        mirror = rng.random() < 0.5 and shape.mirrors
        if shape.stance == "stands":
            _cast_shadow(image, scene.place, x, y + side / 2, side)
        drawn = sprite(subject, colour, scene.light, scene.style, side, mirror, size)
        image.paste(drawn, (round(x * size - drawn.width / 2), round(y * size - drawn.height / 2)), drawn)
    return image


@lru_cache(maxsize=1024)
def backdrop(place: str, light: str | None, style: str, variant: int, size: int) -> Image.Image:
    """One lie of the land under a light, in a style, without subjects: RGB, `size` x `size`.

    `variant` is one of range(places.VARIANTS). The image is kept and shared: copy before drawing on it.
    """
    how = STYLES[style]
    image = places.paint(place, variant, size * SUPERSAMPLE).reduce(SUPERSAMPLE)
    if how.blur:
        image = image.filter(ImageFilter.GaussianBlur(how.blur * size))
    pixels = np.asarray(image, dtype=np.float32)
    pixels = _mix(pixels, _PAPER, how.place_wash)
    if light is not None:
        pixels = _lit(pixels, LIGHTS[light], 0.16 if variant % 2 else 0.84)
    if how.margin:
        pixels = _mix(pixels, _PAPER, _margin(size, how.margin, variant)[..., None])
    return Image.fromarray(pixels.clip(0, 255).round().astype(np.uint8))


def _lit(pixels: np.ndarray, light: Light, x: float) -> np.ndarray:
    size = len(pixels)
    ys, xs = (np.mgrid[:size, :size].astype(np.float32) + 0.5) / size
    dx, dy = xs - x, ys - 0.15
    distance = np.hypot(dx, dy)
    pixels = pixels * np.asarray(light.cast, dtype=np.float32)
    beams = (
        np.clip(0.5 + 1.6 * np.sin(14 * np.arctan2(dy, dx)), 0, 1) * light.rays * np.exp(-(distance * 1.25))
    )
    halo = light.halo * np.exp(-((distance / (2.2 * light.radius)) ** 2))
    pixels = _mix(
        pixels, light.glow, np.maximum(beams * np.clip(distance / light.radius - 1, 0, 1), halo)[..., None]
    )
    edge = np.clip((light.radius - distance) * size + 0.5, 0, 1)
    return _mix(pixels, light.disc, edge[..., None])


def _margin(size: int, width: float, variant: int) -> np.ndarray:
    ys, xs = (np.mgrid[:size, :size].astype(np.float32) + 0.5) / size
    around = np.arctan2(ys - 0.5, xs - 0.5)
    wobble = 0.012 * np.sin(6 * around + variant) + 0.007 * np.sin(11 * around + 2 * variant)
    inside = np.minimum(np.minimum(xs, 1 - xs), np.minimum(ys, 1 - ys))
    return np.clip(0.5 + (width * 0.8 + wobble - inside) * 26, 0, 1)


def _mix(pixels: np.ndarray, colour: RGB, share: float | np.ndarray) -> np.ndarray:
    return pixels + (np.asarray(colour, dtype=np.float32) - pixels) * np.asarray(share, dtype=np.float32)


def _cast_shadow(image: Image.Image, place: str, x: float, y: float, side: float) -> None:
    mask = _shadow(side, image.width)
    corner = (round(x * image.width - mask.width / 2), round(y * image.width - mask.height / 2))
    image.paste(places.PLACES[place].shadow, corner, mask)


@lru_cache(maxsize=64)
def _shadow(side: float, size: int) -> Image.Image:
    width, height = side * size, side * size * 0.2
    soft = max(1.0, 0.012 * size)
    pad = 3 * soft
    mask = Image.new("L", (round(width + 2 * pad), round(height + 2 * pad)))
    ImageDraw.Draw(mask).ellipse([pad, pad, pad + width, pad + height], fill=110)
    return mask.filter(ImageFilter.GaussianBlur(soft))


@lru_cache(maxsize=4096)
def sprite(
    subject: str, colour: str, light: str | None, style: str, side: float, mirror: bool, size: int
) -> Image.Image:
    """A subject alone, RGBA and centred, its box `side` times the frame. The image is kept and shared."""
    how, paints = STYLES[style], PALETTE[colour]
    edge, scale = how.width * size * SUPERSAMPLE, side * size * SUPERSAMPLE
    # An even number of final pixels, so that the centre of every sprite falls between the same pixels.
    middle = SUPERSAMPLE * (int(scale / 2 + edge) // SUPERSAMPLE + 2)
    canvas = Image.new("RGBA", (2 * middle, 2 * middle))
    draw = ImageDraw.Draw(canvas)
    flip = -1 if mirror else 1
    parts = [
        (role, [(middle + flip * x * scale, middle + y * scale) for x, y in outline])
        for role, outline in SHAPES[subject].parts
    ]
    edge_colour = _toned(getattr(paints, how.edge), light, how)
    for _, outline in parts:
        _stroke(draw, outline, edge_colour, edge)
    for role, outline in parts:
        draw.polygon(outline, fill=_toned(_paint(paints, role), light, how))
    return canvas.reduce(SUPERSAMPLE)


def _stroke(
    draw: ImageDraw.ImageDraw, outline: list[tuple[float, float]], colour: RGB, radius: float
) -> None:
    draw.line([*outline, outline[0], outline[1]], fill=colour, width=round(2 * radius))
    for x, y in outline:
        draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=colour)


def _paint(paints: Paints, role: str) -> RGB:
    return FIXED[role] if role in FIXED else getattr(paints, role)


def _toned(colour: RGB, light: str | None, style: Style) -> RGB:
    cast = LIGHTS[light].subject_cast if light else (1.0, 1.0, 1.0)
    red, green, blue = (
        round((c + (paper - c) * style.subject_wash) * k)
        for c, paper, k in zip(colour, _PAPER, cast, strict=True)
    )
    return red, green, blue
