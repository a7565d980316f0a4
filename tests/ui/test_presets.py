"""Presets: named sets of parameters, kept, seen, applied, edited."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from sdcore.library.presets import Presets, applied
from sdcore.spec.recipe import Recipe
from tests.ui.conftest import MakeApp, settle
from tui.app import SdtuiApp
from tui.drafts import Draft
from tui.screens.named.presets import PresetForm, PresetList

SIZE = (120, 40)
Compare = Callable[..., bool]
FAST = {"steps": 8, "sampler": "Euler", "guidance_scale": 3.0}


@pytest.fixture
def presets(private_home: Path) -> Presets:
    presets = Presets()
    presets.put("fast", FAST)
    presets.put("portrait", {"width": 96, "height": 192, "negative_prompt": "people", "clip_skip": 2})
    return presets


async def opened(app: SdtuiApp, pilot: Pilot[None]) -> PresetList:
    await settle(app, pilot)
    await pilot.press("alt+p")
    await settle(app, pilot)
    assert isinstance(app.screen, PresetList)
    return app.screen


def looked_at(screen: PresetList) -> str:
    return str(screen.query_one("#named-look", Static).content)


def test_what_means_nothing_is_told_and_left_out(private_home: Path) -> None:
    path = private_home / "config" / "presets.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        '[presets.a]\nsteps = 9\nguidance_scale = 3\ncolour = "x"\nseed = "one"\nsigmas = [1.0]\n'
    )
    found, problems = Presets().load()
    assert found == {"a": {"steps": 9, "guidance_scale": 3.0}}
    assert problems == ["Preset a: colour, seed, sigmas cannot be used."]
    assert applied(Recipe(seed=4), found["a"]) == Recipe(seed=4, steps=9, guidance_scale=3.0)


async def test_it_is_seen_and_applied(make_app: MakeApp, presets: Presets) -> None:
    app = make_app(draft=Draft(prompt="a cat", negative_prompt="dog"))
    async with app.run_test(size=SIZE) as pilot:
        screen = await opened(app, pilot)
        assert screen.names == ["fast", "portrait"]
        for told in ("steps", "30 → 8", "LMS → Euler", "7.5 → 3"):
            assert told in looked_at(screen)
        await pilot.press("enter")
        await settle(app, pilot)
        recipe, faults = app.studio.read()
        assert faults == {}
        assert (recipe.steps, recipe.sampler, recipe.guidance_scale, recipe.seed) == (8, "Euler", 3.0, 1632)
        assert (recipe.prompt, recipe.negative_prompt, recipe.width) == ("a cat", "dog", 128)
        screen = await opened(app, pilot)
        assert "changes nothing" in looked_at(screen)
        await pilot.press("down", "enter")
        await settle(app, pilot)
        recipe, _ = app.studio.read()
        assert (recipe.negative_prompt, recipe.width, recipe.clip_skip, recipe.steps) == ("people", 96, 2, 8)


async def test_the_present_parameters_under_a_name(make_app: MakeApp, private_home: Path) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await settle(app, pilot)
        app.studio.parameters.set_texts({"steps": "12", "hires": "2"})
        screen = await opened(app, pilot)
        assert screen.names == []
        await pilot.press("enter", "ctrl+n", *"mine", "enter")
        await settle(app, pilot)
        assert isinstance(app.screen, PresetForm)
        await pilot.press("space", "enter")  # the model, too
        await settle(app, pilot)
        kept = tomllib.loads((private_home / "config" / "presets.toml").read_text())["presets"]["mine"]
        assert kept["model"] == "tiny"
        assert (kept["steps"], kept["hires_scale"], kept["width"]) == (12, 2.0, 128)
        assert not {"seed", "prompt", "init_image", "variation_seed"} & set(kept)


async def test_edited_renamed_deleted(make_app: MakeApp, presets: Presets) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        screen = await opened(app, pilot)
        await pilot.press("ctrl+e")
        await settle(app, pilot)
        await pilot.press("down", "down", "space", "enter")  # no steps any more
        await settle(app, pilot)
        assert presets.load()[0]["fast"] == {"guidance_scale": 3.0, "sampler": "Euler"}
        await pilot.press("ctrl+e")
        await settle(app, pilot)
        await pilot.press("ctrl+u", "enter")
        await settle(app, pilot)
        assert presets.load()[0]["fast"] == {"guidance_scale": 7.5, "sampler": "LMS"}
        await pilot.press("ctrl+r", *"er", "enter")
        await settle(app, pilot)
        assert list(presets.load()[0]) == ["faster", "portrait"]
        await pilot.press("delete", "enter")
        await settle(app, pilot)
        assert list(presets.load()[0]) == ["portrait"]
        assert screen.names == ["portrait"]


@pytest.mark.parametrize("form", [False, True], ids=["list", "form"])
@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_looks(
    snap_compare: Compare, make_app: MakeApp, presets: Presets, size: tuple[int, int], form: bool
) -> None:
    async def run(pilot: Pilot[None]) -> None:
        await opened(pilot.app, pilot)  # type: ignore[arg-type]
        await pilot.press("down", *(["ctrl+e"] if form else []))
        await settle(pilot.app, pilot)

    assert snap_compare(make_app(draft=Draft(prompt="a cat")), terminal_size=size, run_before=run)
