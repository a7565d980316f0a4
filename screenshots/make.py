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
from sdcore.spec.recipe import FIRST_PROMPT
from tui.app import SdtuiApp
from tui.drafts import Draft

HERE: Final = Path(__file__).resolve().parent
SIZES: Final = ((120, 40), (80, 24), (200, 60))
MID_RUN_STEP: Final = 14
TABS: Final = ("text", "schedule", "latents", "steps", "guidance", "attention")
BOOK_STEP: Final = 8
HOUSE: Final = 4
"""How many words below the first one "house" stands in the first prompt."""
FORKED_PROMPT: Final = FIRST_PROMPT.replace("small japanese house", "large blue star")
MASK_KEYS: Final = ("shift+up", *["shift+left"] * 2, "r", *["shift+right"] * 4, *["shift+down"] * 3, "r")
REPAINTED_PROMPT: Final = "a (red:1.2) castle, green field, [sunset:radiant light:0.4]"
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


async def book(size: tuple[int, int], outputs: Path) -> None:
    """The inspector on the first prompt's run, tab by tab, and what a fork of it changed, side by side."""
    app = SdtuiApp(EngineClient, draft=Draft(), outputs=outputs)
    async with app.run_test(size=size) as pilot:
        await app.studio.ready.wait()
        last = watch(app)
        await wait_until(pilot, lambda: m.ModelLoaded in last)
        await pilot.press("enter")
        await wait_until(pilot, lambda: m.JobFinished in last)
        await pilot.press("f2")
        await wait_until(pilot, lambda: app.screen is not app.studio)
        for key, tab in enumerate(TABS, start=1):
            await pilot.press(str(key), "home", *["right"] * BOOK_STEP)
            if tab == "attention":
                await pilot.press(*["down"] * HOUSE)
            await wait_until(pilot, lambda: "sking" not in app.export_screenshot())
            await pilot.pause(1.0)
            keep(app, f"inspector-{tab}")
        await pilot.press("f")
        await pilot.pause(0.5)
        keep(app, "fork")
        await pilot.press(*["backspace"] * len(FIRST_PROMPT))
        await pilot.press(*FORKED_PROMPT)
        del last[m.JobFinished]
        await pilot.press("enter")
        await wait_until(pilot, lambda: m.JobFinished in last)
        await pilot.pause(1.0)
        await pilot.press("f5")
        await wait_until(pilot, lambda: app.screen is not app.studio)
        await pilot.pause(2.0)
        keep(app, "compare")


async def repainting(size: tuple[int, int], outputs: Path) -> None:
    """A mask painted over the first prompt's image, and what the run made of it, with all parameters unfolded."""
    app = SdtuiApp(EngineClient, draft=Draft(), outputs=outputs)
    async with app.run_test(size=size) as pilot:
        await app.studio.ready.wait()
        last = watch(app)
        await wait_until(pilot, lambda: m.ModelLoaded in last)
        await pilot.press("enter")
        await wait_until(pilot, lambda: m.JobFinished in last)
        await pilot.press("f9", "f10")
        await wait_until(pilot, lambda: app.screen is not app.studio)
        await pilot.press(*MASK_KEYS)
        await pilot.pause(0.5)
        keep(app, "mask")
        await pilot.press("enter")
        await wait_until(pilot, lambda: app.screen is app.studio)
        await pilot.press(*["backspace"] * len(FIRST_PROMPT))
        await pilot.press(*REPAINTED_PROMPT)
        del last[m.JobFinished]
        await pilot.press("enter")
        await wait_until(pilot, lambda: m.JobFinished in last)
        await pilot.press("f8")
        await pilot.pause(1.0)
        keep(app, "repainted")


def main() -> None:
    """Make them all, one size after the other on one engine."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["SDTUI_HOME"] = home
        for number, size in enumerate(SIZES):
            asyncio.run(studio(size, Path(home) / f"outputs-{number}"))
        asyncio.run(book(SIZES[0], Path(home) / "outputs-book"))
        asyncio.run(repainting(SIZES[0], Path(home) / "outputs-mask"))


if __name__ == "__main__":
    main()
