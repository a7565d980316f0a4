"""The images of this machine, for whoever browses them, here or over a line: found, known, thrown away, brought back.

What the index has not noticed yet, since its keeper takes a moment, is known here already.
"""

from __future__ import annotations

import threading
from array import array
from collections.abc import Sequence
from pathlib import Path

import msgspec

from sdcore.library import trash
from sdcore.library.index import Index, Progress, Row


class Finding(msgspec.Struct, frozen=True):
    """What a search found in the `version` of the index: ids (array of type "q"), newest first, of `total` images that
    there are at all."""

    version: int
    ids: array[int]
    total: int


class Removed(msgspec.Struct, frozen=True):
    """What was thrown away at once: the images that lie in the trash now, and the name by which they are put back, ""
    where there are none. `problems` are sentences about the others."""

    name: str = ""
    gone: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


class Catalogue:
    """The index and the trash together. Any thread may call, none of them an event loop's."""

    def __init__(self, index: Index | None = None) -> None:
        self.index = index or Index.open()
        self._lock = threading.Lock()
        self._hidden: dict[str, int] = {}
        """Images that were thrown away, by path, which the index may not have noticed yet."""
        self._thrown: dict[str, trash.Thrown] = {}

    def find(self, text: str) -> Finding:
        """Look for what a person typed (see `spec.search`). Never raises."""
        version = self.index.version()
        ids, total = self.index.ids(text), self.index.count()
        with self._lock:
            hidden = frozenset(self._hidden.values())
        if hidden:
            ids = array("q", (one for one in ids if one not in hidden))
            total -= len(hidden.intersection(self.index.ids()))
        return Finding(version, ids, total)

    def rows(self, ids: Sequence[int]) -> list[Row]:
        """The images of these ids, in their order; those that are gone are left out. Never raises."""
        return self.index.rows(ids)

    def tags(self) -> list[str]:
        """All tags in use, in the order of the alphabet. Never raises."""
        return self.index.tags()

    def news(self) -> tuple[int, Progress]:
        """The version of the index, and what its keeper does. Costs microseconds. Never raises."""
        return self.index.version(), self.index.progress()

    def throw(self, paths: Sequence[str]) -> Removed:
        """Move images, and the runs beside them, into the trash. Raises `trash.TrashError`."""
        known = {path: self.index.find(path) for path in paths}
        thrown = trash.throw(paths)
        moved = {one.origin for one in thrown.moved}
        gone = tuple(path for path in paths if path in moved)
        name = Path(thrown.folder).name if moved else ""
        with self._lock:
            self._hidden |= {path: found for path in gone if (found := known[path]) is not None}
            if name:
                self._thrown[name] = thrown
        return Removed(name, gone, thrown.problems)

    def restore(self, name: str) -> tuple[str, ...]:
        """Put back what was thrown away under a name; sentences about what could not be. Never raises."""
        with self._lock:
            thrown = self._thrown.pop(name, None)
        if thrown is None:  # by another process, or before this one was started
            thrown = next((one for one in trash.contents() if Path(one.folder).name == name), None)
        if thrown is None:
            return ("That is not in the trash any more.",)
        restored = trash.undo(thrown)
        with self._lock:
            for one in thrown.moved:
                self._hidden.pop(one.origin, None)
        return restored.problems

    def close(self) -> None:
        """Give the index back. Afterwards there are no images."""
        self.index.close()
