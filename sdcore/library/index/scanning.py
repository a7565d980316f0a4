"""Which images there are in a folder and below it, and when each was last changed: nothing is opened."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".webp")


class Stamp(NamedTuple):
    """Size in bytes and time of the last change in nanoseconds: a file with the same two is the same."""

    bytes: int
    changed: int


class Listing(NamedTuple):
    """The images in one folder by name; None where it could not be looked into now."""

    folder: str
    images: Mapping[str, Stamp] | None


def is_image(name: str) -> bool:
    """Whether a file of this name is looked at: those that begin with a dot are private or half written."""
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


def walk(root: str, skip: Callable[[str], bool], stop: Callable[[], bool]) -> Iterator[Listing]:
    """The folder `root` and all below it, each once, but for hidden ones and those that `skip` names. A folder that
    does not exist is not listed. Never fails."""
    waiting = [root]
    seen: set[tuple[int, int]] = set()
    while waiting and not stop():
        folder = waiting.pop()
        images: dict[str, Stamp] = {}
        readable = True
        try:
            about = os.stat(folder)  # noqa: PTH116  some microseconds, not ten
            if (about.st_dev, about.st_ino) in seen:
                continue
            seen.add((about.st_dev, about.st_ino))
            with os.scandir(folder) as entries:
                for entry in entries:
                    if is_image(entry.name) and (stamp := stamp_of(entry)) is not None:
                        images[entry.name] = stamp
                    elif not entry.name.startswith(".") and _is_folder(entry) and not skip(entry.path):
                        waiting.append(entry.path)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError):
            readable = False
        yield Listing(folder, images if readable else None)


def stamp_of(place: os.DirEntry[str] | Path) -> Stamp | None:
    """The stamp of a file, None where there is none."""
    try:
        about = place.stat()
    except (OSError, ValueError):
        return None
    # a folder may be called x.png, and a time be beyond the year 2262, where SQLite's integers end
    return Stamp(about.st_size, min(about.st_mtime_ns, 2**63 - 1)) if stat.S_ISREG(about.st_mode) else None


def outermost(folders: Iterable[Path]) -> list[str]:
    """The folders without those that lie in another of them, in their order."""
    kept: list[tuple[str, str]] = []
    for folder in folders:
        real = os.path.realpath(folder)
        if any(is_below(real, other) for _, other in kept):
            continue
        kept = [(path, other) for path, other in kept if not is_below(other, real)]
        kept.append((str(folder), real))
    return [path for path, _ in kept]


def is_below(path: str, folder: str) -> bool:
    """Whether `path` is `folder` or lies in it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False
