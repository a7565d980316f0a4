"""`sdtui bench`: this loop beside diffusers' own pipelines."""

from __future__ import annotations

import importlib
from argparse import Namespace

from sdcore import environment
from tui.commands.console import CommandError


def run(options: Namespace) -> int:
    """Compare them in this process, and print the figures."""
    if lacking := environment.no_engine():
        raise CommandError(lacking)
    arguments = [f"--{name}={getattr(options, name)}" for name in ("turns", "steps", "size", "device")]
    arguments += [f"--{name}" for name in ("bundled", "sd15", "sdxl", "json") if getattr(options, name)]
    arguments += [f"--compile={mode}" for mode in options.compile or ()]
    # By name: it imports torch, which nothing that the app imports may do.
    status: int = importlib.import_module("sdcore.bench").main(arguments)
    return status
