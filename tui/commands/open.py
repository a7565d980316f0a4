"""`sdtui` without a command: the app."""

from __future__ import annotations

import gc
import os
import sys
import threading
from argparse import Namespace
from typing import TYPE_CHECKING, Final

from sdcore import environment
from sdcore.library.config import load
from tui.commands.console import CommandError
from tui.term import colour
from tui.term.probe import asked

if TYPE_CHECKING:
    from sdcore.library.config import Settings
    from tui.line.link import OpenEngine

_SCREEN_UPDATES: Final = "120"
"""A second at most: a typed letter waits for the next one, on average half of 1/120 s instead of half of 1/60 s."""
_SIZE: Final = ("COLUMNS", "LINES")
_INPUT_THREAD: Final = "textual-input"


def run(options: Namespace) -> int:
    """Open the app in this terminal; returns when it is left."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise CommandError("The app needs a terminal; in a script, use sdtui generate.")
    gc.disable()  # until the first paint: it would look through all that is imported, again and again
    settings, _ = load()
    _trust_the_terminal()
    os.environ.setdefault("TEXTUAL_FPS", _SCREEN_UPDATES)
    if os.environ.get("SSH_CONNECTION"):
        os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
    open_engine = _opener(options, settings)  # what asks for a password does so before the terminal is asked
    with asked() as probe:
        colours = colour.decide(options.color or settings.color, ask=colour.ask_tmux_alone)
        colour.apply(colours)  # before Textual is imported, while the terminal answers
        from tui import app
        from tui.at_terminal import Terminal

        probe.read()
        terminal = Terminal(probe, colours)
        mouse = False if options.no_mouse else None
        status = app.run(
            open_engine,
            model=options.model,
            mouse=mouse,
            host=options.host or "",
            terminal=terminal,
            low_bandwidth=options.low_bandwidth,
        )
    if any(thread.name == _INPUT_THREAD for thread in threading.enumerate()):
        # On a terminal that is gone it reads the end of its input for ever, and the process would never end.
        os._exit(status)
    return status


def _trust_the_terminal() -> None:
    """Forget the size that a shell or a login script has exported: the terminal knows its own, also when it changes."""
    if all(os.get_terminal_size(sys.stdout.fileno())):  # a serial line says 0 x 0
        for name in _SIZE:
            os.environ.pop(name, None)


def _opener(options: Namespace, settings: Settings) -> OpenEngine:
    """The way to the engine that the options name; that of another machine is open already, or said to be closed."""
    from sdcore.engine.wire import EngineError, socket_path
    from tui.line import engines

    if options.host is None:
        if (lacking := environment.no_engine()) and not socket_path().exists():
            raise CommandError(lacking)
        return engines.local(options.device)
    try:
        return engines.remote(
            options.host, ssh=settings.ssh, command=options.remote_command or settings.remote_command
        )
    except EngineError as fault:
        raise CommandError(str(fault)) from fault
