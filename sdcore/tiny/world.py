"""The world of the bundled model: what can be drawn, and how scenes are drawn at random.

Everything is a table. `drawing` says what the names look like, `captions` says what people call them.
No torch, no Pillow.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

T = TypeVar("T")
Size = Literal["small", "medium", "large"]
Side = Literal["left", "right"]

COLOURS: tuple[str, ...] = (
    "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white",
)  # fmt: skip
SIZES: tuple[Size, ...] = ("small", "medium", "large")
PLACES: tuple[str, ...] = (
    "white background", "green field", "blue sea", "night sky", "sunset", "desert", "snow", "mountains",
)  # fmt: skip
LIGHTS: tuple[str | None, ...] = (None, "radiant light", "moonlight")
STYLES: tuple[str, ...] = ("flat", "outlined", "watercolour")
SIDES: tuple[Side, ...] = ("left", "right")

NATURAL: dict[str, tuple[str, str]] = {
    "house": ("red", "green field"),
    "japanese house": ("red", "mountains"),
    "castle": ("purple", "mountains"),
    "lighthouse": ("red", "blue sea"),
    "tree": ("green", "green field"),
    "flower": ("pink", "green field"),
    "mushroom": ("red", "green field"),
    "fish": ("orange", "blue sea"),
    "bird": ("blue", "snow"),
    "cat": ("black", "night sky"),
    "boat": ("white", "blue sea"),
    "car": ("blue", "desert"),
    "rocket": ("white", "night sky"),
    "star": ("yellow", "night sky"),
    "heart": ("red", "white background"),
    "circle": ("blue", "white background"),
    "square": ("green", "white background"),
    "triangle": ("purple", "white background"),
}
"""The colour and place that a subject has when nobody says: drawn more often, and named less often."""

SUBJECTS: tuple[str, ...] = tuple(NATURAL)

_SECOND_TABLES: dict[str, tuple[object, ...]] = {"subject": SUBJECTS, "colour": COLOURS, "side": SIDES}
_SCENE_TABLES: dict[str, tuple[object, ...]] = {
    "subject": SUBJECTS, "colour": COLOURS, "size": SIZES, "place": PLACES, "light": LIGHTS, "style": STYLES,
}  # fmt: skip

SECOND_SUBJECT_RATE = 0.3
NATURAL_COLOUR_RATE = 0.2
NATURAL_PLACE_RATE = 0.12
LIGHT_WEIGHTS = (0.5, 0.26, 0.24)
STYLE_WEIGHTS = (0.56, 0.22, 0.22)
HELD_OUT_IN = 10


@dataclass(frozen=True, slots=True)
class Second:
    """A second subject beside the first: its name, its colour, and its half of the picture."""

    subject: str
    colour: str
    side: Side


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that decides a picture.

    With a `second` the first subject stands in the other half, and both have the same size, "small" or
    "medium". `jitter` decides the small things: a few pixels of position, which way a subject looks, the lie
    of the land.

    Raises `ValueError` where a name is in none of this module's tables, or a large subject has a neighbour.
    """

    subject: str
    colour: str
    size: Size
    place: str
    light: str | None = None
    style: str = "flat"
    second: Second | None = None
    jitter: int = 0

    def __post_init__(self) -> None:
        for owner, tables in ((self, _SCENE_TABLES), (self.second, _SECOND_TABLES)):
            for field, known in tables.items() if owner is not None else ():
                if (value := getattr(owner, field)) not in known:
                    raise ValueError(f"{field} {value!r} is not one of {', '.join(map(str, known))}")
        if self.second is not None and self.size == "large":
            raise ValueError("a large subject leaves no room for a second one")


def is_held_out(subject: str, colour: str, place: str) -> bool:
    """Whether this combination is kept out of training: one in ten, by hash, and never a natural one."""
    natural_colour, natural_place = NATURAL[subject]
    if colour == natural_colour and place == natural_place:
        return False
    digest = hashlib.blake2b(f"{subject}|{colour}|{place}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") % HELD_OUT_IN == 0


def sample_scene(rng: random.Random, *, holdout: bool = False) -> Scene:
    """Draw a scene.

    Returns one whose first subject's subject-colour-place combination is held out exactly if `holdout`. The
    second subject's combination is never a held-out one.
    """
    subject, colour, place = _until(lambda: _draw(rng), lambda drawn: is_held_out(*drawn) == holdout)
    second = _draw_second(rng, subject, place) if rng.random() < SECOND_SUBJECT_RATE else None
    return Scene(
        subject=subject,
        colour=colour,
        size=rng.choice(SIZES[:2] if second else SIZES),
        place=place,
        light=rng.choices(LIGHTS, LIGHT_WEIGHTS)[0],
        style=rng.choices(STYLES, STYLE_WEIGHTS)[0],
        second=second,
        jitter=rng.randrange(1 << 30),
    )


def _draw(rng: random.Random) -> tuple[str, str, str]:
    subject = rng.choice(SUBJECTS)
    colour, place = NATURAL[subject]
    if rng.random() >= NATURAL_COLOUR_RATE:
        colour = rng.choice(COLOURS)
    if rng.random() >= NATURAL_PLACE_RATE:
        place = rng.choice(PLACES)
    return subject, colour, place


def _draw_second(rng: random.Random, first: str, place: str) -> Second:
    others = [subject for subject in SUBJECTS if subject != first]
    subject, colour = _until(
        lambda: (rng.choice(others), rng.choice(COLOURS)),
        lambda pair: not is_held_out(*pair, place),
    )
    return Second(subject, colour, rng.choice(SIDES))


def _until(draw: Callable[[], T], accept: Callable[[T], bool]) -> T:
    while not accept(value := draw()):
        pass
    return value
