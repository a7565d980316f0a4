"""The list of LoRAs and embeddings: what fits can be taken, and is written where the cursor stands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from sdcore.library.addons import find_addons
from sdcore.library.checkpoints import resolve
from sdcore.library.shelf import Shelf
from sdcore.library.tokens import TokenCounter
from tests.ui.conftest import MakeApp, settle
from tests.ui.fake_engine import FakeEngine
from tests.unit.test_addon_files import write, write_lora
from tui.screens.lists.addons import addon_choices, lora_names
from tui.screens.lists.chooser import ChoiceList, Chooser
from tui.widgets.suggestions import Suggestions

Compare = Callable[..., bool]
KEY = "alt+l"


@pytest.fixture
def models(private_home: Path) -> Path:
    """Some of each kind, and one that fits no SD 1 model."""
    folder = private_home / "models"
    write_lora(folder / "Ink Wash.safetensors", **{"modelspec.trigger_phrase": "ink wash style, monochrome"})
    write_lora(folder / "Paper Cut XL.safetensors", width=2048)
    write_lora(folder / "Watercolour.safetensors", ss_tag_frequency='{"1_w": {"watercolour": 40, "sky": 7}}')
    write(folder / "embeddings" / "bad-hands.safetensors", {"emb_params": (8, 768)})
    return folder


async def opened(app: object, pilot: Pilot[None], engine: FakeEngine) -> None:
    """The list on the screen, a model of SD 1 being loaded."""
    await settle(app, pilot)
    engine.ready()
    await pilot.pause()
    await pilot.press(KEY)
    await settle(app, pilot)


async def test_enter_writes_the_lora_where_the_cursor_is(
    make_app: MakeApp, engine: FakeEngine, models: Path
) -> None:
    app = make_app()
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(app, pilot)
        app.studio.prompt.show("a house")
        app.studio.prompt.move_cursor((0, 1))
        await opened(app, pilot, engine)
        await pilot.press("enter")
        await pilot.pause()
        assert app.studio.prompt.text == "a <lora:Ink Wash:1> house"
        assert app.focused is app.studio.prompt


async def test_typing_finds_by_trigger_words_and_embeddings_are_words(
    make_app: MakeApp, engine: FakeEngine, models: Path
) -> None:
    app = make_app()
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(app, pilot)
        app.studio.negative.show("blurry,")
        app.studio.negative.focus()
        await opened(app, pilot, engine)
        await pilot.press(*"sky")
        shown = app.screen.query_one(ChoiceList)
        assert "Watercolour" in str(shown.get_option_at_index(0).prompt)
        await pilot.press("backspace", "backspace", "backspace", *"hands", "enter")
        await settle(app, pilot)
        assert app.studio.negative.text == "blurry, bad-hands"
        words = TokenCounter(resolve("tiny")).count("blurry,").tokens
        assert f"{words + 8} of 75" in str(app.studio.negative.border_subtitle)


def test_of_two_of_one_name_each_is_called_by_what_tells_them_apart(private_home: Path) -> None:
    folder = private_home / "models"
    for place in ("ink", "sub/ink", "more/sub/ink", "xl/ink", "sub/paper"):
        write_lora(folder / f"{place}.safetensors", width=2048 if place == "xl/ink" else 768)
    found = find_addons()
    choices, _ = addon_choices(found, "SD1")
    assert {choice.name: choice.value for choice in choices if not choice.reason} == {
        "models/ink": "<lora:models/ink:1>",
        "models/sub/ink": "<lora:models/sub/ink:1>",
        "more/sub/ink": "<lora:more/sub/ink:1>",
        "paper": "<lora:paper:1>",
    }
    shelf = Shelf()
    for path, name in lora_names(found, "SD1").items():
        assert shelf.lora(name, "SD1").path == path
    assert shelf.notices() == []
    assert [
        (choice.name, choice.value) for choice in addon_choices(found, "SDXL")[0] if not choice.reason
    ] == [("ink", "<lora:ink:1>")]


async def test_completion_tells_two_of_one_name_apart(
    make_app: MakeApp, engine: FakeEngine, models: Path
) -> None:
    write_lora(models / "old" / "Ink Wash.safetensors")
    app = make_app()
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(app, pilot)
        engine.ready()
        await pilot.pause()
        await settle(app, pilot)
        app.studio.prompt.show("")
        await pilot.press(*"<lora:ink")
        await settle(app, pilot)
        assert app.studio.query_one(Suggestions).names == ["models/Ink Wash", "old/Ink Wash"]


async def test_what_does_not_fit_says_why_and_cannot_be_taken(
    make_app: MakeApp, engine: FakeEngine, models: Path
) -> None:
    app = make_app()
    async with app.run_test(size=(100, 30)) as pilot:
        before = app.studio.prompt.text
        await opened(app, pilot, engine)
        await pilot.press(*"paper")
        option = app.screen.query_one(ChoiceList).get_option_at_index(0)
        assert option.disabled
        assert "is for SDXL, and the model is SD1" in str(option.prompt)
        await pilot.press("enter")
        assert isinstance(app.screen, Chooser)
        await pilot.press("escape")
        assert app.studio.prompt.text == before


async def test_without_any_it_says_where_to_put_them(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=(100, 30)) as pilot:
        await opened(app, pilot, engine)
        assert "There is no LoRA and no embedding yet" in str(
            app.screen.query_one(ChoiceList).get_option_at_index(0).prompt
        )


def test_of_many_trigger_words_the_first_are_shown(private_home: Path) -> None:
    write_lora(
        private_home / "models" / "a.safetensors", **{"modelspec.trigger_phrase": ",".join(["word" * 15] * 8)}
    )
    ((choice,), _) = addon_choices(find_addons(), "SD1")
    assert choice.summary.splitlines()[1] == f"{'word' * 15}, {'word' * 15} …"


def test_a_name_that_a_prompt_cannot_hold_is_not_offered(private_home: Path) -> None:
    write_lora(private_home / "models" / "a:b.safetensors")
    write_lora(private_home / "models" / "\x1b[2Jx.safetensors")
    choices, _ = addon_choices(find_addons(), "SD1")
    assert [bool(choice.reason) for choice in choices] == [True, True]


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_the_list(
    snap_compare: Compare, make_app: MakeApp, engine: FakeEngine, models: Path, size: tuple[int, int]
) -> None:
    async def run(pilot: Pilot[None]) -> None:
        await opened(pilot.app, pilot, engine)

    assert snap_compare(make_app(), terminal_size=size, run_before=run)
