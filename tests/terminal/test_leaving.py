"""The app goes when its terminal goes, whatever the terminal does; what it was doing is there for the next one."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.terminal.terminal import Terminal

ENTER, QUIT = "\r", "\x11"
SIGNALS = (signal.SIGHUP, signal.SIGTERM)


@pytest.fixture(autouse=True)
def no_engine_is_left(private_home: Path) -> Iterator[None]:
    yield
    subprocess.run([sys.executable, "-m", "tui.cli", "stop", "--drop"], check=True, capture_output=True)


def threads(terminal: Terminal) -> int:
    return len(list(Path(f"/proc/{terminal.pid}/task").iterdir()))


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_terminal_that_takes_no_more_holds_nobody_up(number: signal.Signals, private_home: Path) -> None:
    draft = private_home / "state" / "draft.json"
    with Terminal(columns=120, rows=40) as terminal:
        terminal.wait_for("japanese")
        terminal.type(" at dusk")
        terminal.wait_until(lambda: draft.exists() and b"dusk" in draft.read_bytes())
        terminal.type("\x1b[17~\x1b[18~" * 4000)  # drawn, and never read
        terminal.send(number)
        assert terminal.wait_unread() == 128 + number
        assert terminal.in_cooked_mode
    with Terminal(columns=120, rows=40) as terminal:
        terminal.wait_for("dusk")  # what was typed is there again
        terminal.type(QUIT)
        assert terminal.exit_status() == 0


def test_a_run_is_there_again_with_its_picture_and_its_times() -> None:
    with Terminal(columns=120, rows=40) as terminal:
        terminal.wait_for("japanese")
        terminal.set_steps(900)
        terminal.type(ENTER)
        terminal.wait_for_step(3, 900)
        terminal.cut()
        assert terminal.wait_unread() == 128 + signal.SIGHUP
    with Terminal(columns=120, rows=40) as first, Terminal(columns=120, rows=40) as second:
        for terminal in (first, second):
            terminal.wait_for("/900")
            terminal.wait_until(terminal.colours)
        first.type(ENTER)
        second.wait_for("1 queued")
        first.send(signal.SIGKILL)
        second.type("\x1b")
        second.wait_until(lambda: "queued" not in second.text() and "/900" in second.text())  # it begins
        second.type(QUIT)
        second.wait_for("still to be made")
        second.type("\x1b[B\x1b[B\r")
        assert second.exit_status() == 0


def test_a_stop_without_notice_leaves_one_thread_that_reads_keys() -> None:
    with Terminal(columns=120, rows=40) as terminal:
        terminal.wait_for("tiny · cpu")
        before = threads(terminal)
        for _ in range(3):
            terminal.send(signal.SIGSTOP)
            terminal.send(signal.SIGCONT)
        terminal.type(" at dusk")
        terminal.wait_for("dusk")
        terminal.wait_until(lambda: threads(terminal) <= before)
        terminal.type(QUIT)
        assert terminal.exit_status() == 0
