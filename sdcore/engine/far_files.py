"""Paths of two machines: what an engine on another one calls its files, and what the copies here are called.

The copies lie in the cache, in a folder for each machine, below it under the paths that they have there; so each
side's name of a file follows from the other's.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from pathlib import Path, PurePosixPath
from typing import Any, Final

import msgspec

from sdcore.atomic import write_atomically
from sdcore.engine import messages as m
from sdcore.library import paths
from sdcore.library.inputs import PREFIX, InputError, keep_input
from sdcore.library.pruning import prune
from sdcore.spec.recipe import Recipe

_NAMED: Final[dict[type, tuple[str, ...]]] = {
    m.OpenTrace: ("source",),
    m.GetView: ("trace",),
    m.CompareTraces: ("first", "second"),
    m.SaveTrace: ("trace",),
}
"""The fields of commands that may be a path of ours."""

LIMIT: Final = 2 << 30
"""Bytes that the copies from all machines may take; the least recently used go first."""
_PRUNE_EVERY: Final = 64 << 20

_WITH_RECIPE: Final = (m.Generate, m.EditJob, m.PlanSchedule, m.RunForever)
_PICTURES: Final = ("init_image", "mask_image")


class FarFiles:
    """The copies here of the files of the machine called `target`."""

    def __init__(self, target: str) -> None:
        plain = re.sub(r"[^\w.@-]", "_", target)[:64]
        digest = hashlib.sha256(target.encode()).hexdigest()[:8]
        folder = paths.cache_dir() / "far" / f"{plain}-{digest}"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder = folder.resolve()
        self._fresh = 0

    def here(self, path: str) -> Path:
        """Where the copy of a file of the other machine lies. Raises ValueError for what is no plain absolute path."""
        far = PurePosixPath(path)
        if not far.is_absolute() or ".." in far.parts or "\0" in path:
            raise ValueError(path)
        return self.folder.joinpath(*far.parts[1:])

    def kept(self, path: str, size: int = -1) -> Path | None:
        """The copy of a file of the other machine that has `size` bytes (-1: however many); None where there is none.
        Notes that it was used. Raises ValueError as `here` does."""
        copy = self.here(path)
        with contextlib.suppress(OSError):
            if copy.is_file() and size in (-1, copy.stat().st_size):
                os.utime(copy)
                return copy
        return None

    def keep(self, path: str, data: bytes) -> Path:
        """Keep a copy of a file of the other machine; those that were not used for long go. Raises OSError, and
        ValueError as `here` does."""
        copy = self.here(path)
        copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(copy, data)
        self._fresh -= len(data)
        if self._fresh < 0:  # the first copy of all has the folder looked through
            self._fresh = _PRUNE_EVERY
            prune(self.folder.parent, LIMIT)
        return copy

    def there(self, path: str) -> str:
        """What the other machine calls a file whose copy here is `path`; any other text stays."""
        try:
            return f"/{Path(path).relative_to(self.folder)}"
        except ValueError:
            return path

    def translated(self, command: m.AnyCommand) -> m.AnyCommand:
        """A command in the names of the other machine. Its recipe's pictures are kept copies, as `pictures` names."""
        changed: dict[str, Any] = {
            name: self.there(getattr(command, name)) for name in _NAMED.get(type(command), ())
        }
        recipe = getattr(command, "recipe", None)
        if isinstance(command, _WITH_RECIPE) and recipe is not None:
            changed["recipe"] = _kept(recipe)
        if isinstance(command, m.Generate) and command.fork is not None:
            fork = command.fork
            changed["fork"] = msgspec.structs.replace(fork, source=self.there(fork.source))
        return msgspec.structs.replace(command, **changed) if changed else command


def pictures(command: m.AnyCommand) -> list[str]:
    """The kept pictures that a command's recipe names, by their names ("input:…")."""
    recipe = getattr(command, "recipe", None)
    if not isinstance(command, _WITH_RECIPE) or recipe is None:
        return []
    named = (getattr(recipe, field) for field in _PICTURES)
    return [name for name in named if name.startswith(PREFIX)]


def _kept(recipe: Recipe) -> Recipe:
    """A recipe with kept copies of its pictures; one that cannot be had stays, for the engine to say so."""
    changed = {}
    for field in _PICTURES:
        if ref := getattr(recipe, field):
            try:
                changed[field] = keep_input(ref) if not ref.startswith(PREFIX) else ref
            except InputError:
                changed[field] = ref
    return msgspec.structs.replace(recipe, **changed)
