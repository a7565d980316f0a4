"""Wildcard files: what `__name__` in a prompt stands for, a line each, in text files that a person keeps in folders."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sdcore.library import config
from sdcore.regular import open_regular

SUFFIX: Final = ".txt"
MAX_FILES: Final = 5000
MAX_BYTES: Final = 1 << 20
"""Bytes of a file that are read."""
MAX_LINES: Final = 10_000
MAX_DEPTH: Final = 8
_COMMENT: Final = "#"

NAME: Final = re.compile(r"[^\W_](?:[\w .-]{0,62}[\w-])?(?:/[^\W_](?:[\w .-]{0,62}[\w-])?){0,7}")
"""What a wildcard may be called: words, with folders before them; nothing that begins with a dot."""


class Wildcards:
    """The wildcard files below a folder, that of the settings where none is named. An instance is called with a name
    or a pattern (`animals/*`) and answers with the lines; files are read once, when they are first asked for."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._found: dict[str, Path] | None = None
        self._lines: dict[str, tuple[str, ...]] = {}

    @property
    def folder(self) -> Path:
        """Where they are."""
        return self._folder or config.load()[0].wildcards_dir()

    def __call__(self, name: str) -> Sequence[str]:
        """The lines of every file that `name` means, in the order of their names; none where there is no such file."""
        if name not in self._lines:
            found = self.files()
            meant = fnmatch.filter(found, name) if "*" in name else [name] if name in found else []
            self._lines[name] = tuple(line for one in sorted(meant) for line in read_lines(found[one]))[
                :MAX_LINES
            ]
        return self._lines[name]

    def files(self) -> dict[str, Path]:
        """Every file by what it is called in a prompt. Never fails; names that cannot be said in a prompt are left
        out."""
        if self._found is None:
            self._found = dict(sorted(_find(self.folder)))
        return self._found

    def forget(self) -> None:
        """Look again when next asked: files may have changed."""
        self._found = None
        self._lines.clear()


def path_of(name: str, folder: Path | None = None) -> Path:
    """Where the wildcard called `name` is kept. Raises ValueError for a name that none can have."""
    if not NAME.fullmatch(name):
        raise ValueError(
            "A wildcard is called by letters, digits, hyphens and blanks, with / between folders."
        )
    return Wildcards(folder).folder / f"{name}{SUFFIX}"


def read_lines(path: Path) -> tuple[str, ...]:
    """What a file offers: its lines but for empty ones and comments (`#`); none where it cannot be read."""
    try:
        with open_regular(path) as file:
            text = file.read(MAX_BYTES).decode("utf-8-sig", "replace")
    except OSError:
        return ()
    lines = (line.strip() for line in text.splitlines())
    return tuple(line for line in lines if line and not line.startswith(_COMMENT))[:MAX_LINES]


def _find(folder: Path) -> list[tuple[str, Path]]:
    found: list[tuple[str, Path]] = []
    for place, folders, files in os.walk(folder):
        depth = len(Path(place).relative_to(folder).parts)
        folders[:] = sorted(name for name in folders if depth < MAX_DEPTH - 1 and NAME.fullmatch(name))
        for file in sorted(files):
            path = Path(place, file)
            name = path.relative_to(folder).with_suffix("").as_posix()
            if path.suffix == SUFFIX and NAME.fullmatch(name):
                found.append((name, path))
            if len(found) >= MAX_FILES:
                return found
    return found
