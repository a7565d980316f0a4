"""Stars and tags: a person's own work, so they are kept apart from the index, which can be deleted.

One JSON file in the state folder, replaced whole under a lock. An image is known by its path, and by the size and
the nanosecond of its last change: a file that was moved or renamed has both still, and so keeps its marks.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from sdcore.atomic import write_atomically
from sdcore.library import paths
from sdcore.spec.sanitise import sanitise

MAX_TAG: Final = 60
"""Characters of a tag."""
_ROUND: Final = 1_000_000
"""A time without a fraction of a millisecond is that of a coarse clock, which two files may well share."""


class Mark(msgspec.Struct, frozen=True):
    """The star and the tags of the image at `path`, whose `bytes` and time of last `changed` (nanoseconds) tell it
    when it has moved."""

    path: str
    bytes: int = 0
    changed: int = 0
    star: bool = False
    tags: tuple[str, ...] = ()


class MarksError(Exception):
    """A mark could not be kept; the message is one sentence that says what to do."""


class Marks:
    """All marks. Iterating gives those with a star or tags."""

    def __init__(self, marks: Iterable[Mark] = ()) -> None:
        self._by_path = {mark.path: mark for mark in marks}
        self._by_stamp: dict[tuple[int, int], list[Mark]] = {}
        for mark in self._by_path.values():
            self._by_stamp.setdefault((mark.bytes, mark.changed), []).append(mark)

    def __iter__(self) -> Iterator[Mark]:
        return iter(self._by_path.values())

    def of(self, path: str, size: int, changed: int) -> Mark:
        """The mark of the image at `path`, which has so many bytes and was changed at that nanosecond; one without
        star and tags where it has none. Looks at the disk only where it seems to have moved."""
        known = self._by_path.get(path)
        if known is not None:
            return known
        for mark in self._by_stamp.get((size, changed), ()):
            same_name = os.path.basename(mark.path) == os.path.basename(path)  # noqa: PTH119
            if (same_name or changed % _ROUND) and _stamp(mark.path) != (size, changed):
                return mark
        return Mark(path, size, changed)


def marks_file() -> Path:
    """Where the marks are kept."""
    return paths.state_dir() / "marks.json"


def read() -> Marks:
    """All marks; none where the file cannot be read. Never fails."""
    try:
        return Marks(_read(marks_file()) or ())
    except OSError:
        return Marks()


def set_star(images: Iterable[Path | str], on: bool) -> None:
    """Give images a star, or take it away. Writes to disk: call it on a thread. Raises `MarksError`."""
    _change(images, lambda mark: msgspec.structs.replace(mark, star=on))


def add_tags(images: Iterable[Path | str], tags: Iterable[str]) -> None:
    """Give images tags; what is no tag (see `tidy`) is left out. Writes to disk. Raises `MarksError`."""
    new = [tag for tag in map(tidy, tags) if tag]

    def add(mark: Mark) -> Mark:
        by_name = {tag.casefold(): tag for tag in (*new, *mark.tags)}
        return msgspec.structs.replace(mark, tags=tuple(sorted(by_name.values(), key=str.casefold)))

    _change(images, add)


def remove_tags(images: Iterable[Path | str], tags: Iterable[str]) -> None:
    """Take tags from images, whatever their case. Writes to disk. Raises `MarksError`."""
    old = {tidy(tag).casefold() for tag in tags}

    def remove(mark: Mark) -> Mark:
        return msgspec.structs.replace(
            mark, tags=tuple(tag for tag in mark.tags if tag.casefold() not in old)
        )

    _change(images, remove)


def tidy(tag: str) -> str:
    """A tag as it is kept: one line without control characters and needless spaces, at most `MAX_TAG` characters; ""
    if nothing is left. A quote would end the search for it."""
    return " ".join(sanitise(tag, newlines=False).replace('"', "'").split())[:MAX_TAG].strip()


def _change(images: Iterable[Path | str], change: Callable[[Mark], Mark]) -> None:
    path = marks_file()
    try:
        with _alone(path):
            kept = _read(path)
            if kept is None:
                path.replace(path.with_name(path.name + ".damaged"))
            before = Marks(kept or ())
            after = {mark.path: mark for mark in before}
            for image in images:
                here = os.path.abspath(image)  # noqa: PTH100  a path's text, as the index has it
                stamp = _stamp(here)
                mark = before.of(here, *(stamp or (0, 0)))
                if mark.path != here:
                    after.pop(mark.path, None)
                changed = change(mark)
                size, time = stamp or (mark.bytes, mark.changed)
                after[here] = Mark(here, size, time, changed.star, changed.tags)
            marked = [msgspec.structs.asdict(mark) for mark in after.values() if mark.star or mark.tags]
            # json keeps names of files that are not text, as msgspec does not
            write_atomically(path, json.dumps({"version": 1, "marks": marked}, indent=0).encode())
    except OSError as fault:
        reason = sanitise(fault.strerror or str(fault), newlines=False)
        where = sanitise(str(path), newlines=False)
        raise MarksError(f"Stars and tags could not be kept in {where}: {reason}.") from fault


def _read(path: Path) -> list[Mark] | None:
    """What is in the file; None where it is damaged. Raises OSError."""
    try:
        said = json.loads(path.read_bytes())
        return msgspec.convert(said["marks"], list[Mark])
    except FileNotFoundError:
        return []
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _stamp(path: str) -> tuple[int, int] | None:
    try:
        about = os.stat(path)  # noqa: PTH116  some microseconds, not ten
    except (OSError, ValueError):
        return None
    return about.st_size, about.st_mtime_ns


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the marks against other writers, where the file system can."""
    descriptor = os.open(path.with_name(path.name + ".lock"), os.O_CREAT | os.O_RDWR, 0o600)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
