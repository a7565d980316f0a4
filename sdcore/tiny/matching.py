"""Which scene does a picture show? The nearest render among all alternatives says.

The picture is compared with renders of every alternative for one attribute, the others being as asked. What
nobody asked for is searched: light, style, lie of the land, mirroring, and shifts by a few pixels. All at
half size and slightly blurred, so that neither one pixel's shift nor a soft edge decides.

A render is a backdrop b with a subject on it, whose premultiplied colours are s and whose coverage is m. With
r = x - b its squared distance from the picture x is

    |r - (s - m b)|^2 = |r|^2 - 2 r.s + 2 (r.b).m + |s|^2 - 2 b.(m s) + |b|^2.m^2

which is linear in maps of the picture (r, r.b, b, |b|^2) and in templates of the subject (s, m, m s, m^2). So
one matrix product gives the distances for all alternatives and all shifts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from sdcore.tiny.drawing import PAIR_SIDES, SHIFT, SIDES, Placement, backdrop, placements, sprite
from sdcore.tiny.places import VARIANTS
from sdcore.tiny.subjects import SHAPES
from sdcore.tiny.world import COLOURS, LIGHTS, PLACES, STYLES, SUBJECTS, Scene

PICTURE_SHAPE = (128, 128, 3)
HALF = 64
REACH = 3
"""Shifts searched to every side, in pixels of half size: half as much again as `drawing.SHIFT` allows."""
PAD = 16
SUBJECT_MARGIN = SHIFT + 0.025


class Backdrop(NamedTuple):
    """What a picture shows around its subjects."""

    place: str
    light: str | None
    style: str
    variant: int


Pair = tuple[int, int]

BACKDROPS: tuple[Backdrop, ...] = tuple(
    Backdrop(*values) for values in product(PLACES, LIGHTS, STYLES, range(VARIANTS))
)
STYLES_ON: dict[str, tuple[str, ...]] = {
    "flat": ("flat", "outlined"),
    "outlined": ("flat", "outlined"),
    "watercolour": ("watercolour",),
}
"""The styles of subjects on a backdrop: the backdrops of flat and outlined ones are the same."""
STYLELESS_PLACE = "white background"
"""Where subjects may be of any style: paper around white hardly shows."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a picture shows: of the first and, if asked for, the second subject what it is and its colour."""

    subjects: tuple[str, ...]
    colours: tuple[str, ...]
    place: str
    size: str

    def as_asked(self, scene: Scene) -> dict[str, bool]:
        """For subject, colour, place and size: is it the scene's? With two subjects: is it for both?"""
        asked = placements(scene)
        return {
            "subject": self.subjects == tuple(placement.subject for placement in asked),
            "colour": self.colours == tuple(placement.colour for placement in asked),
            "place": self.place == scene.place,
            "size": self.size == scene.size,
        }


def judge(picture: np.ndarray, scene: Scene) -> Verdict:
    """Say what `picture`, uint8 (128, 128, 3), shows where `scene` was asked for.

    The scene's light, style and jitter do not matter. Raises `ValueError` for another shape.
    """
    if picture.shape != PICTURE_SHAPE:
        raise ValueError(f"a picture of shape {picture.shape} cannot be judged: only {PICTURE_SHAPE} can")
    x = _blurred(_halved(picture.astype(np.float32) / 255))
    asked = placements(scene)
    around = _nearest_backdrop(x, asked)
    maps = _maps(x, _backdrops()[BACKDROPS.index(around)])

    def nearest(names: Sequence[str], alternatives: Sequence[Sequence[Placement]]) -> str:
        flat = [placement for alternative in alternatives for placement in alternative]
        distances = _distances(maps, around, flat).reshape(len(names), -1).sum(axis=1)
        return names[int(distances.argmin())]

    def alternatives(field: str, names: Sequence[str], which: int) -> list[list[Placement]]:
        return [[placements(_changed(scene, which, field, name))[which]] for name in names]

    sizes = tuple(PAIR_SIDES if scene.second else SIDES)
    return Verdict(
        subjects=tuple(nearest(SUBJECTS, alternatives("subject", SUBJECTS, k)) for k in range(len(asked))),
        colours=tuple(nearest(COLOURS, alternatives("colour", COLOURS, k)) for k in range(len(asked))),
        place=around.place,
        size=nearest(sizes, [placements(_changed(scene, 0, "size", size)) for size in sizes]),
    )


def _changed(scene: Scene, which: int, field: str, value: str) -> Scene:
    change: dict[str, Any] = {field: value}
    if which == 0:
        return replace(scene, **change)
    assert scene.second is not None
    return replace(scene, second=replace(scene.second, **change))


def _halved(picture: np.ndarray) -> np.ndarray:
    return (picture[::2, ::2] + picture[1::2, ::2] + picture[::2, 1::2] + picture[1::2, 1::2]) / 4


def _blurred(image: np.ndarray) -> np.ndarray:
    """A binomial blur over 3 x 3 pixels of (height, width, channels)."""
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)), mode="edge")
    rows = padded[:-2] / 4 + padded[1:-1] / 2 + padded[2:] / 4
    return rows[:, :-2] / 4 + rows[:, 1:-1] / 2 + rows[:, 2:] / 4


@lru_cache(maxsize=1)
def _backdrops() -> np.ndarray:
    """All `BACKDROPS` at half size: float32 (count, 64, 64, 3) in [0, 1]."""
    pictures = (np.asarray(backdrop(*values, HALF), dtype=np.float32) for values in BACKDROPS)
    return np.stack([_blurred(picture / 255) for picture in pictures])


@lru_cache(maxsize=1)
def _backdrop_rows() -> tuple[np.ndarray, np.ndarray]:
    """The backdrops as rows, and the sums of squares of each pixel's colours, for `_nearest_backdrop`."""
    images = _backdrops()
    return images.reshape(len(images), -1), (images**2).sum(axis=-1).reshape(len(images), -1)


def _nearest_backdrop(x: np.ndarray, asked: Sequence[Placement]) -> Backdrop:
    """The backdrop nearest to a picture at half size outside the asked subjects' boxes."""
    clear = np.ones((HALF, HALF), dtype=np.float32)
    for placement in asked:
        reach = placement.side / 2 + SUBJECT_MARGIN
        left, top = (max(0, round((centre - reach) * HALF)) for centre in (placement.x, placement.y))
        right, bottom = (round((centre + reach) * HALF) for centre in (placement.x, placement.y))
        clear[top:bottom, left:right] = 0
    rows, squares = _backdrop_rows()
    distances = squares @ clear.ravel() - 2 * (rows @ (x * clear[..., None]).ravel())
    return BACKDROPS[int(distances.argmin())]


def _maps(x: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The picture's side of the module's equation: (8, 64 + 2 PAD, 64 + 2 PAD), 0 in the padding."""
    r = x - b
    maps = np.concatenate([r, (r * b).sum(-1, keepdims=True), b, (b**2).sum(-1, keepdims=True)], axis=-1)
    return np.pad(maps.transpose(2, 0, 1), ((0, 0), (PAD, PAD), (PAD, PAD)))


class _Template(NamedTuple):
    """The subject's side of the equation: weights (8, h, w), and |s|^2."""

    weights: np.ndarray
    constant: float


@lru_cache(maxsize=2048)
def _template(
    subject: str, colour: str, light: str | None, style: str, side: float, mirror: bool
) -> _Template:
    """A subject's template, with an empty pixel all around."""
    drawn = np.asarray(sprite(subject, colour, light, style, side, mirror, HALF), dtype=np.float32) / 255
    drawn[..., :3] *= drawn[..., 3:]
    drawn = _blurred(np.pad(drawn, ((1, 1), (1, 1), (0, 0))))
    s, m = drawn[..., :3], drawn[..., 3:]
    weights = np.concatenate([-2 * s, 2 * m, -2 * m * s, m**2], axis=-1)
    return _Template(np.ascontiguousarray(weights.transpose(2, 0, 1)), float((s**2).sum()))


def _distances(maps: np.ndarray, around: Backdrop, candidates: Sequence[Placement]) -> np.ndarray:
    """For each candidate its least distance over styles, mirroring and shifts, less the backdrop's own."""
    styles = STYLES if around.place == STYLELESS_PLACE else STYLES_ON[around.style]
    groups: dict[tuple[Pair, Pair], list[tuple[int, _Template]]] = defaultdict(list)
    for index, (subject, colour, x, y, side) in enumerate(candidates):
        mirrors = (False, True) if SHAPES[subject].mirrors else (False,)
        for style, mirror in product(styles, mirrors):
            template = _template(subject, colour, around.light, style, side, mirror)
            _, height, width = template.weights.shape
            corner = round(x * HALF - width / 2), round(y * HALF - height / 2)
            groups[corner, (height, width)].append((index, template))
    least = np.full(len(candidates), np.inf)
    for ((left, top), (height, width)), members in groups.items():
        window = maps[
            :,
            PAD + top - REACH : PAD + top + height + REACH,
            PAD + left - REACH : PAD + left + width + REACH,
        ]
        shifted = sliding_window_view(window, (height, width), axis=(1, 2)).transpose(1, 2, 0, 3, 4)
        weights = np.stack([template.weights.ravel() for _, template in members])
        distances = (shifted.reshape(-1, weights.shape[1]) @ weights.T).min(axis=0)
        for (index, template), distance in zip(members, distances, strict=True):
            least[index] = min(least[index], distance + template.constant)
    return least
