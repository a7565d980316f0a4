"""The app on a stage: the real one at a size of one's choice, its keys pressed, its screen kept as SVG."""

from __future__ import annotations

import asyncio
import io
import random
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from textual.pilot import Pilot

from sdcore.engine import messages as m
from sdcore.engine.client import EngineClient
from tui.app import SdtuiApp
from tui.drafts import Draft
from tui.keeping import start_keeper

HERE: Final = Path(__file__).resolve().parent
SIZE: Final = (120, 40)
_PATIENCE: Final = 180.0
_REST: Final = 0.15
_CALM: Final = 0.5
"""Seconds that a screen must stand still before it is taken for finished."""


class Stage:
    """An app that runs: `press` its keys, wait `until` something holds, `keep` what is seen."""

    def __init__(self, app: SdtuiApp, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot
        self.made = 0
        """Jobs that were finished."""
        self.last: dict[type, Any] = {}
        """The newest event of each kind."""
        app.listen(self)

    def handle(self, event: m.AnyEvent) -> None:
        """An event of the engine's."""
        if isinstance(event, m.JobStarted):
            self.last.pop(m.JobProgress, None)
        self.last[type(event)] = event
        self.made += isinstance(event, m.JobFinished)

    def lost(self, message: str) -> None:
        """The engine is gone."""
        raise RuntimeError(message)

    @property
    def step(self) -> int:
        """The newest step of the newest run, 0 before its first."""
        return self.last[m.JobProgress].index if m.JobProgress in self.last else 0

    @property
    def text(self) -> str:
        """What can be read on the screen, line by line."""
        width, height = self.app.size
        console = Console(width=width, height=height, file=io.StringIO(), record=True)
        screens = self.app._background_screens
        console.print(self.app.screen._compositor.render_update(full=True, screen_stack=screens))
        return console.export_text()

    async def press(self, *keys: str) -> None:
        """Press these keys, by Textual's names, one after the other."""
        await self.pilot.press(*keys)

    async def write(self, text: str) -> None:
        """Type this."""
        for letter in text:
            await self.pilot.press(letter)

    async def until(self, holds: Callable[[], object]) -> None:
        """Let the app run until this holds. Raises TimeoutError, with the screen, if it never does."""
        try:
            async with asyncio.timeout(_PATIENCE):
                while not holds():
                    await self.pilot.pause(0.02)
        except TimeoutError:
            raise TimeoutError(f"waited in vain; the screen was\n{self.text}") from None

    async def see(self, text: str) -> None:
        """Let the app run until this stands on the screen."""
        await self.until(lambda: text in self.text)

    async def rest(self) -> None:
        """Let the app do what the keys so far ask for."""
        await self.pilot.pause(_REST)

    async def calm(self) -> None:
        """Let the app run until its screen stands still."""
        seen = ""
        while (now := self.app.export_screenshot()) != seen:
            seen = now
            await self.pilot.pause(_CALM)

    async def make(self) -> None:
        """Press Enter, and wait until its image is made."""
        wanted = self.made + 1
        await self.press("enter")
        await self.until(lambda: self.made >= wanted)

    async def keep(self, name: str) -> None:
        """Write the screen as `name`.svg once it stands still."""
        await self.calm()
        self.keep_now(name)

    def keep_now(self, name: str) -> None:
        """Write the screen as it is at this moment."""
        (HERE / f"{name}.svg").write_text(self.app.export_screenshot(title="sdtui"))
        print(name, flush=True)


@asynccontextmanager
async def staged(
    outputs: Path, size: tuple[int, int] = SIZE, draft: Draft | None = None
) -> AsyncIterator[Stage]:
    """The app in a terminal of this size, once the bundled model is loaded. Every seed that it draws is the same in
    every run."""
    dice = random.Random(7)
    secrets.randbelow = dice.randrange  # type: ignore[assignment]
    app = SdtuiApp(EngineClient, draft=draft or Draft(), outputs=outputs, start_keeper=start_keeper)
    async with app.run_test(size=size) as pilot:
        app.line.farewell = m.Shutdown(when_idle=False)
        stage = Stage(app, pilot)
        await app.studio.ready.wait()
        await stage.until(lambda: m.ModelLoaded in stage.last)
        yield stage
