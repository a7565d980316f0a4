"""The bundled model's world: scenes, pictures, captions, and the matcher that judges a model."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from sdcore.tiny.captions import (
    COLOUR_WORDS,
    LIGHT_NAMES,
    LIGHT_PHRASES,
    PLACE_NAMES,
    PLACE_PHRASES,
    SIZE_WORDS,
    STYLE_NAMES,
    SUBJECT_WORDS,
    caption,
    full_caption,
)
from sdcore.tiny.contact_sheet import Labelled, contact_sheet
from sdcore.tiny.drawing import PALETTE, render
from sdcore.tiny.evaluate import Report, evaluate, held_out_scenes, table
from sdcore.tiny.matching import judge
from sdcore.tiny.world import (
    COLOURS,
    LIGHTS,
    NATURAL,
    PLACES,
    SIZES,
    STYLES,
    SUBJECTS,
    Scene,
    Second,
    is_held_out,
    sample_scene,
)


def scenes(count: int, seed: int = 7, *, holdout: bool = False) -> list[Scene]:
    rng = random.Random(seed)
    return [sample_scene(rng, holdout=holdout) for _ in range(count)]


def pixels(scene: Scene) -> np.ndarray:
    return np.asarray(render(scene))


def test_world_is_as_large_as_promised() -> None:
    assert len(SUBJECTS) >= 14
    assert (len(COLOURS), len(SIZES), len(PLACES), len(STYLES)) == (10, 3, 8, 3)


def test_sampling_is_deterministic_and_reaches_every_name() -> None:
    drawn = scenes(2000)
    assert drawn == scenes(2000)
    for field, names in (("subject", SUBJECTS), ("colour", COLOURS), ("size", SIZES), ("place", PLACES)):
        assert {getattr(scene, field) for scene in drawn} == set(names)
    assert {scene.light for scene in drawn} == set(LIGHTS)
    assert {scene.second.side for scene in drawn if scene.second} == {"left", "right"}


def test_held_out_combinations_are_disjoint_from_training() -> None:
    trained = {(s.subject, s.colour, s.place) for s in scenes(4000)}
    seconds = {(s.second.subject, s.second.colour, s.place) for s in scenes(4000) if s.second}
    held_out = {(s.subject, s.colour, s.place) for s in scenes(1000, holdout=True)}
    assert not (trained | seconds) & held_out
    share = sum(is_held_out(s, c, p) for s in SUBJECTS for c in COLOURS for p in PLACES)
    assert 0.08 < share / (len(SUBJECTS) * len(COLOURS) * len(PLACES)) < 0.12
    assert not any(is_held_out(subject, *natural) for subject, natural in NATURAL.items())


@pytest.mark.parametrize(
    "wrong",
    [
        {"subject": "dragon"},
        {"colour": "grey"},
        {"place": "moon"},
        {"light": "neon"},
        {"second": Second("fish", "mauve", "left")},
        {"size": "large", "second": Second("fish", "blue", "left")},
    ],
)
def test_a_scene_outside_the_world_is_refused(wrong: dict[str, object]) -> None:
    known: dict[str, object] = {"subject": "house", "colour": "red", "size": "small", "place": "snow"}
    with pytest.raises(ValueError, match=r"is not one of|no room"):
        Scene(**{**known, **wrong})  # type: ignore[arg-type]


def test_a_render_is_an_rgb_image_of_the_asked_size_and_always_the_same() -> None:
    scene = Scene("cat", "orange", "medium", "sunset", jitter=5)
    image = render(scene)
    assert (image.mode, image.size) == ("RGB", (128, 128))
    assert image.tobytes() == render(scene).tobytes()
    assert render(scene, 64).size == (64, 64)
    with pytest.raises(ValueError, match="at least 16"):
        render(scene, 8)


def test_drawing_on_a_render_does_not_reach_the_next_one() -> None:
    scene = Scene("cat", "orange", "medium", "sunset", jitter=5)
    first = render(scene)
    before = first.tobytes()
    first.paste((0, 0, 0), (0, 0, 128, 128))
    assert render(scene).tobytes() == before


@pytest.mark.parametrize("colour", COLOURS)
def test_a_subject_has_its_colour(colour: str) -> None:
    middle = pixels(Scene("circle", colour, "large", "white background"))[64:84, 56:72]
    assert np.abs(np.median(middle, axis=(0, 1)) - PALETTE[colour].body).max() <= 2


def test_sizes_differ_by_a_third_and_more() -> None:
    areas = [
        (
            np.abs(pixels(Scene("star", "black", size, "white background")).astype(int) - 255).sum(axis=-1)
            > 200
        ).sum()
        for size in SIZES
    ]
    assert areas[1] > 1.8 * areas[0]
    assert areas[2] > 1.7 * areas[1]


def test_the_second_subject_is_on_its_side() -> None:
    both = pixels(
        Scene("circle", "red", "medium", "white background", second=Second("circle", "blue", "left"))
    )
    means = both[70:100].astype(float).mean(axis=0)
    assert means[20:46, 2].mean() > means[20:46, 0].mean()
    assert means[82:108, 0].mean() > means[82:108, 2].mean()


def said(tables: Sequence[dict[str, tuple[str, ...]]], text: str) -> set[str]:
    """The names of which some wording occurs in the text, wordings inside longer ones left out."""
    wordings = [(word, name) for table in tables for name, words in table.items() for word in words]
    names = set()
    for word, name in sorted(set(wordings), key=lambda pair: -len(pair[0])):
        if f" {word} " in text:
            names.add(name)
            text = text.replace(f" {word} ", "  ")
    return names


def plain(text: str) -> str:
    """Lower case, with single spaces around every word and every comma."""
    return f" {' '.join(text.lower().replace(',', ' , ').rstrip('.').split())} "


@pytest.mark.parametrize(
    ("tables", "values"),
    [
        ([SUBJECT_WORDS], lambda s: {s.subject} | ({s.second.subject} if s.second else set())),
        ([SIZE_WORDS], lambda s: {s.size}),
        ([STYLE_NAMES], lambda s: {s.style}),
        ([LIGHT_NAMES, LIGHT_PHRASES], lambda s: {s.light}),
        ([PLACE_NAMES, PLACE_PHRASES], lambda s: {s.place}),
    ],
    ids=["subjects", "size", "style", "light", "place"],
)
def test_captions_say_only_what_is_true(
    tables: list[dict[str, tuple[str, ...]]], values: Callable[[Scene], set[str]]
) -> None:
    rng = random.Random(11)
    for scene in scenes(400):
        text = caption(scene, rng)
        assert said(tables, plain(text)) <= values(scene), text


def test_captions_vary_and_leave_things_unsaid() -> None:
    rng = random.Random(3)
    scene = Scene("japanese house", "red", "small", "mountains", light="radiant light")
    texts = [caption(scene, rng) for _ in range(300)]
    assert len(set(texts)) > 250
    for tables, name in (
        ([COLOUR_WORDS], "red"),
        ([PLACE_NAMES, PLACE_PHRASES], "mountains"),
        ([SIZE_WORDS], "small"),
    ):
        share = sum(name in said(tables, plain(text)) for text in texts) / len(texts)
        assert 0.2 < share < 0.95
    lower = [text.lower() for text in texts]
    for words in ("japanese house", "radiant light", "highly detailed", "detailed and intricate environment"):
        assert sum(words in text for text in lower) > 20


def test_full_captions_name_everything() -> None:
    scene = Scene("house", "orange", "small", "green field", second=Second("fish", "blue", "right"))
    assert full_caption(scene) == "a small orange house on a green field, and a blue fish on the right"


def fresh(scene: Scene, seed: int) -> np.ndarray:
    return pixels(Scene(**{**{k: getattr(scene, k) for k in Scene.__slots__}, "jitter": seed}))


def smeared(picture: np.ndarray, seed: int) -> np.ndarray:
    """As a model might draw it: blurred and noisy."""
    soft = np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(1.2)), dtype=float)
    noise = np.random.default_rng(seed).normal(0, 12, picture.shape)
    return (soft + noise).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("spoil", [lambda picture, seed: picture, smeared], ids=["clean", "smeared"])
def test_the_matcher_recognises_fresh_renders(spoil: Callable[[np.ndarray, int], np.ndarray]) -> None:
    for seed, scene in enumerate(scenes(8, seed=21, holdout=True)):
        verdict = judge(spoil(fresh(scene, 1000 + seed), seed), scene)
        assert all(verdict.as_asked(scene).values()), (scene, verdict)


@pytest.mark.parametrize(
    ("field", "value"),
    [("subject", "castle"), ("colour", "pink"), ("place", "desert"), ("size", "large")],
)
def test_the_matcher_sees_what_is_wrong_and_what_is_shown_instead(field: str, value: str) -> None:
    asked = Scene("house", "blue", "small", "snow", light="moonlight", style="outlined", jitter=3)
    drawn = Scene(**{**{k: getattr(asked, k) for k in Scene.__slots__}, field: value})
    verdict = judge(pixels(drawn), asked)
    assert not verdict.as_asked(asked)[field]
    assert verdict.as_asked(drawn)[field]


def test_the_matcher_refuses_other_shapes() -> None:
    with pytest.raises(ValueError, match="cannot be judged"):
        judge(np.zeros((64, 64, 3), dtype=np.uint8), scenes(1)[0])


class Painter:
    """Draws what is asked for, and otherwise the natural thing unless a negative prompt names it."""

    def __init__(self, known: Sequence[Scene]) -> None:
        self.known = {full_caption(scene): scene for scene in known}

    def generate(
        self, prompts: Sequence[str], negatives: Sequence[str], guidance: float, seed: int
    ) -> np.ndarray:
        return np.stack([self._draw(*said) for said in zip(prompts, negatives, strict=True)])

    def reconstruct(self, pictures: np.ndarray) -> np.ndarray:
        return np.where(pictures > 127, pictures - 10, pictures + 10).astype(np.uint8)

    def _draw(self, prompt: str, negative: str) -> np.ndarray:
        if prompt in self.known:
            return fresh(self.known[prompt], 77)
        text = plain(prompt)
        (subject,) = said([SUBJECT_WORDS], text)
        (size,) = said([SIZE_WORDS], text)
        natural_colour, natural_place = NATURAL[subject]
        colour = next(iter(said([COLOUR_WORDS], text.partition(f" {subject} ")[0] + " ")), natural_colour)
        place = next(iter(said([PLACE_PHRASES], text)), natural_place)
        if negative == place:
            place = next(name for name in PLACES if name != negative)
        if negative == colour:
            colour = next(name for name in COLOURS if name != negative)
        return pixels(Scene(subject, colour, size, place))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def report_and_sheet(tmp_path_factory: pytest.TempPathFactory) -> tuple[Report, Path]:
    sheet = tmp_path_factory.mktemp("sheet") / "sheet.png"
    known = held_out_scenes(3, 5) + held_out_scenes(1, 5, pairs=True)
    return evaluate(Painter(known), captions=3, guidance=(1.0, 7.5), seed=5, sheet=sheet), sheet


def test_a_perfect_painter_gets_a_perfect_report(report_and_sheet: tuple[Report, Path]) -> None:
    report, _ = report_and_sheet
    assert [row.guidance for row in report.scenes] == [1.0, 7.5]
    for row in (*report.scenes, *report.pairs):
        assert (row.subject, row.colour, row.place, row.size) == (1.0, 1.0, 1.0, 1.0)
    assert [(row.names, row.before, row.after) for row in report.negatives] == [
        ("place", 1.0, 0.0),
        ("colour", 1.0, 0.0),
    ]
    assert report.autoencoder.mean == pytest.approx(20 * np.log10(25.5))
    assert "100.0%" in table(report)


def test_the_contact_sheet_shows_every_picture(report_and_sheet: tuple[Report, Path]) -> None:
    with Image.open(report_and_sheet[1]) as sheet:
        assert sheet.width > 8 * 128
    one = contact_sheet([Labelled(pixels(scenes(1)[0]), "a red house", "colour")])
    assert one.crop((12, 12, 140, 140)).tobytes() == render(scenes(1)[0]).tobytes()
    with pytest.raises(ValueError, match="at least one"):
        contact_sheet([])
