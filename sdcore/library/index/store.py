"""What the keeper writes. All in this file is for the one process that holds the lock."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator
from typing import Final

from sdcore.library.index.reading import Reading
from sdcore.library.index.scanning import Stamp, is_below
from sdcore.library.marks import Mark, Marks

_PUT: Final = """
INSERT INTO image (folder, name, bytes, changed, created, width, height, steps, guidance_scale, seed,
    sampler, model, writer, star, problem)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (folder, name) DO UPDATE SET bytes = excluded.bytes, changed = excluded.changed,
    created = excluded.created, width = excluded.width, height = excluded.height, steps = excluded.steps,
    guidance_scale = excluded.guidance_scale, seed = excluded.seed, sampler = excluded.sampler,
    model = excluded.model, writer = excluded.writer, star = excluded.star, problem = excluded.problem
RETURNING id
"""


class Store:
    """The rows of the index. Methods raise sqlite3.Error; those that change something belong into `transaction`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._labels: dict[str, int] = {}
        self._folders: dict[str, int] = {}

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written within is written at once, or not at all."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            # What was learnt within is as gone as the rows; a broken file cannot even roll back.
            self._labels.clear()
            self._folders.clear()
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def folders(self, root: str = "/") -> list[str]:
        """The folders with images that are `root` or below it."""
        found = (os.fsdecode(path) for (path,) in self._connection.execute("SELECT path FROM folder"))
        return [folder for folder in found if is_below(folder, root)]

    def stamps(self, folder: str) -> dict[str, Stamp]:
        """The images that are known in one folder, by name."""
        rows = self._connection.execute(
            "SELECT name, bytes, changed FROM image WHERE folder = ?", (self._folder(folder),)
        )
        return {os.fsdecode(name): Stamp(size, changed) for name, size, changed in rows}

    def stamp(self, folder: str, name: str) -> Stamp | None:
        """The same for one image."""
        row = self._connection.execute(
            "SELECT bytes, changed FROM image WHERE folder = ? AND name = ?",
            (self._folder(folder), os.fsencode(name)),
        ).fetchone()
        return None if row is None else Stamp(*row)

    def put(self, readings: Iterable[Reading], marks: Marks) -> None:
        """Add images, or bring those that are there already up to date."""
        for one in readings:
            folder = self._folder(one.folder) or self._add_folder(one.folder)
            mark = marks.of(_path(one.folder, one.name), *one.stamp)
            (image,) = self._connection.execute(
                _PUT,
                (
                    folder,
                    os.fsencode(one.name),
                    *one.stamp,
                    one.created,
                    one.width,
                    one.height,
                    one.steps,
                    one.guidance_scale,
                    one.seed,
                    self._label(one.sampler),
                    self._label(one.model),
                    self._label(one.writer),
                    mark.star,
                    one.problem,
                ),
            ).fetchone()
            self._connection.execute(
                "INSERT OR REPLACE INTO words (rowid, prompt, negative_prompt) VALUES (?, ?, ?)",
                (image, one.prompt, one.negative_prompt),
            )
            self._tag(image, mark)

    def remove(self, folder: str, names: Iterable[str] | None = None) -> None:
        """Forget images of one folder: all when `names` is None."""
        key = self._folder(folder)
        if names is None:
            rows = self._connection.execute("SELECT id FROM image WHERE folder = ?", (key,)).fetchall()
        else:
            sql = "SELECT id FROM image WHERE folder = ? AND name = ?"
            found = (self._connection.execute(sql, (key, os.fsencode(name))).fetchone() for name in names)
            rows = [row for row in found if row is not None]
        for table, column in (("image", "id"), ("words", "rowid"), ("tag", "image")):
            self._connection.executemany(f"DELETE FROM {table} WHERE {column} = ?", rows)
        if names is None:
            self._connection.execute("DELETE FROM folder WHERE id = ?", (key,))
            self._folders.pop(folder, None)

    def mark(self, marks: Marks) -> None:
        """Give every image the star and the tags that it has by `marks`, and take others away."""
        known = self._marked()
        for mark in marks:
            known.update(self._at(mark.path))
        for image, (path, stamp, star, tags) in known.items():
            mark = marks.of(path, *stamp)
            if mark.star != star:
                self._connection.execute("UPDATE image SET star = ? WHERE id = ?", (mark.star, image))
            if set(mark.tags) != tags:
                self._tag(image, mark)

    def tell(self, folder: str, done: int, total: int) -> None:
        """Say how far the reading of a folder is."""
        self._connection.execute(
            "UPDATE progress SET folder = ?, done = ?, total = ?", (os.fsencode(folder), done, total)
        )

    def tidy(self) -> None:
        """Make searching faster after much was added. Takes a second or more, and is no part of a transaction."""
        self._connection.execute("INSERT INTO words (words) VALUES ('optimize')")
        self._connection.execute("PRAGMA optimize")
        self._connection.execute("PRAGMA wal_checkpoint (TRUNCATE)")

    def _tag(self, image: int, mark: Mark) -> None:
        self._connection.execute("DELETE FROM tag WHERE image = ?", (image,))
        self._connection.executemany("INSERT INTO tag VALUES (?, ?)", [(name, image) for name in mark.tags])

    def _marked(self) -> dict[int, tuple[str, Stamp, bool, set[str]]]:
        """The images with a star or tags: their paths, stamps, stars and tags."""
        rows = self._connection.execute(
            "SELECT image.id, path, name, bytes, changed, star FROM image JOIN folder ON folder.id = image.folder "
            "WHERE star OR image.id IN (SELECT image FROM tag)"
        )
        found = {
            row[0]: (
                _path(os.fsdecode(row[1]), os.fsdecode(row[2])),
                Stamp(row[3], row[4]),
                bool(row[5]),
                set[str](),
            )
            for row in rows.fetchall()
        }
        for image, name in self._connection.execute("SELECT image, name FROM tag"):
            if image in found:
                found[image][3].add(name)
        return found

    def _at(self, path: str) -> dict[int, tuple[str, Stamp, bool, set[str]]]:
        """The same for the image at `path`, as long as it has neither a star nor tags."""
        folder, name = os.path.split(path)
        row = self._connection.execute(
            "SELECT id, bytes, changed FROM image WHERE folder = ? AND name = ? AND NOT star "
            "AND id NOT IN (SELECT image FROM tag)",
            (self._folder(folder), os.fsencode(name)),
        ).fetchone()
        return {} if row is None else {row[0]: (path, Stamp(row[1], row[2]), False, set())}

    def _folder(self, path: str) -> int | None:
        known = self._folders.get(path)
        if known is None:
            sql = "SELECT id FROM folder WHERE path = ?"
            row = self._connection.execute(sql, (os.fsencode(path),)).fetchone()
            if row is None:
                return None
            known = self._folders[path] = int(row[0])
        return known

    def _add_folder(self, path: str) -> int:
        sql = "INSERT INTO folder (path) VALUES (?) RETURNING id"
        key = int(self._connection.execute(sql, (os.fsencode(path),)).fetchone()[0])
        self._folders[path] = key
        return key

    def _label(self, text: str | None) -> int | None:
        if text is None:
            return None
        known = self._labels.get(text)
        if known is None:
            self._connection.execute("INSERT OR IGNORE INTO label (text) VALUES (?)", (text,))
            sql = "SELECT id FROM label WHERE text = ?"
            known = self._labels[text] = int(self._connection.execute(sql, (text,)).fetchone()[0])
        return known


def _path(folder: str, name: str) -> str:
    return os.path.join(folder, name)  # noqa: PTH118  some microseconds, not ten
