"""`sdtui gate`: what `sdtui --host` calls on the machine of the engine."""

from __future__ import annotations

from argparse import Namespace

from sdcore.engine.gate import hold
from sdcore.engine.wire import EngineError
from tui.commands.console import CommandError


def run(options: Namespace) -> int:
    """Hold the door to the engine open until the line ends."""
    try:
        hold(options.link, options.device)
    except EngineError as fault:
        raise CommandError(str(fault)) from fault
    return 0
