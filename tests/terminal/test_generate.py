"""`sdtui generate` in a real terminal: the bar while it works, the image and its path at the end, Ctrl-C."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sdcore.library.metadata import read_image
from tests.terminal.terminal import Terminal

COLOURS = {"TEXTUAL_COLOR_SYSTEM": "256", "COLORTERM": ""}


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    """`generate` on the bundled model into a folder of the test."""
    return ["generate", "a red house", "--seed", "5", "--device", "cpu", "--out", str(tmp_path / "out")]


def test_shows_the_bar_the_image_and_the_path(arguments: list[str], tmp_path: Path) -> None:
    with Terminal(*arguments, "--steps", "6", environment=COLOURS) as terminal:
        assert terminal.exit_status() == 0
    (path,) = (tmp_path / "out").rglob("*.png")
    output = terminal.output.decode()
    assert "starting: torch" in output
    assert re.search(r"6/6 · [0-9.]+ it/s", output)
    assert output.count("▄") > 100
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\n", "", output)
    assert plain.endswith(str(path))
    assert read_image(path).prompt == "a red house"


def test_ctrl_c_stops_it_cleanly(arguments: list[str], tmp_path: Path) -> None:
    with Terminal(*arguments, "--steps", "1000", environment=COLOURS) as terminal:
        terminal.wait_until(lambda: b"it/s" in terminal.output)
        terminal.type("\x03")
        assert terminal.exit_status() == 1
    assert terminal.output.rstrip().endswith(b"Stopped.")
    assert b"Traceback" not in terminal.output
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == []
