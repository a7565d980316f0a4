"""The engine on its socket, with a fake backend, in this process."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from sdcore.engine import wire
from sdcore.engine.client import EngineClient, EngineError
from sdcore.engine.host import LINGER, Host, main, only_one
from sdcore.engine.local import LocalEngine
from sdcore.engine.log import log_path
from sdcore.engine.messages import (
    PROTOCOL,
    EngineFailed,
    EngineReady,
    Generate,
    GetStatus,
    JobFailed,
    JobFinished,
    JobPreview,
    JobProgress,
    SetPreview,
    Shutdown,
    Status,
)
from sdcore.spec.recipe import Recipe
from tests.engine_fakes import STEP_SECONDS, FakeCore, names, told_until

FOUR = Recipe(prompt="four", steps=4, seed=5)
SLOW = 60.0


@pytest.fixture
def core() -> FakeCore:
    return FakeCore()


@asynccontextmanager
async def serving(core: FakeCore, linger: float = LINGER) -> AsyncIterator[asyncio.Task[None]]:
    engine = LocalEngine(core.load)
    path = wire.socket_path()
    task = asyncio.create_task(Host(engine, path, linger=linger).serve())
    while not path.exists() and not task.done():
        await asyncio.sleep(0.001)
    async with asyncio.timeout(SLOW):
        try:
            yield task
        finally:
            core.step(1000)
            engine.end()
            await task


@asynccontextmanager
async def attached() -> AsyncIterator[EngineClient]:
    client = EngineClient()
    await client.connect(spawn=False)
    try:
        yield client
    finally:
        await client.close()


@pytest.mark.usefixtures("short_home")
async def test_a_job_over_the_socket(core: FakeCore) -> None:
    async with serving(core), attached() as client:
        client.send(SetPreview(width=8, height=8))
        client.send(Generate(job="a", recipe=FOUR))
        events = await told_until(client, JobFinished)
    assert {"EngineReady", "ModelLoaded", "JobQueued", "JobStarted", "JobProgress"} <= set(names(events))
    times = [second for event in events if isinstance(event, JobProgress) for second in event.seconds]
    assert times == [STEP_SECONDS] * 4
    assert isinstance(events[-1], JobFinished)


@pytest.mark.usefixtures("short_home")
async def test_the_socket_is_private(core: FakeCore) -> None:
    async with serving(core):
        path = wire.socket_path()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert not path.exists()


@pytest.mark.usefixtures("short_home")
async def test_a_stale_socket_is_replaced(core: FakeCore) -> None:
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(wire.socket_path()))
    with pytest.raises(EngineError, match="No engine"):
        await EngineClient().connect(spawn=False)
    engine = LocalEngine(core.load)
    host = asyncio.create_task(Host(engine, wire.socket_path()).serve())
    async with asyncio.timeout(SLOW):
        client = EngineClient()
        while not client.connected:
            try:
                await client.connect(spawn=False)
            except EngineError:
                await asyncio.sleep(0.001)
        await client.close()
        engine.end()
        await host


@pytest.mark.usefixtures("short_home")
async def test_a_lost_client_leaves_the_run_alone_and_may_come_back(core: FakeCore) -> None:
    core.gated = True
    async with serving(core):
        async with attached() as client:
            client.send(Generate(job="a", recipe=FOUR))
            core.step(2)
            while (await told_until(client, JobProgress))[-1].index < 1:  # type: ignore[union-attr]
                pass
        async with attached() as client:
            events = await told_until(client, JobProgress)
            assert names(events) == ["EngineReady", "ModelLoaded", "JobQueued", "JobStarted", "JobProgress"]
            core.step(2)
            assert isinstance((await told_until(client, JobFinished))[-1], JobFinished)


@pytest.mark.usefixtures("short_home")
async def test_every_client_sees_every_job_but_only_who_asked_gets_previews(core: FakeCore) -> None:
    async with serving(core), attached() as one, attached() as two:
        one.send(SetPreview(width=8, height=8))
        one.send(GetStatus())  # answered in order: the preview is wanted by then
        await told_until(one, Status)
        await told_until(two, EngineReady)
        core.gated = True
        one.send(Generate(job="a", recipe=FOUR))
        core.step(1)
        await told_until(one, JobPreview)
        core.step(3)
        assert "JobPreview" not in names(await told_until(two, JobFinished))


@pytest.mark.usefixtures("short_home")
async def test_a_client_that_does_not_read_does_not_slow_the_run(core: FakeCore) -> None:
    async with serving(core), attached() as client:
        reader, writer = await asyncio.open_unix_connection(str(wire.socket_path()))
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        big = SetPreview(width=1024, height=1024, max_fps=1e9)
        writer.write(wire.frame(msgspec.msgpack.encode(big)))
        client.send(Generate(job="a", recipe=Recipe(prompt="many", steps=60)))
        assert isinstance((await told_until(client, JobFinished))[-1], JobFinished)
        assert len(core.forwards) == 60
        writer.close()
        del reader


@pytest.mark.usefixtures("short_home")
async def test_half_a_character_is_a_sentence(core: FakeCore) -> None:
    async with serving(core), attached() as client:
        client.send(Generate(job="a", recipe=Recipe(prompt="half \ud83d")))
        refused = (await told_until(client, JobFailed))[-1]
        assert isinstance(refused, JobFailed)
        assert "half of a character" in refused.message


@pytest.mark.usefixtures("short_home")
async def test_shutdown_when_idle_ends_the_process_and_is_no_fault(core: FakeCore) -> None:
    async with serving(core) as host, attached() as client:
        await told_until(client, EngineReady)
        client.send(Shutdown(when_idle=True))
        assert [event async for event in client.events()] == []
        await host
        assert not client.connected


@pytest.mark.usefixtures("short_home")
async def test_an_engine_nobody_uses_ends_by_itself(core: FakeCore) -> None:
    async with serving(core, linger=0.01) as host:
        await host


@pytest.mark.usefixtures("short_home")
async def test_a_dead_engine_is_a_sentence_and_can_be_reached_again(core: FakeCore) -> None:
    path = wire.socket_path()

    async def die(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(wire.frame(msgspec.msgpack.encode(wire.Hello(PROTOCOL, "0", 1))))
        writer.close()

    server = await asyncio.start_unix_server(die, path=str(path))
    client = EngineClient()
    await client.connect(spawn=False)
    events = [event async for event in client.events()]
    assert isinstance(events[-1], EngineFailed)
    assert "stopped unexpectedly" in events[-1].message
    server.close()
    path.unlink()
    client.send(Generate(job="a", recipe=FOUR))  # kept until there is an engine again
    async with serving(core):
        await client.connect(spawn=False)
        assert isinstance((await told_until(client, JobFinished))[-1], JobFinished)
        await client.close()


@pytest.mark.usefixtures("short_home")
@pytest.mark.parametrize(
    ("greeting", "part"),
    [
        (wire.frame(msgspec.msgpack.encode(wire.Hello(99, "9.9", 4711))), "kill 4711"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "no engine of sdtui"),
        (wire.frame(b"\xc1"), "no engine of sdtui"),
    ],
)
async def test_what_is_no_engine_of_ours_is_a_sentence(greeting: bytes, part: str) -> None:
    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        writer.close()

    server = await asyncio.start_unix_server(greet, path=str(wire.socket_path()))
    with pytest.raises(EngineError, match=part):
        await EngineClient().connect()
    server.close()


@pytest.mark.usefixtures("short_home")
@pytest.mark.parametrize("nonsense", [b"\xff" * 64, wire.frame(b"\xc1"), wire.frame(b"")])
async def test_nonsense_costs_the_sender_its_line_and_nobody_else(core: FakeCore, nonsense: bytes) -> None:
    async with serving(core), attached() as client:
        reader, writer = await asyncio.open_unix_connection(str(wire.socket_path()))
        writer.write(nonsense)
        await reader.read()  # to the end: the engine hung up
        writer.close()
        client.send(Generate(job="a", recipe=FOUR))
        assert isinstance((await told_until(client, JobFinished))[-1], JobFinished)


@pytest.mark.usefixtures("short_home")
async def test_strangers_are_refused(core: FakeCore, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(core):
        monkeypatch.setattr(wire, "is_own", lambda peer: False)
        reader, writer = await asyncio.open_unix_connection(str(wire.socket_path()))
        assert await reader.read() == b""
        writer.close()


def test_a_peer_of_this_user_is_told_from_others(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = socket.socketpair()
    with one, two:
        assert wire.is_own(one)
        monkeypatch.setattr(os, "geteuid", lambda: 123456)
        assert wire.is_own(one) is not hasattr(socket, "SO_PEERCRED")


def test_a_long_home_gets_a_short_private_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path.parent))
    monkeypatch.setenv("SDTUI_HOME", str(tmp_path / ("long" * 30)))
    path = wire.socket_path()
    assert len(os.fsencode(path)) <= 107
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert wire.socket_path() == path
    monkeypatch.setenv("SDTUI_HOME", str(tmp_path / ("wide" * 30)))
    other = wire.socket_path()
    assert other.parent != path.parent
    path.parent.rmdir()
    other.parent.rmdir()


def test_a_link_in_place_of_the_folder_is_refused(short_home: Path) -> None:
    (short_home / "elsewhere").mkdir()
    (short_home / "run").symlink_to(short_home / "elsewhere")
    with pytest.raises(EngineError, match="somebody else's"):
        wire.socket_path()


def test_an_open_folder_is_closed(short_home: Path) -> None:
    (short_home / "run").mkdir(mode=0o755)
    folder = wire.socket_path().parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_second_engine_leaves_the_first_alone(short_home: Path) -> None:
    path = wire.socket_path()
    with only_one(path) as first, socket.socket(socket.AF_UNIX) as listener:
        assert first
        listener.bind(str(path))
        listener.listen()
        assert main([]) == 0
        assert path.exists()
    assert not log_path().exists()


@pytest.mark.usefixtures("short_home")
async def test_an_engine_that_cannot_be_started_is_a_sentence() -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('torch is broken\\x1b[2J')"]
    with pytest.raises(EngineError, match="torch is broken") as caught:
        await EngineClient(command=command).connect()
    assert "\x1b" not in str(caught.value)
    missing = EngineClient(command=["/no/such/program"])
    with pytest.raises(EngineError, match="could not be started"):
        await missing.connect()


@pytest.mark.parametrize("module", ["client", "messages", "mailbox", "local", "host"])
def test_the_client_side_imports_no_torch(module: str) -> None:
    heavy = ("torch", "diffusers", "transformers", "numpy")
    code = (
        f"import sdcore.engine.{module}, sys; sys.exit(str([m for m in {heavy} if m in sys.modules] or ''))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""
