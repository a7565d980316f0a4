"""What the doctor says of the terminal, and the very lines that would make it better."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from typing import Final

from sdcore.library import config
from tui.term import colour
from tui.term.capabilities import Capabilities
from tui.term.graphics.ways import TITLES, Pictures, best
from tui.term.probe import examine, question

TMUX_LINES: Final = {
    "truecolor": "set -as terminal-features ',*:RGB'",
    "allow-passthrough": "set -g allow-passthrough on",
    "focus-events": "set -g focus-events on",
    "set-clipboard": "set -s set-clipboard on",
}
"""Lines of `.tmux.conf`: for 24-bit colour, and by the option that they set."""

_WORTH: Final = (
    ("focus-events", ("on", "1"), "the bell after a long run, which rings when you look elsewhere"),
    ("set-clipboard", ("on",), "copying to the clipboard of the machine you sit at"),
)
"""Options that bring something else than pictures, their values that do, and what that is."""

SSH_LINES: Final = ("SendEnv COLORTERM", "AcceptEnv COLORTERM")
"""For the SSH configuration here and for the server's: `~/.ssh/config` and `sshd_config`."""

Line = tuple[str, str, str, str]
"""Level, subject, detail and advice, as a finding of the doctor has them."""


def terminal_lines(environ: Mapping[str, str] = os.environ) -> Iterator[Line]:
    """The terminal, its colours and its pictures. Asks the terminal, and waits a little where it does not answer."""
    found = examine(environ)
    settings = config.load()[0]
    yield _who(found, environ)
    yield _colours(found, settings.color, environ)
    yield from _pictures(found, settings.pictures)
    if found.multiplexer == "tmux":
        yield from _tmux()


def _who(found: Capabilities, environ: Mapping[str, str]) -> Line:
    name = found.title or "a terminal that does not say its name"
    behind = f" behind {found.multiplexer}" if found.multiplexer else ""
    if not found.answered:
        asked = "does not answer" if question(environ) else "cannot be asked"
        return "note", "answers", f"{name}{behind} {asked}, so its name and the settings decide", ""
    extras = [f"cells of {found.cell[0]}x{found.cell[1]} pixels"] if found.cell else []
    extras += ["synchronized output"] if found.synchronized else []
    return "ok", "answers", ", ".join([f"{name}{behind}", *extras]), ""


def _colours(found: Capabilities, flag: str, environ: Mapping[str, str]) -> Line:
    if environ.get("NO_COLOR"):
        return "ok", "colours", "none, as NO_COLOR asks", ""

    def ask(_: Mapping[str, str]) -> bool | None:
        return found.truecolor if found.truecolor is not None else colour.ask_tmux_alone(environ)

    decision = colour.decide(flag, environ, ask)
    detail = f"{decision.color_system}, told by {decision.source}"
    if decision.color_system == "truecolor" or flag != "auto":
        return "ok", "colours", detail, ""
    if found.multiplexer == "tmux":
        return "note", "colours", detail, _for_tmux("truecolor")
    if environ.get("SSH_CONNECTION") or environ.get("SSH_TTY"):
        client, server = SSH_LINES
        advice = (
            f"if the terminal has more, in ~/.ssh/config at home:\n{client}\n"
            f"and in /etc/ssh/sshd_config here:\n{server}\nor start with --color truecolor"
        )
        return "note", "colours", detail, advice
    return "note", "colours", detail, decision.hint


def _pictures(found: Capabilities, wanted: str) -> Iterator[Line]:
    pictures = Pictures(wanted)
    pictures.know(found)
    told = f"pictures = {wanted!r} in the settings" if wanted != "auto" else "the best that is known here"
    advice = ""
    if found.multiplexer == "tmux" and not found.passthrough and best(found) == "halfblocks":
        advice = f"for real pixels, if the terminal has Kitty graphics, {_for_tmux('allow-passthrough')}"
    yield "ok", "pictures", f"{TITLES[pictures.way]} ({told})", advice


def _tmux() -> Iterator[Line]:
    said = _options([option for option, *_ in _WORTH])
    for option, good, brings in _WORTH:
        if said.get(option) not in good:
            yield (
                "note",
                "tmux",
                f"{option} is {said.get(option, 'not known')}",
                f"for {brings}, {_for_tmux(option)}",
            )


def _for_tmux(line: str) -> str:
    return f"in ~/.tmux.conf:\n{TMUX_LINES[line]}"


def _options(names: list[str]) -> dict[str, str]:
    """What tmux, if it runs on this machine, says that these options are."""
    wanted = "|".join(f"#{{{name}}}" for name in names)
    try:
        answer = subprocess.run(
            ["tmux", "display-message", "-p", wanted], capture_output=True, text=True, timeout=0.5, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return {}
    return dict(zip(names, answer.stdout.strip().split("|"), strict=False))
