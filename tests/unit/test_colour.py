"""Which colours the terminal has: what decides, in which order, and the question put to a real pty."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tui.term.capabilities import Capabilities
from tui.term.colour import FLAGS, HINT, UNKNOWN, Decision, apply, ask_tmux, decide, refined


def silent(_environ: Mapping[str, str]) -> bool | None:
    return None


def unexpected(_environ: Mapping[str, str]) -> bool | None:
    raise AssertionError("asked the terminal although the environment had decided")


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, "truecolor"),
        ({"TERM": "xterm", "COLORTERM": "24bit"}, "truecolor"),
        ({"TERM": "xterm-kitty"}, "truecolor"),
        ({"TERM": "foot-extra"}, "truecolor"),
        ({"TERM": "alacritty"}, "truecolor"),
        ({"TERM": "xterm-direct"}, "truecolor"),
        ({"TERM": "xterm-256color", "LC_TERMINAL": "iTerm2"}, "truecolor"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "vscode"}, "truecolor"),
        ({"TERM": "xterm-256color", "WT_SESSION": "1"}, "truecolor"),
        ({"TERM": "screen-256color", "COLORTERM": "truecolor"}, "256"),
        ({"TERM": "tmux-256color", "TMUX": "x", "COLORTERM": "truecolor"}, "truecolor"),
        ({"TERM": "linux", "COLORTERM": ""}, "standard"),
        ({"TERM": "vt100"}, "standard"),
        ({"TERM": "xterm-kitty", "TEXTUAL_COLOR_SYSTEM": "256"}, "256"),
    ],
)
def test_the_environment_decides(environ: dict[str, str], expected: str) -> None:
    assert decide("auto", environ, unexpected).color_system == expected


@pytest.mark.parametrize(("flag", "expected"), [(flag, system) for flag, system in FLAGS.items() if system])
def test_the_flag_comes_first(flag: str, expected: str) -> None:
    decision = decide(flag, {"TERM": "linux", "COLORTERM": "truecolor"}, unexpected)
    assert (decision.color_system, decision.source) == (expected, "--color")


def test_a_wrong_flag_says_what_it_takes() -> None:
    with pytest.raises(ValueError, match="auto, truecolor, 256, 16"):
        decide("millions", {})


@pytest.mark.parametrize("environ", [{"TERM": "xterm-256color"}, {"TERM": "tmux-256color", "TMUX": "x"}, {}])
def test_the_terminal_is_asked_last(environ: dict[str, str]) -> None:
    assert decide("auto", environ, lambda _: True).color_system == "truecolor"
    assert decide("auto", environ, lambda _: False).color_system == "256"
    assert decide("auto", environ, silent) == Decision("256", UNKNOWN, HINT)


def test_a_name_that_only_begins_alike_is_not_known() -> None:
    assert decide("auto", {"TERM": "footage"}, silent).color_system == "256"


def test_a_late_answer_betters_what_nobody_knew_and_nothing_else() -> None:
    blind, flag = Decision("256", UNKNOWN, HINT), Decision("256", "--color")
    assert refined(blind, Capabilities(truecolor=True)).color_system == "truecolor"
    assert refined(blind, Capabilities(truecolor=None)) == blind
    assert refined(flag, Capabilities(truecolor=True)) == flag


def test_textual_is_told() -> None:
    environ: dict[str, str] = {}
    apply(Decision("standard", "test"), environ)
    assert environ == {"TEXTUAL_COLOR_SYSTEM": "standard"}


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("echo 256,RGB,title", True),
        ("echo 256,title", False),
        ("echo", None),
        ("exit 1", None),
        ("sleep 5", None),
    ],
)
def test_tmux_is_asked(
    script: str, expected: bool | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "tmux"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert ask_tmux(timeout=0.2 if "sleep" in script else 30) is expected


def test_no_tmux_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert ask_tmux() is None


def test_only_the_standard_library_is_imported() -> None:
    heavy = ("textual", "rich", "numpy", "torch", "PIL")
    code = f"import sys, tui.term.colour; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
