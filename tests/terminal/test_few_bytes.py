"""Only what changed goes over the line: nothing while nothing happens, little for a key, little for progress."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.terminal.terminal import Terminal

KILOBYTE = 1024


@pytest.fixture
def terminal(private_home: Path) -> Iterator[Terminal]:
    """The app without previews, its engine up, and quiet."""
    config = private_home / "config" / "config.toml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text("preview_fps = 0\n")
    with Terminal("--color", "truecolor", columns=120, rows=40) as terminal:
        terminal.wait_for("japanese")
        terminal.wait_until(lambda: "starting" not in terminal.text() and "loading" not in terminal.text())
        while terminal.read(2.5):
            pass
        yield terminal


def bytes_of(terminal: Terminal, keys: str) -> int:
    before = len(terminal.output)
    terminal.type(keys)
    terminal.wait_until(lambda: len(terminal.output) > before)
    while terminal.read(0.7):
        pass
    return len(terminal.output) - before


def test_nothing_flows_while_nothing_happens_and_little_for_a_key(terminal: Terminal) -> None:
    assert any(not terminal.read(4.0) for _ in range(5))  # the last of the start may come late
    before = len(terminal.output)
    assert not terminal.read(2.0)
    assert len(terminal.output) == before
    moved = min(bytes_of(terminal, "\x1b[D") for _ in range(3))  # something else may be drawn meanwhile
    assert 0 < moved < KILOBYTE
    typed = min(bytes_of(terminal, "ж") for _ in range(3))
    assert 0 < typed < KILOBYTE


def test_progress_without_previews(terminal: Terminal) -> None:
    terminal.set_steps(1000)  # an image is no progress: it must not be done while it is looked at
    terminal.type("\r")
    terminal.wait_for_step(50, 1000)
    began, before = time.monotonic(), len(terminal.output)
    terminal.wait_until(lambda: time.monotonic() > began + 4)
    rate = (len(terminal.output) - before) / (time.monotonic() - began)
    assert 0 < rate < KILOBYTE
