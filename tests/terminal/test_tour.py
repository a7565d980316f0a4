"""The README's tour, followed key by key in a real terminal with the real engine and the bundled model."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.terminal.terminal import Terminal
from tests.tour import Row, tour

QUIET = 0.15
"""Seconds without a byte after which a key has done what it does."""
MOST_PIECES = 40


def follow(terminal: Terminal, row: Row) -> None:
    """Press what the row says, and see what it says one sees."""
    for at, press in enumerate(row.presses):
        if at:
            rest(terminal)
        if not press.opens:
            terminal.type(press.sent)
    for words in row.sees:
        terminal.wait_for(words)
    rest(terminal)


def rest(terminal: Terminal) -> None:
    """Read on until the app falls silent, as a person looks before the next key; while a run goes on, for a while."""
    for _ in range(MOST_PIECES):
        if not terminal.read(QUIET):
            break


def test_the_tour_is_followed_key_by_key(private_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(private_home))
    rows = [row for row in tour() if row.presses]
    begins = [at for at, row in enumerate(rows) if row.presses[0].opens]
    assert begins[0] == 0
    assert len(begins) == 2
    for first, end in zip(begins, [*begins[1:], len(rows)], strict=True):
        with Terminal(columns=120, rows=40) as terminal:
            for row in rows[first : end - 1]:
                follow(terminal, row)
            terminal.type("".join(press.sent for press in rows[end - 1].presses))
            assert terminal.exit_status() == 0
