"""`sdtui models`: which models are there?"""

from __future__ import annotations

import contextlib
from argparse import Namespace
from pathlib import Path

import msgspec

from sdcore.library import checkpoints
from sdcore.library.checkpoints import UnknownModelError
from sdcore.library.config import load
from sdcore.library.fitting import size_text
from sdcore.library.hashes import known_hash
from sdcore.spec.found import ModelFile
from tui.commands.console import CommandError, say_columns, say_json


def run(options: Namespace) -> int:
    """List the models in all folders that are known, the settings' own, and those that were named."""
    asked = [model for name in options.folders for model in _named(name)]
    with contextlib.suppress(UnknownModelError):
        asked.append(checkpoints.describe(load()[0].model))
    found = list({model.path: model for model in (*checkpoints.find_models(), *asked)}.values())
    if not found:
        raise CommandError("There is no model; install sdtui again from the whole repository.")
    for model in found if options.json else ():
        known = known_hash(checkpoints.hashed_files(model))
        say_json({**msgspec.to_builtins(model), "hash": known or None})
    if not options.json:
        say_columns([("NAME", "FAMILY", "NATIVE", "SIZE", "PATH"), *map(_row, found)])
    return 0


def _named(name: str) -> list[ModelFile]:
    """The model called so, or those in the folder of that name."""
    try:
        return [checkpoints.describe(name)]
    except UnknownModelError as fault:
        inside = checkpoints.models_in(Path(name).expanduser()) if Path(name).is_dir() else []
        if not inside:
            raise CommandError(str(fault)) from fault
        return inside


def _row(model: ModelFile) -> tuple[str, ...]:
    where = f"{model.path}\n{model.problem}" if model.problem else model.path
    return model.name, model.what, f"{model.native_size} px", size_text(model.bytes), where
