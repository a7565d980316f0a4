"""An image's recipe comes back once a person has seen what it changes; what is typed is not lost without a word."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from textual.pilot import Pilot

from sdcore.library.outputs import save_image
from sdcore.spec.recall import FIELDS
from sdcore.spec.recipe import Recipe
from tests.ui.conftest import MakeApp, settle
from tests.ui.fake_engine import FakeEngine
from tui.app import SdtuiApp
from tui.drafts import Draft
from tui.parameter_rows import write_rows
from tui.screens.lists.chooser import ChoiceList
from tui.screens.lists.recalling import WHATS, RecallScreen, changed_lines, recall_into_studio
from tui.widgets.status import MessageLine

SIZE = (120, 40)
MINE = Recipe(prompt="my own words", seed=1)
THEIRS = Recipe(
    prompt="an [old] boat", negative_prompt="rain", seed=7, steps=12, sampler="Euler", width=96, height=64
)


def saved(recipe: Recipe = THEIRS) -> Path:
    return save_image(Image.new("RGB", (96, 64)), recipe)


def foreign(folder: Path, text: str) -> Path:
    chunks = PngInfo()
    chunks.add_text("parameters", text)
    Image.new("RGB", (8, 8)).save(folder / "other.png", pnginfo=chunks)
    return folder / "other.png"


def draft(recipe: Recipe = MINE) -> Draft:
    return Draft(prompt=recipe.prompt, negative_prompt=recipe.negative_prompt, rows=write_rows(recipe))


async def bring(app: SdtuiApp, pilot: Pilot[None], path: Path, what: str = "all") -> None:
    await settle(app, pilot)
    app.run_worker(recall_into_studio(app, path, what), group="ask")  # type: ignore[arg-type]
    await settle(app, pilot)


def said(app: SdtuiApp) -> str:
    return app.studio.query_one(MessageLine).text


def listed(app: SdtuiApp) -> str:
    lines = app.screen.query_one(ChoiceList)
    return "\n".join(str(lines.get_option_at_index(index).prompt) for index in range(lines.option_count))


async def test_what_changes_is_seen_before_it_does(make_app: MakeApp) -> None:
    app = make_app(draft=draft())
    async with app.run_test(size=SIZE) as pilot:
        await bring(app, pilot, saved())
        assert isinstance(app.screen, RecallScreen)
        text = listed(app)
        for part in (
            "− my own words",
            "+ an [old] boat",
            "128 × 128 → 96 × 64",
            "30 → 12",
            "LMS → Euler",
            "1 → 7",
        ):
            assert part in text
        assert app.studio.read()[0] == MINE
        await pilot.press("enter")
        await settle(app, pilot)
        assert app.studio.read()[0] == THEIRS
        assert "is in the panes" in said(app)


async def test_leaving_it_changes_nothing(make_app: MakeApp) -> None:
    app = make_app(draft=draft())
    async with app.run_test(size=SIZE) as pilot:
        await bring(app, pilot, saved())
        await pilot.press("escape")
        await settle(app, pilot)
        assert app.screen is app.studio
        assert app.studio.read()[0] == MINE


@pytest.mark.parametrize(
    ("what", "fields"),
    [("prompt", ("prompt", "negative_prompt")), ("seed", ("seed",)),
     ("parameters", ("steps", "sampler", "width", "height"))],
)  # fmt: skip
async def test_only_a_part(what: str, fields: tuple[str, ...], make_app: MakeApp) -> None:
    app = make_app(draft=draft())
    async with app.run_test(size=SIZE) as pilot:
        await bring(app, pilot, saved(), what)
        await pilot.press("enter")
        await settle(app, pilot)
        taken = {name: getattr(THEIRS, name) for name in fields}
        assert app.studio.read()[0] == msgspec.structs.replace(MINE, **taken)


async def test_what_cannot_be_had_is_said_in_the_list(make_app: MakeApp, tmp_path: Path) -> None:
    app = make_app(draft=draft())
    path = foreign(tmp_path, "boat\nSteps: 20, Sampler: Restart, Seed: 3, Model: dream\x1b[2J, Size: 64x64")
    async with app.run_test(size=SIZE) as pilot:
        await bring(app, pilot, path)
        text = listed(app)
        assert "There is no sampler Restart here: the nearest is Heun." in text
        assert "There is no model dream\ufffd[2J here" in text
        assert "LMS → Heun" in text
        await pilot.press("enter")
        await settle(app, pilot)
        recipe = app.studio.read()[0]
        assert (recipe.sampler, recipe.model, recipe.steps) == ("Heun", "tiny", 20)


async def test_nothing_is_asked_where_nothing_can_be_lost(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app(draft=draft())
    async with app.run_test(size=SIZE) as pilot:
        await settle(app, pilot)
        await pilot.press("enter")  # now the prompt is in the history and the seed has made its image
        await bring(app, pilot, saved(msgspec.structs.replace(MINE, prompt="another", seed=9)))
        assert app.screen is app.studio
        assert (app.studio.prompt.text, app.studio.parameters.texts["seed"]) == ("another", "9")
        app.studio.prompt.show("typed and never used")
        await bring(app, pilot, saved(msgspec.structs.replace(MINE, prompt="a third")))
        assert isinstance(app.screen, RecallScreen)


async def test_where_nothing_changes_there_is_nothing_to_see(make_app: MakeApp) -> None:
    app = make_app(draft=draft())
    async with app.run_test(size=SIZE) as pilot:
        await bring(app, pilot, saved(MINE))
        assert app.screen is app.studio
        assert "The panes say what" in said(app)


async def test_an_image_that_says_nothing(make_app: MakeApp, tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "mute.png")
    app = make_app(draft=draft())
    async with app.run_test(size=SIZE) as pilot:
        await bring(app, pilot, tmp_path / "mute.png")
        assert said(app) == "mute.png does not say how it was made."
        await bring(app, pilot, tmp_path / "absent.png")
        assert "There is no file" in said(app)


def test_every_change_that_acts_has_a_line() -> None:
    after = msgspec.structs.replace(
        MINE, hires_scale=2.0, hires_strength=0.3, vae="/a/b.safetensors", rng="gpu"
    )
    text = "\n".join(str(line) for line in changed_lines(MINE, after))
    for part in ("hires ", "hires strength", "b.safetensors", "cpu → gpu"):
        assert part in text
    idle = msgspec.structs.replace(MINE, hires_strength=0.3, variation_seed=4)
    assert changed_lines(MINE, idle) == []


def test_every_part_can_be_asked_for() -> None:
    assert [name for name, _, _ in WHATS] == list(FIELDS)
