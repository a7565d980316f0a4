"""What a person at the keyboard feels, measured in a pseudo-terminal with the real app, engine and model.

`python -m tests.bench.bench_terminal` prints: the first paint, the time from a key to its echo while an image
is sampled with previews, the time from a key to the next step in the inspector, and how much the sampling slows down
because the app is attached.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sdcore.engine.client import EngineClient
from sdcore.engine.messages import EngineReady, Generate, JobFailed, JobFinished, Shutdown
from sdcore.spec.recipe import FIRST_PROMPT, FIRST_SEED, Recipe
from tests.terminal.terminal import Terminal

COLUMNS, ROWS = 120, 50
QUIT, INSPECT, LEFT, RIGHT = "\x11", "\x1bOQ", "\x1b[D", "\x1b[C"
IN_TURN = 3
_SETTLING = 3.0
"""Seconds until an app has opened all that its first paint does not wait for."""
QUEUED = 30
"""Images that are asked for before the typing starts, so that it ends before they do."""
LETTERS = "qzxjwvyb"
"""Typed one by one; none of them occurs in an escape sequence or in what the app writes beside the prompt."""


@contextmanager
def home() -> Iterator[Path]:
    """A home of its own for one measurement, and no engine left over to disturb the next."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SDTUI_HOME"] = folder
        yield Path(folder)
        subprocess.run([sys.executable, "-m", "tui.cli", "stop"], check=False, capture_output=True)


def first_paint(runs: int) -> list[float]:
    """Seconds from the start of the process to the prompt on the screen."""
    seconds = []
    for _ in range(runs):
        with home(), Terminal(columns=COLUMNS, rows=ROWS, emulate=False) as terminal:
            terminal.wait_until(lambda: b"japanese" in terminal.output)
            seconds.append(time.perf_counter() - terminal.started)
    return seconds


def key_to_echo(presses: int) -> list[float]:
    """Seconds from a key to its echo, while one long run samples and its previews are drawn."""
    seconds = []
    with home(), Terminal(columns=COLUMNS, rows=ROWS) as terminal:
        terminal.wait_for("japanese")
        terminal.type("\r" * QUEUED)
        terminal.wait_until(terminal.colours)
        terminal.blind()
        for press in range(presses):
            letter = LETTERS[press % len(LETTERS)].encode()
            seen = len(terminal.output)
            began = time.perf_counter()
            terminal.type(letter.decode())
            terminal.wait_until(lambda: letter in terminal.output[seen:])  # noqa: B023 - waited for here
            seconds.append(time.perf_counter() - began)
            pause_until = time.perf_counter() + 0.08 + 0.037 * (press % 5)
            while (left := pause_until - time.perf_counter()) > 0:
                terminal.read(left)
    return seconds


def inspector_step(steps: int) -> list[float]:
    """Seconds from a key to the view of the step before, along a run in the inspector and back again."""
    seconds = []
    with home(), Terminal(columns=COLUMNS, rows=ROWS) as terminal:
        terminal.wait_for("japanese")
        terminal.type("\r")
        terminal.wait_for("saved")
        terminal.type(INSPECT)
        terminal.wait_for("k 29/30")
        terminal.blind()
        for press in range(steps):
            there = 29 - press % 29
            key, wanted = (LEFT, there - 1) if press % 58 < 29 else (RIGHT, 30 - there)
            seen = len(terminal.output)
            began = time.perf_counter()
            terminal.type(key)
            shown = f"k {wanted:>2}/30".encode()
            terminal.wait_until(lambda: shown in terminal.output[seen:])  # noqa: B023 - waited for here
            seconds.append(time.perf_counter() - began)
            pause_until = time.perf_counter() + 0.05
            while (left := pause_until - time.perf_counter()) > 0:
                terminal.read(left)
    return seconds


async def slow_down(runs: int) -> tuple[list[float], list[float]]:
    """Forward passes a second as the engine counts them, without the app and with it attached, in turns on one engine:
    in each turn `IN_TURN` images asked for by a bare client, then as many by the app, whose first is not counted."""
    client = EngineClient()
    await client.connect()
    events = client.events()
    async for event in events:
        if isinstance(event, EngineReady):
            break

    async def image(terminal: Terminal | None = None) -> float:
        if terminal:
            terminal.type("\r")
        else:
            client.send(Generate(job=uuid.uuid4().hex, recipe=Recipe(prompt=FIRST_PROMPT, seed=FIRST_SEED)))
        async for event in events:
            if isinstance(event, JobFailed):
                raise RuntimeError(event.message)
            if isinstance(event, JobFinished):
                return event.steps_per_second
        raise RuntimeError("The engine has ended.")

    await image()
    loop = asyncio.get_running_loop()
    alone: list[float] = []
    attached: list[float] = []
    for _ in range(runs):
        alone += [await image() for _ in range(IN_TURN)]
        terminal = Terminal(columns=COLUMNS, rows=ROWS, emulate=False)
        reading = loop.run_in_executor(None, _read_until_gone, terminal)
        await asyncio.sleep(_SETTLING)
        await image(terminal)
        attached += [await image(terminal) for _ in range(IN_TURN)]
        terminal.send(signal.SIGTERM)  # the engine stays as it is
        await reading
        terminal.__exit__()
    client.send(Shutdown(when_idle=True))
    await client.close()
    return alone, attached


def _read_until_gone(terminal: Terminal) -> None:
    while terminal.alive:
        terminal.read(0.1)


def main() -> None:
    """Print the three figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--presses", type=int, default=100)
    options = parser.parse_args()

    paints = first_paint(options.runs)
    print(
        f"first paint      median {statistics.median(paints):.3f} s, worst {max(paints):.3f} s of {len(paints)}"
    )

    echoes = sorted(key_to_echo(options.presses))
    p50, p95 = echoes[len(echoes) // 2], echoes[int(len(echoes) * 0.95)]
    print(
        f"key to echo      p50 {p50 * 1000:.1f} ms, p95 {p95 * 1000:.1f} ms of {len(echoes)} keys while sampling"
    )

    moves = sorted(inspector_step(options.presses))
    p50, p95 = moves[len(moves) // 2], moves[int(len(moves) * 0.95)]
    print(f"inspector step   p50 {p50 * 1000:.1f} ms, p95 {p95 * 1000:.1f} ms of {len(moves)} steps")

    with home():
        alone, attached = asyncio.run(slow_down(options.runs))
    slow = 1 - statistics.median(attached) / statistics.median(alone)
    print(f"slow-down        {slow:+.1%} with the app attached ({statistics.median(alone):.1f} it/s alone)")


if __name__ == "__main__":
    main()
