"""What the library found: the images of the newest search, and of each what the index knows of it."""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from sdcore.spec.search import parse
from tui.image_text import Told, told_by
from tui.line.library import Found, Library, LibraryError
from tui.widgets.thumb_grid import Cell

if TYPE_CHECKING:
    from PIL.Image import Image

    from sdcore.library.index import Progress, Row

_KEPT_ROWS: Final = 3000
_AROUND: Final = 512
"""Places on either side of the cursor whose ids come with a search of a library elsewhere."""
_MOST_AT_ONCE: Final = 100_000
_GONE: Final = "This image is gone meanwhile."
UNKNOWN: Final = 0
"""Stands for an id that has not come over the line yet."""


class Results:
    """The ids of what was found, newest first, and the rows of those that were asked for. Of a library elsewhere ids
    come as they are needed."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._rows: OrderedDict[int, Row] = OrderedDict()
        self._stale: set[int] = set()
        """Images whose rows were fetched before the index changed."""
        self._version = -1
        self._changes: dict[int, tuple[bool, tuple[str, ...]]] = {}
        """Stars and tags that were given here and that the index does not know of yet."""
        self.ids: array[int] = array("q")
        """Whoever holds it keeps what was found then: nothing in it changes but `UNKNOWN`."""
        self.complete = True
        """Whether all ids are known."""
        self.text = ""
        self.notes: tuple[str, ...] = ()
        self.total = 0
        """How many images there are at all."""

    def __len__(self) -> int:
        return len(self.ids)

    def place_of(self, image: int) -> int | None:
        """Where an image is among what was found, as far as that is known."""
        try:
            return self.ids.index(image) if image != UNKNOWN else None
        except ValueError:
            return None

    def row(self, place: int) -> Row | None:
        """What is known of the image at `place`, None while that is not fetched."""
        return self._rows.get(self.ids[place]) if 0 <= place < len(self.ids) else None

    def row_of(self, image: int) -> Row | None:
        """What is known of an image by its id."""
        return self._rows.get(image)

    def cell(self, place: int) -> Cell | None:
        """The same for the grid."""
        row = self.row(place)
        return Cell(row.path, row.created + row.bytes, row.star) if row is not None else None

    async def search(
        self, text: str, ahead: int = 0, at: int = UNKNOWN, near: int = 0
    ) -> tuple[bool, int | None]:
        """Look for what `text` asks for, and have the rows of the first `ahead` images at hand. Whether that was done,
        and where the image `at` is now; it is not where something newer was asked for meanwhile, or nobody answers,
        and then nothing changes. `near` is the place that is looked at."""
        first = max(0, near - _AROUND)
        found = await self._library.search(text, (first, first + 2 * _AROUND), ahead, at)
        if found is None:
            return False, None
        self.ids, self.total = _spread(found), found.total
        self.complete = len(found.ids) == found.count
        self.text, self.notes = text, parse(text).notes
        if found.version != self._version:
            self._version = found.version
            self._stale = set(self._rows)
        self._take(found.rows)
        return True, found.at

    async def fetch(self, first: int, end: int) -> bool:
        """Have the rows from `first` to before `end` at hand; whether any of them is new or has changed."""
        ids = self.ids
        if not self.complete and UNKNOWN in ids[first:end]:
            await self._learn(ids, max(0, first - _AROUND), end + _AROUND)
        asked = [
            one for one in ids[first:end] if one != UNKNOWN and (one not in self._rows or one in self._stale)
        ]
        return await self.fetch_ids(asked)

    async def fetch_ids(self, asked: Sequence[int]) -> bool:
        """Have the rows of these images at hand; whether any of them is new or has changed."""
        if not asked:
            return False
        changed = self._take(await self._library.rows(asked))
        self._stale.difference_update(asked)
        return changed

    async def learn_all(self) -> bool:
        """Have all ids known, as ranges and marks need them; whether that could be."""
        ids = self.ids
        for first in range(0, 0 if self.complete else len(ids), _MOST_AT_ONCE):
            await self._learn(ids, first, min(len(ids), first + _MOST_AT_ONCE))
        if self.ids is ids and not self.complete:
            self.complete = UNKNOWN not in ids
        return self.complete

    async def _learn(self, ids: array[int], first: int, end: int) -> None:
        page = await self._library.page(self.text, (first, end))
        if page is None or self.ids is not ids or page.version != self._version or page.count != len(ids):
            return  # the news of another version are followed by another search
        ids[page.first : page.first + len(page.ids)] = page.ids

    def _take(self, found: Sequence[Row]) -> bool:
        """Have these rows at hand, and no more than so many in all; whether any of them is new or has changed."""
        changed = False
        for given in found:
            row = self._as_changed(given)
            changed = changed or self._rows.get(row.id) != row
            self._rows[row.id] = row
            self._rows.move_to_end(row.id)
            self._stale.discard(row.id)
        while len(self._rows) > _KEPT_ROWS:
            self._rows.popitem(last=False)
        return changed

    async def rows_of(self, images: Sequence[int]) -> list[Row]:
        """The rows of these images as they are now, with their texts whole; those that are gone are left out. Raises
        `LibraryError`."""
        return [self._as_changed(row) for row in await self._library.whole_rows(images)]

    def change(self, rows: Sequence[Row]) -> None:
        """These have other stars and tags from now on, though the index does not know of it yet."""
        for row in rows:
            self._changes[row.id] = row.star, row.tags
            if row.id in self._rows:
                self._rows[row.id] = row

    def _as_changed(self, row: Row) -> Row:
        star, tags = self._changes.get(row.id, (row.star, row.tags))
        if (star, tags) == (row.star, row.tags):
            self._changes.pop(row.id, None)
            return row
        return msgspec.structs.replace(row, star=star, tags=tags)

    async def news(self) -> tuple[bool, Progress]:
        """Whether the index has changed since the last search, and what its keeper does."""
        version, progress = await self._library.news()
        return version != self._version, progress


def _spread(found: Found) -> array[int]:
    """All places, those whose ids have come with their ids."""
    if len(found.ids) == found.count:
        return found.ids
    ids = array("q", bytes(8 * found.count))
    ids[found.first : found.first + len(found.ids)] = found.ids
    return ids


class FoundImages:
    """What was found, as it is now, for the viewer."""

    def __init__(self, library: Library, results: Results) -> None:
        self._library = library
        self._results = results
        self.ids = results.ids
        self.ahead = not library.machine
        """Whether the next image may be read before it is looked at: over a line that costs too much."""

    def __len__(self) -> int:
        return len(self.ids)

    async def rough(self, place: int, side: int) -> tuple[str, Image] | None:
        """The name and a small copy of an image of a library elsewhere, to be seen until the whole is here."""
        if not self._library.machine:
            return None
        row = await self._row(place)
        picture = await self._library.picture(told_by(row), side)
        return (Path(row.path).name, picture) if picture is not None else None

    async def file(self, place: int, progress: Callable[[float], object]) -> tuple[Path, Told]:
        """The file on this machine, and what is known of it. Raises `LibraryError`."""
        row = await self._row(place)
        return await self._library.bring(row, progress), told_by(row)

    async def _row(self, place: int) -> Row:
        if self.ids[place] == UNKNOWN:
            await self._results.fetch(place, place + 1)
        rows = await self._library.whole_rows([self.ids[place]])
        if not rows:
            raise LibraryError(_GONE)
        return rows[0]
