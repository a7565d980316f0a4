"""`sdtui` without a command: the app."""

from __future__ import annotations

import os
import sys
import threading
from argparse import Namespace
from typing import Final

from sdcore.library.config import load
from tui.commands.console import CommandError
from tui.term import colour

_SCREEN_UPDATES: Final = "120"
"""A second at most: a typed letter waits for the next one, on average half of 1/120 s instead of half of 1/60 s."""
_INPUT_THREAD: Final = "textual-input"


def run(options: Namespace) -> int:
    """Open the app in this terminal; returns when it is left."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise CommandError("The app needs a terminal; in a script, use sdtui generate.")
    settings, _ = load()
    # both before Textual is imported
    colour.apply(colour.decide(options.color or settings.color))
    os.environ.setdefault("TEXTUAL_FPS", _SCREEN_UPDATES)
    from tui import app

    status = app.run(model=options.model, device=options.device, mouse=False if options.no_mouse else None)
    if any(thread.name == _INPUT_THREAD for thread in threading.enumerate()):
        # On a terminal that is gone it reads the end of its input for ever, and the process would never end.
        os._exit(status)
    return status
