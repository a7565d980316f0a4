"""kill -9 of the engine process at random moments: no job that was acknowledged is lost, no image is made twice."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from sdcore.engine import wire
from sdcore.engine.client import EngineClient, EngineError
from sdcore.engine.messages import (
    AnyEvent,
    EngineReady,
    Generate,
    HoldJobs,
    JobFinished,
    JobProgress,
    JobQueued,
    JobStarted,
    QueueState,
)
from sdcore.library import record
from sdcore.spec.recipe import Recipe
from tests.engine_fakes import told_until
from tests.queue_host import chain, colour

KILLS = int(os.environ.get("SDTUI_TEST_KILLS", "10"))
STEP_SECONDS = 0.004
SLOW = 240.0


def start(step_seconds: float = STEP_SECONDS) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.queue_host", str(step_seconds)], stdin=subprocess.DEVNULL
    )


async def reach() -> EngineClient:
    client = EngineClient()
    while not client.connected:
        try:
            await client.connect(spawn=False)
        except EngineError:
            await asyncio.sleep(0.005)
    return client


class Book:
    """What a person who sends jobs knows of them."""

    def __init__(self) -> None:
        self.sent: dict[str, Recipe] = {}
        self.acknowledged: set[str] = set()
        self.finished: set[str] = set()
        self.held: set[str] = set()

    def note(self, event: AnyEvent) -> None:
        match event:
            case JobQueued():
                self.acknowledged.add(event.job)
            case JobFinished():
                self.acknowledged.add(event.job)
                self.finished.add(event.job)
            case QueueState():
                self.held = set(event.held)

    async def read(self, client: EngineClient) -> None:
        async for event in client.events():
            self.note(event)

    async def read_to_the_end(self, client: EngineClient) -> None:
        """Until everything is made; what was set aside is released."""
        async for event in client.events():
            self.note(event)
            if isinstance(event, QueueState) and event.held:
                client.send(HoldJobs(jobs=tuple(event.held), held=False))
            if set(self.sent) == self.finished:
                return


def images_of(outputs: Path) -> dict[tuple[str, int], list[Path]]:
    found: dict[tuple[str, int], list[Path]] = {}
    for path in outputs.glob("*/*.png"):
        with Image.open(path) as image:
            made = record.decode(image.info[record.CHUNK])
        index = made.batch.index if made.batch is not None else 0
        found.setdefault((made.job, index), []).append(path)
    return found


async def test_no_job_is_lost_and_none_is_made_twice(short_home: Path) -> None:
    dice = random.Random(KILLS)
    book = Book()
    async with asyncio.timeout(SLOW):
        for _ in range(KILLS):
            process = start()
            try:
                client = await reach()
                if book.held:
                    client.send(HoldJobs(jobs=tuple(book.held), held=False))
                for job in set(book.sent) - book.acknowledged:  # nobody knows whether the engine has them
                    client.send(Generate(job=job, recipe=book.sent[job]))
                for job in dice.sample(sorted(book.finished), k=min(2, len(book.finished))):
                    client.send(Generate(job=job, recipe=book.sent[job]))
                for _ in range(dice.randint(1, 4)):
                    job = f"job-{len(book.sent)}"
                    book.sent[job] = Recipe(
                        prompt=job, steps=dice.randint(1, 25), seed=dice.randrange(1000),
                        batch_size=dice.randint(1, 3),
                    )  # fmt: skip
                    client.send(Generate(job=job, recipe=book.sent[job]))
                reading = asyncio.create_task(book.read(client))
                await asyncio.sleep(dice.uniform(0.0, 0.25))
                process.kill()
                await reading
                await client.close()
            finally:
                process.kill()
                await asyncio.to_thread(process.wait)
        process = start(0.0)
        try:
            client = await reach()
            for job in set(book.sent) - book.finished:
                client.send(Generate(job=job, recipe=book.sent[job]))
            await book.read_to_the_end(client)
            await client.close()
        finally:
            process.terminate()
            await asyncio.to_thread(process.wait)
    found = images_of(short_home / "outputs")
    assert Counter({key: len(paths) for key, paths in found.items()}) == Counter(
        (job, index) for job, recipe in book.sent.items() for index in range(recipe.batch_size)
    )
    for (job, index), (path,) in found.items():
        recipe = book.sent[job]
        with Image.open(path) as image:
            assert image.getpixel((0, 0)) == colour(chain(recipe, recipe.steps)[-1], index)
    assert not list((short_home / "state" / "queue").glob("*.trace.safetensors"))


@pytest.mark.usefixtures("short_home")
async def test_a_killed_job_goes_on_where_it_was(short_home: Path) -> None:
    recipe = Recipe(prompt="long", steps=100, seed=1)
    async with asyncio.timeout(SLOW):
        process = start(0.05)
        try:
            client = await reach()
            client.send(Generate(job="a", recipe=recipe))
            folder = short_home / "state" / "queue"
            while not list(folder.glob("*.trace.safetensors")):
                await asyncio.sleep(0.01)
            process.kill()
            await client.close()
        finally:
            process.kill()
            await asyncio.to_thread(process.wait)
        process = start(0.05)
        try:
            client = await reach()
            events = await told_until(client, JobFinished)
            await client.close()
        finally:
            process.terminate()
            await asyncio.to_thread(process.wait)
    assert any(isinstance(event, EngineReady) for event in events)
    started = next(event for event in events if isinstance(event, JobStarted))
    assert started.seconds
    passes = [event for event in events if isinstance(event, JobProgress)]
    assert sum(len(event.seconds) for event in passes) == recipe.steps - len(started.seconds)
    ((path,),) = images_of(short_home / "outputs").values()
    with Image.open(path) as image:
        assert image.getpixel((0, 0)) == colour(chain(recipe, recipe.steps)[-1], 0)
    assert not wire.socket_path().exists()
