"""Screens that are left before they are all there, and while something is still under way for them."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.screen import Screen
from textual.widget import MountError
from textual.widgets import Static

from tests.ui.conftest import MakeApp, settle, until
from tests.ui.fake_engine import FakeEngine
from tui.crash import log_path


class Slow(Screen[None]):
    """Takes its time to come and has work that outlasts it."""

    BINDINGS: ClassVar[list[Binding]] = [Binding("escape", "back")]  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.seen = ""
        self.released = asyncio.Event()

    def compose(self) -> ComposeResult:
        yield Static("here", id="part", markup=False)

    async def on_mount(self) -> None:
        self.run_worker(self._work())
        await asyncio.sleep(0.2)
        self.seen = "all of it"

    async def _work(self) -> None:
        await self.released.wait()
        self.query_one("#part").refresh()

    def action_back(self) -> None:
        assert self.seen == "all of it"
        self.query_one("#part")
        self.dismiss(None)


async def test_a_key_waits_for_the_screen_that_it_is_meant_for(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        engine.ready()
        await settle(app, pilot)
        screen = Slow()
        app.push_screen(screen)
        await pilot.press("escape")
        await until(lambda: app.screen is not screen and not app.is_typed_ahead)
        assert screen.seen == "all of it"
        assert app.screen is app.studio
        screen.released.set()
        await settle(app, pilot)
        await pilot.press("a")
        assert app.studio.prompt.text.count("a")


async def test_work_for_a_screen_ends_with_it(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        engine.ready()
        await settle(app, pilot)
        screen = Slow()
        await app.push_screen(screen)
        (worker,) = [one for one in app.workers if one.node is screen]
        left = app.pop_screen()
        assert worker.is_cancelled or worker.cancelled_event.is_set()
        screen.released.set()
        await left
        await settle(app, pilot)
        assert app.is_running


async def test_a_fault_of_what_was_being_opened_is_for_the_log_once_the_app_is_left(
    make_app: MakeApp,
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(app, pilot)

        async def late() -> None:
            app.exit()
            raise MountError("Can't mount")

        app.run_worker(late())
    assert app.return_code == 0
    assert "MountError" in log_path().read_text()
