"""How soon a person is back at a run that goes on: the app from its start to the run and its picture.

    python -m tests.bench.bench_back [TURNS]

The real engine makes images with the bundled model meanwhile, on the same machine; nothing outside a temporary folder
is touched.
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time

TURNS = 7
STEPS = "1000"
_ROWS = ("the studio is seen", "the run is seen", "its picture is seen", "gone after a hang-up")


def main(turns: int = TURNS) -> None:
    """Print a table: the median and the slowest, in milliseconds."""
    with tempfile.TemporaryDirectory(prefix="sd") as home:
        os.environ |= {"SDTUI_HOME": home, "OMP_NUM_THREADS": "1"}
        turns_taken: list[tuple[float, ...]] = []
        try:
            _begin()
            for _ in range(turns):
                turns_taken.append(_come_and_go())
        finally:
            subprocess.run(
                [sys.executable, "-m", "tui.cli", "stop", "--drop"], check=True, capture_output=True
            )
    print(f"{'ms':24}{'median':>8}{'slowest':>9}")
    for name, values in zip(_ROWS, zip(*turns_taken, strict=True), strict=True):
        print(f"{name:24}{statistics.median(values):8.0f}{max(values):9.0f}")


def _begin() -> None:
    from tests.terminal.terminal import Terminal

    with Terminal(columns=120, rows=40) as terminal:
        terminal.wait_for("japanese")
        terminal.type("\t\t\x1b[B\x1b[B" + STEPS)
        terminal.wait_for(f"steps       {STEPS}")
        terminal.type("\x1b[B" * 5 + "8")
        terminal.wait_for("batch       8")
        terminal.type("\r")
        terminal.wait_for(f"3/{STEPS}")
        terminal.send(signal.SIGKILL)
        terminal.wait_unread()


def _come_and_go() -> tuple[float, ...]:
    from tests.terminal.terminal import Terminal

    with Terminal(columns=120, rows=40) as terminal:
        seen = []
        for wanted in (
            lambda: "japanese" in terminal.text(),
            lambda: f"/{STEPS}" in terminal.text(),
            terminal.colours,
        ):
            terminal.wait_until(wanted)
            seen.append(time.perf_counter() - terminal.started)
        began = time.perf_counter()
        terminal.cut()
        terminal.wait_unread()
        return tuple(1e3 * seconds for seconds in (*seen, time.perf_counter() - began))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
