"""How a terminal is left that takes no more: what waits to be written there is dropped, and its modes are restored."""

from __future__ import annotations

import contextlib
import os
import termios
from typing import Any, Final

_BACK: Final = (
    b"\x18\x1b[<u\x1b[?1000l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[?1004l\x1b[?7h\x1b[?1049l\x1b[?25h\x1b[0m"
)
"""An end to whatever was being written, then: no keyboard protocol, no mouse, no bracketed paste, no focus events,
wrapped lines, the main screen, a cursor, no colours."""


def leave(output: int, keyboard: int, attributes: list[Any] | None) -> None:
    """Give the terminal at these descriptors back without waiting for it. Never fails: it may have gone."""
    with contextlib.suppress(OSError, termios.error):
        termios.tcflush(output, termios.TCOFLUSH)
    with contextlib.suppress(OSError):
        os.set_blocking(output, False)
        os.write(output, _BACK)
    with contextlib.suppress(OSError, termios.error):
        if attributes is not None:
            termios.tcsetattr(keyboard, termios.TCSANOW, attributes)
