"""The trash: images that a person threw away, until they empty it.

Each throw is a folder of its own in the trash, with a journal that was written before anything was moved: where every
file came from. A crash in the middle leaves each file either here or where it was.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from sdcore.atomic import place_new, write_atomically
from sdcore.library import paths
from sdcore.library.trace_files import trace_path
from sdcore.spec.sanitise import sanitise

_JOURNAL: Final = "moved.json"


class Moved(msgspec.Struct, frozen=True):
    """A file that was at `origin` and is at `kept` now, both absolute paths."""

    origin: str
    kept: str


class Thrown(msgspec.Struct, frozen=True):
    """What was thrown away at once, at `when` (epoch seconds): images, and the runs that lay beside them. `problems`
    are sentences about files that could not be moved; they are where they were."""

    folder: str
    when: float = 0.0
    moved: tuple[Moved, ...] = ()
    problems: tuple[str, ...] = ()


class Restored(msgspec.Struct, frozen=True):
    """Where files are again, and sentences about those that are still in the trash."""

    paths: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


class TrashError(Exception):
    """Nothing could be thrown away; the message is one sentence that says what to do."""


def trash_dir() -> Path:
    """Where what was thrown away is."""
    return paths.state_dir() / "trash"


def throw(images: Iterable[Path | str]) -> Thrown:
    """Move images, and the recorded runs beside them, into the trash; across disks they are copied. Takes as long as
    that: call it on a thread. Raises `TrashError`."""
    wanted = dict.fromkeys(os.path.abspath(image) for image in images)  # noqa: PTH100  links are moved, not followed
    origins = [
        origin
        for image in wanted
        for origin in (image, str(trace_path(Path(image))))
        if origin in wanted or os.path.lexists(origin)
    ]
    try:
        trash_dir().mkdir(mode=0o700, exist_ok=True)
        now = datetime.now().astimezone()
        folder = tempfile.mkdtemp(dir=trash_dir(), prefix=f"{now:%Y-%m-%d_%H%M%S}_")
        planned = [
            Moved(origin, os.path.join(folder, f"{number:05d}{_endings(origin)}"))  # noqa: PTH118
            for number, origin in enumerate(dict.fromkeys(origins))
        ]
        _write(Thrown(folder, now.timestamp(), tuple(planned)))
    except OSError as fault:
        where = sanitise(str(trash_dir()), newlines=False)
        raise TrashError(f"Nothing was thrown away: {where} cannot be written: {_reason(fault)}.") from fault
    moved: list[Moved] = []
    problems: list[str] = []
    for one in planned:
        try:
            if os.path.isdir(one.origin):  # noqa: PTH112
                raise IsADirectoryError(errno.EISDIR, "it is a folder")
            _move(one.origin, one.kept)
            moved.append(one)
        except (OSError, ValueError) as fault:
            name = sanitise(os.path.basename(one.origin), newlines=False)  # noqa: PTH119
            problems.append(f"{name} could not be thrown away: {_reason(fault)}.")
    if not moved:
        shutil.rmtree(folder, ignore_errors=True)
    return Thrown(folder, now.timestamp(), tuple(moved), tuple(problems))


def undo(thrown: Thrown) -> Restored:
    """Put back what was thrown away; where there is another file by now, beside it under a new name. Never overwrites
    and never raises."""
    back: list[str] = []
    problems: list[str] = []
    for one in thrown.moved:
        if not os.path.lexists(one.kept):
            continue
        try:
            Path(one.origin).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            back.append(_put_back(one))
        except OSError as fault:
            name = sanitise(one.origin, newlines=False)
            problems.append(f"{name} could not be put back: {_reason(fault)}.")
    if not problems:
        shutil.rmtree(thrown.folder, ignore_errors=True)
    return Restored(tuple(back), tuple(problems))


def contents() -> list[Thrown]:
    """What is in the trash, the newest first. Never fails."""
    found = []
    with contextlib.suppress(OSError):
        for folder in trash_dir().iterdir():
            thrown = _read(folder)
            there = tuple(one for one in thrown.moved if os.path.lexists(one.kept))
            if there:
                found.append(msgspec.structs.replace(thrown, moved=there))
    return sorted(found, key=lambda thrown: thrown.when, reverse=True)


def empty() -> int:
    """Delete all that is in the trash for good; returns how many files. Never raises."""
    count = sum(len(thrown.moved) for thrown in contents())
    shutil.rmtree(trash_dir(), ignore_errors=True)
    return count - sum(len(thrown.moved) for thrown in contents())


def _endings(path: str) -> str:
    """The endings of a file name as far as they are short and plain: those say what opens it."""
    endings = "".join(Path(path).suffixes[-2:])
    return endings if endings.isascii() and len(endings) <= 30 else ""


def _move(source: str, target: str) -> None:
    """Move a file to a name that is free and ours."""
    try:
        os.rename(source, target)  # noqa: PTH104
    except OSError as fault:
        if fault.errno != errno.EXDEV:
            raise
        _copy(source, target)
        os.unlink(source)  # noqa: PTH108


def _put_back(one: Moved) -> str:
    """Give a file its old name, or one like it."""
    origin, kept = Path(one.origin), Path(one.kept)
    number = 1
    while True:
        target = origin if number == 1 else origin.with_name(f"{origin.stem}-{number}{origin.suffix}")
        try:
            _place(kept, target)
        except FileExistsError:
            number += 1
        else:
            kept.unlink(missing_ok=True)
            return str(target)


def _place(kept: Path, target: Path) -> None:
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, "there is another file")
    try:
        place_new(kept, target)
    except OSError as fault:
        if fault.errno != errno.EXDEV:
            raise
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=".", suffix=".part")
        os.close(descriptor)
        part = Path(name)
        try:
            part.unlink()
            _copy(str(kept), name)
            place_new(part, target)
        finally:
            part.unlink(missing_ok=True)


def _copy(source: str, target: str) -> None:
    """Copy a file with its times, durably; a link is copied as a link. No half of it stays where that fails."""
    try:
        shutil.copy2(source, target, follow_symlinks=False)
        if not os.path.islink(target):  # noqa: PTH114
            descriptor = os.open(target, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(target)  # noqa: PTH108
        raise


def _write(thrown: Thrown) -> None:
    # json keeps names of files that are not text, as msgspec does not
    said = msgspec.to_builtins(thrown, builtin_types=()) | {"problems": []}
    write_atomically(Path(thrown.folder) / _JOURNAL, json.dumps(said, indent=0).encode())


def _read(folder: Path) -> Thrown:
    """What the journal of one throw says: nothing where it is damaged, for files without an origin go nowhere."""
    try:
        said = msgspec.convert(json.loads((folder / _JOURNAL).read_bytes()), Thrown)
    except (OSError, ValueError, RecursionError):
        return Thrown(str(folder))
    # A journal may say only what is in its own folder.
    moved = tuple(one for one in said.moved if Path(one.kept).parent == folder)
    return Thrown(str(folder), said.when, moved)


def _reason(fault: OSError | ValueError) -> str:
    return sanitise(getattr(fault, "strerror", None) or str(fault), newlines=False)
