"""A real pseudo-terminal with a program in it, and pyte as the terminal emulator that shows its screen."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Self

import pyte

PATIENCE = 150.0
"""Seconds after which a wait fails; never waited for when all is well."""


class Terminal:
    """`sdtui`, or another `command`, with `arguments` on a pseudo-terminal. `screen` is what a person sees,
    `output` all bytes so far."""

    def __init__(
        self,
        *arguments: str,
        columns: int = 80,
        rows: int = 24,
        environment: Mapping[str, str] | None = None,
        emulate: bool = True,
        command: Sequence[str] = (sys.executable, "-m", "tui.cli"),
    ) -> None:
        self.output = bytearray()
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen) if emulate else None
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))
        self.started = time.perf_counter()
        self._process = subprocess.Popen(
            [*command, *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", **(environment or {})},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self.alive:
            os.killpg(self._process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._drain_until_exit(10.0)
        if self.alive:
            self._process.kill()
        self._process.wait()
        os.close(self._master)

    def type(self, keys: str) -> None:
        """Send keys as a terminal would."""
        os.write(self._master, keys.encode())

    def resize(self, columns: int, rows: int) -> None:
        """Tell the program that its window has another size now."""
        self.screen.resize(rows, columns)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))

    def hang_up(self) -> None:
        """What a lost line does to the program in the terminal."""
        os.killpg(self._process.pid, signal.SIGHUP)

    def cut(self) -> None:
        """Close the side of the emulator, as a connection does that is gone."""
        os.close(self._master)
        self._master = os.open(os.devnull, os.O_RDWR)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the program."""
        self._process.send_signal(number)

    def wait_unread(self, patience: float = PATIENCE) -> int:
        """The exit status of a program from which nothing is read any more."""
        return self._process.wait(timeout=patience)

    @property
    def in_cooked_mode(self) -> bool:
        """Whether the terminal echoes and reads lines, as a shell expects it."""
        flags: int = termios.tcgetattr(self._master)[3]
        return flags & (termios.ECHO | termios.ICANON) == termios.ECHO | termios.ICANON

    @property
    def pid(self) -> int:
        """The program's process."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the program still runs."""
        return self._process.poll() is None

    def blind(self) -> None:
        """Emulate the screen no longer: what is measured from here on is the program, not pyte."""
        self._stream = None

    def text(self) -> str:
        """The screen as lines of text."""
        return "\n".join(self.screen.display)

    def colours(self) -> tuple[tuple[str, str], ...]:
        """Foreground and background of every half-block cell on the screen, row by row: the picture."""
        rows = (self.screen.buffer[y] for y in range(self.screen.lines))
        cells = (row[x] for row in rows for x in range(self.screen.columns))
        return tuple((cell.fg, cell.bg) for cell in cells if cell.data in "▀▄")

    def read(self, seconds: float) -> bool:
        """Take what the program writes within `seconds`, at most one piece; False when there was nothing."""
        ready, _, _ = select.select([self._master], [], [], seconds)
        if not ready:
            return False
        try:
            piece = os.read(self._master, 1 << 16)
        except OSError:  # the program has gone and taken its side of the terminal along
            return False
        self.output += piece
        if self._stream is not None:
            self._stream.feed(piece)
        return bool(piece)

    def wait_until(self, wanted: Callable[[], object], patience: float = PATIENCE) -> None:
        """Read until `wanted()` is true; fails with the screen when the program ends first or never gets there."""
        deadline = time.monotonic() + patience
        while not wanted():
            quiet = not self.read(0.2)
            if quiet and not self.alive:
                raise AssertionError(f"ended with {self._process.returncode}; the screen was\n{self.text()}")
            if time.monotonic() > deadline:
                raise AssertionError(f"waited in vain; the screen was\n{self.text()}")

    def wait_for(self, text: str, patience: float = PATIENCE) -> None:
        """Read until `text` stands on the screen."""
        self.wait_until(lambda: text in self.text(), patience)

    def exit_status(self, patience: float = PATIENCE) -> int:
        """The program's exit status, once it has ended by itself."""
        self._drain_until_exit(patience)
        return self._process.wait(timeout=1)

    def set_steps(self, steps: int) -> None:
        """Go from the prompt of sdtui to its parameters, and there to the steps."""
        self.type(f"\t\t\x1b[B\x1b[B{steps}")
        self.wait_for(f"steps       {steps}")

    def wait_for_step(self, least: int, steps: int) -> None:
        """Read until a run has come so far; which of its steps are seen is up to the machine."""
        told = re.compile(rf"(\d+)/{steps}\b")
        self.wait_until(lambda: any(int(found[1]) >= least for found in told.finditer(self.text())))

    def _drain_until_exit(self, patience: float) -> None:
        deadline = time.monotonic() + patience
        while self.alive and time.monotonic() < deadline:
            self.read(0.1)
        while self.read(0.05):
            pass
        if self.alive:
            raise subprocess.TimeoutExpired("sdtui", patience)
