"""The settings: shown, changed, put back, and never written over behind anybody's back."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from textual.pilot import Pilot

from sdcore.engine import messages as m
from sdcore.library import config
from sdcore.library.config import SETTINGS
from tests.ui.conftest import MakeApp, settle
from tests.ui.fake_engine import FakeEngine
from tests.ui.test_snapshots import stage
from tui.actions import ACTIONS, BY_NAME
from tui.actions.remap import remap
from tui.app import SdtuiApp
from tui.screens.lists.ask import Ask
from tui.screens.lists.chooser import ChoiceList
from tui.screens.settings.key_capture import KeyCapture
from tui.screens.settings.screen import SettingsScreen
from tui.screens.settings.themes import ThemeChooser
from tui.widgets.line_input import LineInput
from tui.widgets.notes import Notes
from tui.widgets.status import FooterLine, MessageLine

SIZE = (120, 40)
SIZES = [(80, 24), (120, 40), (200, 60)]
SHOWN = (
    "theme",
    "color",
    "mouse",
    "preview_fps",
    "outputs",
    "model_folders",
    "offline",
    "model",
    "trace_memory_mib",
)
SHOWN_ACTIONS = (
    "generate",
    "stop",
    "keep",
    "new_seed",
    "again",
    "lock_seed",
    "inspect",
    "compare",
    "help",
    "quit",
)
Compare = Callable[..., bool]


@pytest.fixture(autouse=True)
def own_keys() -> Iterator[None]:
    """However a test ends, the keys are those of the registry again."""
    yield
    remap({})


def write(text: str) -> None:
    config.config_file().write_text(text)


def written() -> str:
    return config.config_file().read_text()


async def show(app: SdtuiApp, pilot: Pilot[None], typed: str = "") -> SettingsScreen:
    """The screen, narrowed by what is typed."""
    await settle(app, pilot)
    await pilot.press("alt+s")
    await settle(app, pilot)
    screen = app.screen
    assert isinstance(screen, SettingsScreen)
    await pilot.press(*typed)
    await pilot.pause()
    return screen


def listed(screen: SettingsScreen) -> dict[str, str]:
    """The lines that are shown, by their names."""
    options = screen.query_one("#setting-list", ChoiceList).options
    return {option.id: str(option.prompt) for option in options if option.id is not None}


def said(screen: SettingsScreen) -> str:
    return screen.query_one("#setting-problem", Notes).text


async def test_every_setting_and_every_action_is_there(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        screen = await show(app, pilot)
        lines = listed(screen)
        assert set(lines) == {
            *(name for name in SETTINGS if name != "keys"),
            *(f"keys.{action.name}" for action in ACTIONS),
        }
        assert "Mouse" in lines["mouse"]
        assert lines["mouse"].endswith("on")
        assert lines["keys.compare"].endswith("F5")
        await pilot.press(*"new seed")
        assert set(listed(screen)) >= {"keys.new_seed"}
        assert len(listed(screen)) < len(lines) / 10
        await pilot.press("escape")
        assert set(listed(screen)) == set(lines)
        await pilot.press("escape")
        assert app.screen is app.studio


async def test_a_switch_is_changed_and_put_back(make_app: MakeApp) -> None:
    write("# mine\n")
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        screen = await show(app, pilot, "mouse")
        assert "the next time that sdtui is opened" in screen.query_one("#setting-about", Notes).text
        await pilot.press("enter")
        await settle(app, pilot)
        assert written() == "# mine\nmouse = false\n"
        assert listed(screen)["mouse"].startswith("● Mouse")
        await pilot.press("delete")
        await settle(app, pilot)
        assert written() == "# mine\n"
        assert listed(screen)["mouse"].endswith("on")


async def test_a_number_is_checked_where_it_is_typed(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await show(app, pilot, "previews")
        await pilot.press("enter")
        await pilot.pause()
        ask = app.screen
        assert isinstance(ask, Ask)
        await pilot.press("ctrl+u", *"99", "enter")
        await settle(app, pilot)
        assert "a number from 0 (no preview) to 30" in ask.complaint
        await pilot.press("ctrl+u", *"4,5", "enter")
        await settle(app, pilot)
        assert written() == "preview_fps = 4.5\n"
        assert app.preferences.settings.preview_fps == 4.5
        assert engine.commands(m.SetPreview)[-1].max_fps in (4.5, 4.5 / 2)


async def test_a_folder_is_added_and_taken_out(make_app: MakeApp, private_home: object) -> None:
    app = make_app()
    folder = config.config_file().parent / "models [b]"
    folder.mkdir()
    async with app.run_test(size=SIZE) as pilot:
        screen = await show(app, pilot, "look for models")
        await pilot.press("enter")
        await pilot.pause()
        await pilot.press("enter")
        await pilot.pause()
        app.screen.query_one(LineInput).value = str(folder)
        await pilot.press("enter")
        await settle(app, pilot)
        assert config.load()[0].model_folders == (str(folder),)
        assert "models [b]" in listed(screen)["model_folders"]
        await pilot.press("enter")
        await pilot.pause()
        await pilot.press("down", "enter")
        await settle(app, pilot)
        assert config.load()[0].model_folders == ()


async def test_what_is_wrong_in_the_file_is_said_with_its_line(make_app: MakeApp) -> None:
    write('# mine\npreview_fps = 99\n"[/b]" = 1\n[keys]\nstop = "f5"\n')
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await settle(app, pilot)
        first = app.screen.query_one(MessageLine)
        assert first.tone == "alert"
        assert first.text.startswith("config.toml line 2: preview_fps must be a number from 0")
        screen = await show(app, pilot)
        assert listed(screen)["preview_fps"].startswith("! ")
        assert listed(screen)["keys.stop"].startswith("! ")
        assert "'[/b]' means nothing here" in said(screen)
        await pilot.press(*"keys.stop")
        assert said(screen).startswith("config.toml line ")
        assert "the key of stop is not changed: F5 is taken by “Compare two images”" in said(screen)


async def test_a_file_that_is_no_toml_is_left_alone(make_app: MakeApp) -> None:
    write("mouse = \n")
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        screen = await show(app, pilot, "mouse")
        assert "could not be read, so the defaults are used" in said(screen)
        await pilot.press("enter")
        await settle(app, pilot)
        assert "is not valid TOML, so it was left alone" in said(screen)
        assert written() == "mouse = \n"


async def test_what_is_changed_in_the_file_counts_and_is_not_written_over(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        screen = await show(app, pilot, "keep every")
        write('theme = "nord" # cold\n')
        await app.preferences.look()
        assert app.theme == "nord"
        write('theme = "dracula" # warm\n')
        await pilot.press("enter")  # before anybody has looked
        await settle(app, pilot)
        assert written() == 'theme = "dracula" # warm\nkeep_traces = true\n'
        assert app.theme == "dracula"
        assert listed(screen)["keep_traces"].endswith("on")


async def test_a_key_is_pressed_and_used(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        screen = await show(app, pilot, "keys.generate")
        await pilot.press("enter")
        await pilot.pause()
        capture = app.screen
        assert isinstance(capture, KeyCapture)
        await pilot.press("f5")
        assert capture.complaint == "F5 is taken by “Compare two images”"
        await pilot.press("alt+z")
        await settle(app, pilot)
        assert app.screen is screen
        assert written() == '[keys]\ngenerate = "alt+z"\n'
        assert listed(screen)["keys.generate"].endswith("⌥z")
        await pilot.press("escape", "escape")
        await settle(app, pilot)
        footer = app.screen.query_one(FooterLine)
        assert "⌥z generate" in str(footer.render())
        await pilot.press("enter")
        assert engine.commands(m.Generate) == []
        await pilot.press("alt+z")
        assert len(engine.commands(m.Generate)) == 1
        await show(app, pilot, "keys.generate")
        await pilot.press("delete")
        await settle(app, pilot)
        assert BY_NAME["generate"].key == "⏎"
        assert config.read().settings.keys == {}


async def test_a_theme_is_shown_at_once_and_kept_when_taken(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await settle(app, pilot)
        await pilot.press("alt+k")
        await pilot.pause()
        assert isinstance(app.screen, ThemeChooser)
        await pilot.press("down")
        await pilot.pause()
        assert app.theme == "sdtui-light"
        await pilot.press("escape")
        await settle(app, pilot)
        assert app.theme == "sdtui"
        await pilot.press("alt+k", *"nord", "enter")
        await settle(app, pilot)
        assert app.theme == "nord"
        assert written() == 'theme = "nord"\n'


async def test_the_file_is_opened_in_the_editor(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    monkeypatch.setattr("tui.editor.edit_file", lambda app, path: opened.append(path))
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await show(app, pilot)
        await pilot.press("f4")
        assert opened == [config.config_file()]


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_looks(
    size: tuple[int, int], make_app: MakeApp, snap_compare: Compare, monkeypatch: pytest.MonkeyPatch
) -> None:
    # some of them: the picture stays when there are more
    monkeypatch.setattr("tui.screens.settings.screen.ACTIONS", [BY_NAME[name] for name in SHOWN_ACTIONS])
    monkeypatch.setattr("tui.screens.settings.screen.SETTINGS", {name: SETTINGS[name] for name in SHOWN})
    write('# mine\npreview_fps = 99\nmodel = "sdxl"\n[keys]\nagain = "f24"\n')

    async def run(pilot: Pilot[None]) -> None:
        assert isinstance(pilot.app, SdtuiApp)
        screen = await show(pilot.app, pilot)
        screen.query_one("#head").show(("~/.config/sdtui/config.toml",))  # type: ignore[attr-defined]
        await pilot.press("down", "down", "down")
        await pilot.pause()

    assert snap_compare(make_app(), terminal_size=size, run_before=run)


@pytest.mark.parametrize("theme", ["sdtui-light", "nord"])
def test_the_studio_in_another_theme(
    theme: str, make_app: MakeApp, engine: FakeEngine, private_home: object, snap_compare: Compare
) -> None:
    app = make_app()

    async def run(pilot: Pilot[None]) -> None:
        await stage(engine, private_home, "running")(pilot)  # type: ignore[arg-type]
        app.preferences.show_theme(theme)
        await settle(app, pilot)

    assert snap_compare(app, terminal_size=SIZE, run_before=run)
