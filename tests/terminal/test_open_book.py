"""The inspector in a real terminal: a run is scrubbed, and forked where it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

from sdcore.library.lineage import read_lineage
from sdcore.spec.lineage import Parent
from tests.terminal.terminal import Terminal

LEFT, INSPECT = "\x1b[D", "\x1bOQ"


def test_scrub_a_run_and_fork_it(private_home: Path) -> None:
    with Terminal(columns=120, rows=40) as terminal:
        terminal.wait_for("japanese")
        terminal.type("\r")
        terminal.wait_for("saved")
        terminal.type(INSPECT)
        terminal.wait_for("k 29/30")
        terminal.type("4")
        terminal.wait_for("predicted noise")
        last = terminal.colours()
        for step in range(28, 19, -1):
            terminal.type(LEFT)
            terminal.wait_for(f"k {step}/30")
        terminal.wait_until(lambda: terminal.colours() != last)
        sigma = re.search(r"k 20/30 · t 310 · σ +([\d.]+)", terminal.text())
        assert sigma is not None
        assert float(sigma[1]) == pytest.approx(0.862, abs=1e-3)
        terminal.type("f")
        terminal.wait_for("With nothing changed")
        terminal.type("\r")
        terminal.wait_for("00002-")
        first, second = sorted((private_home / "outputs").rglob("*.png"))
        assert read_lineage(second) == (Parent(image=first.name, step=20), ())
        assert Image.open(first).tobytes() == Image.open(second).tobytes()
        terminal.type("\x11")
        assert terminal.exit_status() == 0
