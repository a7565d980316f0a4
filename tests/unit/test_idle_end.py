"""The end of an engine that nobody uses: when it is set, what puts it off, and what stays until then. The clock is the
test's."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from sdcore.engine import wire
from sdcore.engine.client import EngineClient
from sdcore.engine.host import LINGER, Host
from sdcore.engine.local import LocalEngine
from sdcore.engine.messages import (
    EngineReady,
    Generate,
    GetStatus,
    HoldJobs,
    JobFinished,
    JobProgress,
    ModelLoaded,
    QueueState,
    Status,
)
from sdcore.library import config
from sdcore.spec.recipe import Recipe
from tests.engine_fakes import FakeCore, told_until

FOUR = Recipe(prompt="four", steps=4, seed=5, model="tiny")
WARM = 420.0
FIRST = 60.0
"""Seconds that an engine waits for who started it."""

pytestmark = pytest.mark.usefixtures("short_home")


@dataclass
class Clock:
    """The timer of the end: the seconds that it was set to, and whether it still runs. `ring` lets them pass."""

    end: Callable[..., None] | None = None
    set_to: list[float] = field(default_factory=list)
    running: asyncio.Event = field(default_factory=asyncio.Event)
    stopped: asyncio.Event = field(default_factory=asyncio.Event)

    def start(self, seconds: float, end: Callable[..., None]) -> Clock:
        self.set_to.append(seconds)
        self.end = end
        self.running.set()
        self.stopped.clear()
        return self

    def cancel(self) -> None:
        self.end = None
        self.running.clear()
        self.stopped.set()

    def ring(self) -> None:
        assert self.end is not None
        self.end()


@dataclass
class Served:
    """An engine on its socket."""

    core: FakeCore
    clock: Clock
    task: asyncio.Task[None]

    @property
    def alive(self) -> bool:
        return not self.task.done()


@pytest.fixture
async def served(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    core, clock = FakeCore(gated=True), Clock()
    engine, loop = LocalEngine(core.load), asyncio.get_running_loop()
    later = loop.call_later

    def call_later(seconds: float, callback: Callable[..., Any], *rest: Any, **settings: Any) -> Any:
        ours = callback == engine.end
        return clock.start(seconds, callback) if ours else later(seconds, callback, *rest, **settings)

    monkeypatch.setattr(loop, "call_later", call_later)
    async with asyncio.timeout(60):
        yield Served(core, clock, asyncio.create_task(Host(engine, wire.socket_path(), linger=WARM).serve()))
        core.step(1000)
        engine.end()
    await asyncio.sleep(0)


@asynccontextmanager
async def client_of(served: Served) -> AsyncIterator[EngineClient]:
    await served.clock.running.wait()  # it listens by now
    client = EngineClient()
    await client.connect(spawn=False)
    try:
        yield client
    finally:
        await client.close()


async def test_one_whose_starter_never_came(served: Served) -> None:
    await served.clock.running.wait()
    assert served.clock.set_to == [FIRST]
    assert served.alive
    served.clock.ring()
    await served.task
    assert not wire.socket_path().exists()


async def test_the_last_job_comes_first_and_then_the_whole_time(served: Served) -> None:
    core, clock = served.core, served.clock
    async with client_of(served) as client:
        await told_until(client, EngineReady)
        assert clock.stopped.is_set()  # while somebody is there, however long nothing is asked
        client.send(Generate(job="a", recipe=FOUR))
        client.send(Generate(job="b", recipe=FOUR))
        core.step()
        await told_until(client, JobProgress)
    core.step(6)  # with nobody there
    while len(core.forwards) < 7:
        await asyncio.sleep(0.001)
        assert not clock.running.is_set()
    core.step()
    await clock.running.wait()
    assert len(core.saved) == 2
    assert clock.set_to == [FIRST, WARM]
    assert served.alive
    clock.ring()
    await served.task
    assert len(core.forwards) == 8


async def test_who_comes_back_in_time_finds_the_model_warm(served: Served) -> None:
    core, clock = served.core, served.clock
    core.step(8)
    async with client_of(served) as client:
        client.send(Generate(job="a", recipe=FOUR))
        await told_until(client, JobFinished)
    await clock.running.wait()
    async with client_of(served) as client:
        events = await told_until(client, ModelLoaded)
        assert clock.stopped.is_set()
        assert isinstance(events[-1], ModelLoaded)
        client.send(GetStatus())
        status = (await told_until(client, Status))[-1]
        assert isinstance(status, Status)
        assert status.model == "tiny"
        client.send(Generate(job="b", recipe=FOUR))
        await told_until(client, JobFinished)
    await clock.running.wait()
    assert core.opened == ["tiny"]  # once, for both
    assert clock.set_to == [FIRST, WARM, WARM]
    clock.ring()
    await served.task


async def test_what_is_held_keeps_no_engine(served: Served) -> None:
    async with client_of(served) as client:
        client.send(Generate(job="a", recipe=FOUR))
        client.send(Generate(job="b", recipe=FOUR))
        client.send(HoldJobs(jobs=("b",), held=True))
        while "b" not in (await told_until(client, QueueState))[-1].held:  # type: ignore[union-attr]
            pass
    served.core.step(4)
    await served.clock.running.wait()
    assert [prompt for prompt, _ in served.core.forwards] == ["four"] * 4
    served.clock.ring()
    await served.task


@pytest.mark.parametrize(
    ("minutes", "argument", "seconds"), [(None, (), LINGER), (7, (), WARM), (7, ("--linger", "3"), 3.0)]
)
def test_how_long_is_a_setting(minutes: int | None, argument: tuple[str, ...], seconds: float) -> None:
    if minutes is not None:
        config.save(config.Settings(keep_warm_minutes=minutes))
    program = (
        "import sys\nfrom sdcore.engine import host\n"
        "async def tell(engine, path, linger):\n    print(linger)\n    engine._ended = True\n"
        "host._serve = tell\nsys.exit(host.main(sys.argv[1:]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *argument], capture_output=True, check=True, env=dict(os.environ)
    )
    assert float(done.stdout) == seconds
