"""Files that are there whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_NO_LINKS: Final = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


@contextlib.contextmanager
def held(folder: Path) -> Iterator[int]:
    """Hold a folder against other writers, where its file system can lock one; yields its descriptor. Raises OSError.

    The folder is the lock, since a file in it may be replaced by another while the lock is awaited.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def write_atomically(path: Path, data: bytes) -> None:
    """Put a file (0600) that holds `data` in the place of `path`, durably; raises OSError."""
    with _part(path, data) as part:
        part.replace(path)


def write_new(path: Path, data: bytes) -> None:
    """Put a file (0600) that holds `data` where there is none yet, durably; raises FileExistsError rather than
    overwrite, or another OSError."""
    with _part(path, data) as part:
        place_new(part, path)


def place_new(part: Path, target: Path) -> None:
    """Give the whole file `part` the name `target` too, or instead; raises FileExistsError rather than overwrite, or
    another OSError."""
    try:
        os.link(part, target)
    except OSError as fault:
        if fault.errno not in _NO_LINKS:
            raise
        # A file system without hard links: claim the name first, so that replacing it harms nobody.
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        part.replace(target)


@contextlib.contextmanager
def _part(path: Path, data: bytes) -> Iterator[Path]:
    """A file beside `path` that holds `data` and is on the disk; it is gone afterwards unless it was moved."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:64]}.")
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield part
        _sync(path.parent)
    finally:
        part.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    """Make a file's new name durable; where folders cannot be synced there is nothing more to do."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
