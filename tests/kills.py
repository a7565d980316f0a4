"""Kills an engine process and its clients with SIGKILL at random moments, and counts what became of the jobs.

    python -m tests.kills KILLS SEED

Prints one JSON object. A job is lost if the engine has acknowledged it and an image of it is missing in the end; an
image is made twice if two files say that they are it; one is wrong whose pixels are not those that its steps lead to.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from PIL import Image

from sdcore.engine.client import EngineClient, EngineError
from sdcore.engine.messages import Generate, HoldJobs, JobFinished, JobQueued, QueueState
from sdcore.library import paths, record
from sdcore.spec.recipe import Recipe
from tests.queue_host import chain, colour

STEP_SECONDS: Final = 0.004
_LONGEST: Final = 0.4
"""Seconds between two kills at most, once both processes are there."""
_MOST_STEPS: Final = 25
_MOST_BATCH: Final = 3


class Toll(msgspec.Struct):
    """What the kills cost."""

    engines: int = 0
    clients: int = 0
    jobs: int = 0
    images: int = 0
    lost: int = 0
    twice: int = 0
    wrong: int = 0


def recipe_of(job: str) -> Recipe:
    """What a job makes: told by its name alone, so that nobody needs to remember it."""
    dice = random.Random(job)
    return Recipe(prompt=job, steps=dice.randint(1, _MOST_STEPS), seed=dice.randrange(1000),
                  batch_size=dice.randint(1, _MOST_BATCH))  # fmt: skip


def run(kills: int, seed: int) -> Toll:
    """Kill so often, then let everything be made that is still to be, and count."""
    dice = random.Random(seed)
    toll = Toll()
    book = paths.state_dir() / "acknowledged"
    book.parent.mkdir(parents=True, exist_ok=True)
    engine: subprocess.Popen[bytes] | None = None
    for number in range(kills):
        if engine is None:
            engine = _start(STEP_SECONDS)
        client = _fork(lambda name=f"{seed}-{number}": _send(name, book))  # type: ignore[misc]
        time.sleep(dice.uniform(0.0, _LONGEST))
        if number % 2:
            os.kill(client, signal.SIGKILL)
            toll.clients += 1
        else:
            engine.kill()
            toll.engines += 1
            engine.wait()
            engine = None
            time.sleep(dice.uniform(0.0, 0.05))
            os.kill(client, signal.SIGKILL)
        os.waitpid(client, 0)
    engine = engine or _start(0.0)
    asyncio.run(_let_finish())
    engine.terminate()
    engine.wait()
    _count(toll, set(book.read_text().split()))
    return toll


def _start(step_seconds: float) -> subprocess.Popen[bytes]:
    """An engine that can be reached."""
    engine = subprocess.Popen(
        [sys.executable, "-m", "tests.queue_host", str(step_seconds)], stdin=subprocess.DEVNULL
    )
    asyncio.run(_reached())
    return engine


async def _reached() -> None:
    await (await _reach()).close()


async def _reach() -> EngineClient:
    client = EngineClient()
    while not client.connected:
        try:
            await client.connect(spawn=False)
        except EngineError:
            await asyncio.sleep(0.005)
    return client


def _fork(work: Callable[[], None]) -> int:
    process = os.fork()
    if process == 0:
        try:
            work()
        finally:
            os._exit(1)
    return process


def _send(name: str, book: Path) -> None:
    asyncio.run(_sending(name, book))


async def _sending(name: str, book: Path) -> None:
    """Queue jobs until killed, and write down those that the engine has acknowledged."""
    client = await _reach()
    with book.open("a", buffering=1) as acknowledged:
        for number in range(1000):
            job = f"{name}-{number}"
            client.send(Generate(job=job, recipe=recipe_of(job)))
            async for event in client.events():
                if isinstance(event, QueueState) and event.held:
                    client.send(HoldJobs(jobs=tuple(event.held), held=False))
                if isinstance(event, JobQueued) and event.job == job:
                    acknowledged.write(f"{job}\n")
                    break
            await asyncio.sleep(0.1)


async def _let_finish() -> None:
    """Until nothing waits any more; what was set aside is released."""
    client = await _reach()
    client.send(Generate(job="last", recipe=recipe_of("last")))
    waiting = {"last"}
    async for event in client.events():
        match event:
            case JobQueued():
                waiting.add(event.job)
            case JobFinished():
                waiting.discard(event.job)
            case QueueState() if event.held:
                client.send(HoldJobs(jobs=tuple(event.held), held=False))
        if not waiting:
            break
    await client.close()


def _count(toll: Toll, acknowledged: set[str]) -> None:
    found: dict[tuple[str, int], list[Path]] = {}
    for path in paths.outputs_dir().glob("*/*.png"):
        with Image.open(path) as image:
            made = record.decode(image.info[record.CHUNK])
            index = made.batch.index if made.batch is not None else 0
            recipe = recipe_of(made.job)
            right = image.getpixel((0, 0)) == colour(chain(recipe, recipe.steps)[-1], index)
        found.setdefault((made.job, index), []).append(path)
        toll.wrong += not right
    wanted = {(job, index) for job in acknowledged for index in range(recipe_of(job).batch_size)}
    toll.jobs, toll.images = len(acknowledged), len(found)
    toll.lost = len({job for job, _ in wanted - found.keys()})
    toll.twice = sum(len(made) - 1 for made in found.values())


def main(kills: int, seed: int) -> None:
    """Run it in the home that is set, and print what it cost."""
    print(json.dumps(msgspec.to_builtins(run(kills, seed))))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
