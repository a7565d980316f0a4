"""Saves and indexes images in processes that are killed at random moments.

    python -m tests.killing ROUNDS SEED

Each round forks one process that saves images and one that keeps the index, and kills both with SIGKILL. Between
rounds some images are deleted. Prints one JSON object: the paths that were acknowledged and not deleted, and how many
processes were killed while they lived.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from PIL import Image

from sdcore.library import outputs
from sdcore.library.index import lock, schema
from sdcore.library.index.keeping import Keeping
from sdcore.spec.recipe import Recipe

_LONGEST: Final = 0.03
_DELETED: Final = 0.1


def main(rounds: int, seed: int) -> None:
    """Run the rounds and print what came of them."""
    rng = random.Random(seed)
    kept: list[str] = []
    killed = 0
    for number in range(rounds):
        reader, writer = os.pipe()
        keeper = _fork(_keep)
        saver = _fork(lambda first=number, told=writer: _save(first, told))
        os.close(writer)
        for process in rng.sample((keeper, saver), 2):
            time.sleep(rng.uniform(0.001, _LONGEST))
            killed += _kill(process)
        with os.fdopen(reader, "rb") as said:
            kept += [line.decode() for line in said.read().split(b"\n")[:-1]]
        for path in [path for path in kept if rng.random() < _DELETED / (1 + number)]:
            Path(path).unlink()
            kept.remove(path)
    print(json.dumps({"kept": kept, "killed": killed}))


def _save(first: int, told: int) -> None:
    for number in range(1000):
        image = Image.new("RGB", (64, 64), (first, number % 256, 0))
        path = outputs.save_image(image, Recipe(prompt=f"round {first} image {number}", seed=number))
        os.write(told, f"{path}\n".encode())


def _keep() -> None:
    held = lock.take(schema.index_file())
    assert held is not None, "the lock of a killed keeper is free"
    Keeping(schema.index_file(), threading.Event()).run()


def _fork(work: Callable[[], None]) -> int:
    process = os.fork()
    if process == 0:
        try:
            work()
        finally:
            os._exit(1)
    return process


def _kill(process: int) -> bool:
    """Kill a process; whether it lived until then."""
    os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    return os.WIFSIGNALED(status)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
