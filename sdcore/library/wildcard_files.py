"""Wildcard files as a person edits them: whole texts, new ones, other names, the trash."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sdcore.atomic import write_atomically
from sdcore.library.trash import TrashError, throw
from sdcore.library.wildcards import MAX_BYTES, Wildcards, path_of
from sdcore.regular import open_regular
from sdcore.spec.sanitise import sanitise

FIRST_TEXT: Final = (
    "# One choice a line. 3::red is drawn three times as often as blue; __other__ draws from another file.\n"
)


class WildcardError(Exception):
    """A file could not be read or changed; the message is one sentence that says what to do."""


def read_text(name: str) -> str:
    """All of the file of the wildcard called `name`. Raises `WildcardError`, also where it is too large or no UTF-8:
    what cannot be shown whole must not be saved."""
    path = _path(name)
    try:
        with open_regular(path) as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as fault:
        raise WildcardError(f"{_shown(name)} could not be read: {fault.strerror or fault}.") from fault
    if len(data) > MAX_BYTES:
        raise WildcardError(f"{_shown(name)} is too large to be edited here; open it in another editor.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise WildcardError(f"{_shown(name)} is not UTF-8; open it in another editor.") from fault


def write_text(name: str, text: str) -> None:
    """Put `text` in the place of what the file says; its folders are made. Raises `WildcardError`."""
    path = _path(name)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(path, text.encode())
    except UnicodeEncodeError as fault:
        raise WildcardError("Half of a character cannot be kept; delete it and type it again.") from fault
    except OSError as fault:
        raise WildcardError(f"{_shown(name)} could not be written: {fault.strerror or fault}.") from fault


def create(name: str) -> None:
    """A new file that says how it is written. Raises `WildcardError` where there is one already."""
    _refuse_taken(name)
    write_text(name, FIRST_TEXT)


def rename(old: str, new: str) -> None:
    """Call a file something else. Raises `WildcardError`; never in the place of another."""
    if old == new:
        return
    _refuse_taken(new)
    source, target = _path(old), _path(new)
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        source.rename(target)
    except OSError as fault:
        raise WildcardError(f"{_shown(old)} could not be renamed: {fault.strerror or fault}.") from fault


def remove(name: str) -> None:
    """Move a file to the trash. Raises `WildcardError`."""
    try:
        thrown = throw([_path(name)])
    except TrashError as fault:
        raise WildcardError(str(fault)) from fault
    if thrown.problems:
        raise WildcardError(thrown.problems[0])


def _refuse_taken(name: str) -> None:
    if name in Wildcards().files() or _path(name).exists():
        raise WildcardError(f"There is a file called {_shown(name)} already; choose another name.")


def _path(name: str) -> Path:
    try:
        return path_of(name)
    except ValueError as fault:
        raise WildcardError(str(fault)) from fault


def _shown(name: str) -> str:
    return sanitise(name, newlines=False)
