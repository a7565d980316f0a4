"""What each subject looks like: closed outlines with a role for their colour, in a box of side 1.

x runs from -0.5 (left) to 0.5 (right), y from -0.5 (top) to 0.5 (bottom, where the subject stands). Parts are
painted in order. `drawing` turns roles into colours. No part is thinner than about 0.06, which is 2.5 pixels
of a small subject.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import cos, pi, sin
from typing import Literal, NamedTuple

Point = tuple[float, float]
Outline = tuple[Point, ...]


class Part(NamedTuple):
    """One filled outline. `role` is a tone of `drawing.Paints` (body, shade, light …) or a fixed colour."""

    role: str
    outline: Outline


class Shape(NamedTuple):
    """A subject: its parts, how it keeps its place, and whether it may be drawn mirrored.

    What stands casts a shadow where it stands, what swims is as low without one, what floats is in the air.
    """

    parts: tuple[Part, ...]
    stance: Literal["stands", "swims", "floats"] = "stands"
    mirrors: bool = False


def polygon(*points: Point) -> Outline:
    """The outline through these points, straight."""
    return points


def rectangle(x0: float, y0: float, x1: float, y1: float, radius: float = 0.0) -> Outline:
    """An axis-parallel rectangle, its corners rounded by `radius`."""
    if not radius:
        return ((x0, y0), (x1, y0), (x1, y1), (x0, y1))
    corners = (
        (x1 - radius, y0 + radius, -pi / 2),
        (x1 - radius, y1 - radius, 0.0),
        (x0 + radius, y1 - radius, pi / 2),
        (x0 + radius, y0 + radius, pi),
    )
    return tuple(
        (cx + radius * cos(start + pi / 2 * k / 6), cy + radius * sin(start + pi / 2 * k / 6))
        for cx, cy, start in corners
        for k in range(7)
    )


def ellipse(cx: float, cy: float, rx: float, ry: float, turn: float = 0.0) -> Outline:
    """An ellipse with radii `rx` and `ry`, turned clockwise by `turn` degrees."""
    c, s = cos(turn * pi / 180), sin(turn * pi / 180)
    angles = [2 * pi * k / 40 for k in range(40)]
    return tuple(
        (cx + rx * cos(a) * c - ry * sin(a) * s, cy + rx * cos(a) * s + ry * sin(a) * c) for a in angles
    )


def smooth(*points: Point, steps: int = 8) -> Outline:
    """A closed Catmull-Rom curve through these points."""
    n = len(points)
    curve: list[Point] = []
    for i in range(n):
        p0, p1, p2, p3 = points[i - 1], points[i], points[(i + 1) % n], points[(i + 2) % n]
        for k in range(steps):
            t = k / steps
            x, y = (
                0.5
                * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
                for a, b, c, d in zip(p0, p1, p2, p3, strict=True)
            )
            curve.append((x, y))
    return tuple(curve)


def mirrored(outline: Iterable[Point]) -> Outline:
    """The outline with left and right exchanged."""
    return tuple((-x, y) for x, y in outline)


def swept(tip: float, tip_y: float, ridge: float, ridge_y: float, eaves: float, eaves_y: float) -> Outline:
    """A roof with upturned eaves: from the ridge, half `ridge` wide, down in a hollow curve to both tips."""
    steps = [k / 10 for k in range(11)]
    left = [(-ridge - (tip - ridge) * t, ridge_y + (tip_y - ridge_y) * (1 - (1 - t) ** 2.4)) for t in steps]
    under = [(-tip + (tip - eaves) * t, tip_y + (eaves_y - tip_y) * (1 - (1 - t) ** 2)) for t in steps[3:]]
    half = left + under
    return (*half, *((-x, y) for x, y in reversed(half)))


def star(points: int, outer: float, inner: float, cy: float = 0.0) -> Outline:
    """A star with one ray upwards."""
    rays = [(inner if k % 2 else outer, pi * k / points) for k in range(2 * points)]
    return tuple((reach * sin(angle), cy - reach * cos(angle)) for reach, angle in rays)


def heart(scale: float, cx: float = 0.0, cy: float = 0.0) -> Outline:
    """The classic heart curve, `scale` times 1 wide."""
    angles = [2 * pi * k / 60 for k in range(60)]
    return tuple(
        (
            cx + scale * sin(a) ** 3 / 2,
            cy - scale * (13 * cos(a) - 5 * cos(2 * a) - 2 * cos(3 * a) - cos(4 * a) + 2.5) / 32,
        )
        for a in angles
    )


def _both(role: str, outline: Outline) -> tuple[Part, Part]:
    return Part(role, outline), Part(role, mirrored(outline))


def _petals(count: int, cy: float, reach: float, rx: float, ry: float) -> tuple[Part, ...]:
    turns = [360 * k / count for k in range(count)]
    centres = [(reach * cos(turn * pi / 180), cy + reach * sin(turn * pi / 180)) for turn in turns]
    return tuple(
        Part("body", ellipse(*centre, rx, ry, turn)) for centre, turn in zip(centres, turns, strict=True)
    )


SHAPES: dict[str, Shape] = {
    "house": Shape((
        Part("shade", rectangle(0.17, -0.44, 0.31, -0.1)),
        Part("body", rectangle(-0.38, -0.1, 0.38, 0.5)),
        Part("shade", polygon((-0.5, -0.02), (0.0, -0.5), (0.5, -0.02))),
        Part("accent", rectangle(-0.09, 0.18, 0.09, 0.5, 0.06)),
        *_both("accent", rectangle(0.17, 0.1, 0.31, 0.25, 0.02)),
    )),
    "japanese house": Shape((
        Part("shade", rectangle(-0.38, 0.42, 0.38, 0.5)),
        Part("body", rectangle(-0.3, 0.1, 0.3, 0.44)),
        Part("accent", rectangle(-0.1, 0.22, 0.1, 0.43)),
        Part("body", rectangle(-0.2, -0.22, 0.2, 0.02)),
        Part("accent", rectangle(-0.1, -0.15, 0.1, -0.04)),
        Part("shade", swept(0.5, 0.09, 0.2, -0.05, 0.34, 0.17)),
        Part("shade", rectangle(-0.035, -0.5, 0.035, -0.34)),
        Part("shade", swept(0.4, -0.21, 0.05, -0.42, 0.24, -0.13)),
    )),
    "castle": Shape((
        Part("body", rectangle(-0.3, 0.06, 0.3, 0.5)),
        *_both("body", rectangle(0.125, -0.04, 0.2, 0.1)),
        Part("body", rectangle(-0.055, -0.04, 0.055, 0.1)),
        *_both("body", rectangle(0.24, -0.16, 0.46, 0.5)),
        *_both("shade", polygon((0.2, -0.14), (0.35, -0.5), (0.5, -0.14))),
        Part("accent", (*ellipse(0.0, 0.33, 0.1, 0.1)[20:], (0.1, 0.5), (-0.1, 0.5))),
        *_both("accent", rectangle(0.305, 0.0, 0.395, 0.14, 0.04)),
    )),
    "lighthouse": Shape((
        Part("stone", smooth(
            (-0.36, 0.5), (-0.33, 0.42), (0.0, 0.37), (0.33, 0.42), (0.36, 0.5), (0.0, 0.5),
        )),
        Part("body", polygon((-0.14, -0.18), (0.14, -0.18), (0.22, 0.46), (-0.22, 0.46))),
        Part("light", polygon((-0.16, -0.02), (0.16, -0.02), (0.178, 0.12), (-0.178, 0.12))),
        Part("window", rectangle(-0.11, -0.36, 0.11, -0.18)),
        Part("shade", rectangle(-0.2, -0.21, 0.2, -0.14)),
        Part("body", (*ellipse(0.0, -0.35, 0.15, 0.15)[20:], (0.15, -0.34), (-0.15, -0.34))),
    )),
    "tree": Shape((
        Part("trunk", polygon((-0.06, 0.1), (0.06, 0.1), (0.09, 0.5), (-0.09, 0.5))),
        Part("body", ellipse(-0.24, 0.02, 0.24, 0.21)),
        Part("body", ellipse(0.24, 0.02, 0.24, 0.21)),
        Part("body", ellipse(0.0, -0.22, 0.3, 0.28)),
        Part("body", ellipse(0.0, 0.04, 0.3, 0.2)),
        Part("light", ellipse(-0.1, -0.28, 0.13, 0.1, -25)),
        Part("shade", ellipse(0.22, 0.06, 0.15, 0.1, -10)),
    )),
    "flower": Shape((
        Part("leaf", rectangle(-0.035, 0.05, 0.035, 0.5)),
        Part("leaf", ellipse(0.15, 0.34, 0.16, 0.07, -35)),
        Part("leaf", ellipse(-0.15, 0.38, 0.16, 0.07, 35)),
        *_petals(6, -0.15, 0.2, 0.15, 0.13),
        Part("eye", ellipse(0.0, -0.15, 0.12, 0.12)),
    )),
    "mushroom": Shape((
        Part("cream", smooth(
            (-0.13, 0.0), (0.13, 0.0), (0.14, 0.3), (0.2, 0.46), (0.0, 0.5), (-0.2, 0.46), (-0.14, 0.3),
        )),
        Part("body", smooth(
            (-0.5, 0.03), (-0.43, -0.25), (-0.2, -0.46), (0.0, -0.5), (0.2, -0.46), (0.43, -0.25),
            (0.5, 0.03), (0.3, 0.11), (0.0, 0.13), (-0.3, 0.11),
        )),
        Part("spot", ellipse(-0.05, -0.3, 0.12, 0.1)),
        Part("spot", ellipse(0.26, -0.1, 0.1, 0.09)),
        Part("spot", ellipse(-0.3, -0.07, 0.09, 0.08)),
    )),
    "fish": Shape((
        Part("shade", polygon((0.2, 0.0), (0.5, -0.27), (0.43, 0.0), (0.5, 0.27))),
        Part("shade", smooth((-0.15, -0.2), (0.0, -0.33), (0.2, -0.29), (0.13, -0.1))),
        Part("body", smooth(
            (-0.5, 0.02), (-0.34, -0.19), (-0.08, -0.26), (0.18, -0.16), (0.32, 0.0), (0.18, 0.16),
            (-0.08, 0.26), (-0.34, 0.2),
        )),
        Part("light", smooth((0.02, -0.04), (0.16, -0.1), (0.13, 0.0), (0.16, 0.11), (0.02, 0.06))),
        Part("shine", ellipse(-0.3, -0.05, 0.08, 0.08)),
        Part("ink", ellipse(-0.31, -0.05, 0.045, 0.045)),
    ), stance="swims", mirrors=True),
    "bird": Shape((
        *(Part("beak", rectangle(x, 0.3, x + 0.07, 0.5)) for x in (-0.1, 0.06)),
        Part("shade", polygon((0.2, -0.02), (0.5, -0.16), (0.44, 0.16))),
        Part("beak", polygon((-0.5, -0.2), (-0.32, -0.31), (-0.32, -0.1))),
        Part("body", smooth(
            (-0.38, -0.2), (-0.34, -0.39), (-0.17, -0.46), (-0.03, -0.36), (0.05, -0.17), (0.3, -0.07),
            (0.33, 0.1), (0.18, 0.32), (-0.04, 0.38), (-0.25, 0.28), (-0.36, 0.05),
        )),
        Part("shade", smooth((-0.1, -0.02), (0.1, -0.05), (0.34, 0.06), (0.18, 0.2), (-0.02, 0.19))),
        Part("shine", ellipse(-0.21, -0.24, 0.075, 0.075)),
        Part("ink", ellipse(-0.22, -0.24, 0.042, 0.042)),
    ), mirrors=True),
    "cat": Shape((
        Part("shade", smooth(
            (0.12, 0.38), (0.3, 0.4), (0.38, 0.28), (0.34, 0.08), (0.42, 0.04), (0.49, 0.14), (0.5, 0.34),
            (0.4, 0.49), (0.12, 0.5),
        )),
        Part("body", smooth(
            (-0.22, 0.46), (-0.27, 0.3), (-0.2, 0.05), (0.0, -0.05), (0.2, 0.05), (0.27, 0.3), (0.22, 0.46),
            (0.0, 0.5),
        )),
        *_both("body", polygon((0.31, -0.5), (0.03, -0.38), (0.3, -0.14))),
        Part("body", ellipse(0.0, -0.19, 0.32, 0.24)),
        Part("light", ellipse(0.0, 0.28, 0.12, 0.17)),
        *_both("eye", ellipse(0.13, -0.22, 0.075, 0.075)),
        *_both("ink", ellipse(0.13, -0.22, 0.034, 0.06)),
        Part("nose", polygon((-0.05, -0.12), (0.05, -0.12), (0.0, -0.05))),
    ), mirrors=True),
    "boat": Shape((
        Part("trunk", rectangle(-0.06, -0.5, 0.01, 0.22)),
        Part("body", smooth(
            (0.05, -0.46), (0.06, -0.46), (0.3, -0.2), (0.44, 0.13), (0.44, 0.15), (0.05, 0.15), steps=6,
        )),
        Part("light", smooth(
            (-0.1, -0.34), (-0.11, -0.34), (-0.25, -0.1), (-0.35, 0.13), (-0.35, 0.15), (-0.1, 0.15),
        )),
        Part("body", polygon((-0.5, 0.2), (0.5, 0.2), (0.33, 0.5), (-0.33, 0.5))),
        Part("shade", polygon((-0.5, 0.2), (0.5, 0.2), (0.455, 0.28), (-0.455, 0.28))),
    ), mirrors=True),
    "car": Shape((
        Part("body", smooth(
            (-0.32, 0.05), (-0.24, -0.2), (-0.14, -0.27), (0.12, -0.27), (0.24, -0.19), (0.36, 0.05),
            (0.0, 0.12),
        )),
        Part("body", rectangle(-0.5, -0.02, 0.5, 0.25, 0.09)),
        Part("glass", smooth(
            (-0.24, 0.0), (-0.19, -0.15), (-0.13, -0.19), (-0.03, -0.19), (-0.03, 0.0), steps=4,
        )),
        Part("glass", smooth(
            (0.04, 0.0), (0.04, -0.19), (0.11, -0.19), (0.18, -0.14), (0.26, 0.0), steps=4,
        )),
        Part("shade", rectangle(-0.5, 0.14, 0.5, 0.25, 0.05)),
        *_both("ink", ellipse(0.27, 0.24, 0.14, 0.14)),
        *_both("cream", ellipse(0.27, 0.24, 0.06, 0.06)),
    ), mirrors=True),
    "rocket": Shape((
        Part("flame", smooth((-0.13, 0.28), (0.13, 0.28), (0.09, 0.4), (0.0, 0.5), (-0.09, 0.4))),
        *_both("shade", polygon((0.12, 0.02), (0.33, 0.22), (0.33, 0.42), (0.1, 0.3))),
        Part("body", smooth(
            (0.0, -0.5), (0.13, -0.33), (0.2, -0.05), (0.17, 0.22), (0.11, 0.33), (-0.11, 0.33),
            (-0.17, 0.22), (-0.2, -0.05), (-0.13, -0.33),
        )),
        Part("shade", smooth(
            (0.0, -0.5), (0.09, -0.4), (0.14, -0.28), (0.0, -0.25), (-0.14, -0.28), (-0.09, -0.4),
        )),
        Part("cream", ellipse(0.0, -0.06, 0.115, 0.115)),
        Part("glass", ellipse(0.0, -0.06, 0.075, 0.075)),
    ), stance="floats"),
    "star": Shape((
        Part("body", star(5, 0.53, 0.235, 0.04)),
        Part("light", star(5, 0.27, 0.12, 0.04)),
    ), stance="floats"),
    "heart": Shape((
        Part("body", heart(1.0)),
        Part("light", ellipse(-0.24, -0.23, 0.12, 0.075, -45)),
    ), stance="floats"),
    "circle": Shape((
        Part("body", ellipse(0.0, 0.03, 0.46, 0.46)),
        Part("light", ellipse(-0.15, -0.15, 0.14, 0.1, -45)),
    )),
    "square": Shape((
        Part("body", rectangle(-0.43, -0.36, 0.43, 0.5)),
        Part("light", rectangle(-0.32, -0.25, 0.02, -0.11, 0.06)),
    )),
    "triangle": Shape((
        Part("body", polygon((0.0, -0.46), (0.5, 0.48), (-0.5, 0.48))),
        Part("shade", polygon((0.0, -0.46), (0.5, 0.48), (0.1, 0.48))),
    )),
}  # fmt: skip
