"""What the index knows, for whoever shows it."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from sdcore.library.index import schema
from sdcore.library.index.asking import Answers
from sdcore.library.index.lock import is_kept
from sdcore.spec.search import parse

_CHUNK: Final = 500


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """An image. All text is somebody else's.

    `width` and `height` are pixels of the file (0 where it cannot be read), `created` is epoch seconds: what the image
    says, or else the time of the file's last change. What it does not say is None. `problem` is a sentence where the
    file could not be read, else "".
    """

    id: int
    path: str
    width: int
    height: int
    bytes: int
    created: float
    prompt: str = ""
    negative_prompt: str = ""
    seed: int | None = None
    steps: int | None = None
    sampler: str | None = None
    model: str | None = None
    guidance_scale: float | None = None
    writer: str | None = None
    star: bool = False
    tags: tuple[str, ...] = ()
    problem: str = ""


class Progress(msgspec.Struct, frozen=True):
    """What the keeper does: it has read `done` of the `total` files that are new or changed in `folder`. `running`
    says that it is not done yet."""

    folder: str = ""
    done: int = 0
    total: int = 0
    running: bool = False


class Index:
    """The index for reading: empty until there is one, and again when it is deleted. Any thread may call; calls take
    their turns, and one takes up to some 30 ms with 100,000 images, so none belongs on an event loop. No method
    raises.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._version = 0
        self._seen = -1
        self._closed = False
        self._answers = Answers()

    @classmethod
    def open(cls, path: Path | None = None) -> Index:
        """The index at `path`, the usual one when None. Never fails: there need not be one yet."""
        return cls(path or schema.index_file())

    def ids(self, query_text: str = "") -> array[int]:
        """The ids (array of type "q") of all images that fit what a person typed (see `spec.search`), newest first."""
        query = parse(query_text)
        with self._reading() as connection:
            if connection is not None:
                return self._answers.ids(connection, self._current(connection), query)
        return array("q")

    def rows(self, ids: Sequence[int]) -> list[Row]:
        """The images of these ids, in their order; those that are gone are left out."""
        found: dict[int, Row] = {}
        with self._reading() as connection:
            if connection is not None:
                for start in range(0, len(ids), _CHUNK):
                    found.update(_rows(connection, list(ids[start : start + _CHUNK])))
        return [found[one] for one in ids if one in found]

    def find(self, path: Path | str) -> int | None:
        """The id of the image at `path`, None where it is not in the index."""
        folder, name = os.path.split(os.path.abspath(path))  # noqa: PTH100  links are not followed
        with self._reading() as connection:
            if connection is not None:
                row = connection.execute(
                    "SELECT image.id FROM image JOIN folder ON folder.id = image.folder WHERE path = ? AND name = ?",
                    (os.fsencode(folder), os.fsencode(name)),
                ).fetchone()
                return None if row is None else int(row[0])
        return None

    def version(self) -> int:
        """A number that is another one whenever something was changed in the index. Costs microseconds."""
        with self._reading() as connection:
            if connection is not None:
                self._current(connection)
        return self._version

    def progress(self) -> Progress:
        """What the keeper is doing; not running where there is no keeper."""
        with self._reading() as connection:
            if connection is not None:
                folder, done, total = connection.execute(
                    "SELECT folder, done, total FROM progress"
                ).fetchone()
                running = done < total and is_kept(self._path)
                return Progress(os.fsdecode(folder), done, total, running)
        return Progress()

    def tags(self) -> list[str]:
        """All tags in use, in the order of the alphabet."""
        with self._reading() as connection:
            if connection is not None:
                names = [name for (name,) in connection.execute("SELECT DISTINCT name FROM tag")]
                return sorted(names, key=str.casefold)
        return []

    def count(self) -> int:
        """How many images there are."""
        with self._reading() as connection:
            if connection is not None:
                return self._answers.count(connection, self._current(connection))
        return 0

    def close(self) -> None:
        """Give the files back. Afterwards the index is empty."""
        with self._lock:
            self._closed = True
            self._drop()

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        """The connection, None where there is no index; a damaged one is let go, to be looked for again next time."""
        with self._lock:
            try:
                connection = self._connected()
            except sqlite3.Error:
                connection = None
            try:
                yield connection
            except sqlite3.Error:
                self._drop()

    def _connected(self) -> sqlite3.Connection | None:
        identity = _identity(self._path)
        if self._connection is not None and identity != self._identity:
            self._drop()
        if self._connection is None and identity is not None and not self._closed:
            self._connection = schema.open_to_read(self._path)
            self._identity = identity
            self._seen = -1
        return self._connection

    def _current(self, connection: sqlite3.Connection) -> int:
        seen = connection.execute("PRAGMA data_version").fetchone()[0]
        if seen != self._seen:
            self._seen = seen
            self._version += 1
        return self._version

    def _drop(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None
            self._version += 1


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_dev, about.st_ino


_ROWS: Final = """
SELECT image.id, folder.path, name, width, height, bytes, created, prompt, negative_prompt, seed, steps,
    sampler.text, model.text, guidance_scale, writer.text, star, problem
FROM image
JOIN folder ON folder.id = image.folder
JOIN words ON words.rowid = image.id
LEFT JOIN label AS sampler ON sampler.id = image.sampler
LEFT JOIN label AS model ON model.id = image.model
LEFT JOIN label AS writer ON writer.id = image.writer
WHERE image.id IN ({})
"""


def _rows(connection: sqlite3.Connection, ids: list[int]) -> dict[int, Row]:
    marks = ", ".join("?" * len(ids))
    tags: dict[int, list[str]] = {}
    for image, name in connection.execute(f"SELECT image, name FROM tag WHERE image IN ({marks})", ids):
        tags.setdefault(image, []).append(name)
    return {
        row[0]: Row(
            id=row[0],
            path=os.path.join(os.fsdecode(row[1]), os.fsdecode(row[2])),  # noqa: PTH118  some microseconds, not ten
            width=row[3],
            height=row[4],
            bytes=row[5],
            created=row[6],
            prompt=row[7],
            negative_prompt=row[8],
            seed=None if row[9] is None else int(row[9]),
            steps=row[10],
            sampler=row[11],
            model=row[12],
            guidance_scale=row[13],
            writer=row[14],
            star=bool(row[15]),
            tags=tuple(sorted(tags.get(row[0], ()))),
            problem=row[16],
        )
        for row in connection.execute(_ROWS.format(marks), ids)
    }
