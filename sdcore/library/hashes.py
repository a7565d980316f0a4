"""The SHA-256 of model files, each reckoned once: kept by path, size and time of the last change. No torch."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec

from sdcore.atomic import held, write_atomically
from sdcore.library import paths
from sdcore.regular import open_regular
from sdcore.spec.sanitise import sanitise
from sdcore.weights import short_hash

MOST: Final = 5_000
"""So many hashes are kept, the newest."""

_CHUNK: Final = 4 * 1024 * 1024
_MAX_BYTES: Final = 8 * 1024 * 1024

Progress = Callable[[float], None]
Stop = Callable[[], bool]


class HashError(OSError):
    """A file cannot be hashed; the message is one sentence that says why."""


class HashStopped(Exception):
    """Hashing was stopped before its end."""


class _Known(msgspec.Struct, frozen=True, array_like=True):
    """A hash, and the size and time (nanoseconds) of the last change of the file that had it."""

    size: int
    changed: int
    digits: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


_DECODER: Final = msgspec.json.Decoder(dict[str, _Known])


def known_hash(files: Sequence[Path | str]) -> str:
    """What the weights in `files` are called by (see `weights.short_hash`), "" unless that is known already. Never
    fails."""
    digests = []
    for path in files:
        try:
            found = _look_up(_key(path), Path(path).stat())
        except (OSError, ValueError):
            return ""
        if found is None:
            return ""
        digests.append(found)
    return short_hash(digests) if digests else ""


def sha256_of(
    path: Path | str, *, start: int = 0, progress: Progress | None = None, stop: Stop | None = None
) -> str:
    """The SHA-256 of the file at `path` from byte `start` on, 64 hex digits.

    Reads all of the file unless that was done before: call it on a thread. `progress` is told the share that is done
    (0..1), and `stop` asked, every 4 MiB. Raises `HashError`, and `HashStopped` when `stop` says so.
    """
    try:
        with open_regular(path) as file:
            about = os.fstat(file.fileno())
            key = _key(path) + (f" from {start}" if start else "")
            if known := _look_up(key, about):
                return known
            file.seek(start)
            digest = hashlib.sha256()
            while chunk := file.read(_CHUNK):
                if stop and stop():
                    raise HashStopped
                digest.update(chunk)
                if progress:
                    progress(min(1.0, file.tell() / max(1, about.st_size)))
            after = os.fstat(file.fileno())
    except HashError:
        raise
    except (OSError, ValueError) as fault:
        reason = sanitise(getattr(fault, "strerror", None) or str(fault), newlines=False)
        raise HashError(f"{_shown(path)} cannot be read: {reason}.") from fault
    if (about.st_size, about.st_mtime_ns) == (after.st_size, after.st_mtime_ns):
        _keep(key, _Known(about.st_size, about.st_mtime_ns, digest.hexdigest()))
    return digest.hexdigest()


def _key(path: Path | str) -> str:
    """The path as JSON can have it: names of files need not be text."""
    return os.fsencode(Path(path).absolute()).decode("utf-8", "backslashreplace")


def _shown(path: Path | str) -> str:
    return sanitise(str(path), newlines=False)[-200:]


def _look_up(key: str, about: os.stat_result) -> str | None:
    found = _read().get(key)
    fresh = found is not None and (found.size, found.changed) == (about.st_size, about.st_mtime_ns)
    return found.digits if found is not None and fresh else None


def _file() -> Path:
    return paths.cache_dir() / "hashes.json"


def _read() -> dict[str, _Known]:
    """What is kept; nothing where that is damaged, for it can be made again."""
    try:
        with _file().open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
        return _DECODER.decode(content) if len(content) <= _MAX_BYTES else {}
    except (OSError, ValueError, RecursionError):  # msgspec's and Unicode's faults are ValueErrors
        return {}


def _keep(key: str, known: _Known) -> None:
    """Add a hash to those that other processes have kept meanwhile; one that cannot be kept is made again."""
    with contextlib.suppress(OSError), held(paths.cache_dir()):
        kept = _read()
        kept.pop(key, None)
        kept[key] = known
        newest = dict(list(kept.items())[-MOST:])
        write_atomically(_file(), msgspec.json.encode(newest))
