"""What a person far away feels, behind a line of 250 KB/s and 60 ms there and back: the real app, engine and model.

`python -m tests.bench.bench_line` prints, for each kind of terminal: the time from a key to its echo while images are
sampled with previews, the pictures and the bytes a second that flow meanwhile, the bytes when nothing goes on and for
a moved cursor, and what a terminal that stops reading costs the sampling. Bytes are counted where they leave the
program.
`--rate 20 --delay 300` is another line.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.bench.bench_terminal import QUEUED, home
from tests.terminal.slow_line import SlowLine
from tui.term.pacing import CURSOR_POSITION_REQUEST

RATE: Final = 250.0
DELAY: Final = 60.0
"""KB a second, and milliseconds there and back."""
KINDS: Final = {
    "truecolor": ("--color", "truecolor"),
    "256 colours": ("--color", "256"),
    "16 colours": ("--color", "16"),
}
LOW: Final = ("--low-bandwidth",)
LETTERS: Final = "".join(map(chr, range(0x410, 0x450)))
"""Cyrillic, each typed once: the app writes none of them by itself, and redraws what was typed."""


@contextmanager
def line(*arguments: str, rate: float = RATE, delay: float = DELAY) -> Iterator[SlowLine]:
    """The app behind a slow line, ready to be typed into."""
    with home() as folder:
        found = SlowLine(*arguments, rate=rate * 1000, delay=delay / 2000)
        found.home = folder
        try:
            found.run_until(lambda: b"japanese" in found.shown)
            found.run(6.0)
            seen = -1
            while seen != len(found.shown):  # the engine is up, the pictures are there
                seen = len(found.shown)
                found.run(3.0)
            yield found
        finally:
            found.close()


def sampling(slow: SlowLine, presses: int) -> tuple[list[float], float, float]:
    """Seconds from each key to its echo, and the pictures and the bytes a second, while images are made."""
    slow.type("\r" * QUEUED)
    slow.run(3.0)
    seconds = []
    began, before = time.monotonic(), len(slow.shown)
    for press in range(presses):
        letter = LETTERS[press].encode()
        seen, pressed = len(slow.shown), time.monotonic()
        slow.type(letter.decode())
        slow.run_until(lambda: letter in slow.shown[seen:])  # noqa: B023 - waited for here
        seconds.append(time.monotonic() - pressed)
        slow.run(0.08 + 0.037 * (press % 5))
    took = time.monotonic() - began
    pictures = slow.shown.count(CURSOR_POSITION_REQUEST.encode(), before)
    return sorted(seconds), pictures / took, (len(slow.shown) - before) / took


def quiet(slow: SlowLine) -> tuple[int, int]:
    """The bytes of ten idle seconds, and of a cursor that is moved once."""
    before = len(slow.shown)
    slow.run(10.0)
    idle = len(slow.shown) - before
    before = len(slow.shown)
    slow.type("\x1b[D")
    slow.run(1.0)
    return idle, len(slow.shown) - before


def stalled(slow: SlowLine, folder: Path, seconds: float) -> tuple[float, float, int]:
    """Images a second while the terminal reads, and while it does not, and by how many KiB the app has grown by it."""

    def rate() -> float:
        before = len(list(folder.rglob("[0-9]*.png")))
        slow.run(seconds)
        return (len(list(folder.rglob("[0-9]*.png"))) - before) / seconds

    slow.type("\r" * QUEUED * 3)
    slow.run(3.0)
    reading, memory = rate(), slow.memory()
    slow.stalled = True
    silent, grown = rate(), slow.memory() - memory
    slow.stalled = False
    slow.run(2.0)
    return reading, silent, grown


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stall", type=float, default=20.0, help="seconds that the terminal does not read")
    parser.add_argument("--presses", type=int, default=40, choices=range(1, len(LETTERS) + 1), metavar="N")
    parser.add_argument("--rate", type=float, default=RATE, help="KB a second")
    parser.add_argument("--delay", type=float, default=DELAY, help="milliseconds there and back")
    options = parser.parse_args()
    where = {"rate": options.rate, "delay": options.delay}
    print(f"{options.rate:.0f} KB/s, {options.delay:.0f} ms there and back")
    print("terminal      key to echo p50    p95   pictures/s   bytes/s   idle 10 s   cursor moved")
    for name, arguments in {**KINDS, "low bandwidth": (*KINDS["truecolor"], *LOW)}.items():
        with line(*arguments, **where) as slow:
            idle, moved = quiet(slow)
            seconds, pictures, rate = sampling(slow, options.presses)
        p50, p95 = seconds[len(seconds) // 2], seconds[int(len(seconds) * 0.95)]
        print(
            f"{name:<14}{p50 * 1000:14.0f} ms{p95 * 1000:7.0f} ms{pictures:10.1f}{rate:10,.0f}{idle:12,}{moved:15,}"
        )
    with line(*KINDS["truecolor"], **where) as slow:
        reading, silent, grown = stalled(slow, slow.home / "outputs", options.stall)
    print(
        f"a terminal that stops reading for {options.stall:.0f} s: {reading:.2f} images/s before, {silent:.2f} "
        f"meanwhile; the app grew by {grown:,} KiB"
    )


if __name__ == "__main__":
    main()
