"""`sdtui generate` in a real terminal: the bar while it works, the image and its path at the end, Ctrl-C."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import pytest

from sdcore.library.metadata import read_image

PATIENCE = 120.0
"""Seconds after which a silent process fails the test; never waited for when all is well."""


class Terminal:
    """A process on a pseudo-terminal of 80x24 in 256 colours; `output` is all that it wrote."""

    def __init__(self, *arguments: str) -> None:
        self.output = ""
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
        environment = {**os.environ, "TERM": "xterm-256color", "TEXTUAL_COLOR_SYSTEM": "256"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tui.cli", *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        os.close(self._master)

    def type(self, keys: str) -> None:
        """Send keys."""
        os.write(self._master, keys.encode())

    def read_until(self, wanted: Callable[[str], object]) -> None:
        """Read until `wanted(output)` is true; fails when the process is silent for long or ends first."""
        while not wanted(self.output):
            assert self._read(), self.output

    def wait(self) -> int:
        """Read to the end; returns the exit status."""
        while self._read():
            continue
        return self._process.wait()

    def _read(self) -> bool:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if select.select([self._master], [], [], 0.5)[0]:
                try:
                    data = os.read(self._master, 65536)
                except OSError:  # what Linux says when the other side is closed
                    return False
                self.output += data.decode(errors="replace")
                return bool(data)
        return False


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    """`generate` on the bundled model into a folder of the test."""
    return ["generate", "a red house", "--seed", "5", "--device", "cpu", "--out", str(tmp_path / "out")]


def test_shows_the_bar_the_image_and_the_path(arguments: list[str], tmp_path: Path) -> None:
    with Terminal(*arguments, "--steps", "6") as terminal:
        assert terminal.wait() == 0
    (path,) = (tmp_path / "out").rglob("*.png")
    assert "starting: torch" in terminal.output
    assert re.search(r"6/6 · [0-9.]+ it/s", terminal.output)
    assert terminal.output.count("▄") > 500
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\n", "", terminal.output)
    assert plain.endswith(str(path))
    assert read_image(path).prompt == "a red house"


def test_ctrl_c_stops_it_cleanly(arguments: list[str], tmp_path: Path) -> None:
    with Terminal(*arguments, "--steps", "1000") as terminal:
        terminal.read_until(lambda output: "it/s" in output)
        terminal.type("\x03")
        assert terminal.wait() == 1
    assert terminal.output.rstrip().endswith("Stopped.")
    assert "Traceback" not in terminal.output
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == []
