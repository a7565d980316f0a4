"""Suggestions in the prompt editor: when they come, which keys are theirs, and what they write."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from textual.pilot import Pilot

from sdcore.engine import messages as m
from sdcore.library import paths
from sdcore.library.history import PromptHistory
from sdcore.spec.recipe import Recipe
from tests.ui.conftest import MakeApp, settle
from tests.ui.fake_engine import FakeEngine
from tests.unit.test_addon_files import write, write_lora
from tui.app import SdtuiApp
from tui.drafts import Draft
from tui.screens.studio import completing
from tui.screens.studio.completing import DELAY
from tui.widgets.suggestions import Suggestions

SIZE = (120, 40)
Compare = Callable[..., bool]


@pytest.fixture(autouse=True)
def used_before(private_home: object) -> None:
    history = PromptHistory()
    for prompt in ("a lighthouse at night", "light rain", "a lightning storm, lightning"):
        history.add(Recipe(prompt=prompt))
    folder = paths.wildcards_dir()
    (folder / "animals.txt").write_text("cat\ndog\n")


def shown(app: SdtuiApp) -> list[str]:
    return app.studio.query_one(Suggestions).names


async def press(app: SdtuiApp, pilot: Pilot[None], *keys: str) -> None:
    """Press keys, and wait for what they make come up."""
    await pilot.press(*keys)
    await pilot.pause(2 * DELAY)
    await settle(app, pilot)


async def started(app: SdtuiApp, pilot: Pilot[None]) -> None:
    await settle(app, pilot)


async def test_tab_takes_the_marked_one_and_goes_on_after_that(make_app: MakeApp) -> None:
    app = make_app(draft=Draft(prompt="a "))
    async with app.run_test(size=SIZE) as pilot:
        await started(app, pilot)
        await press(app, pilot, *"ligh")
        assert shown(app)[:3] == ["lightning", "light", "lighthouse"]
        await press(app, pilot, "t")
        assert shown(app) == []  # a word by itself: who wrote it may be done with it
        await press(app, pilot, "n")
        assert shown(app) == ["lightning"]
        await press(app, pilot, "tab")
        assert app.studio.prompt.text == "a lightning"
        assert shown(app) == []
        assert app.studio.prompt.has_focus
        await press(app, pilot, "ctrl+z")
        assert app.studio.prompt.text == "a lightn"
        await press(app, pilot, "tab")
        assert app.studio.negative.has_focus


async def test_one_letter_brings_nothing_and_enter_generates_always(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    app = make_app(draft=Draft(prompt=""))
    async with app.run_test(size=SIZE) as pilot:
        await started(app, pilot)
        await press(app, pilot, "l")
        assert shown(app) == []
        await press(app, pilot, "i")
        assert shown(app) != []
        await press(app, pilot, "enter")
        assert engine.commands(m.Generate)[-1].recipe.prompt == "li"
        assert shown(app) == []


async def test_escape_closes_it_and_stops_nothing(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app(draft=Draft(prompt=""))
    async with app.run_test(size=SIZE) as pilot:
        await started(app, pilot)
        await pilot.press("enter")
        await press(app, pilot, *"li")
        await press(app, pilot, "escape")
        assert shown(app) == []
        assert engine.commands(m.Cancel) == []
        await press(app, pilot, "escape")
        assert len(engine.commands(m.Cancel)) == 1


async def test_the_arrows_are_the_prompts_until_the_list_was_entered(make_app: MakeApp) -> None:
    app = make_app(draft=Draft(prompt=""))
    async with app.run_test(size=SIZE) as pilot:
        await started(app, pilot)
        await press(app, pilot, *"li")
        await press(app, pilot, "up")
        assert app.studio.prompt.text == "a lightning storm, lightning"
        assert shown(app) == []
        await press(app, pilot, "down", *"", "alt+c")
        assert app.studio.prompt.text == "li"
        assert shown(app)[:2] == ["lightning", "light"]
        await press(app, pilot, "alt+c", "down", "tab")
        assert app.studio.prompt.text == "light"


async def test_what_is_done_to_the_cursor_closes_it(make_app: MakeApp) -> None:
    app = make_app(draft=Draft(prompt=""))
    async with app.run_test(size=SIZE) as pilot:
        await started(app, pilot)
        for key in ("left", "ctrl+z", "f8", "ctrl+j"):
            app.studio.prompt.focus()
            app.studio.prompt.load_text("")
            await press(app, pilot, *"lig")
            assert shown(app) != []
            await press(app, pilot, key)
            assert shown(app) == [], key


async def test_letters_typed_after_it_came_are_not_lost(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(draft=Draft(prompt=""))
    async with app.run_test(size=SIZE) as pilot:
        await started(app, pilot)
        await press(app, pilot, *"li")
        monkeypatch.setattr(
            completing, "DELAY", 60.0
        )  # the list does not follow: what is marked fits no more
        await pilot.press(*"ghth", "tab")
        await settle(app, pilot)
        assert app.studio.prompt.text == "lighth"
        assert app.studio.prompt.has_focus


async def test_loras_embeddings_and_wildcards(make_app: MakeApp) -> None:
    folder = paths.models_dir()
    write_lora(folder / "Watercolour.safetensors")
    write(folder / "easynegative.safetensors", {"emb_params": (8, 768)})
    app = make_app(draft=Draft(prompt=""))
    async with app.run_test(size=SIZE) as pilot:
        await started(app, pilot)
        await press(app, pilot, *"a <lora:")
        assert shown(app) == ["Watercolour"]
        await press(app, pilot, "tab")
        assert app.studio.prompt.text == "a <lora:Watercolour:1>"
        await press(app, pilot, *" __")
        assert shown(app) == ["animals"]
        await press(app, pilot, "tab")
        assert app.studio.prompt.text.endswith(" __animals__")
        await press(app, pilot, "tab", *"easy")
        assert shown(app)[0] == "easynegative"
        await press(app, pilot, "tab")
        assert app.studio.negative.text == "easynegative"


async def test_a_click_takes_a_line(make_app: MakeApp) -> None:
    app = make_app(draft=Draft(prompt=""))
    async with app.run_test(size=SIZE) as pilot:
        await started(app, pilot)
        await press(app, pilot, *"ligh")
        await pilot.click(Suggestions, offset=(2, 2))
        await settle(app, pilot)
        assert app.studio.prompt.text == "lighthouse"
        assert app.studio.prompt.has_focus


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_looks(snap_compare: Compare, make_app: MakeApp, size: tuple[int, int]) -> None:
    async def run(pilot: Pilot[None]) -> None:
        await started(pilot.app, pilot)  # type: ignore[arg-type]
        await press(pilot.app, pilot, *"ligh")  # type: ignore[arg-type]

    draft = Draft(prompt="Highly detailed small japanese house, radiant ")
    assert snap_compare(make_app(draft=draft), terminal_size=size, run_before=run)
