"""What the app itself costs while images are made: its processor time for each of them.

`python -m tests.bench.bench_app` runs the app in a pseudo-terminal with an engine that computes nothing and tells, in
the rhythm of the bundled model on two cores, what a real one tells. Where app and engine share the cores, this time is
taken from the sampling.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from sdcore.engine import messages as m
from sdcore.spec.recipe import FIRST_PROMPT, Recipe
from tests.terminal.terminal import Terminal
from tests.ui.fake_engine import FakeEngine, sigmas, timesteps

COLUMNS, ROWS = 120, 50
IMAGE_SECONDS, BEATS, STEPS, SIDE, BOX = 0.95, 4, 30, 128, 56
_ASKED, _ANSWER = b"\x1b[6n", "\x1b[1;1R"
_SETTLING = 3.0
_CHILD = "SDTUI_BENCH_APP"


class Rhythm(FakeEngine):
    """Tells of one image after another, and then how much time of the processor the app took meanwhile."""

    def __init__(self, images: int, result: Path, previews: bool) -> None:
        super().__init__()
        self._images, self._result, self._previews = images, result, previews
        self._task: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        await super().connect()
        self.ready()
        self._task = asyncio.create_task(self._play())

    async def _play(self) -> None:
        self._paint()
        await asyncio.sleep(_SETTLING)
        await self._image(0)
        await asyncio.sleep(1.0)
        began, wall = time.process_time(), time.monotonic()
        for number in range(1, self._images + 1):
            await self._image(number)
        await asyncio.sleep(0.3)
        took = (time.process_time() - began) / self._images
        self._result.write_text(f"{took:.4f} {(time.monotonic() - wall) / self._images:.3f}")
        os._exit(0)

    def _paint(self) -> None:
        """All pictures beforehand: they are not the app's work."""
        folder = self._result.parent / "outputs" / "2026-01-01"
        folder.mkdir(parents=True)
        self._pictures = [
            _noise(seed, 16).resize((BOX, BOX), Image.Resampling.BICUBIC).tobytes() for seed in range(BEATS)
        ]
        self._paths = [
            folder / f"{number:05}-{number}-highly-detailed.png" for number in range(self._images + 1)
        ]
        for seed, path in enumerate(self._paths):
            _noise(seed, 24).resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(path)

    async def _image(self, number: int) -> None:
        recipe, job = Recipe(prompt=FIRST_PROMPT, seed=number), f"job{number}"
        self.tell(
            m.JobQueued(job=job, position=0, recipe=recipe),
            m.JobStarted(job=job, recipe=recipe, timesteps=timesteps(STEPS), sigmas=sigmas(STEPS)),
        )
        done = 0
        for beat in range(BEATS):
            await asyncio.sleep(IMAGE_SECONDS / (BEATS + 1))
            upto = STEPS * (beat + 1) // BEATS
            self.tell(m.JobProgress(job=job, index=upto - 1, total=STEPS, timestep=1.0, sigma=1.0,
                                    seconds=(0.028,) * (upto - done)))  # fmt: skip
            done = upto
            if self._previews and beat + 1 < BEATS:
                rgb = self._pictures[beat]
                self.tell(m.JobPreview(job=job, index=upto - 1, image=0, width=BOX, height=BOX, rgb=rgb))
        await asyncio.sleep(IMAGE_SECONDS / (BEATS + 1))
        path = str(self._paths[number])
        self.tell(m.JobFinished(job=job, images=(m.SavedImage(path=path, recipe=recipe, width=SIDE, height=SIDE),),
                                seconds=IMAGE_SECONDS, steps_per_second=35.0))  # fmt: skip


def _noise(seed: int, side: int) -> Image.Image:
    return Image.frombytes("RGB", (side, side), random.Random(seed).randbytes(side * side * 3))


def _child(images: int, result: Path, previews: bool) -> None:
    from tui.commands import open as opening

    opening._opener = lambda options, settings: lambda: Rhythm(images, result, previews)
    from tui.cli import main

    sys.argv = ["sdtui"]
    sys.exit(main())


def measured(images: int, previews: bool) -> Iterator[float]:
    """Seconds of processor time that the app takes for an image, and of the clock."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result"
        environment = {_CHILD: f"{images} {int(previews)} {result}", "SDTUI_HOME": folder}
        command = (sys.executable, "-m", "tests.bench.bench_app")
        with Terminal(
            columns=COLUMNS, rows=ROWS, emulate=False, command=command, environment=environment
        ) as terminal:
            seen = 0
            while terminal.alive:
                terminal.read(0.1)
                if _ASKED in terminal.output[max(0, seen - 3) :]:
                    terminal.type(_ANSWER)
                seen = len(terminal.output)
        yield from map(float, result.read_text().split())


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=15)
    options = parser.parse_args()
    if settings := os.environ.pop(_CHILD, ""):
        images, previews, result = settings.split(" ", 2)
        _child(int(images), Path(result), bool(int(previews)))
    for what, previews in (("with previews", True), ("without", False)):
        took, wall = measured(options.images, previews)
        print(f"app {what:14} {took * 1000:.0f} ms of processor time for an image of {wall:.2f} s")


if __name__ == "__main__":
    main()
