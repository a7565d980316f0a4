"""What is left out of a frame is on the screen already: the screen after many keys is the one that is drawn anew."""

from __future__ import annotations

import pytest

from tests.terminal.terminal import Terminal

HELP = "\x1bOP"
KEYS = (
    "a cat",
    "\x1b[D\x1b[D\x1b[D",
    "\x7f\x7f",
    "\x1b[H",
    "日本 é",
    "\x1b[F",
    "\n",
    "x",
    HELP,
    "\x1b[6~",
    "\x1b",
)


def shown(terminal: Terminal) -> list[list[tuple[object, ...]]]:
    buffer = terminal.screen.buffer
    return [
        [
            (cell.data, cell.fg, cell.bg, cell.bold)
            for cell in (buffer[y][x] for x in range(terminal.screen.columns))
        ]
        for y in range(terminal.screen.lines)
    ]


def rest(terminal: Terminal, seconds: float = 0.4) -> None:
    """Read until the program has said nothing for a while."""
    while terminal.read(seconds):
        pass


@pytest.mark.usefixtures("private_home")
def test_the_screen_is_what_a_whole_frame_would_make_it() -> None:
    columns, rows = 120, 40
    with Terminal("--color", "truecolor", columns=columns, rows=rows) as terminal:
        terminal.wait_for("japanese")
        terminal.wait_for("tiny · cpu")  # the engine is there, and says nothing more
        for keys in KEYS:
            terminal.type(keys)
            if keys == HELP:
                terminal.wait_for("─ help ─")
            rest(terminal)
        terminal.wait_until(lambda: "─ help ─" not in terminal.text())
        rest(terminal, 2.5)
        before, written = shown(terminal), len(terminal.output)
        terminal.resize(columns + 1, rows)
        terminal.wait_until(lambda: len(terminal.output) > written)
        rest(terminal)
        terminal.screen.erase_in_display(2)
        terminal.resize(columns, rows)
        terminal.wait_until(lambda: shown(terminal) == before, patience=30.0)
