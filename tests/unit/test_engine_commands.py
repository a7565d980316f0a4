"""What a person away from the app asks of the engine: what it does, and to end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sdcore.engine import client as client_module
from sdcore.engine import wire
from sdcore.engine.client import EngineClient, EngineError
from sdcore.engine.host import Host
from sdcore.engine.local import LocalEngine
from sdcore.engine.messages import (
    AddonsFound,
    EngineFailed,
    Generate,
    GetStatus,
    HoldJobs,
    JobProgress,
    JobQueued,
    ListAddons,
    ListModels,
    ListVaes,
    ModelsFound,
    QueueState,
    Shutdown,
    Status,
    VaesFound,
)
from sdcore.library.checkpoints import find_models
from sdcore.spec.recipe import Recipe
from tests.engine_fakes import FakeCore, told_until, until
from tests.unit.test_addon_files import write, write_lora
from tui import cli
from tui.commands import engine as engine_commands

FOUR = Recipe(prompt="four\x1b houses", steps=4, seed=5)
SLOW = 60.0


@pytest.fixture
def core() -> FakeCore:
    return FakeCore(gated=True)


@pytest.fixture
async def engine(
    core: FakeCore, short_home: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[LocalEngine]:
    """An engine on its socket in this process, which must not be killed."""
    monkeypatch.setattr(engine_commands, "kill_engine", lambda: pytest.fail("nothing hangs here"))
    monkeypatch.setattr(engine_commands, "_FORCE_SECONDS", SLOW)
    engine = LocalEngine(core.load, queue_folder=short_home / "queue")
    path = wire.socket_path()
    task = asyncio.create_task(Host(engine, path).serve())
    while not path.exists():
        await asyncio.sleep(0.001)
    async with asyncio.timeout(SLOW):
        yield engine
        core.step(1000)
        engine.end()
        await task
        engine.close()


@pytest.fixture
async def client(engine: LocalEngine, core: FakeCore) -> AsyncIterator[EngineClient]:
    """A client whose engine is making the first of three jobs, two steps far; the third is held."""
    client = EngineClient()
    await client.connect(spawn=False)
    client.send(Generate(job="a", recipe=FOUR, label="first"))
    for job in ("b", "c"):
        client.send(Generate(job=job, recipe=FOUR))
    await _until(client, lambda event: isinstance(event, JobQueued) and event.job == "c")
    client.send(HoldJobs(jobs=("c",)))
    core.step(2)
    await _until(client, lambda event: isinstance(event, JobProgress) and event.index == 1)
    yield client
    await client.close()


async def _until(client: EngineClient, wanted: Any) -> None:
    async for event in client.events():
        if wanted(event):
            return


async def sdtui(*arguments: str) -> int:
    return await asyncio.to_thread(cli.main, arguments)


async def test_status_says_what_is_being_made(
    client: EngineClient, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await sdtui("status") == 0
    first, making, queue = capsys.readouterr().out.splitlines()
    assert "1 attached" in first
    assert making == "Making “first: four\ufffd houses”: 2 of 4 steps, 0.5 s left."
    assert queue == "1 queued, 1 held."
    assert await sdtui("status", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["running"] == "a"
    assert (told["steps_done"], told["steps_total"], told["queued"], told["held"]) == (2, 4, 1, 1)


async def test_stop_keeps_what_is_unfinished(
    client: EngineClient, short_home: Path, core: FakeCore, capsys: pytest.CaptureFixture[str]
) -> None:
    stopping = asyncio.create_task(sdtui("stop"))
    await told_until(client, EngineFailed)
    core.step(1000)  # the pass that is under way comes to its end
    assert await stopping == 0
    assert "3 unfinished jobs are kept" in capsys.readouterr().out
    again = LocalEngine(FakeCore().load, queue_folder=short_home / "queue")
    with again:
        queue = until(iter(again.attach()), QueueState)[-1]
        assert isinstance(queue, QueueState)
        assert set(queue.order) == set(queue.held) == {"a", "b", "c"}


async def test_stop_may_drop_it(
    client: EngineClient, short_home: Path, core: FakeCore, capsys: pytest.CaptureFixture[str]
) -> None:
    stopping = asyncio.create_task(sdtui("stop", "--drop"))
    await told_until(client, EngineFailed)
    core.step(1000)
    assert await stopping == 0
    assert capsys.readouterr().out == "The engine has ended, and 3 unfinished jobs are dropped.\n"
    with LocalEngine(FakeCore().load, queue_folder=short_home / "queue") as again:
        mine = again.attach()
        mine.send(GetStatus())
        assert not any(isinstance(event, JobQueued) for event in until(iter(mine), Status))


async def test_stop_may_wait_for_the_end(
    client: EngineClient, engine: LocalEngine, core: FakeCore, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await sdtui("stop", "--when-done") == 0
    assert capsys.readouterr().out == (
        "The engine ends after 2 more jobs and the last sdtui that is attached.\n"
    )
    client.send(Shutdown())
    core.step(1000)
    while client.connected:
        await asyncio.sleep(0.01)
    assert [recipe.prompt for _, recipe, *_ in core.saved] == [FOUR.prompt] * 2


async def test_stop_by_force_does_not_wait_for_a_step(
    client: EngineClient, engine: LocalEngine, short_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await sdtui("stop", "--force") == 0
    assert capsys.readouterr().out.startswith("The engine was ended by force. What it was making is held")
    last = (await told_until(client, EngineFailed))[-1]
    assert isinstance(last, EngineFailed)
    assert last.died  # so that the app starts another
    core = FakeCore()
    with LocalEngine(core.load, queue_folder=short_home / "queue") as again:
        queue = until(iter(again.attach()), QueueState)[-1]
        assert isinstance(queue, QueueState)
        assert set(queue.held) == {"a", "c"}
        assert "by force" in queue.held["a"]


async def test_one_way_to_stop_at_a_time(capsys: pytest.CaptureFixture[str]) -> None:
    assert await sdtui("stop", "--drop", "--force") == 2
    assert "--drop and --force" in capsys.readouterr().err


async def test_a_client_elsewhere_is_told_what_lies_here(engine: LocalEngine, short_home: Path) -> None:
    write_lora(short_home / "models" / "house.safetensors")
    write(short_home / "models" / "sharp.safetensors", {"decoder.conv_in.weight": (512, 4, 3, 3)})
    mine = engine.attach()
    mine.send(ListModels(request=1))
    mine.send(ListAddons(request=2))
    mine.send(ListVaes(request=3))
    events = []
    async for event in mine.events():
        events.append(event)
        found = [one for one in events if isinstance(one, ModelsFound)]
        added = [one for one in events if isinstance(one, AddonsFound)]
        vaes = [one for one in events if isinstance(one, VaesFound)]
        if found and found[-1].done and added and vaes:
            break
    assert [model for one in found for model in one.models] == find_models()
    assert [addon.name for addon in added[-1].addons] == ["house"]
    assert [vae.name for vae in vaes[-1].vaes] == ["sharp"]


@pytest.mark.usefixtures("short_home")
async def test_an_engine_that_does_not_even_listen_is_killed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(client_module, "HELLO_SECONDS", 0.2)
    engine = subprocess.Popen([sys.executable, "-m", "tests.queue_host", "0.01"], stdin=subprocess.DEVNULL)
    try:
        client = EngineClient()
        async with asyncio.timeout(SLOW):
            while not client.connected:
                with contextlib.suppress(EngineError):
                    await client.connect(spawn=False)
                await asyncio.sleep(0.01)
        await client.close()
        engine.send_signal(signal.SIGSTOP)
        assert await sdtui("status") == 1
        assert "sdtui stop --force" in capsys.readouterr().err
        assert await sdtui("stop", "--force") == 0
        assert "was killed" in capsys.readouterr().out
        assert await asyncio.to_thread(engine.wait) == -signal.SIGKILL
    finally:
        engine.kill()
        await asyncio.to_thread(engine.wait)
