"""Saved searches: names and what is searched for, in one JSON file that a person can read and edit."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from sdcore.atomic import write_atomically
from sdcore.library import paths
from sdcore.spec.sanitise import sanitise

MAX_NAME: Final = 60
"""Characters of a name."""
MAX_SEARCHES: Final = 500


class SearchesError(Exception):
    """A search could not be kept; the message is one sentence that says what to do."""


def searches_file() -> Path:
    """Where they are kept."""
    return paths.config_dir() / "searches.json"


def read() -> dict[str, str]:
    """What is searched for by name, in the order in which they were saved; nothing where the file cannot be read.
    Never fails."""
    try:
        return msgspec.json.decode(searches_file().read_bytes(), type=dict[str, str])
    except (OSError, ValueError, RecursionError):  # msgspec's and Unicode's faults are ValueErrors
        return {}


def add(name: str, text: str) -> str:
    """Save a search, in place of one of that name; returns the name as it is kept. Writes to disk. Raises
    `SearchesError`."""
    kept = " ".join(sanitise(name, newlines=False).split())[:MAX_NAME].strip()
    if not kept:
        raise SearchesError("Give the search a name.")
    encodable = text.encode("utf-8", "replace").decode()

    def change(known: dict[str, str]) -> None:
        if len(known) >= MAX_SEARCHES and kept not in known:
            raise SearchesError(f"There are {MAX_SEARCHES} saved searches already; remove one first.")
        known[kept] = encodable

    _change(change)
    return kept


def remove(name: str) -> None:
    """Forget a search, if there is one of that name. Writes to disk. Raises `SearchesError`."""

    def change(known: dict[str, str]) -> None:
        known.pop(name, None)

    _change(change)


def _change(change: Callable[[dict[str, str]], None]) -> None:
    path = searches_file()
    try:
        # The folder is the lock: a file that is replaced cannot be.
        descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            known = msgspec.json.decode(path.read_bytes(), type=dict[str, str]) if path.exists() else {}
            change(known)
            write_atomically(path, msgspec.json.format(msgspec.json.encode(known)) + b"\n")
        finally:
            os.close(descriptor)
    except (ValueError, RecursionError) as fault:
        where = sanitise(str(path), newlines=False)
        raise SearchesError(
            f"{where} is not valid JSON, so it was left alone; mend it or delete it."
        ) from fault
    except OSError as fault:
        where = sanitise(str(path), newlines=False)
        reason = sanitise(fault.strerror or str(fault), newlines=False)
        raise SearchesError(f"The search could not be kept in {where}: {reason}.") from fault
