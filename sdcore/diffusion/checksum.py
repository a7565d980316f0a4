"""What a model's weights are called by: the beginning of a SHA-256, reckoned while others work."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from sdcore.weights import short_hash

Digest = Callable[[Path], str]
"""The SHA-256 of a file in 64 hex digits; may raise `OSError`."""


class Checksum:
    """The `weights.short_hash` of a model's files.

    It is reckoned on a thread of its own, which takes some seconds for some gigabytes; "" where a file cannot be read.
    Nothing is reckoned where it is `known` already.
    """

    def __init__(self, files: Sequence[Path] = (), digest: Digest | None = None, known: str = "") -> None:
        self.known = known
        """The checksum as far as it is known: "" while it is reckoned."""
        self._thread: threading.Thread | None = None
        if files and digest is not None and not known:
            self._thread = threading.Thread(
                target=self._reckon, args=(files, digest), name="checksum", daemon=True
            )
            self._thread.start()

    def _reckon(self, files: Sequence[Path], digest: Digest) -> None:
        try:
            digests = [digest(path) for path in files]
        except OSError:
            return
        self.known = short_hash(digests)

    def __call__(self) -> str:
        """The checksum; waits for it."""
        if self._thread is not None:
            self._thread.join()
        return self.known
