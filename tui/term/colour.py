"""Which colours the terminal has, decided before Textual is imported: it reads the answer when it is.

SSH does not forward COLORTERM, and without it rich takes even a kitty for a terminal of 256 colours. So, in
order: our flag, what the environment says, the terminal's name, a question to tmux or to the terminal itself,
and else 256 colours with a hint. Only the standard library is imported here.
"""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Final, Literal

ColorSystem = Literal["truecolor", "256", "standard"]
"""As rich and Textual name them; "standard" is 16 colours."""

FLAGS: Final[dict[str, ColorSystem | None]] = {
    "auto": None,
    "truecolor": "truecolor",
    "256": "256",
    "16": "standard",
}
"""What `--color` takes, and the colour system it stands for."""

HINT: Final = (
    "256 colours: if this terminal has more, start with --color truecolor or set COLORTERM=truecolor."
)

# Terminal names whose owners have 24-bit colour; a name may go on after a "-".
_TRUECOLOR_TERMS: Final = frozenset(
    {
        "xterm-kitty",
        "xterm-ghostty",
        "ghostty",
        "wezterm",
        "alacritty",
        "foot",
        "contour",
        "rio",
        "iterm2",
        "mintty",
    }
)
_STANDARD_TERMS: Final = frozenset({"dumb", "linux", "ansi", "vt100", "vt220", "cygwin"})

# Variables that only such a terminal sets, for those that carry a modest TERM.
_TRUECOLOR_MARKS: Final = (
    "KITTY_WINDOW_ID",
    "WT_SESSION",
    "KONSOLE_VERSION",
    "WEZTERM_PANE",
    "ALACRITTY_WINDOW_ID",
)
_TRUECOLOR_PROGRAMS: Final = frozenset(
    {"iTerm.app", "iTerm2", "WezTerm", "ghostty", "vscode", "Hyper", "mintty", "rio"}
)

# XTGETTCAP for "RGB" (hexadecimal 524742), then DA1, which every terminal answers and so ends the wait.
_QUERY: Final = b"\x1bP+q524742\x1b\\\x1b[c"
_WIPE: Final = b"\r\x1b[K"
_DA1_REPLY: Final = re.compile(rb"\x1b\[\?[0-9;]*c")
_RGB_REPLY: Final = re.compile(rb"\x1bP1\+r524742")


@dataclass(frozen=True, slots=True)
class Decision:
    """The colour system, what decided it (fit to be shown), what to do if it is too low (or "")."""

    color_system: ColorSystem
    source: str
    hint: str = ""


def decide(
    flag: str = "auto",
    environ: Mapping[str, str] | None = None,
    ask: Callable[[Mapping[str, str]], bool | None] | None = None,
) -> Decision:
    """Which colours to use. `ask` (default `probe`) is called only when nothing else decides.

    `ask` is given the environment and says whether there is 24-bit colour, or None if it cannot tell.
    Raises ValueError, fit to be shown, if `flag` is none of `FLAGS`.
    """
    if flag not in FLAGS:
        raise ValueError(f"--color takes one of {', '.join(FLAGS)}.")
    environ = os.environ if environ is None else environ
    chosen = FLAGS[flag]
    if chosen is not None:
        return Decision(chosen, "--color")
    if (decision := _from_environment(environ)) is not None:
        return decision
    answer = (ask or probe)(environ)
    if answer is not None:
        return Decision("truecolor" if answer else "256", "the terminal's answer")
    return Decision("256", "no better knowledge", HINT)


def apply(decision: Decision, environ: MutableMapping[str, str] | None = None) -> None:
    """Tell Textual. Has no effect once `textual` is imported."""
    (os.environ if environ is None else environ)["TEXTUAL_COLOR_SYSTEM"] = decision.color_system


def _from_environment(environ: Mapping[str, str]) -> Decision | None:
    for system in FLAGS.values():
        if system is not None and environ.get("TEXTUAL_COLOR_SYSTEM") == system:
            return Decision(system, "TEXTUAL_COLOR_SYSTEM")
    term = environ.get("TERM", "").lower()
    if term in _STANDARD_TERMS:
        return Decision("standard", f"TERM={term}")
    if _multiplexed(environ) == "screen":
        # COLORTERM there is the outer terminal's: GNU screen before version 5 garbles 24-bit colour
        return Decision("256", f"TERM={term}", HINT)
    if environ.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return Decision("truecolor", "COLORTERM")
    if _multiplexed(environ) == "tmux":
        return None
    if term.endswith("-direct") or any(
        term == name or term.startswith(f"{name}-") for name in _TRUECOLOR_TERMS
    ):
        return Decision("truecolor", f"TERM={term}")
    for mark in _TRUECOLOR_MARKS:
        if environ.get(mark):
            return Decision("truecolor", mark)
    for name in ("TERM_PROGRAM", "LC_TERMINAL"):
        if environ.get(name) in _TRUECOLOR_PROGRAMS:
            return Decision("truecolor", f"{name}={environ[name]}")
    return None


def _multiplexed(environ: Mapping[str, str]) -> Literal["tmux", "screen", ""]:
    if environ.get("TMUX") or environ.get("TERM", "").startswith("tmux"):
        return "tmux"
    return "screen" if environ.get("TERM", "").startswith("screen") else ""


def probe(environ: Mapping[str, str]) -> bool | None:
    """Whether tmux or the terminal says that there is 24-bit colour; None if nobody answers."""
    if _multiplexed(environ) == "tmux":
        return ask_tmux()
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return None
    return ask_terminal(sys.stdin.fileno(), sys.stdout.fileno())


def ask_tmux(timeout: float = 0.5) -> bool | None:
    """Whether tmux passes 24-bit colour on to the terminal it is shown in; None if it does not say."""
    try:
        answer = subprocess.run(
            ["tmux", "display-message", "-p", "#{client_termfeatures}"],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    features = answer.stdout.strip().split(",")
    return "RGB" in features if any(features) else None


def ask_terminal(read_fd: int, write_fd: int, timeout: float = 1.0) -> bool | None:
    """Whether the terminal behind the two descriptors says that it has 24-bit colour; None if it is silent.

    Both replies are read to their end, so that none is left to be taken for keys; what was typed meanwhile is
    lost. Nothing is asked from the background, where touching the terminal would stop the process.
    """
    import termios
    import tty

    try:
        if os.tcgetpgrp(read_fd) != os.getpgrp():
            return None
        before = termios.tcgetattr(read_fd)
    except (OSError, termios.error):
        return None
    try:
        tty.setcbreak(read_fd, termios.TCSANOW)
        os.write(write_fd, _QUERY)
        reply = _read_until(read_fd, _DA1_REPLY, timeout)
        # a terminal that knows no DCS has printed ours
        os.write(write_fd, _WIPE)
    except (OSError, termios.error):
        return None
    finally:
        termios.tcsetattr(read_fd, termios.TCSANOW, before)
    return None if reply is None else _RGB_REPLY.search(reply) is not None


def _read_until(fd: int, end: re.Pattern[bytes], timeout: float) -> bytes | None:
    """What came up to a match of `end`; None if it did not come in time."""
    deadline = time.monotonic() + timeout
    data = b""
    while (left := deadline - time.monotonic()) > 0:
        ready, _, _ = select.select([fd], [], [], left)
        if ready:
            data += os.read(fd, 1024)
            if end.search(data):
                return data
    return None
