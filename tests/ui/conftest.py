"""The app on a fake engine, in a terminal of any size."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.worker import WorkerCancelled

from tests.ui.fake_engine import FakeEngine
from tui.app import SdtuiApp
from tui.drafts import Draft
from tui.screens.counting import COUNT_DELAY

MakeApp = Callable[..., SdtuiApp]


@pytest.fixture
def engine() -> FakeEngine:
    """The engine that the app reaches first."""
    return FakeEngine()


@pytest.fixture
def make_app(engine: FakeEngine, private_home: Path, monkeypatch: pytest.MonkeyPatch) -> MakeApp:
    """Make the app. `engines` are what it reaches one after another; without, `engine` alone."""

    monkeypatch.setattr("textual.constants.COLOR_SYSTEM", "truecolor")  # whatever terminal the tests run in

    def make(*engines: FakeEngine, draft: Draft | None = None) -> SdtuiApp:
        line = iter(engines or (engine,))
        return SdtuiApp(lambda: next(line), draft=draft or Draft(), outputs=private_home / "outputs")

    return make


async def settle(app: SdtuiApp, pilot: Pilot[None]) -> None:
    """Wait until nothing is under way but the line to the engine."""
    await app.studio.ready.wait()
    while True:
        await pilot.pause(2 * COUNT_DELAY)
        under_way = [
            worker
            for worker in app.workers
            if worker.group != "engine" and not (worker.is_finished or worker.is_cancelled)
        ]
        if not under_way:
            return
        for worker in under_way:
            with suppress(WorkerCancelled):
                await worker.wait()
