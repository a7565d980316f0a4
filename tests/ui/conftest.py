"""The app on a fake engine, in a terminal of any size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.screen import ModalScreen

from tests.ui.fake_engine import FakeEngine
from tui.app import SdtuiApp
from tui.drafts import Draft
from tui.screens.studio.counting import COUNT_DELAY

MakeApp = Callable[..., SdtuiApp]


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


_ASKING = ("choose", "ask")
"""Workers that go on until a person has answered a list."""


async def settle(app: SdtuiApp, pilot: Pilot[None]) -> None:
    """Wait until nothing is under way but the line to the engine and a list that waits for its answer."""
    await app.studio.ready.wait()
    under_way = True
    while under_way:
        await pilot.pause(2 * COUNT_DELAY)
        asked = ("engine", *_ASKING) if isinstance(app.screen, ModalScreen) else ("engine",)
        under_way = any(
            worker.group not in asked and not (worker.is_finished or worker.is_cancelled)
            for worker in app.workers
        )
