"""What lies on the disks of the engine's machine, for clients on another one."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Final

from sdcore.engine.messages import AddonsFound, ListAddons, ListVaes, ModelsFound, VaesFound
from sdcore.library import addons, checkpoints, vaes
from sdcore.library.hashes import known_hash
from sdcore.spec.found import ModelFile

_BATCH_SECONDS: Final = 0.1
"""So long a search goes on before it tells what it has found, and lets other questions be answered."""


class ModelSearch:
    """A search for models that is done a piece at a time."""

    def __init__(self, request: int) -> None:
        self._request = request
        self._models: Iterator[ModelFile] = checkpoints.iter_models()
        self.done = False

    def go_on(self) -> ModelsFound:
        """Search on for a moment; what was found in it. Never raises."""
        deadline = time.monotonic() + _BATCH_SECONDS
        found: list[ModelFile] = []
        while not self.done and time.monotonic() < deadline:
            model = next(self._models, None)
            if model is None:
                self.done = True
            else:
                found.append(model)
        hashes = {model.path: known for model in found if (known := hash_of(model))}
        return ModelsFound(request=self._request, models=tuple(found), hashes=hashes, done=self.done)


def hash_of(model: ModelFile) -> str:
    """What names the weights of a model, "" where that was not reckoned yet. Reads the disk; never raises."""
    with contextlib.suppress(OSError):
        return known_hash(checkpoints.hashed_files(model))
    return ""


def list_addons(command: ListAddons) -> AddonsFound:
    """All LoRA files and textual inversions. Never raises."""
    return AddonsFound(request=command.request, addons=tuple(addons.find_addons()))


def list_vaes(command: ListVaes) -> VaesFound:
    """All VAEs that lie by themselves. Never raises."""
    return VaesFound(request=command.request, vaes=tuple(vaes.find_vaes()))
