"""Captions: the many ways in which people ask for a scene."""

from __future__ import annotations

import random

from sdcore.tiny.world import NATURAL, Scene

SUBJECT_WORDS: dict[str, tuple[str, ...]] = {
    "house": ("house", "house", "house", "cottage", "home"),
    "japanese house": ("japanese house", "japanese house", "japanese house", "japanese house", "pagoda"),
    "castle": ("castle", "castle", "castle", "fortress"),
    "lighthouse": ("lighthouse",),
    "tree": ("tree", "tree", "tree", "leafy tree"),
    "flower": ("flower", "flower", "flower", "blossom"),
    "mushroom": ("mushroom", "mushroom", "mushroom", "toadstool"),
    "fish": ("fish",),
    "bird": ("bird", "bird", "bird", "songbird"),
    "cat": ("cat", "cat", "cat", "kitten", "kitty"),
    "boat": ("boat", "boat", "boat", "sailing boat", "sailboat", "ship"),
    "car": ("car", "car", "car", "automobile"),
    "rocket": ("rocket", "rocket", "rocket", "spaceship"),
    "star": ("star",),
    "heart": ("heart",),
    "circle": ("circle", "circle", "circle", "ball", "disc"),
    "square": ("square", "square", "square", "box"),
    "triangle": ("triangle", "triangle", "triangle", "pyramid"),
}
COLOUR_WORDS: dict[str, tuple[str, ...]] = {
    "red": ("red", "red", "red", "red", "crimson", "bright red"),
    "orange": ("orange", "orange", "orange", "orange", "bright orange"),
    "yellow": ("yellow", "yellow", "yellow", "yellow", "golden", "bright yellow"),
    "green": ("green", "green", "green", "green", "emerald", "bright green"),
    "blue": ("blue", "blue", "blue", "blue", "deep blue", "bright blue"),
    "purple": ("purple", "purple", "purple", "purple", "violet"),
    "pink": ("pink", "pink", "pink", "pink", "rose"),
    "brown": ("brown", "brown", "brown", "brown", "dark brown"),
    "black": ("black", "black", "black", "black", "jet black"),
    "white": ("white", "white", "white", "white"),
}
SIZE_WORDS: dict[str, tuple[str, ...]] = {
    "small": ("small", "small", "small", "little", "tiny"),
    "medium": ("medium", "medium-sized", "medium sized", "mid-sized"),
    "large": ("large", "large", "large", "big", "huge", "giant"),
}
PLACE_NAMES: dict[str, tuple[str, ...]] = {
    "white background": (
        "white background", "white background", "plain white background", "plain background",
    ),
    "green field": ("green field", "green field", "meadow", "green meadow", "grass", "green hills"),
    "blue sea": ("blue sea", "blue sea", "sea", "ocean", "waves", "water"),
    "night sky": ("night sky", "night sky", "starry night", "night", "stars in the sky", "starry sky"),
    "sunset": ("sunset", "sunset", "sunset sky", "evening", "dusk"),
    "desert": ("desert", "desert", "sand dunes", "sand", "sandy desert"),
    "snow": ("snow", "snow", "winter", "snowy landscape", "snowy field", "falling snow"),
    "mountains": ("mountains", "mountains", "mountain landscape", "snowy peaks", "high mountains"),
}  # fmt: skip
PLACE_PHRASES: dict[str, tuple[str, ...]] = {
    "white background": ("on a white background", "on white background", "on a plain white background"),
    "green field": ("on a green field", "in a green field", "in a green meadow", "on the grass"),
    "blue sea": ("on the blue sea", "in the blue sea", "at sea", "in the ocean", "on the water"),
    "night sky": (
        "under the night sky", "in the night sky", "at night", "on a starry night", "under the stars",
    ),
    "sunset": ("at sunset", "at sunset", "in the sunset", "in the evening", "at dusk"),
    "desert": ("in the desert", "in a desert", "on the sand", "among sand dunes"),
    "snow": ("in the snow", "in the snow", "in winter", "in a snowy landscape", "on a snowy field"),
    "mountains": ("in the mountains", "in the mountains", "in front of mountains", "among high mountains"),
}  # fmt: skip
LIGHT_NAMES: dict[str, tuple[str, ...]] = {
    "radiant light": (
        "radiant light", "radiant light", "radiant light", "sun rays", "glowing light", "rays of light",
        "sunshine",
    ),
    "moonlight": ("moonlight", "moonlight", "moonlight", "full moon", "moonlit", "light of the moon"),
}  # fmt: skip
LIGHT_PHRASES: dict[str, tuple[str, ...]] = {
    "radiant light": ("in radiant light", "with radiant light", "in the sunshine", "under sun rays"),
    "moonlight": ("under moonlight", "in the moonlight", "under a full moon", "in moonlight"),
}
STYLE_NAMES: dict[str, tuple[str, ...]] = {
    "flat": ("flat illustration", "flat style", "vector art", "flat design", "paper cutout", "poster"),
    "outlined": ("outlined", "ink outline", "comic style", "cartoon", "ink drawing", "bold outlines"),
    "watercolour": ("watercolour", "watercolor", "watercolour painting", "pastel", "soft pastel colours"),
}
OPENINGS: tuple[str, ...] = (
    "highly detailed", "highly detailed", "highly detailed", "a picture of", "a picture of",
    "a painting of", "painting of", "an image of", "picture of", "a drawing of", "an illustration of",
    "illustration of", "a photo of", "beautiful", "beautiful", "cute", "detailed", "a digital painting of",
    "concept art of",
)  # fmt: skip
CLOSINGS: tuple[str, ...] = (
    "detailed and intricate environment", "detailed and intricate environment",
    "detailed and intricate environment", "highly detailed", "highly detailed", "8k", "4k", "masterpiece",
    "best quality", "intricate", "high quality", "beautiful", "sharp focus", "trending on artstation",
    "detailed", "digital art", "award winning", "cinematic", "detailed environment", "concept art",
)  # fmt: skip
BESIDE: tuple[str, ...] = ("next to", "beside", "and", "and", "with", "together with")
SIDE_PHRASES: dict[str, tuple[str, ...]] = {
    "left": ("on the left", "on the left", "to the left", "on the left side"),
    "right": ("on the right", "on the right", "to the right", "on the right side"),
}
OTHER_SIDE = {"left": "right", "right": "left"}

NAME_COLOUR = {True: 0.5, False: 0.95}
"""How often the colour is named where it is the subject's natural one, and where it is not. So a caption
without a colour mostly means the natural one."""
NAME_PLACE = {True: 0.55, False: 0.86}
NAME_SIZE = {"small": 0.85, "medium": 0.45, "large": 0.85}
NAME_STYLE = {"flat": 0.3, "outlined": 0.85, "watercolour": 0.85}
NAME_LIGHT = 0.92
OPENING_RATE = 0.4
EMPTY_PLACE = "white background"
CLOSING_COUNTS = (0, 0, 0, 1, 1, 2)
ARTICLE_RATE = 0.6
COMMA_LIST_RATE = 0.5
CASINGS = ("lower", "lower", "lower", "sentence", "sentence", "sentence", "upper", "title")


def full_caption(scene: Scene) -> str:
    """The plain caption for evaluation: size, colour, subject, place, and the second subject with its side.

    For example "a small red house on a green field, and a blue fish on the right".
    """
    said = f"{_with_article(f'{scene.size} {scene.colour} {scene.subject}')} {PLACE_PHRASES[scene.place][0]}"
    if scene.second is None:
        return said
    second = scene.second
    return f"{said}, and {_with_article(f'{second.colour} {second.subject}')} {SIDE_PHRASES[second.side][0]}"


def caption(scene: Scene, rng: random.Random) -> str:
    """Say the scene in one of many ways, leaving some of it unsaid. Whatever is said is true of the scene.

    The subjects are always named; colour, size, place, light and style each with the odds of the tables.
    """
    subjects = _beside(scene, rng) if scene.second else _noun(scene, rng)
    details = _details(scene, rng, as_list=rng.random() < COMMA_LIST_RATE)
    opening = rng.choice(OPENINGS) if rng.random() < OPENING_RATE else ""
    if not scene.second and rng.random() < ARTICLE_RATE and (not opening or opening.endswith("of")):
        subjects = _with_article(subjects)
    if opening:
        between = ", " if scene.second and not opening.endswith("of") else " "
        subjects = f"{opening}{between}{subjects}"
    closings = list(dict.fromkeys(rng.sample(CLOSINGS, rng.choice(CLOSING_COUNTS))))
    if scene.place == EMPTY_PLACE:
        closings = [closing for closing in closings if "environment" not in closing]
    text = ", ".join([subjects + details, *closings])
    return _cased(text, rng.choice(CASINGS)) + rng.choice(("", "", "", "."))


def _noun(scene: Scene, rng: random.Random) -> str:
    natural_colour = NATURAL[scene.subject][0]
    words = [rng.choice(SUBJECT_WORDS[scene.subject])]
    if rng.random() < NAME_COLOUR[scene.colour == natural_colour]:
        words.insert(0, rng.choice(COLOUR_WORDS[scene.colour]))
    if rng.random() < NAME_SIZE[scene.size]:
        words.insert(0, rng.choice(SIZE_WORDS[scene.size]))
    return " ".join(words)


def _beside(scene: Scene, rng: random.Random) -> str:
    second = scene.second
    assert second is not None
    other = rng.choice(SUBJECT_WORDS[second.subject])
    if rng.random() < NAME_COLOUR[False]:
        other = f"{rng.choice(COLOUR_WORDS[second.colour])} {other}"
    first_said, other_said = _with_article(_noun(scene, rng)), _with_article(other)
    first_side, other_side = OTHER_SIDE[second.side], second.side
    if rng.random() < 0.3:
        first_said, other_said = other_said, first_said
        first_side, other_side = other_side, first_side
    if rng.random() < 0.4:
        first_said = f"{first_said} {rng.choice(SIDE_PHRASES[first_side])}"
    if rng.random() < 0.7:
        other_said = f"{other_said} {rng.choice(SIDE_PHRASES[other_side])}"
    return f"{first_said} {rng.choice(BESIDE)} {other_said}"


def _details(scene: Scene, rng: random.Random, *, as_list: bool) -> str:
    place_names, light_names = (PLACE_NAMES, LIGHT_NAMES) if as_list else (PLACE_PHRASES, LIGHT_PHRASES)
    said: list[str] = []
    if rng.random() < NAME_PLACE[scene.place == NATURAL[scene.subject][1]]:
        said.append(rng.choice(place_names[scene.place]))
    if scene.light and rng.random() < NAME_LIGHT:
        said.append(rng.choice(light_names[scene.light]))
    if as_list or rng.random() < 0.15:
        rng.shuffle(said)
    style = rng.choice(STYLE_NAMES[scene.style]) if rng.random() < NAME_STYLE[scene.style] else None
    if as_list:
        return "".join(f", {part}" for part in (*said, style) if part)
    return "".join(f" {part}" for part in said) + (f", {style}" if style else "")


def _with_article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _cased(text: str, casing: str) -> str:
    if casing == "upper":
        return text.upper()
    if casing == "title":
        return text.title()
    return text[0].upper() + text[1:] if casing == "sentence" else text
