"""The models screen: what is found, what is refused and why, and the settings that a model wants."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from textual import events
from textual.pilot import Pilot

from sdcore import tiny
from sdcore.engine import messages as m
from sdcore.library import config, paths
from sdcore.spec.found import ModelFile
from tests.ui.conftest import MakeApp, settle
from tests.ui.fake_engine import FakeEngine
from tests.ui.model_files import SD1, fill_home, sparse
from tui.app import SdtuiApp
from tui.screens.lists.chooser import ChoiceList
from tui.screens.lists.models import Models
from tui.widgets.folder_line import FolderLine
from tui.widgets.head import HeadLine
from tui.widgets.model_lines import Device, ModelFacts, model_line, title_line
from tui.widgets.status import MessageLine

SIZE = (120, 40)
GPU = 24 * 10**9


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home with models of every kind, and no bundled one."""
    monkeypatch.setattr(tiny, "weights_folder", lambda: tmp_path / "absent")
    return fill_home()


def ready(engine: FakeEngine, memory: int = GPU) -> None:
    engine.tell(
        m.EngineReady(protocol=m.PROTOCOL, pid=1, device="cuda:0", device_name="GPU", dtype="float16", version="0",
                      memory_bytes=memory)
    )  # fmt: skip


def loaded(engine: FakeEngine, model: str, family: str = "SDXL") -> None:
    engine.tell(
        m.ModelLoaded(model=model, family=family, device="cuda:0", dtype="float16", seconds=1.0, parameters=1,
                      native_size=1024, model_hash="0123456789")
    )  # fmt: skip


async def show(app: SdtuiApp, pilot: Pilot[None], engine: FakeEngine) -> Models:
    """The screen, when everything is found."""
    await settle(app, pilot)
    ready(engine)
    await pilot.press("alt+m")
    await pilot.pause()
    screen = app.screen
    assert isinstance(screen, Models)
    await settle(app, pilot)
    return screen


def lines(screen: Models) -> list[str]:
    options = screen.query_one(ChoiceList).options
    return [str(option.prompt) for option in options]


def facts(screen: Models) -> str:
    return screen.query_one(ModelFacts).text


async def test_every_model_is_listed_with_what_it_is(
    make_app: MakeApp, engine: FakeEngine, home: Path
) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        screen = await show(app, pilot, engine)
        told = {line.split()[0]: line.split()[1:] for line in lines(screen)[1:]}
        assert told["sdxl_lightning_4step"] == [
            "SDXL",
            "Lightning",
            "file",
            "2,673",
            "M",
            "5.3",
            "GB",
            "fits",
        ]
        assert told["dreamshaper_8-inpainting"][:2] == ["SD1", "inpainting"]
        assert told["sd_xl_refiner_1.0"][:2] == ["SDXL", "refiner"]
        assert [name for name, rest in told.items() if rest[-1] == "refused"] == [
            "anything-v3", "sd_xl_refiner_1.0"
        ]  # fmt: skip
        assert "\x1b" not in lines(screen)[0]
        assert "[bold red]" in lines(screen)[0]
        assert screen.query_one("#models").border_title == "models · 8"


async def test_typing_narrows_the_list_and_enter_loads(
    make_app: MakeApp, engine: FakeEngine, home: Path
) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        screen = await show(app, pilot, engine)
        await pilot.press(*"sdxl", "space", *"ligh")
        assert [line.split()[0] for line in lines(screen)] == ["sdxl_lightning_4step"]
        await pilot.press(*"xyz")
        assert lines(screen) == ["Nothing fits what you typed; Backspace takes letters back."]
        assert facts(screen) == ""
        await pilot.press("enter", "backspace", "backspace", "backspace", "enter")
        await settle(app, pilot)
        path = str(home / "SDXL" / "sdxl_lightning_4step.safetensors")
        assert app.studio.model_named == path
        assert engine.commands(m.LoadModel)[-1].model == path
        assert "sdxl_lightning_4step" in app.studio.parameters.text
        assert path not in app.studio.parameters.text


async def test_what_cannot_be_loaded_says_why_and_is_not(
    make_app: MakeApp, engine: FakeEngine, home: Path
) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        screen = await show(app, pilot, engine)
        await pilot.press(*"anything")
        await settle(app, pilot)
        assert "pickle" in facts(screen)
        await pilot.press("enter")
        assert app.screen is screen
        assert len(engine.commands(m.LoadModel)) == 1
        await pilot.press("escape")
        assert app.screen is app.studio
        assert app.studio.model_named == "tiny"


async def test_memory_is_told_for_the_device(make_app: MakeApp, engine: FakeEngine, home: Path) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        screen = await show(app, pilot, engine)
        await pilot.press(*"flux")
        await settle(app, pilot)
        assert "needs about 23.9 GB of 24.0 GB GPU memory" in facts(screen)
        assert "A part of a model" in facts(screen)
        assert lines(screen)[0].endswith("offloads ")


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_however_many_models_there_are_the_facts_and_the_folder_are_seen(
    size: tuple[int, int], make_app: MakeApp, engine: FakeEngine, home: Path
) -> None:
    for number in range(60):
        sparse(home / f"model {number:02}.safetensors", SD1)
    app = make_app()
    async with app.run_test(size=size) as pilot:
        screen = await show(app, pilot, engine)
        await pilot.press("end")
        await pilot.press("ctrl+o")
        await settle(app, pilot)
        inside = screen.query_one("#models").content_region
        for part in ("#model-titles", "#model-list", "#model-facts", "#model-folder"):
            region = screen.query_one(part).region
            assert region.height
            assert inside.contains_region(region), part
        assert screen.query_one(ModelFacts).size.height >= 5
        picked = screen.query_one(ChoiceList)
        assert picked.highlighted == len(picked.options) - 1
        assert picked.max_scroll_y == picked.scroll_y


async def test_facts_that_come_late_are_not_shown_under_a_list_without_their_model(
    make_app: MakeApp, engine: FakeEngine, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        screen = await show(app, pilot, engine)
        reckoned = asyncio.Event()

        async def hash_of(model: ModelFile) -> str:
            await reckoned.wait()
            return "0123456789"

        monkeypatch.setattr(app.stock, "hash_of", hash_of)
        await pilot.press("down", *"xyz")
        assert lines(screen) == ["Nothing fits what you typed; Backspace takes letters back."]
        reckoned.set()
        await settle(app, pilot)
        assert facts(screen) == ""


async def test_the_row_of_the_model_opens_it(make_app: MakeApp, engine: FakeEngine, home: Path) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await settle(app, pilot)
        app.studio.parameters.go_to("model")
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, Models)


async def test_a_folder_is_added_and_looked_into(
    make_app: MakeApp, engine: FakeEngine, tmp_path: Path
) -> None:
    sparse(tmp_path / "more models" / "extra.safetensors", SD1)
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        screen = await show(app, pilot, engine)
        assert [line.split()[0] for line in lines(screen)] == ["tiny"]
        await pilot.press("ctrl+o", *"/nope", "enter")
        await settle(app, pilot)
        line = screen.query_one(FolderLine)
        assert line.complaint == "There is no folder /nope."
        assert line.text == "/nope"
        await pilot.press(*["backspace"] * 5)
        line.post_message(events.Paste(f"'{tmp_path}/'"))
        await pilot.press(*"more")
        await settle(app, pilot)
        await pilot.press("tab", "enter")
        await settle(app, pilot)
        assert [line.split()[0] for line in lines(screen)] == ["tiny", "extra"]
        assert config.load()[0].model_folders == (str(tmp_path / "more models"),)
        assert not line.display
        await pilot.press("ctrl+o", "x", "escape", *"ext")
        assert [line.split()[0] for line in lines(screen)] == ["extra"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("/etc/passwd", "is a file"),
        ("~nobody-at-all/x", "cannot be a folder"),
        ("a\0b", "cannot be a folder|no folder"),
        ("\x1b[31m", "no folder"),
    ],
)
def test_what_is_no_folder_is_said(text: str, says: str) -> None:
    import re

    from tui.screens.lists.models import add_folder

    said = add_folder(text)
    assert re.search(says, said)
    assert "\x1b" not in said
    assert config.load()[0].model_folders == ()


def test_a_folder_is_added_once(tmp_path: Path) -> None:
    from tui.screens.lists.models import add_folder

    assert add_folder(str(tmp_path)) == ""
    assert "already" in add_folder(f"{tmp_path}/")
    config.config_file().write_text("model = ")
    assert "not valid TOML" in add_folder(str(paths.models_dir()))


@pytest.mark.parametrize("width", [40, 70, 90, 110, 130])
def test_lines_are_as_wide_as_the_list(width: int, home: Path) -> None:
    from sdcore.library.checkpoints import find_models

    shown = [model_line(model, Device(), width, present=False) for model in find_models()]
    widths = {line.cell_length for line in (title_line(width), *shown)}
    assert len(widths) == 1
    assert widths == {width} or width < 70


def said(app: SdtuiApp) -> str:
    return app.studio.query_one(MessageLine).text


async def test_the_settings_that_a_model_wants_are_offered_and_taken_with_one_key(
    make_app: MakeApp, engine: FakeEngine, home: Path
) -> None:
    path = str(home / "SDXL" / "sdxl_lightning_4step.safetensors")
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await settle(app, pilot)
        app.studio.parameters.set_texts({"model": path, "sampler": "DDIM"})
        before = app.studio.parameters.texts
        loaded(engine, path)
        await pilot.pause()
        await settle(app, pilot)
        assert said(app) == (
            "sdxl_lightning_4step wants 4 steps, guidance 1, Euler, the SGM uniform schedule, 1024 × 1024: "
            "⌥u sets that."
        )
        assert app.studio.parameters.texts == before
        assert app.studio.query_one(HeadLine).text.startswith("sdxl_lightning_4step ·")
        await pilot.press("alt+u")
        await settle(app, pilot)
        recipe, faults = app.studio.read()
        assert faults == {}
        assert (recipe.steps, recipe.guidance_scale, recipe.sampler) == (4, 1.0, "Euler")
        assert (recipe.schedule, recipe.width, recipe.height) == ("SGM uniform", 1024, 1024)
        assert said(app).startswith("Set as sdxl_lightning_4step wants it")
        await pilot.press("alt+u")
        await settle(app, pilot)
        assert said(app) == "The settings are those that sdxl_lightning_4step wants."


async def test_nothing_is_offered_twice_or_where_the_settings_do(
    make_app: MakeApp, engine: FakeEngine, home: Path
) -> None:
    path = str(home / "SD15" / "dreamshaper_8.safetensors")
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await settle(app, pilot)
        app.studio.parameters.set_texts({"model": path, "size": "512 × 768"})
        loaded(engine, path, "SD1")
        await pilot.pause()
        await settle(app, pilot)
        assert said(app) == ""
        app.studio.parameters.set_texts({"size": "128 × 128"})
        loaded(engine, path, "SD1")
        await pilot.pause()
        await settle(app, pilot)
        assert said(app) == ""


async def test_a_model_that_failed_hides_no_other_models_hint(
    make_app: MakeApp, engine: FakeEngine, home: Path
) -> None:
    path = str(home / "SDXL" / "sdxl_lightning_4step.safetensors")
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await settle(app, pilot)
        app.studio.parameters.set_texts({"model": "nope"})
        await pilot.pause()
        engine.tell(m.ModelFailed(model="nope", message="There is no model called nope."))
        await pilot.pause()
        assert said(app) == "There is no model called nope."
        app.studio.parameters.set_texts({"model": path})
        loaded(engine, path)
        await pilot.pause()
        await settle(app, pilot)
        assert "wants" in said(app)


async def test_a_hint_that_was_not_shown_is_shown_the_next_time(
    make_app: MakeApp, engine: FakeEngine, home: Path
) -> None:
    path = str(home / "SDXL" / "sdxl_lightning_4step.safetensors")
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await settle(app, pilot)
        app.studio.parameters.set_texts({"model": path})
        app.studio.view.say("The disk is full.", tone="alert")
        loaded(engine, path)
        await pilot.pause()
        await settle(app, pilot)
        assert said(app) == "The disk is full."
        app.studio.view.say("")
        loaded(engine, path)
        await pilot.pause()
        await settle(app, pilot)
        assert "wants" in said(app)


async def test_of_a_model_that_is_not_there_nothing_is_known(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await settle(app, pilot)
        app.studio.parameters.set_texts({"model": "org/never-seen"})
        loaded(engine, "org/never-seen")
        await pilot.press("alt+u")
        await settle(app, pilot)
        assert said(app) == "What this model wants is not known."


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_looks(
    size: tuple[int, int],
    make_app: MakeApp,
    engine: FakeEngine,
    home: Path,
    snap_compare: Callable[..., bool],
) -> None:
    app = make_app()

    async def run(pilot: Pilot[None]) -> None:
        screen = await show(app, pilot, engine)
        await pilot.press("down", "down", "down", "down")
        await settle(app, pilot)
        assert facts(screen).startswith("flux1-dev-fp8")

    assert snap_compare(app, terminal_size=size, run_before=run)


async def test_a_model_of_the_hub_is_fetched_by_its_id(
    make_app: MakeApp, engine: FakeEngine, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        screen = await show(app, pilot, engine)
        await pilot.press(*"somebody/something")
        assert lines(screen) == [
            "somebody/something is not on this machine, and sdtui is set to stay offline."
        ]
        monkeypatch.setenv("HF_HUB_OFFLINE", "0")
        await pilot.press("backspace", "g")
        assert lines(screen) == ["⏎ fetches somebody/something from the Hugging Face hub"]
        await pilot.press("enter")
        await pilot.pause()
        assert engine.commands(m.LoadModel)[-1].model == "somebody/something"
        assert app.studio.model_named == "somebody/something"
