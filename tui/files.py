"""Files that a person names: pasted, completed, listed. What reads a folder takes its time: call it on a thread."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import msgspec

from tui.parameter_row import Files

SUFFIXES: Final[dict[Files, tuple[str, ...]]] = {
    "image": (".png", ".jpg", ".jpeg", ".webp"),
    "weights": (".safetensors",),
}
"""What the files of a kind end in, whatever the case."""

_LAYOUT: Final = ("config.json", "model_index.json")
"""One of these is in a folder in the layout of diffusers: of a network, or of a whole model."""

MOST_ENTRIES: Final = 5000
"""Entries of a folder that are looked at; more would keep the list from being read."""


class Entry(msgspec.Struct, frozen=True):
    """A file or a folder (`is_folder`) in a list; `bytes` is a file's size. `is_here` is the folder of the list, to be
    taken as a whole."""

    path: Path
    is_folder: bool
    bytes: int = 0
    is_here: bool = False

    @property
    def name(self) -> str:
        """Its last part, as it is on disk; that of a folder ends in a stroke."""
        if self.is_here:
            return "this folder"
        return f"{self.path.name}/" if self.is_folder else self.path.name


def pasted_path(text: str) -> str:
    """The path that a paste means: its first line, without the quotes or strokes of a shell, or out of a file URL.
    A whole path behind the `~/` that a line begins with stands for itself."""
    line = next(iter(text.strip().splitlines()), "").strip()
    if (whole := line.removeprefix("~/")).startswith(("/", "~/", "file://", "'", '"')):
        line = whole
    if line.startswith("file://"):
        return unquote(urlsplit(line).path)
    if line[:1] in ("'", '"') or "\\" in line:
        with suppress(ValueError):
            parts = shlex.split(line)
            return parts[0] if len(parts) == 1 else line
    return line


def list_folder(folder: Path, files: Files) -> list[Entry]:
    """The folders in `folder`, then its files of a kind, each by name; hidden ones are left out. Before them the folder
    itself, where it holds weights in the layout of diffusers. Raises OSError."""
    found = list(islice(_entries(folder, files), MOST_ENTRIES))
    whole = files == "weights" and any((folder / name).is_file() for name in _LAYOUT)
    here = [Entry(folder, False, is_here=True)] if whole else []
    return [*here, *sorted(found, key=lambda entry: (not entry.is_folder, entry.name.casefold()))]


def complete(text: str, files: Files) -> str:
    """What completes a path that is being typed: the rest of the first name that begins so. Never fails."""
    head, stroke, begun = text.rpartition("/")
    if not begun or (not stroke and text.startswith("~")):
        return "/" if text == "~" else ""
    with suppress(OSError, RuntimeError, ValueError):
        folder = Path(f"{head}{stroke}" or ".").expanduser()
        names = [
            entry.name for entry in islice(_entries(folder, files, hidden=begun[0] == "."), MOST_ENTRIES)
        ]
        fitting = [name for name in names if name.startswith(begun) and name != begun]
        return min(fitting, key=str.casefold)[len(begun) :] if fitting else ""
    return ""


def _entries(folder: Path, files: Files, *, hidden: bool = False) -> Iterator[Entry]:
    with os.scandir(folder) as found:
        for one in found:
            if one.name.startswith(".") and not hidden:
                continue
            with suppress(OSError, UnicodeEncodeError):
                one.name.encode()  # a name that is no text can be kept in no recipe
                if one.is_dir():
                    yield Entry(Path(one.path), True)
                elif one.is_file() and one.name.lower().endswith(SUFFIXES[files]):
                    yield Entry(Path(one.path), False, one.stat().st_size)
