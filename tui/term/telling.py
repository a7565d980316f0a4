"""What the terminal is told beside the picture: its title, and that something is done."""

from __future__ import annotations

from typing import Final

from sdcore.spec.sanitise import sanitise
from tui.term.passthrough import through_tmux

BELL: Final = "\x07"
SAVE_TITLE: Final = "\x1b[22;2t"
RESTORE_TITLE: Final = "\x1b[23;2t"
"""xterm's stack of titles, which other terminals and tmux know too."""

_LONGEST: Final = 120
# Of OSC 9 others than iTerm2 take a leading number for another command: 4 is a progress bar.
_MISTAKABLE: Final = "0123456789"


def title(text: str) -> str:
    """Sets the window's title."""
    return f"\x1b]2;{_line(text)}\x1b\\"


def notification(text: str, *, tmux: bool) -> str:
    """A desktop notification (OSC 9), by the terminal behind tmux too; terminals that do not know it ignore it."""
    line = _line(text)
    plain = f"\x1b]9;{' ' if line[:1] in _MISTAKABLE else ''}{line}\x1b\\"
    return through_tmux(plain) if tmux else plain


def _line(text: str) -> str:
    return sanitise(text, newlines=False)[:_LONGEST]
