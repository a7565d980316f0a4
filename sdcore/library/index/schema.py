"""The index file and its tables: where it lies, how it is opened, how an older one is brought up to date."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from sdcore.library import paths
from sdcore.library.index.disks import is_remote

_log = logging.getLogger(__name__)

_BUSY_SECONDS: Final = 5.0
_FILES: Final = ("", "-wal", "-shm", "-journal")
"""A database is these files together."""

Migration = Callable[[sqlite3.Connection], None]


class NewerIndexError(Exception):
    """The index was made by a newer version of this program."""


def index_file() -> Path:
    """Where the index is kept: with what can be made again, so that whoever empties their cache loses nothing."""
    return paths.cache_dir() / "index.sqlite"


def _create(connection: sqlite3.Connection) -> None:
    """Version 1.

    Paths are bytes, for names of files need not be text. `changed` is nanoseconds, `created` epoch seconds. A seed is
    20 digits with leading zeros: as text they are in the right order, and SQLite's integers end at 2**63, where the
    seeds of others do not. `sampler`, `model` and `writer` are rows of `label`, so that rows are short; `image_fields`
    has most of what is searched for once more, as it is looked through in half the time of the whole table. The texts
    of image N are row N of `words`.
    """
    for statement in (
        "CREATE TABLE folder (id INTEGER PRIMARY KEY, path BLOB NOT NULL UNIQUE)",
        "CREATE TABLE label (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE)",
        """CREATE TABLE image (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            folder INTEGER NOT NULL REFERENCES folder (id),
            name BLOB NOT NULL,
            bytes INTEGER NOT NULL,
            changed INTEGER NOT NULL,
            created REAL NOT NULL,
            width INTEGER NOT NULL,
            height INTEGER NOT NULL,
            steps INTEGER,
            guidance_scale REAL,
            seed TEXT,
            sampler INTEGER,
            model INTEGER,
            writer INTEGER,
            star INTEGER NOT NULL,
            problem TEXT NOT NULL,
            UNIQUE (folder, name)
        )""",
        "CREATE INDEX image_newest ON image (created DESC, id DESC)",
        """CREATE INDEX image_fields ON image (
            steps, guidance_scale, sampler, model, writer, folder, width, height, star, created
        )""",
        "CREATE TABLE tag (name TEXT NOT NULL, image INTEGER NOT NULL, PRIMARY KEY (name, image)) WITHOUT ROWID",
        "CREATE INDEX tag_image ON tag (image)",
        """CREATE VIRTUAL TABLE words USING fts5 (
            prompt, negative_prompt, tokenize = 'unicode61 remove_diacritics 2', prefix = '1 2 3'
        )""",
        "CREATE TABLE progress (folder BLOB NOT NULL, done INTEGER NOT NULL, total INTEGER NOT NULL)",
        "INSERT INTO progress VALUES (x'', 0, 0)",
    ):
        connection.execute(statement)


def _ask_the_silent_again(connection: sqlite3.Connection) -> None:
    """Version 2: drawn graphs of ComfyUI and texts hidden in pixels are read, which said nothing before."""
    connection.execute("UPDATE image SET changed = 0 WHERE writer IS NULL")


MIGRATIONS: Final[tuple[Migration, ...]] = (_create, _ask_the_silent_again)
"""Function k takes an index from version k (`PRAGMA user_version`) to k + 1. One that needs to know more of each file
than the index does sets `image.changed` to 0, and all files are read again."""

VERSION: Final = len(MIGRATIONS)


def open_to_write(path: Path, migrations: Sequence[Migration] = MIGRATIONS) -> sqlite3.Connection:
    """The index at `path` up to date, in autocommit mode; made where there is none. Only the keeper may call this.

    One that is damaged, or of a newer version, is set aside (see `set_aside`) and made anew. Raises sqlite3.Error or
    OSError where even that fails.
    """
    try:
        return _open(path, migrations)
    except NewerIndexError:
        set_aside(path, "newer")
    except sqlite3.OperationalError:
        raise  # the disk is full or may not be written: another file would fare no better
    except sqlite3.DatabaseError as fault:
        _log.warning("the index is damaged, it is made again: %s", fault)
        set_aside(path, "damaged")
    return _open(path, migrations)


def set_aside(path: Path, why: str) -> None:
    """Rename the index at `path` and what belongs to it to `path` + ".why", in place of an older such one."""
    for ending in _FILES:
        with contextlib.suppress(FileNotFoundError):
            Path(f"{path}{ending}").replace(f"{path}.{why}{ending}")


def open_to_read(path: Path) -> sqlite3.Connection | None:
    """The index at `path` for any thread, unable to write; None where there is none, or none of this version.

    Raises sqlite3.Error.
    """
    if not path.is_file():
        return None
    # Not mode=ro: what a killed writer left in the log can then not be read.
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode=rw",
        uri=True,
        timeout=_BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        connection.execute("PRAGMA query_only = 1")
        connection.execute("PRAGMA cache_size = -32768")
        if _version(connection) == VERSION:
            return connection
    except sqlite3.Error:
        connection.close()
        raise
    connection.close()
    return None


def _open(path: Path, migrations: Sequence[Migration]) -> sqlite3.Connection:
    _make_private(path)
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
    try:
        # The write-ahead log is shared memory of one machine: on a network's disk it would not be shared.
        connection.execute(f"PRAGMA journal_mode = {'TRUNCATE' if is_remote(path) else 'WAL'}")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA cache_size = -32768")
        _migrate(connection, path, migrations)
    except BaseException:
        connection.close()
        raise
    return connection


def _make_private(path: Path) -> None:
    """An empty file that only this user can read: SQLite gives its other files the same permissions."""
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def _migrate(connection: sqlite3.Connection, path: Path, migrations: Sequence[Migration]) -> None:
    version = _version(connection)
    if version > len(migrations):
        raise NewerIndexError
    for number in range(version, len(migrations)):
        if number:
            _back_up(connection, Path(f"{path}.version{number}"))
        connection.execute("BEGIN IMMEDIATE")
        try:
            migrations[number](connection)
            connection.execute(f"PRAGMA user_version = {number + 1}")
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise


def _back_up(connection: sqlite3.Connection, target: Path) -> None:
    _make_private(target)
    with contextlib.closing(sqlite3.connect(target)) as copy:
        connection.backup(copy)


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
