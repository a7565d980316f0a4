"""`sdtui bench`: this loop beside diffusers' own pipeline."""

from __future__ import annotations

import importlib
from argparse import Namespace


def run(options: Namespace) -> int:
    """Compare the two in this process, and print the times."""
    arguments = ["--turns", str(options.turns), "--steps", str(options.steps), "--device", options.device]
    # By name: it imports torch, which nothing that the app imports may do.
    status: int = importlib.import_module("sdcore.bench").main(
        [*arguments, *(["--json"] if options.json else [])]
    )
    return status
