"""Which colours the terminal has: what decides, in which order, and the question put to a real pty."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path

import pytest

from tui.term.colour import FLAGS, HINT, Decision, apply, ask_terminal, ask_tmux, decide


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
    assert decide("auto", environ, silent) == Decision("256", "no better knowledge", HINT)


def test_a_name_that_only_begins_alike_is_not_known() -> None:
    assert decide("auto", {"TERM": "footage"}, silent).color_system == "256"


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
    assert ask_tmux(timeout=0.2) is expected


def test_no_tmux_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert ask_tmux() is None


ASK = textwrap.dedent("""
    import os, sys, termios
    from tui.term.colour import ask_terminal
    before = termios.tcgetattr(0)
    answer = ask_terminal(0, 1, timeout=float(sys.argv[1]))
    assert termios.tcgetattr(0) == before
    left = bool(__import__("select").select([0], [], [], 0.05)[0])
    print(f"<{answer} {left}>", flush=True)
""")


def ask_in_a_pty(reply: bytes, timeout: float = 5.0) -> str:
    """What a child that owns a pty makes of `reply`, given in two pieces once the question is complete."""
    pid, master = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-c", ASK, str(timeout)])
    seen = b""
    answered = False
    try:
        while b">" not in seen and select.select([master], [], [], 20)[0]:
            try:
                seen += os.read(master, 4096)
            except OSError:
                break
            if seen.endswith(b"\x1b[c") and not answered:
                answered = True
                half = len(reply) // 2
                os.write(master, reply[:half])
                os.write(master, reply[half:])
    finally:
        os.waitpid(pid, 0)
        os.close(master)
    return seen.decode().partition("<")[2].partition(">")[0]


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (b"\x1bP1+r524742=382F382F38\x1b\\\x1b[?62;22c", "True False"),
        (b"\x1bP0+r524742\x1b\\\x1b[?62;22c", "False False"),
        (b"\x1b[?1;2c", "False False"),
    ],
)
def test_the_terminal_answers(reply: bytes, expected: str) -> None:
    assert ask_in_a_pty(reply) == expected


def test_a_silent_terminal() -> None:
    assert ask_in_a_pty(b"", timeout=0.1) == "None False"


def test_nothing_is_asked_without_a_terminal() -> None:
    read, write = os.pipe()
    try:
        assert ask_terminal(read, write) is None
        assert not select.select([read], [], [], 0)[0]
    finally:
        os.close(read)
        os.close(write)


def test_only_the_standard_library_is_imported() -> None:
    heavy = ("textual", "rich", "numpy", "torch", "PIL")
    code = f"import sys, tui.term.colour; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
