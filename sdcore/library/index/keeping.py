"""How the index is kept: everything is looked through once, then what is told of is looked at as it is told.

One thread does it all by turns: hear what has changed on disk, look whether the settings or the marks have, read a
few images. New images wait for no backlog.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from sdcore.library import config, marks, paths, trash
from sdcore.library.index import schema
from sdcore.library.index.disks import is_remote
from sdcore.library.index.reading import Reading, read
from sdcore.library.index.scanning import Stamp, is_below, is_image, outermost, stamp_of, walk
from sdcore.library.index.store import Store
from sdcore.library.index.watching import Watcher

_log = logging.getLogger(__name__)

_BATCH_SECONDS: Final = 0.3
_RETRY_SECONDS: Final = 10.0
_WATCHED_SECONDS: Final = 600.0
"""A folder that is watched is looked through so often nevertheless: a queue of the kernel's can run over."""
_POLLED_SECONDS: Final = 10.0
_POLLED_SHARE: Final = 20
"""One that cannot be watched is looked through in one part of so many of the time."""
_TIDY_FROM: Final = 2000

Item = tuple[str, str, Stamp]
"""A folder, the name of an image in it, and its stamp."""


class _Root:
    """A folder that is kept, and what is still to be read of it."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.due = 0.0
        self.watched = False
        self.waiting: list[Item] = []
        self.total = 0


class Keeping:
    """The work of a keeper that holds the lock of the index at `path`; `run` returns when `stop` is set."""

    def __init__(self, path: Path, stop: threading.Event) -> None:
        self._path = path
        self._stop = stop

    def run(self) -> None:
        """Keep the index; what goes wrong with it is logged and tried again."""
        while not self._stop.is_set():
            try:
                self._keep()
            except Exception:  # the disk is full, or we are wrong: a keeper that has ended helps nobody
                _log.exception("the index could not be kept")
                self._stop.wait(_RETRY_SECONDS)

    def _keep(self) -> None:
        try:
            with _Round(self._path, self._stop) as one:
                one.run()
        except sqlite3.DatabaseError as fault:
            if type(fault) is not sqlite3.DatabaseError:
                raise  # its subclasses mean a full disk and the like; this very class means a damaged file
            _log.warning("the index is damaged, it is made again: %s", fault)
            schema.set_aside(self._path, "damaged")


class _Round:
    """The keeping of the folders of one reading of the settings, until these or the index are others."""

    def __init__(self, path: Path, stop: threading.Event) -> None:
        self._path = path
        self._stop = stop
        self._settings = stamp_of(config.config_file())
        self._marked = stamp_of(marks.marks_file())
        self._marks = marks.read()
        self._folders = outermost(_folders())
        self._present = [_identity(folder) for folder in self._folders]
        self._private = [str(trash.trash_dir()), str(paths.cache_dir())]
        there = [folder for folder, found in zip(self._folders, self._present, strict=True) if found]
        self._watcher = Watcher([folder for folder in there if not is_remote(Path(folder))])
        self._roots = [_Root(folder) for folder in there]
        self._store = Store(schema.open_to_write(path))
        self._identity = _identity(str(path))

    def __enter__(self) -> _Round:
        return self

    def __exit__(self, *error: object) -> None:
        self._watcher.close()
        self._store.close()

    def run(self) -> None:
        """Work until something asks for another round, or to stop."""
        self._begin()
        while not self._stop.is_set() and not self._is_over():
            self._look_at_marks()
            for root in self._roots:
                unwatched = root.watched and root.path not in self._watcher.folders
                if unwatched or time.monotonic() >= root.due:
                    self._look_through(root)
            busy = any(root.waiting for root in self._roots)
            self._hear(self._watcher.changes(self._stop, wait=not busy))
            if busy:
                self._read_some()

    def _begin(self) -> None:
        """Forget the folders that are no longer wanted, and take up the marks."""
        strangers = [
            folder
            for folder in self._store.folders()
            if not any(is_below(folder, root.path) for root in self._roots) or self._is_private(folder)
        ]
        with self._store.transaction():
            for folder in strangers:
                self._store.remove(folder)
            self._store.mark(self._marks)
            self._store.tell("", 0, 0)

    def _is_over(self) -> bool:
        return (
            self._watcher.lost
            or _identity(str(self._path)) != self._identity
            or stamp_of(config.config_file()) != self._settings
            or [_identity(folder) for folder in self._folders] != self._present
        )

    def _look_at_marks(self) -> None:
        stamp = stamp_of(marks.marks_file())
        if stamp != self._marked:
            self._marked = stamp
            self._marks = marks.read()
            with self._store.transaction():
                self._store.mark(self._marks)

    def _look_through(self, root: _Root) -> None:
        """Compare a folder with what is known, newest first in the list of what is to be read."""
        began = time.monotonic()
        found = self._compare(root.path)
        took = time.monotonic() - began
        root.waiting = sorted(found, key=lambda item: item[2].changed)
        root.total = len(found)
        root.watched = root.path in self._watcher.folders
        root.due = time.monotonic() + (
            _WATCHED_SECONDS if root.watched else max(_POLLED_SECONDS, _POLLED_SHARE * took)
        )
        if found:
            with self._store.transaction():
                self._store.tell(root.path, 0, root.total)

    def _compare(self, top: str) -> list[Item]:
        """What is new or changed in the folder `top` and below it; what is gone is forgotten."""
        fresh: list[Item] = []
        missing = set(self._store.folders(top))
        gone: list[tuple[str, list[str]]] = []
        for folder, images in walk(top, self._is_private, self._stop.is_set):
            missing.discard(folder)
            if images is None:
                continue
            known = self._store.stamps(folder)
            fresh += [(folder, name, stamp) for name, stamp in images.items() if known.get(name) != stamp]
            if names := [name for name in known if name not in images]:
                gone.append((folder, names))
        if (missing or gone) and not self._stop.is_set():
            with self._store.transaction():
                for folder in missing:
                    self._store.remove(folder)
                for folder, names in gone:
                    self._store.remove(folder, names)
        return fresh

    def _hear(self, changed: Iterable[str]) -> None:
        """Look at what is said to have changed: images are read at once, folders compared."""
        fresh: list[Item] = []
        gone: list[tuple[str, str]] = []
        for path in changed:
            folder, name = os.path.split(path)
            if self._is_hidden(path):
                continue
            if not is_image(name):
                fresh += self._compare(path)
                continue
            stamp = stamp_of(Path(path))
            known = self._store.stamp(folder, name)
            if stamp is None and known is not None:
                gone.append((folder, name))
            elif stamp is not None and stamp != known:
                fresh.append((folder, name, stamp))
        if gone:
            with self._store.transaction():
                for folder, name in gone:
                    self._store.remove(folder, [name])
        while fresh and not self._stop.is_set():
            self._put(fresh)

    def _read_some(self) -> None:
        root = next(root for root in self._roots if root.waiting)
        self._put(root.waiting, root)
        if not root.waiting and root.total >= _TIDY_FROM:
            self._store.tidy()

    def _put(self, items: list[Item], root: _Root | None = None) -> None:
        """Read the last of the items and take them from the list, for a moment; what vanished meanwhile is left to
        be told of."""
        until = time.monotonic() + _BATCH_SECONDS
        readings: list[Reading] = []
        while items:
            folder, name, _ = items.pop()
            stamp = stamp_of(Path(folder, name))
            if stamp is not None:
                readings.append(read(folder, name, stamp))
            if time.monotonic() >= until:
                break
        with self._store.transaction():
            self._store.put(readings, self._marks)
            if root is not None:
                self._store.tell(root.path, root.total - len(root.waiting), root.total)

    def _is_private(self, folder: str) -> bool:
        return any(is_below(folder, private) for private in self._private)

    def _is_hidden(self, path: str) -> bool:
        for root in self._roots:
            if is_below(path, root.path):
                return "/." in path[len(root.path) :] or self._is_private(path)
        return True


def _folders() -> list[Path]:
    settings = config.load()[0]
    return [
        settings.outputs_dir(),
        *(Path(folder).expanduser().absolute() for folder in settings.library_folders),
    ]


def _identity(path: str) -> tuple[int, int] | None:
    try:
        about = os.stat(path)  # noqa: PTH116  some microseconds, not ten
    except (OSError, ValueError):
        return None
    return about.st_dev, about.st_ino
