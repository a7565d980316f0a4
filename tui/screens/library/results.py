"""What the library found: the images of the newest search, and of each what the index knows of it."""

from __future__ import annotations

import asyncio
from array import array
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from sdcore.spec.search import parse
from tui.widgets.thumb_grid import Cell

if TYPE_CHECKING:
    from sdcore.library.index import Index, Progress, Row

_KEPT_ROWS: Final = 3000


class Results:
    """The ids of what was found, newest first, and the rows of those that were asked for. Everything that reads the
    index does so on a thread."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._request = 0
        self._rows: OrderedDict[int, Row] = OrderedDict()
        self._stale: set[int] = set()
        """Images whose rows were fetched before the index changed."""
        self._version = -1
        self._changes: dict[int, tuple[bool, tuple[str, ...]]] = {}
        """Stars and tags that were given here and that the index does not know of yet."""
        self._hidden: set[int] = set()
        """Images that were thrown away here, which the index may not have noticed yet."""
        self.ids: array[int] = array("q")
        """Never changed in place: whoever holds it keeps what was found then."""
        self.text = ""
        self.notes: tuple[str, ...] = ()
        self.total = 0
        """How many images there are at all."""

    def __len__(self) -> int:
        return len(self.ids)

    def place_of(self, image: int) -> int | None:
        """Where an image is among what was found."""
        try:
            return self.ids.index(image)
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

    async def search(self, text: str) -> bool:
        """Look for what `text` asks for; False where something newer was asked for meanwhile, and nothing changes."""
        self._request += 1
        request, hidden = self._request, frozenset(self._hidden)

        def look() -> tuple[int, array[int], int] | None:
            if request != self._request:
                return None
            version, ids, every = self._index.version(), self._index.ids(text), self._index.ids()
            if hidden:
                ids = array("q", (one for one in ids if one not in hidden))
                every = array("q", (one for one in every if one not in hidden))
            return version, ids, len(every)

        found = await asyncio.to_thread(look)
        if found is None or request != self._request:
            return False
        version, self.ids, self.total = found
        self.text, self.notes = text, parse(text).notes
        if version != self._version:
            self._version = version
            self._stale = set(self._rows)
        return True

    async def fetch(self, first: int, end: int) -> bool:
        """Have the rows from `first` to before `end` at hand; whether any of them is new or has changed."""
        asked = [one for one in self.ids[first:end] if one not in self._rows or one in self._stale]
        return await self.fetch_ids(asked)

    async def fetch_ids(self, asked: Sequence[int]) -> bool:
        """Have the rows of these images at hand; whether any of them is new or has changed."""
        if not asked:
            return False
        changed = False
        for found in await asyncio.to_thread(self._index.rows, asked):
            row = self._as_changed(found)
            changed = changed or self._rows.get(row.id) != row
            self._rows[row.id] = row
            self._rows.move_to_end(row.id)
        self._stale.difference_update(asked)
        while len(self._rows) > _KEPT_ROWS:
            self._rows.popitem(last=False)
        return changed

    async def rows_of(self, images: Sequence[int]) -> list[Row]:
        """The rows of these images as they are now; those that are gone are left out."""
        return [self._as_changed(row) for row in await asyncio.to_thread(self._index.rows, list(images))]

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

    def hide(self, images: Iterable[int]) -> None:
        """These were thrown away: the next search does without them."""
        self._hidden.update(images)

    def show_again(self, images: Iterable[int]) -> None:
        """They were brought back."""
        self._hidden.difference_update(images)

    async def news(self) -> tuple[bool, Progress]:
        """Whether the index has changed since the last search, and what its keeper does."""
        return await asyncio.to_thread(
            lambda: (self._index.version() != self._version, self._index.progress())
        )

    async def tags(self) -> list[str]:
        """All tags in use."""
        return await asyncio.to_thread(self._index.tags)

    def paths(self) -> FoundPaths:
        """The paths of what was found, as it is now."""
        return FoundPaths(self._index, self.ids)

    def close(self) -> None:
        """Give the index back."""
        self._request += 1
        self._index.close()


class FoundPaths(Sequence[Path]):
    """The paths of many images, each looked up when it is asked for: for a thread."""

    def __init__(self, index: Index, ids: array[int]) -> None:
        self._index = index
        self.ids = ids

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, place: int) -> Path:  # type: ignore[override]
        """The path of the image at `place`; raises `FileNotFoundError` where it is gone meanwhile."""
        rows = self._index.rows([self.ids[place]])
        if not rows:
            raise FileNotFoundError("This image is gone meanwhile.")
        return Path(rows[0].path)
