"""Which colours the terminal has, decided before Textual is imported: it reads the answer when it is.

SSH does not forward COLORTERM, and without it rich takes even a kitty for a terminal of 256 colours. So, in
order: our flag, what the environment says, the terminal's name, a question to tmux or to the terminal itself (see
`tui.term.probe`), and else 256 colours with a hint. Only the standard library is imported here.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Final, Literal

from tui.term.capabilities import BRANDS, Capabilities, known_by, multiplexer
from tui.term.probe import examine

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

UNKNOWN: Final = "no better knowledge"
ANSWERED: Final = "the terminal's answer"

_STANDARD_TERMS: Final = frozenset({"dumb", "linux", "ansi", "vt100", "vt220", "cygwin"})


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
        return Decision("truecolor" if answer else "256", ANSWERED)
    return Decision("256", UNKNOWN, HINT)


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
    if multiplexer(environ) == "screen":
        # COLORTERM there is the outer terminal's: GNU screen before version 5 garbles 24-bit colour
        return Decision("256", f"TERM={term}", HINT)
    if environ.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return Decision("truecolor", "COLORTERM")
    if multiplexer(environ) == "tmux":
        return None
    if term.endswith("-direct"):
        return Decision("truecolor", f"TERM={term}")
    brand, mark = known_by(environ)
    return Decision("truecolor", mark) if brand and BRANDS[brand].truecolor else None


def probe(environ: Mapping[str, str]) -> bool | None:
    """Whether tmux or the terminal says that there is 24-bit colour; None if nobody answers."""
    return ask_tmux() if multiplexer(environ) == "tmux" else examine(environ).truecolor


def ask_tmux_alone(environ: Mapping[str, str]) -> bool | None:
    """The same for who asks the terminal himself: only tmux is asked, which answers at once."""
    return ask_tmux() if multiplexer(environ) == "tmux" else None


def refined(decision: Decision, found: Capabilities) -> Decision:
    """`decision`, or a better one where it was made without knowledge and the terminal has answered since."""
    if decision.source != UNKNOWN or found.truecolor is None:
        return decision
    return Decision("truecolor" if found.truecolor else "256", ANSWERED)


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
