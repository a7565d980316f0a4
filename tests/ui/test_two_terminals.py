"""Two terminals on one engine: each sees what the other does, and goes without taking anything along."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from textual.pilot import Pilot

from sdcore.engine import wire
from sdcore.engine.client import EngineClient
from sdcore.engine.host import Host
from sdcore.engine.local import LocalEngine
from tests.engine_fakes import FakeCore
from tui.app import SdtuiApp
from tui.drafts import Draft
from tui.widgets.queue_list import QueueList

SIZE = (120, 40)
PATIENCE = 60.0


class SavingCore(FakeCore):
    """One whose images are on the disk."""

    def _save(self, image: Image.Image, *arguments: Any, **facts: Any) -> Path:
        path = super()._save(image, *arguments, **facts)
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path)
        return path


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home whose socket path fits."""
    home = Path(tempfile.mkdtemp(prefix="sd"))
    monkeypatch.setenv("SDTUI_HOME", str(home))
    yield home
    shutil.rmtree(home)


@pytest.fixture
async def core(home: Path) -> AsyncIterator[SavingCore]:
    """The engine on its socket. A step is done when a test says so."""
    core = SavingCore(gated=True, outputs=home / "outputs" / "2026-03-14")
    engine = LocalEngine(core.load)
    served = asyncio.create_task(Host(engine, wire.socket_path()).serve())
    await until(lambda: wire.socket_path().exists())
    yield core
    core.step(1000)
    engine.end()
    await served


@asynccontextmanager
async def terminal(home: Path) -> AsyncIterator[Terminal]:
    app = SdtuiApp(EngineClient, draft=Draft(), outputs=home / "outputs")
    async with app.run_test(size=SIZE) as pilot:
        await app.studio.ready.wait()
        shown = Terminal(app, pilot)
        await until(lambda: shown.canvas is not None)
        yield shown


class Terminal:
    """One of the two."""

    def __init__(self, app: SdtuiApp, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def type(self, prompt: str) -> None:
        """Put this in the place of the prompt, and send it."""
        self.app.studio.prompt.load_text(prompt)
        await self.press("enter")

    async def queue(self) -> None:
        """Open the queue."""
        await self.press("alt+q")
        await until(lambda: self.app.screen.query(QueueList) and self.lines())

    async def go(self, prompt: str) -> None:
        """Move the cursor to the job with this prompt, the queue being open."""
        await self.press("g")
        for _ in range(20):
            item = self._list.item
            if item is not None and item.recipe.prompt == prompt:
                return
            await self.press("j")
        raise AssertionError(f"{prompt} is not in {self.lines()}")

    @property
    def _list(self) -> QueueList:
        return self.app.screen.query_one(QueueList)

    def lines(self) -> list[str]:
        """What the open queue says."""
        return [line.strip() for line in self._list.texts]

    def waiting(self) -> list[str]:
        """The prompts that wait, in their order, with what is held."""
        titles = ("making", "waiting", "paused", "failed", "made")
        found: list[str] = []
        inside = False
        for line in self.lines():
            if line.split(" · ")[0] in titles or line in titles:
                inside = line.startswith(("waiting", "paused"))
            elif inside and line:
                found.append(line.split("  ")[0])
        return found

    @property
    def canvas(self) -> Any:
        return self.app.studio.gallery.canvas

    @property
    def running(self) -> str:
        """The prompt that is being made."""
        running = self.app.studio.view.book.running
        return running.recipe.prompt if running is not None else ""


async def until(wanted: Callable[[], object]) -> None:
    """Wait for what both processes would wait for."""
    async with asyncio.timeout(PATIENCE):
        while not wanted():
            await asyncio.sleep(0.005)


async def test_both_see_the_run_its_previews_and_its_image(home: Path, core: SavingCore) -> None:
    async with terminal(home) as one, terminal(home) as two:
        await one.type("a red house")
        await until(lambda: one.running == two.running == "a red house")
        core.step(3)
        await until(lambda: one.canvas._frame is not None and two.canvas._frame is not None)
        core.step(30)
        await until(lambda: core.saved)
        await until(lambda: one.canvas.image is not None and two.canvas.image is not None)
        for shown in (one, two):
            assert shown.canvas.image.size == (16, 8)
            assert [path.name for path in shown.app.studio.gallery.recent.paths] == ["00001.png"]


async def test_what_one_does_to_the_queue_the_other_sees(home: Path, core: SavingCore) -> None:
    async with terminal(home) as one, terminal(home) as two:
        for prompt in ("first", "second", "third", "fourth"):
            await one.type(prompt)
        await until(lambda: two.running == "first")
        await one.queue()
        await two.queue()
        await until(lambda: two.waiting() == ["second", "third", "fourth"])

        await two.go("fourth")
        await two.press("t")  # before all others
        await until(lambda: one.waiting() == ["fourth", "second", "third"])

        await one.go("second")
        await one.press("space")
        await until(lambda: any(line.startswith("‖ second") for line in two.waiting()))

        await two.go("third")
        await two.press("d")
        await until(lambda: not any("third" in line for line in one.waiting()))

        await one.press("p")
        await until(lambda: two.app.queueing.book.paused)
        await two.press("p")
        await until(lambda: not one.app.queueing.book.paused)


async def test_a_job_is_edited_in_the_other_terminal(home: Path, core: SavingCore) -> None:
    async with terminal(home) as one, terminal(home) as two:
        await one.type("first")
        await one.type("second")
        await until(lambda: two.running == "first")
        await two.queue()
        await two.go("second")
        await two.press("enter")
        await until(lambda: two.app.screen is two.app.studio and two.app.studio.prompt.text == "second")
        await two.type("changed by the other")
        await one.queue()
        await until(lambda: one.waiting() == ["changed by the other"])
        core.step(60)
        await until(lambda: len(core.saved) == 2)
        assert [recipe.prompt for _, recipe, _, _ in core.saved] == ["first", "changed by the other"]


async def test_a_run_is_stopped_from_the_other_terminal(home: Path, core: SavingCore) -> None:
    async with terminal(home) as one, terminal(home) as two:
        await one.type("first")
        await one.type("second")
        await until(lambda: two.running == "first")
        core.step(2)
        await two.press("escape")
        core.step()
        await until(lambda: one.running == two.running == "second")
        assert core.saved == []


async def test_who_leaves_takes_nothing_along(home: Path, core: SavingCore) -> None:
    async with terminal(home) as two:
        async with terminal(home) as one:
            await one.type("first")
            await one.type("second")
            await until(lambda: two.running == "first")
            await one.queue()
            core.step(2)
        core.step(100)
        await until(lambda: len(core.saved) == 2)
        await until(lambda: two.canvas.image is not None and two.running == "")
        assert [path.name for path in two.app.studio.gallery.recent.paths] == ["00002.png", "00001.png"]
        await two.type("third")
        await until(lambda: len(core.saved) == 3)
