"""The model that a command is about, downloaded first where it is on the hub alone."""

from __future__ import annotations

import sys

from sdcore.library import checkpoints, hub
from sdcore.library.checkpoints import UnknownModelError
from sdcore.spec.found import ModelFile
from tui.commands.console import CommandError, complain

_EVERY = 10
"""Per cent after which more is told of a download."""


def described(ref: str) -> ModelFile:
    """The model that `ref` names; an id of the Hugging Face hub is downloaded, and that is told on stderr.

    Raises `UnknownModelError` where there is no such model, `CommandError` where it cannot be downloaded.
    """
    try:
        return checkpoints.describe(ref)
    except UnknownModelError:
        if not hub.is_id(ref):
            raise
    told = -_EVERY

    def tell(stage: str, share: float) -> None:
        nonlocal told
        percent = int(share * 100) // _EVERY * _EVERY
        if percent > told and sys.stderr.isatty():
            complain(f"{stage} {ref}: {percent} %")
        told = max(told, percent)

    try:
        return checkpoints.describe(str(hub.download(ref, tell)))
    except hub.HubError as fault:
        raise CommandError(str(fault)) from fault
