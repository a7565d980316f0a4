"""The library of the machine with the GPU, seen from the laptop: over a real SSH server, with the real engine."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.ssh_server import SshServer, needs_ssh
from tests.terminal.test_lost_line import ENTER, QUIT, box, far, from_here, images

__all__ = ["box", "far"]

LIBRARY = "\x1bi"
pytestmark = [needs_ssh, pytest.mark.filterwarnings("ignore:coroutine:RuntimeWarning")]


def test_the_images_over_there(box: SshServer, far: Path, private_home: Path) -> None:
    with from_here(box, private_home) as terminal:
        terminal.wait_for("japanese")
        terminal.set_steps(2)
        terminal.type(ENTER)
        terminal.wait_for(".png")
        (there,) = images(far)
        shutil.rmtree(private_home / "cache" / "far")  # the studio has had it brought
        terminal.type(LIBRARY)
        terminal.wait_for("1 image")
        terminal.wait_for(there.name[:30])
        terminal.wait_until(terminal.colours)
        terminal.type("s")
        terminal.wait_for("has a star")
        terminal.wait_until(lambda: there.name in (far / "state" / "marks.json").read_text())
        terminal.type(ENTER)
        terminal.wait_for("1 of 1")
        terminal.wait_until(lambda: list((private_home / "cache").rglob(there.name)))
        (here,) = (private_home / "cache").rglob(there.name)
        assert here.read_bytes() == there.read_bytes()
        terminal.type("\x1b")
        terminal.wait_for("1 image")
        box.hang_up()
        terminal.wait_for("The line to box broke")
        terminal.wait_until(lambda: "The line to box" not in terminal.text())
        terminal.type("s")
        terminal.wait_for("has no star any more")
        terminal.type(QUIT)
        assert terminal.exit_status() == 0
    assert not (private_home / "cache" / "index.sqlite").exists()  # the library here was not looked at
