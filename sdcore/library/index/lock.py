"""The lock that makes the keeper the only one: held as long as its process lives."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


def lock_file(index: Path) -> Path:
    """The file that the keeper of the index at `index` locks."""
    return index.with_name(index.name + ".lock")


def take(index: Path) -> int | None:
    """The lock of the index at `index` as a descriptor that holds it until it is closed; None while another process
    has it. Raises OSError."""
    descriptor = os.open(lock_file(index), os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def is_kept(index: Path) -> bool:
    """Whether a keeper lives."""
    try:
        descriptor = os.open(lock_file(index), os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False
