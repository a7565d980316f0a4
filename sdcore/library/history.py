"""The prompts that were used, kept across runs: one JSON object a line, oldest first."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from sdcore.atomic import write_atomically
from sdcore.library import paths
from sdcore.spec.recipe import Recipe

MAX_ENTRIES: Final = 10_000
MAX_BYTES: Final = 8 * 1024 * 1024
"""Only the last bytes of a longer file are read; one twice as long is cut down to them."""


_PROMPTS: Final = ("prompt", "negative_prompt")
_OF_ONE_IMAGE: Final = ("seed", "variation_seed", "variation_strength", "earlier_variations")
"""What another image of the same prompt has another one of: not worth a line of the history each time."""


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """A prompt and its negative prompt as they were used, and the fields of the recipe that were not as in `Recipe()`,
    but for its seeds and variations; None where they are not known."""

    prompt: str
    negative_prompt: str = ""
    settings: dict[str, Any] | None = None

    def recipe(self) -> Recipe | None:
        """The recipe of these prompts with the seeds of `Recipe()`; None where it is not known. Not checked."""
        if self.settings is None:
            return None
        said = {**self.settings, "prompt": self.prompt, "negative_prompt": self.negative_prompt}
        try:
            return msgspec.convert(said, Recipe)
        except msgspec.ValidationError:
            return None


def entry_of(recipe: Recipe) -> Entry:
    """What is remembered of a recipe."""
    said, plain = msgspec.to_builtins(recipe), msgspec.to_builtins(Recipe())
    settings = {
        name: _encodable(value) if isinstance(value, str) else value
        for name, value in said.items()
        if value != plain[name] and name not in (*_PROMPTS, *_OF_ONE_IMAGE)
    }
    return Entry(_encodable(recipe.prompt), _encodable(recipe.negative_prompt), settings)


_ENTRY: Final = msgspec.json.Decoder(Entry)


class PromptHistory:
    """The prompt history in a file, shared by all runs of the program.

    `entries` is what was there when this object was made and what it added since, oldest first, at most
    `MAX_ENTRIES`, without repeated neighbours. Reading never fails: what cannot be read is left out.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or paths.state_dir() / "prompts.jsonl"
        self.entries: list[Entry] = _tidy(_read(self.path))

    def add(self, recipe: Recipe) -> None:
        """Remember a recipe, unless it has no prompt or is the newest one; raises OSError if it cannot be written.

        It is in `entries` even then.
        """
        entry = entry_of(recipe)
        if not (recipe.prompt.strip() or recipe.negative_prompt.strip()) or self.entries[-1:] == [entry]:
            return
        self.entries = _tidy([*self.entries, entry])
        with _held(self.path) as descriptor:
            _append(descriptor, entry)
            if os.fstat(descriptor).st_size > 2 * MAX_BYTES:
                _shorten(self.path)


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _tidy(entries: Iterable[Entry]) -> list[Entry]:
    kept: list[Entry] = []
    for entry in entries:
        if kept[-1:] != [entry]:
            kept.append(entry)
    return kept[-MAX_ENTRIES:]


def _read(path: Path) -> list[Entry]:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - MAX_BYTES))
            lines = file.read(MAX_BYTES).split(b"\n")
    except OSError:
        return []
    entries = []
    for line in lines:
        # a torn or foreign line
        with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            entries.append(_ENTRY.decode(line))
    return entries


@contextlib.contextmanager
def _held(path: Path) -> Iterator[int]:
    """The file open to read and append, held against other processes where its file system can lock."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            with contextlib.suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            # Another process may have put a shortened file in this one's place while the lock was awaited.
            if path.exists() and os.path.samestat(path.stat(), os.fstat(descriptor)):
                yield descriptor
                return
        finally:
            os.close(descriptor)


def _append(descriptor: int, entry: Entry) -> None:
    size = os.fstat(descriptor).st_size
    torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
    os.write(descriptor, (b"\n" if torn else b"") + msgspec.json.encode(entry) + b"\n")


def _shorten(path: Path) -> None:
    """Put a file with the newest entries alone in the place of `path`, whose lock is held."""
    write_atomically(path, b"".join(msgspec.json.encode(entry) + b"\n" for entry in _tidy(_read(path))))
