"""Copying through the terminal (OSC 52): it reaches the clipboard of the machine that the person sits at."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

from tui.term.graphics.ways import pictures_of
from tui.term.passthrough import through_tmux

if TYPE_CHECKING:
    from textual.app import App

MOST: Final = 74_994
"""Bytes: what the most cautious terminals take, 100,000 characters of base64."""


def sequence(text: str, *, tmux: bool) -> str:
    """The escape sequence that copies `text`. In tmux it is sent twice: tmux keeps its own buffer by the one, and
    the other goes past it."""
    data = base64.b64encode(text.encode("utf-8", "replace")).decode()
    plain = f"\x1b]52;c;{data}\x07"
    return plain + through_tmux(plain) if tmux else plain


def copy(app: App[Any], text: str) -> bool:
    """Copy `text`; False where it is longer than terminals take, and then only the app itself has it."""
    app._clipboard = text
    fits = len(text.encode("utf-8", "replace")) <= MOST
    driver = app._driver
    if fits and driver is not None and not app.is_headless:
        driver.write(sequence(text, tmux=pictures_of(app).tmux))
    return fits
