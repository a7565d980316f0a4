"""The app on a fake engine, in a terminal of any size."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from textual.app import App
from textual.dom import DOMNode
from textual.pilot import Pilot
from textual.screen import Screen
from textual.timer import Timer
from textual.widget import Widget

from tests.ui.fake_engine import FakeEngine
from tui.app import SdtuiApp
from tui.drafts import Draft

MakeApp = Callable[..., SdtuiApp]


@pytest.fixture(autouse=True)
def keys_come_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let keys come as fast as a person's, and wait until the last is done: Textual's way rests 40 ms after each."""
    press, pause = Pilot.press, Pilot.pause

    async def a_moment(min_sleep: float = 0) -> None:
        await asyncio.sleep(max(min_sleep, _MOMENT))

    async def press_and_look(pilot: Pilot[None], *keys: str) -> None:
        await press(pilot, *keys)
        deadline = time.monotonic() + _LONGEST_KEY
        while isinstance(pilot.app, SdtuiApp) and pilot.app.is_typed_ahead and not pilot.app._exit:
            if time.monotonic() > deadline:
                break  # one that a test has wait, or that ends the app
            await pilot.pause(_MOMENT)
        for _ in range(_QUIET):
            await pilot.pause(_MOMENT)

    async def pause_and_hear(pilot: Pilot[None], delay: float | None = None) -> None:
        """Without a delay, also until the app has taken up what its engine said."""
        await pause(pilot, delay)
        deadline = time.monotonic() + _PATIENCE
        while delay is None and isinstance(pilot.app, SdtuiApp) and _is_unheard(pilot.app):
            if time.monotonic() > deadline:
                break  # nobody listens
            await pause(pilot, _MOMENT)
            await pause(pilot)

    monkeypatch.setattr("textual.app.wait_for_idle", a_moment)
    monkeypatch.setattr(Pilot, "pause", pause_and_hear)
    monkeypatch.setattr(Pilot, "press", press_and_look)


@pytest.fixture(autouse=True)
def workers_end_before_their_screens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the app at the end of a test as a person leaves it: its workers end first. `run_test` takes the screens
    apart under them."""
    shut_down = App._shutdown

    async def end_workers_and_shut_down(app: App[object]) -> None:
        app._exit = True  # what falls over from now on is nobody's screen any more
        app.workers.cancel_all()
        await shut_down(app)

    monkeypatch.setattr(App, "_shutdown", end_workers_and_shut_down)


@pytest.fixture
def engine() -> FakeEngine:
    """The engine that the app reaches first."""
    return FakeEngine()


@pytest.fixture
def make_app(engine: FakeEngine, private_home: Path, monkeypatch: pytest.MonkeyPatch) -> MakeApp:
    """Make the app. `engines` are what it reaches one after another; without, `engine` alone."""

    monkeypatch.setattr("textual.constants.COLOR_SYSTEM", "truecolor")  # whatever terminal the tests run in

    def make(*engines: FakeEngine, draft: Draft | None = None, far: bool = False) -> SdtuiApp:
        line = iter(engines or (engine,))
        outputs = private_home / "outputs"
        return SdtuiApp(
            lambda: next(line), draft=draft or Draft(), outputs=outputs, host="box" if far else ""
        )

    return make


_LONGEST_DELAY = 0.2
"""Seconds: what the app puts off for no longer is waited for."""
_PATIENCE = 60.0
_MOMENT = 0.002
_LONGEST_KEY = 0.5
_QUIET = 3
"""Looks one after another at which nothing was under way: a message may lead to another, and that to a worker."""


async def settle(app: App[None], pilot: Pilot[None]) -> None:
    """Wait until nothing is under way but the line to the engine and a list that waits for its answer."""
    assert isinstance(app, SdtuiApp)
    await app.studio.ready.wait()
    quiet, began = 0, time.monotonic()
    while quiet < _QUIET:
        await pilot.pause(_MOMENT)
        under_way = list(_under_way(app))
        quiet = 0 if under_way else quiet + 1
        assert time.monotonic() - began < _PATIENCE, f"still under way: {under_way}"


async def until(holds: Callable[[], object]) -> None:
    """Wait for what a thread or another process brings about."""
    async with asyncio.timeout(_PATIENCE):
        while not holds():
            await asyncio.sleep(0.01)


def _under_way(app: SdtuiApp) -> Iterator[object]:
    """What nobody heard yet, a screen that opens or is to be drawn, workers that work, and what was put off for a
    moment."""
    if _is_unheard(app):
        yield app.line.engine
    if not app.screen.is_mounted:
        yield app.screen
    at_work = [work for work in app.workers if not (work.group == "engine" or work.is_finished)]
    answers = (one.future for screen in app.screen_stack for one in screen._result_callbacks)
    if len(at_work) > sum(bool(answer is not None and answer._callbacks) for answer in answers):
        yield at_work  # more than wait for a person's answer
    pumps = (app, *(node for screen in app.screen_stack for node in screen.walk_children(with_self=True)))
    for pump in pumps:
        yield from (timer for timer in pump._timers if _is_soon(timer))
        if pump.message_queue_size or pump._next_callbacks:
            yield pump
    yield from (part for part in app.screen.walk_children(with_self=True) if _is_undrawn(part))


def _is_unheard(app: SdtuiApp) -> bool:
    engine = app.line.engine
    return isinstance(engine, FakeEngine) and not engine.heard and not app._exit


def _is_undrawn(part: DOMNode) -> bool:
    """Whether it, or what it has said of the screen, is to be drawn or to get another place yet."""
    if not isinstance(part, Widget) or not part.is_attached:
        return False
    if isinstance(part, Screen):
        return part._layout_required or bool(part._dirty_widgets)
    return part._layout_required or part._repaint_required


def _is_soon(timer: Timer) -> bool:
    """Whether it is one that goes off once, soon."""
    runs = timer._task is not None and not timer._task.done()
    return runs and timer._repeat is not None and timer._interval <= _LONGEST_DELAY
