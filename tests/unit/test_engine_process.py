"""The engine as the process that people run."""

from __future__ import annotations

import asyncio
import os
import stat
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sdcore.engine import wire
from sdcore.engine.client import EngineClient
from sdcore.engine.log import log_path
from sdcore.engine.messages import (
    EngineFailed,
    EngineReady,
    Generate,
    GetStatus,
    JobFailed,
    JobFinished,
    JobStarted,
    Shutdown,
    Status,
)
from sdcore.spec.recipe import Recipe
from tests.engine_fakes import told_until


@pytest.fixture
async def client(short_home: Path) -> AsyncIterator[EngineClient]:
    """A client whose engine, should a test leave one, goes with it."""
    client = EngineClient(device="cpu")
    yield client
    if client._process is not None and client._process.poll() is None:
        client._process.kill()
        await asyncio.to_thread(client._process.wait)


async def test_the_real_process_from_start_to_end(client: EngineClient, sd1_folder: Path) -> None:
    client.send(
        Generate(
            job="a", recipe=Recipe(prompt="a house", steps=2, width=64, height=64, model=str(sd1_folder))
        )
    )
    async with asyncio.timeout(120):
        await client.connect()
        process = client._process
        assert process is not None
        assert os.getsid(process.pid) == process.pid
        events = await told_until(client, JobFinished, JobFailed, EngineFailed)
        end = events[-1]
        assert isinstance(end, JobFinished), end
        assert Path(end.images[0].path).is_file()
        assert next(event for event in events if isinstance(event, JobStarted)).timesteps[0] == 999
        other = EngineClient()
        await other.connect()
        assert other._process is None
        other.send(GetStatus())
        status = (await told_until(other, Status))[-1]
        assert isinstance(status, Status)
        assert (status.pid, status.clients) == (process.pid, 2)
        await other.close()
        client.send(Shutdown(when_idle=True))
        assert [event async for event in client.events()] == []
        await client.close()
        assert await asyncio.to_thread(process.wait) == 0
    assert not wire.socket_path().exists()
    assert stat.S_IMODE(log_path().stat().st_mode) == 0o600
    assert "ended" in log_path().read_text()


async def test_the_real_process_killed_and_started_again(client: EngineClient) -> None:
    async with asyncio.timeout(120):
        await client.connect()
        first = client._process
        assert first is not None
        first.kill()
        told = [event async for event in client.events()][-1]
        assert isinstance(told, EngineFailed)
        assert "SIGKILL" in told.message
        await client.connect()
        second = client._process
        assert second is not None
        await told_until(client, EngineReady)  # an import cannot be interrupted
        second.terminate()
        told = [event async for event in client.events()][-1]
        assert isinstance(told, EngineFailed)
        assert "told to stop" in told.message
        assert await asyncio.to_thread(second.wait) == 0
        await client.close()


def test_what_answers_beside_a_run_shares_no_work_out() -> None:
    """A second pool of threads would halve the speed of the one that samples."""
    import torch

    from sdcore.engine import torch_backend
    from sdcore.engine.backend import Backend
    from sdcore.engine.desk import Desk
    from sdcore.engine.mailbox import Mailbox
    from sdcore.engine.messages import AnyEvent, EngineFailed

    backend = torch_backend.load(lambda stage, fraction: None, device="cpu")
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    told: list[int] = []
    answered = threading.Event()

    def answer(backend: object) -> AnyEvent:
        told.append(torch.get_num_threads())
        answered.set()
        return EngineFailed(message="")

    desk: Desk[Backend] = Desk(prepare=lambda source: source.beside())
    desk.start()
    desk.use(backend)
    desk.ask(Mailbox(), answer)
    try:
        assert answered.wait(30)
    finally:
        desk.stop()
        desk.join(5)
        after = torch.get_num_threads()
        torch.set_num_threads(before)  # of the tests that come after it in this process
    assert told == [1]
    assert after == 2
