"""`sdtui` without a command: the app."""

from __future__ import annotations

import sys
from argparse import Namespace

from sdcore.library.config import load
from tui.commands.console import CommandError
from tui.term import colour


def run(options: Namespace) -> int:
    """Open the app in this terminal; returns when it is left."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise CommandError("The app needs a terminal; in a script, use sdtui generate.")
    settings, _ = load()
    colour.apply(colour.decide(options.color or settings.color))  # before Textual is imported
    from tui import app

    return app.run(model=options.model, device=options.device, mouse=False if options.no_mouse else None)
