"""`sdtui models`: which models are there?"""

from __future__ import annotations

from argparse import Namespace

import msgspec

from sdcore.library import checkpoints
from sdcore.library.config import load
from tui.commands.console import CommandError, say_columns, say_json


def run(options: Namespace) -> int:
    """List the bundled model, the settings' own and the folders that were named."""
    settings, _ = load()
    named = [] if settings.model == checkpoints.BUNDLED else [settings.model]
    try:
        asked = [checkpoints.describe(folder) for folder in options.folders]
    except checkpoints.UnknownModelError as fault:
        raise CommandError(str(fault)) from fault
    found = {model.path: model for model in (*checkpoints.find_models(named), *asked)}.values()
    if not found:
        raise CommandError("There is no model; install sdtui again from the whole repository.")
    if options.json:
        for model in found:
            say_json(msgspec.to_builtins(model))
        return 0
    rows = [
        (model.name, model.family, f"{model.native_size} px", _size(model.bytes), model.path)
        for model in found
    ]
    say_columns([("NAME", "FAMILY", "NATIVE", "SIZE", "PATH"), *rows])
    return 0


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
