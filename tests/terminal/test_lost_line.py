"""A person far from the GPU, and a line that breaks: over a real SSH server, with the real engine."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ssh_server import SshServer, needs_ssh, ssh_on_a_thread
from tests.terminal.terminal import PATIENCE, Terminal

ENTER, QUIT = "\r", "\x11"
APP = "python -m tui.cli"
pytestmark = [needs_ssh, pytest.mark.filterwarnings("ignore:coroutine:RuntimeWarning")]


@pytest.fixture
def far(tmp_path: Path) -> Path:
    """The home of sdtui on the machine with the GPU."""
    folder = tmp_path / "far"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def box(tmp_path: Path, far: Path) -> Iterator[SshServer]:
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o700)
    with ssh_on_a_thread(keys, far) as server:
        yield server
    subprocess.run(
        [sys.executable, "-m", "tui.cli", "stop"], env={**os.environ, "SDTUI_HOME": str(far)}, check=True
    )


def from_here(box: SshServer, home: Path) -> Terminal:
    """The app on this machine, the engine on the box, which is reached as the settings say."""
    config = home / "config" / "config.toml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(f'ssh = "{" ".join(box.ssh)}"\nremote_command = "{APP}"\n')
    return Terminal("--host", "box", columns=120, rows=40)


def images(far: Path) -> list[Path]:
    return sorted((far / "outputs").rglob("[0-9]*.png"))


def until(wanted: object) -> None:
    deadline = time.monotonic() + PATIENCE
    while not wanted():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.05)


def apps(far: Path) -> list[int]:
    """The processes of the app on the far side."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().split(b"\0")
            home = f"SDTUI_HOME={far}".encode() in (entry / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if home and b"tui.cli" in command:
            found.append(int(entry.name))
    return found


def log_in(box: SshServer) -> Terminal:
    return Terminal("-tt", "box", APP, command=box.ssh, columns=120, rows=40)


def test_a_line_that_breaks_in_the_middle_of_a_run(box: SshServer, far: Path) -> None:
    with log_in(box) as terminal:
        terminal.wait_for("japanese")
        terminal.set_steps(400)
        terminal.type(ENTER)
        terminal.wait_for("/400")
        box.hang_up()
        until(lambda: not terminal.alive)
    until(lambda: not apps(far))
    with log_in(box) as terminal:
        terminal.wait_for("/400")
        terminal.wait_until(lambda: images(far))
        terminal.wait_for(images(far)[0].name[:12])
        terminal.type(QUIT)
        terminal.exit_status()


def test_an_image_that_was_made_while_nobody_was_there(box: SshServer, far: Path) -> None:
    with log_in(box) as terminal:
        terminal.wait_for("japanese")
        terminal.set_steps(200)
        terminal.type(ENTER)
        terminal.wait_for("/200")
        box.hang_up()
        until(lambda: not terminal.alive)
    until(lambda: images(far))
    with log_in(box) as terminal:
        terminal.wait_until(terminal.colours)  # the strip of recent images shows it
        terminal.type(QUIT)
        terminal.exit_status()


def test_the_app_here_and_the_engine_there(box: SshServer, far: Path, private_home: Path) -> None:
    with from_here(box, private_home) as terminal:
        terminal.wait_for("japanese")
        terminal.set_steps(400)
        terminal.type(ENTER)
        terminal.wait_for("/400")
        box.hang_up()
        terminal.wait_for("line lost")
        terminal.wait_until(lambda: "line lost" not in terminal.text())
        terminal.wait_for(".png")
        terminal.type(QUIT)
        assert terminal.exit_status() == 0
    (there,) = images(far)
    (here,) = (private_home / "cache").rglob(there.name)
    assert here.read_bytes() == there.read_bytes()
