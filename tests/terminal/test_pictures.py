"""Pictures in terminals that have real pixels: the app and `sdtui show` on a pty that answers as a brand does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.terminal.graphics import KittyStore, inline_images, placeholders, sixel_images
from tests.terminal.terminal import PATIENCE, Terminal
from tests.unit.test_graphics import difference, smooth
from tests.unit.test_probe import FOOT, ITERM, KITTY
from tui.term.graphics.kitty import PLACEHOLDER

PLAIN = {"TERM": "xterm-256color", "COLORTERM": ""}
DELAY = 0.4


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    smooth(64, 48).save(path)
    return path


def answer(terminal: Terminal, reply: str) -> None:
    """Answer the question of the program once it was asked, in two pieces."""
    terminal.wait_until(lambda: b"\x1b[c" in terminal.output)
    half = len(reply) // 2
    terminal.type(reply[:half])
    terminal.type(reply[half:])


def shown(path: Path, reply: str, *arguments: str) -> bytes:
    """What `sdtui show` writes to a terminal that answers so."""
    with Terminal("show", str(path), *arguments, environment=PLAIN, emulate=False) as terminal:
        answer(terminal, reply)
        assert terminal.exit_status() == 0
        return bytes(terminal.output)


def test_show_draws_in_the_best_way_of_the_terminal(picture: Path) -> None:
    image = Image.open(picture)
    output = shown(picture, ITERM)
    (inline,) = inline_images(output.replace(b"\x1b]1337", b"\x1b[1;1H\x1b]1337"))
    assert difference(inline.image, image) == 0
    (sixel,) = sixel_images(shown(picture, FOOT))
    assert difference(sixel.resize(image.size), image) < 8


def test_show_takes_the_terminal_at_the_persons_word(picture: Path) -> None:
    output = shown(picture, FOOT, "--as", "quadrants")
    assert b"\x1b[48;2;" in output
    assert not sixel_images(output)


def test_the_app_draws_real_pixels_and_a_late_answer_is_no_typing() -> None:
    with Terminal(columns=120, rows=40, environment=PLAIN, emulate=False) as terminal:
        terminal.wait_until(lambda: b"japanese" in terminal.output)
        time.sleep(DELAY)  # the answer is late: the app reads keys by now
        answer(terminal, KITTY)
        terminal.wait_until(lambda: b"image" in terminal.output)
        terminal.type("\r")
        terminal.wait_until(lambda: b"saved" in terminal.output)
        terminal.wait_until(lambda: KittyStore(bytes(terminal.output)).images)
        seen = len(terminal.output)
        (made,) = Path(os.environ["SDTUI_HOME"]).rglob("00001-*.png")

        def finished() -> bool:
            images = KittyStore(bytes(terminal.output)).images.values()
            return any(difference(one.image, Image.open(made).convert("RGB")) == 0 for one in images if
                       one.image.size == Image.open(made).size)  # fmt: skip

        terminal.wait_until(finished)
        store = KittyStore(bytes(terminal.output))
        assert not store.errors
        assert len(store.transmitted) > 1  # previews came before
        assert PLACEHOLDER.encode() in terminal.output
        assert b"kitty(" not in terminal.output
        assert b"524742" not in terminal.output[seen:]
        terminal.type("\x11")
        assert terminal.exit_status() == 0
        assert not KittyStore(bytes(terminal.output)).images  # nothing is left in the terminal's memory
        assert terminal.output.count(b"\x1b[22;2t") == terminal.output.count(b"\x1b[23;2t") == 1
        assert b"/30 sdtui\x1b\\" in terminal.output


# In tmux


@pytest.fixture
def tmux() -> Iterator[list[str]]:
    """A tmux server of its own, with the command that speaks to it."""
    if shutil.which("tmux") is None:
        pytest.skip("there is no tmux here")
    command = ["tmux", "-L", f"sdtui-test-{uuid.uuid4().hex[:12]}", "-f", "/dev/null"]
    yield command
    subprocess.run([*command, "kill-server"], check=False, capture_output=True)


def captured(tmux: list[str], wanted: str, *arguments: str, rows: int = 24) -> str:
    """The pane's cells and colours once `wanted` is in it."""
    run = " ".join([sys.executable, "-m", "tui.cli", *arguments, ";", "echo", "done;", "sleep", "60"])
    subprocess.run([*tmux, "new-session", "-d", "-x", "80", "-y", str(rows), run], check=True)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        pane = subprocess.run([*tmux, "capture-pane", "-p", "-e"], check=True, capture_output=True, text=True)
        if wanted in pane.stdout:
            return pane.stdout
        time.sleep(0.2)
    raise AssertionError(f"waited in vain for {wanted!r}")


def test_placeholders_are_text_to_tmux(tmux: list[str], picture: Path) -> None:
    pane = captured(tmux, "done", "show", str(picture), "--as", "kitty", "--color", "256")
    lines = [line for line in pane.splitlines() if PLACEHOLDER in line]
    cells = [placeholders(line) for line in lines]
    assert [row for row, *_ in cells] == [(row, 0) for row in range(len(lines))]
    assert len(lines) == 22
    assert {len(row) for row in cells} == {59}


@pytest.mark.parametrize(("colours", "mark"), [("256", "8;5;"), ("truecolor", "8;2;")])
def test_pictures_in_tmux(tmux: list[str], picture: Path, colours: str, mark: str) -> None:
    pane = captured(tmux, "done", "show", str(picture), "--as", "halfblocks", "--color", colours)
    assert f"\x1b[4{mark}" in pane
    other = {"8;5;": "8;2;", "8;2;": "8;5;"}[mark]
    assert f"\x1b[4{other}" not in pane


def test_the_doctor_names_the_lines_for_tmux(tmux: list[str]) -> None:
    pane = captured(tmux, "torch ", "doctor", rows=70)
    assert "set -g allow-passthrough on" in pane
    assert "set -as terminal-features ',*:RGB'" in pane
