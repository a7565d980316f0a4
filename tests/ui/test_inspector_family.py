"""The tree of forks in the inspector: shown, and walked."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from PIL import Image

from sdcore.engine import messages as m
from sdcore.library.outputs import save_image
from sdcore.spec.lineage import Parent, Segment
from sdcore.spec.recipe import Recipe
from tests.ui.conftest import MakeApp, settle
from tests.ui.fake_engine import FakeEngine
from tests.ui.recorded_run import RecordedRun
from tests.ui.test_inspector import inspecting
from tui.screens.inspector.screen import Inspector
from tui.screens.lists.chooser import ChoiceList, Chooser
from tui.widgets.prompt import PromptEditor
from tui.widgets.status import MessageLine

HOUSE = Recipe(prompt="a house")


def forked(folder: Path) -> list[Path]:
    """An image, a fork of it, and a fork of that."""
    picture, boat = Image.new("RGB", (8, 8)), msgspec.structs.replace(HOUSE, prompt="a boat")
    first = save_image(picture, HOUSE, folder=folder)
    segments = (Segment(start=0, recipe=HOUSE), Segment(start=5, recipe=boat))
    second = save_image(
        picture, boat, folder=folder, parent=Parent(image=first.name, step=4), segments=segments
    )
    third = save_image(
        picture, boat, folder=folder, parent=Parent(image=second.name, step=9), segments=segments
    )
    return [first, second, third]


async def test_the_tree_of_forks_leads_to_another_of_them(
    make_app: MakeApp, engine: FakeEngine, tmp_path: Path
) -> None:
    first, second, third = forked(tmp_path)
    run = RecordedRun(HOUSE, images=(str(second),))
    async with inspecting(make_app, engine, run) as (app, _screen, pilot):
        await pilot.press("l")
        await settle(app, pilot)
        assert isinstance(app.screen, Chooser)
        options = app.screen.query_one(ChoiceList)
        lines = [str(options.get_option_at_index(index).prompt) for index in range(options.option_count)]
        assert lines == [
            first.name,
            f"└─ {second.name} after step 4: prompt ◂ this image",
            f"   └─ {third.name} after step 9: prompt",
        ]
        assert options.highlighted == 1
        await pilot.press("down", "enter")
        await settle(app, pilot)
        assert [command.source for command in engine.commands(m.OpenTrace)][-1] == str(third)
        assert isinstance(app.screen, Inspector)


@pytest.mark.parametrize(("saved", "sentence"), [(True, "forked from no other"), (False, "has no image yet")])
async def test_a_run_without_relatives_says_so(
    make_app: MakeApp, engine: FakeEngine, tmp_path: Path, saved: bool, sentence: str
) -> None:
    alone = save_image(Image.new("RGB", (8, 8)), HOUSE, folder=tmp_path)
    run = RecordedRun(HOUSE, images=(str(alone),) if saved else ())
    async with inspecting(make_app, engine, run) as (app, screen, pilot):
        await pilot.press("l")
        await settle(app, pilot)
        assert app.screen is screen
        assert sentence in screen.query_one(MessageLine).text


async def test_a_fork_is_offered_the_settings_of_its_step(make_app: MakeApp, engine: FakeEngine) -> None:
    boat = msgspec.structs.replace(HOUSE, prompt="a boat")
    run = RecordedRun(boat)
    run.info = msgspec.structs.replace(
        run.info, segments=(Segment(start=0, recipe=HOUSE), Segment(start=5, recipe=boat))
    )
    async with inspecting(make_app, engine, run) as (app, _screen, pilot):
        for key, prompt in (("home", "a house"), ("end", "a boat")):
            await pilot.press(key, "left" if key == "end" else "right", "f")
            await pilot.pause()
            assert app.screen.query_one("#fork-prompt", PromptEditor).text == prompt
            await pilot.press("escape")
