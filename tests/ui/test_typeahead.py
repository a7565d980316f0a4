"""Keys in one burst, as a slow line delivers them."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from textual import events
from textual.pilot import Pilot

from sdcore.engine import messages as m
from tests.library_files import index_folder, write_image
from tests.ui.conftest import MakeApp, settle, until
from tests.ui.fake_engine import FakeEngine
from tests.ui.recorded_run import RecordedRun
from tests.ui.test_starting import made
from tui.app import SdtuiApp
from tui.screens.inspector.latents import LatentsTab
from tui.screens.inspector.screen import Inspector
from tui.screens.library.results import Results
from tui.screens.library.screen import LibraryScreen
from tui.screens.lists.chooser import Chooser
from tui.screens.queue.screen import QueueScreen


@pytest.fixture(autouse=True)
def screens_may_be_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is, a key waits for its screen."""
    monkeypatch.setattr("tui.typeahead._OPENING_SECONDS", 20.0)


def burst(app: SdtuiApp, *keys: str | tuple[str, str]) -> None:
    for key in keys:
        name, character = key if isinstance(key, tuple) else (key, key if len(key) == 1 else None)
        app.post_message(events.Key(name, character))


async def dealt_with(app: SdtuiApp, pilot: Pilot[None]) -> None:
    """Wait until every key was."""
    async with asyncio.timeout(20):
        await pilot.pause(0.05)
        while app._under_way:
            await pilot.pause(0.02)
    await settle(app, pilot)


async def test_what_follows_a_tab_goes_where_the_tab_led(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await app.studio.ready.wait()
        before = app.studio.prompt.text
        burst(app, "tab", "tab", "down", "down", "4", "0", "0")
        await settle(app, pilot)
        assert app.studio.parameters.texts["steps"] == "400"
        assert app.studio.prompt.text == before


async def test_a_paste_keeps_its_place_among_the_keys(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await app.studio.ready.wait()
        before = app.studio.prompt.text
        burst(app, "x", "tab")
        app.post_message(events.Paste("rain"))
        burst(app, "y")
        await settle(app, pilot)
        assert app.studio.prompt.text == f"{before}x"
        assert app.studio.negative.text == "rainy"


async def test_keys_go_on_though_a_widget_is_gone(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await app.studio.ready.wait()
        burst(app, "f1", "escape", "tab", "r", "a", "i", "n")
        await dealt_with(app, pilot)
        assert app.screen is app.studio
        assert app.studio.negative.text == "rain"


@pytest.fixture
def cats_and_dogs(private_home: Path) -> list[Path]:
    """Two images in the library."""
    folder = private_home / "outputs" / "2026-03-14"
    paths = [folder / f"{word}.png" for word in ("cat", "dog")]
    for number, path in enumerate(paths):
        write_image(path, prompt=f"a {path.stem}", changed=1_773_000_000 + number)
    index_folder(private_home / "outputs")
    return paths


async def test_a_search_is_typed_on_while_the_library_opens(
    make_app: MakeApp, cats_and_dogs: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app()
    imported = threading.Event()
    monkeypatch.setattr("tui.places.importlib.import_module", _late(imported))
    async with app.run_test(size=(120, 40)) as pilot:
        await app.studio.ready.wait()
        before = app.studio.prompt.text
        burst(app, "alt+i", ("slash", "/"), "c", "a", "t")
        await pilot.pause(0.4)
        assert app.screen is app.studio
        imported.set()
        await dealt_with(app, pilot)
        screen = app.screen
        assert isinstance(screen, LibraryScreen)
        await pilot.pause(0.2)  # the pause in the typing after which it is searched
        await settle(app, pilot)
        assert screen.line.value == "cat"
        assert screen.row is not None
        assert (len(screen.results), Path(screen.row.path).name) == (1, "cat.png")
        assert app.studio.prompt.text == before


async def test_what_is_typed_while_a_run_opens_is_meant_for_the_inspector(
    make_app: MakeApp, engine: FakeEngine, private_home: Path
) -> None:
    made(private_home)
    app = make_app()
    run = RecordedRun()
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(app, pilot)
        engine.ready()
        before = app.studio.prompt.text
        await pilot.press("f6")
        await settle(app, pilot)
        burst(app, "f2", "home", "3")
        await pilot.pause(0.3)
        assert app.screen is app.studio
        engine.answer = run.answer
        engine.tell(*run.answer(engine.commands(m.OpenTrace)[0]))
        await dealt_with(app, pilot)
        assert isinstance(app.screen, Inspector)
        assert isinstance(app.screen.tab, LatentsTab)
        assert app.screen.place.step == 0
        await pilot.press("escape")
        assert app.studio.prompt.text == before


async def test_letters_that_no_search_begins_throw_nothing_away(
    make_app: MakeApp, cats_and_dogs: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app()
    looked, search = asyncio.Event(), Results.search

    async def slow(results: Results, *asked: Any, **how: Any) -> tuple[bool, int | None]:
        await looked.wait()
        return await search(results, *asked, **how)

    monkeypatch.setattr(Results, "search", slow)
    async with app.run_test(size=(120, 40)) as pilot:
        await app.studio.ready.wait()
        burst(app, "alt+i", "d", "d", "delete", "s")
        await until(lambda: isinstance(app.screen, LibraryScreen) and not app.is_typed_ahead)
        looked.set()
        await dealt_with(app, pilot)
        assert isinstance(app.screen, LibraryScreen)
        assert len(app.screen.results) == 2
        assert all(path.exists() for path in cats_and_dogs)


async def test_a_key_waits_for_the_way_from_one_screen_to_another(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await app.studio.ready.wait()
        before = app.studio.prompt.text
        burst(app, "alt+i", "alt+q", "j", "alt+i", "a", "alt+q")
        await dealt_with(app, pilot)
        assert isinstance(app.screen, QueueScreen)
        assert app.studio.prompt.text == before


async def test_the_form_of_a_sweep_is_filled_in_one_go(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await app.studio.ready.wait()
        engine.ready()
        burst(app, "alt+x", "enter", *"guidance", "enter", "3")
        await dealt_with(app, pilot)
        assert app.sweeping.plan is not None
        assert (app.sweeping.plan.lines[0].name, app.sweeping.plan.lines[0].values) == ("guidance", "3")


async def test_what_follows_enter_narrows_the_list_that_it_opens(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await app.studio.ready.wait()
        burst(app, "tab", "tab", *["down"] * 4, "enter", *"heun", "enter", "escape")
        await dealt_with(app, pilot)
        assert not isinstance(app.screen, Chooser)
        assert app.studio.parameters.texts["sampler"] == "Heun"


def _late(imported: threading.Event) -> object:
    """`import_module`, as on a slow disk."""
    from importlib import import_module

    def late(name: str) -> object:
        if name == "tui.screens.library.screen" and threading.current_thread() is not threading.main_thread():
            imported.wait(5)
        return import_module(name)

    return late
