"""A terminal at the far end of a slow line: so many bytes a second, so long a way, and a backlog that nobody sees.

The program writes into a buffer as SSH and TCP keep one; what leaves it arrives later. The terminal answers what it is
asked when the question has arrived, and the answer needs its time, too.
"""

from __future__ import annotations

import heapq
import itertools
import os
import re
import select
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tests.terminal.terminal import PATIENCE, Terminal

_PIECE: Final = 1400
_HIDDEN: Final = 256 * 1024
"""Bytes that SSH and the sockets take from a program before it has to wait."""
_ASKED: Final = re.compile(rb"\x1b\[6n|\x1b\[c|\x1b\[\?2026\$p")
_ANSWERS: Final = {b"\x1b[6n": b"\x1b[1;1R", b"\x1b[c": b"\x1b[?62;22c", b"\x1b[?2026$p": b"\x1b[?2026;2$y"}


class SlowLine:
    """`sdtui` behind a line of `rate` bytes a second and `delay` seconds each way. `shown` is what has arrived."""

    def __init__(self, *arguments: str, rate: float, delay: float, columns: int = 120, rows: int = 50,
                 environment: Mapping[str, str] | None = None) -> None:  # fmt: skip
        self.shown = bytearray()
        self.rate = rate
        self.stalled = False
        """Whether the terminal has stopped to read."""
        self.home = Path()
        """Where the program keeps what it has."""
        self._delay = delay
        self._terminal = Terminal(
            *arguments, columns=columns, rows=rows, environment=environment, emulate=False
        )
        self._master = self._terminal._master
        self._free_at = 0.0
        self._backlog = 0
        self._counter = itertools.count()
        self._coming: list[tuple[float, int, bytes]] = []
        self._going: list[tuple[float, int, bytes]] = []

    @property
    def alive(self) -> bool:
        """Whether the program still runs."""
        return self._terminal.alive

    def memory(self) -> int:
        """KiB of memory that the program holds."""
        status = Path(f"/proc/{self._terminal._process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))

    def close(self) -> None:
        """End the program."""
        self._terminal.__exit__()

    def type(self, keys: str) -> None:
        """Press keys: they arrive after the way there."""
        heapq.heappush(self._going, (time.monotonic() + self._delay, next(self._counter), keys.encode()))

    def run(self, seconds: float) -> None:
        """Let time pass."""
        deadline = time.monotonic() + seconds
        self.run_until(lambda: time.monotonic() >= deadline)

    def run_until(self, wanted: Callable[[], object]) -> None:
        """Let time pass until `wanted()` is true; fails where it never gets there."""
        give_up = time.monotonic() + PATIENCE
        while not wanted():
            self._turn()
            if time.monotonic() > give_up:
                raise AssertionError(f"waited in vain; the last bytes were {bytes(self.shown[-200:])!r}")

    def _turn(self) -> None:
        now = time.monotonic()
        while self._going and self._going[0][0] <= now:
            os.write(self._master, heapq.heappop(self._going)[2])
        while self._coming and self._coming[0][0] <= now:
            self._arrive(heapq.heappop(self._coming)[2])
        times = [queue[0][0] for queue in (self._coming, self._going) if queue]
        pause = max(0.0, min([*times, now + 0.02]) - now)
        takes = not self.stalled and self._backlog < _HIDDEN
        ready = select.select([self._master] if takes else [], [], [], pause)[0]
        if ready:
            try:
                data = os.read(self._master, 1 << 16)
            except OSError:
                data = b""
            for start in range(0, len(data), _PIECE):
                self._leave(data[start : start + _PIECE])

    def _leave(self, piece: bytes) -> None:
        begin = max(self._free_at, time.monotonic())
        self._free_at = begin + len(piece) / self.rate
        self._backlog += len(piece)
        heapq.heappush(self._coming, (self._free_at + self._delay, next(self._counter), piece))

    def _arrive(self, piece: bytes) -> None:
        self._backlog -= len(piece)
        tail = bytes(self.shown[-8:])
        self.shown += piece
        text = tail + piece
        for found in _ASKED.finditer(text):
            if found.end() > len(tail):
                self.type(_ANSWERS[found[0]].decode())
