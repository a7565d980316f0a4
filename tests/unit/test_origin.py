"""How a person came to an image is kept with it: the styles of its prompts, the image that it varies."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from sdcore.engine import messages as m
from sdcore.engine.ledger import Entry
from sdcore.engine.running import Job
from sdcore.library import record
from sdcore.library.metadata import read_image
from sdcore.library.outputs import save_image
from sdcore.spec.lineage import Origin
from sdcore.spec.recipe import Recipe, Turn
from tui.cli import main

ORIGIN = Origin(styles=("oil", "night"), varied_from="00001-5-a-boat.png")


def saved(folder: Path) -> Path:
    recipe = Recipe(
        prompt="oil painting of a boat", variation_seed=3, variation_strength=0.2,
        earlier_variations=(Turn(7, 0.125), Turn(8, 0.5)),
    )  # fmt: skip
    image = Image.new("RGB", (8, 8))
    return save_image(image, recipe, folder=folder, styles=ORIGIN.styles, varied_from=ORIGIN.varied_from)


def test_the_queue_and_the_run_pass_it_on() -> None:
    sent = m.Generate(job="a", recipe=Recipe(), origin=ORIGIN)
    assert m.decode_command(m.encode(sent)) == sent
    assert Job.of(Entry(job="a", recipe=Recipe(), origin=ORIGIN)).origin == ORIGIN


def test_the_image_says_it_and_the_whole_prompt(tmp_path: Path) -> None:
    facts = read_image(saved(tmp_path))
    assert facts.prompt == "oil painting of a boat"
    assert tuple(facts.extra["styles"]) == ORIGIN.styles
    assert facts.extra["varied_from"] == ORIGIN.varied_from
    assert facts.recipe().earlier_variations == (Turn(7, 0.125), Turn(8, 0.5))


def test_a_plain_image_says_nothing_of_it(tmp_path: Path) -> None:
    plain = record.encode(record.ImageRecord(version=record.VERSION, recipe=Recipe()))
    assert "styles" not in plain
    assert "varied_from" not in plain


def test_inspect_shows_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(saved(tmp_path))]) == 0
    told = capsys.readouterr().out
    for word in ("oil", "night", "00001-5-a-boat.png"):
        assert word in told
