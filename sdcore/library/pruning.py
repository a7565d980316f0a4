"""Caches on disk that may take so many bytes and no more."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

_PRUNE_TO: Final = 0.9


def prune(folder: Path, limit: int) -> None:
    """Delete the least recently used files below a folder, by the time of their last change, until nine tenths of
    `limit` bytes are left, if there are more than `limit`. Takes up to a second. Never raises."""
    found: list[tuple[float, int, str]] = []
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)  # noqa: PTH118  some microseconds, not ten
            with contextlib.suppress(OSError):
                about = os.stat(path)  # noqa: PTH116
                found.append((about.st_mtime, about.st_size, path))
    total = sum(size for _, size, _ in found)
    if total <= limit:
        return
    for _, size, path in sorted(found):
        with contextlib.suppress(OSError):
            os.unlink(path)  # noqa: PTH108
        total -= size
        if total <= _PRUNE_TO * limit:
            return
