"""Make the README's screenshots: the real app, the real engine, the bundled model, nothing staged.

    python screenshots/make.py            # all of them, into this folder

They are the app's own SVG exports. Each run has a home of its own and leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

os.environ.setdefault("TEXTUAL_COLOR_SYSTEM", "truecolor")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from textual.pilot import Pilot

from sdcore.engine import messages as m
from sdcore.engine.client import EngineClient
from tui.app import SdtuiApp
from tui.drafts import Draft

HERE: Final = Path(__file__).resolve().parent
SIZES: Final = ((120, 40), (80, 24), (200, 60))
MID_RUN_STEP: Final = 14
PATIENCE: Final = 180.0


async def wait_until(pilot: Pilot[None], reached: Callable[[], object]) -> None:
    """Let the app run until `reached()`; raises `TimeoutError` if it never is."""
    async with asyncio.timeout(PATIENCE):
        while not reached():
            await pilot.pause(0.02)


def keep(app: SdtuiApp, name: str) -> None:
    """Write the screen as `name`.svg."""
    (HERE / f"{name}.svg").write_text(app.export_screenshot(title="sdtui"))
    print(name)


def watch(app: SdtuiApp) -> dict[type, Any]:
    """The last event of each kind that the app has shown, kept up to date."""
    last: dict[type, Any] = {}
    show = app.studio.view.handle

    def handle(event: m.AnyEvent) -> None:
        show(event)
        last[type(event)] = event

    app.studio.view.handle = handle  # type: ignore[method-assign]
    return last


async def studio(size: tuple[int, int], outputs: Path) -> None:
    """The studio at one size: in the middle of the first prompt's run and when its image is done; then the help."""
    app = SdtuiApp(EngineClient, draft=Draft(), outputs=outputs)
    name = f"studio-{size[0]}x{size[1]}"
    async with app.run_test(size=size) as pilot:
        await app.studio.ready.wait()
        last = watch(app)
        await wait_until(pilot, lambda: m.ModelLoaded in last)
        await pilot.press("enter")
        await wait_until(pilot, lambda: m.JobProgress in last and last[m.JobProgress].index >= MID_RUN_STEP)
        await pilot.pause(0.1)
        keep(app, f"{name}-running")
        await wait_until(pilot, lambda: m.JobFinished in last)
        await pilot.pause(0.5)
        keep(app, f"{name}-done")
        if size == SIZES[0]:
            await pilot.press("f1")
            await pilot.pause(0.5)
            keep(app, "help")


def main() -> None:
    """Make them all, one size after the other on one engine."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["SDTUI_HOME"] = home
        for number, size in enumerate(SIZES):
            asyncio.run(studio(size, Path(home) / f"outputs-{number}"))


if __name__ == "__main__":
    main()
