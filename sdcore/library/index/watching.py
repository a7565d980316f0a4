"""What the kernel says of folders that change."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from typing import Final

from watchfiles import Change
from watchfiles._rust_notify import RustNotify

from sdcore.library.index.scanning import is_image

_log = logging.getLogger(__name__)

_DEBOUNCE_MS: Final = 300
_STEP_MS: Final = 50
_WAIT_MS: Final = 250
_AGAIN_SECONDS: Final = 10.0
"""Changes that are missed again so soon are those of our own look after the ones before: it would never end."""


class Watcher:
    """Watches folders and all below them from the moment it is made. `folders` are those that it can watch: none where
    the kernel has no watches left, or again and again tells what cannot be understood."""

    def __init__(self, folders: Sequence[str]) -> None:
        self.folders = frozenset(folders)
        self.lost = False
        """Whether a folder itself went: what is put in its place is not watched, even with its number on the disk."""
        self._missed = float("-inf")
        self._notify = self._start()

    def changes(self, stop: threading.Event, *, wait: bool) -> list[str]:
        """The paths that have changed since the last call, each once, folders before images; with `wait` it waits for
        some, about a quarter of a second at most."""
        if self._notify is None:
            stop.wait(_WAIT_MS / 1000 if wait else 0)
            return []
        limits = (_DEBOUNCE_MS, _STEP_MS, _WAIT_MS) if wait else (1, 1, 1)
        try:
            found = self._notify.watch(*limits, stop)
        except RuntimeError as fault:
            # A name that is not UTF-8, for one. What else was told is lost: everything is to be looked at.
            _log.info("changes were missed: %s", fault)
            watched = sorted(self.folders)
            self._notify.close()
            now = time.monotonic()
            if now - self._missed < _AGAIN_SECONDS:
                self.folders = frozenset()
            self._missed = now
            self._notify = self._start()
            return watched
        if isinstance(found, str):
            return []
        self.lost = self.lost or any(kind == Change.deleted and path in self.folders for kind, path in found)
        return sorted({path for _, path in found}, key=lambda path: (is_image(path), path))

    def close(self) -> None:
        """Watch no longer."""
        if self._notify is not None:
            self._notify.close()

    def _start(self) -> RustNotify | None:
        try:
            if self.folders:
                return RustNotify(sorted(self.folders), False, False, 0, True, True)
        except (OSError, ValueError, RuntimeError) as fault:
            _log.warning("folders cannot be watched, so they are looked through again and again: %s", fault)
        self.folders = frozenset()
        return None
