"""From a search to the ids of images.

The answer to a term is a mask, one byte an image, that is remembered until the index changes: who types on mostly
changes the last term, and that alone is asked then. Where several are new, words are asked of the full-text search at
once, everything else of the table of images at once. Ids come from SQLite as one JSON text, which takes a quarter of
the time that as many rows would take, and are numpy's from there on: a number of Python's for each of 100,000 images
would take as long as the search, and let nothing else run meanwhile. numpy is imported with the first search.
"""

from __future__ import annotations

import os
import sqlite3
from array import array
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

from sdcore.spec.search import Named, Query, Range, Size, Starred, Term, Words

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Ids = npt.NDArray[np.int64]
    Mask = npt.NDArray[np.bool_]

SEED_END: Final = 10**20 - 1
"""The largest seed that the index can hold."""

_REMEMBERED_BYTES: Final = 16 * 1024 * 1024
_NEWEST: Final = "SELECT id FROM image ORDER BY created DESC, id DESC"

_Sql = tuple[str, tuple[Any, ...]]


class Answers:
    """The answers to searches, and what they have in common. Not for two threads at once."""

    def __init__(self) -> None:
        self._version = -1
        self._order: Ids | None = None
        self._every: Mask | None = None
        self._masks: OrderedDict[Query, Mask] = OrderedDict()

    def ids(self, connection: sqlite3.Connection, version: int, query: Query) -> array[int]:
        """The ids of the images that fit, newest first; `version` tells whether the index has changed since the last
        time. Raises sqlite3.Error."""
        order, every = self._renew(connection, version)
        found = every
        for part in self._parts(query):
            if found.any():
                found = found & self._mask(connection, part, every)
        ids = array("q")
        ids.frombytes(order[found[order]].tobytes())
        return ids

    def count(self, connection: sqlite3.Connection, version: int) -> int:
        """How many images there are. Raises sqlite3.Error."""
        return len(self._renew(connection, version)[0])

    def _renew(self, connection: sqlite3.Connection, version: int) -> tuple[Ids, Mask]:
        """All ids, newest first, and the mask that every image fits."""
        import numpy as np

        if self._order is None or self._every is None or version != self._version:
            self._masks.clear()
            self._order = _ids(connection, _NEWEST)
            self._every = np.zeros(int(self._order.max(initial=0)) + 1, np.bool_)
            self._every[self._order] = True
            self._version = version
        return self._order, self._every

    def _parts(self, query: Query) -> list[Query]:
        """What is asked on its own: each term whose answer is remembered; of the others everything but words, and then
        those."""
        parts: list[Query] = []
        new: list[list[Term]] = [[], []]
        for terms, others, part_of in (
            (query.wanted, new[0], lambda term: Query((term,))),
            (query.unwanted, new[1], lambda term: Query((), (term,))),
        ):
            for term in dict.fromkeys(terms):
                part = part_of(term)
                if part in self._masks:
                    parts.append(part)
                else:
                    others.append(term)
        for words in (False, True):
            wanted, unwanted = (
                tuple(term for term in terms if isinstance(term, Words) is words) for terms in new
            )
            if wanted or unwanted:
                parts.append(Query(wanted, unwanted))
        return parts

    def _mask(self, connection: sqlite3.Connection, part: Query, every: Mask) -> Mask:
        """Whether image k fits a part of a search, for every k."""
        known = self._masks.get(part)
        if known is None:
            known = self._masks[part] = _ask(connection, part, every)
            if len(self._masks) > max(1, _REMEMBERED_BYTES // len(every)):
                self._masks.popitem(last=False)
        self._masks.move_to_end(part)
        return known


def _ask(connection: sqlite3.Connection, part: Query, every: Mask) -> Mask:
    import numpy as np

    others = False
    if isinstance((*part.wanted, *part.unwanted)[0], Words):
        asked, others = _of_words(part)
    else:
        asked = _of_images(connection, part)
    ids = _ids(connection, *asked)
    mask = np.zeros_like(every)
    mask[ids[ids < len(every)]] = True  # those that came since are of the next version
    return every & ~mask if others else mask


def _of_words(part: Query) -> tuple[_Sql, bool]:
    """Which images have these words, and whether those are meant or all others: the full-text search can leave out,
    but not start with everything."""
    wanted, unwanted = (
        [_match(term) for term in terms if isinstance(term, Words)] for terms in (part.wanted, part.unwanted)
    )
    asked = " AND ".join(wanted)
    left_out = " OR ".join(unwanted)
    if wanted and unwanted:
        asked = f"({asked}) NOT ({left_out})"
    return ("SELECT rowid AS id FROM words WHERE words MATCH ?", (asked or left_out,)), not wanted


def _of_images(connection: sqlite3.Connection, part: Query) -> _Sql:
    conditions: list[str] = []
    values: list[Any] = []
    for terms, holds in ((part.wanted, "({})"), (part.unwanted, "({}) IS NOT 1")):  # unknown is not unwanted
        for term in terms:
            condition, compared = _condition(connection, term)
            conditions.append(holds.format(condition))
            values += compared
    return f"SELECT id FROM image WHERE {' AND '.join(conditions)}", tuple(values)


def _condition(connection: sqlite3.Connection, term: Term) -> _Sql:
    match term:
        case Range():
            return _range(term)
        case Size(width, height):
            return "width = ? AND height = ?", (width, height)
        case Named():
            return _named(connection, term)
        case Starred():
            return "star", ()
        case Words():
            raise TypeError("words are asked of the full-text search")


def _match(term: Words) -> str:
    """The term in the language of FTS5, where only what is in quotes is harmless."""
    text = _encodable(term.text).replace('"', " ")
    column = f"{term.within} : " if term.within else ""
    return f'{column}"{text}"{"" if term.whole else " *"}'


def _range(term: Range) -> _Sql:
    bounds: list[str] = []
    values: list[Any] = []
    for value, sign in (
        (term.low, ">" if term.low_open else ">="),
        (term.high, "<" if term.high_open else "<="),
    ):
        if value is not None:
            bounds.append(f"{term.field} {sign} ?")
            values.append(_bound(term.field, value))
    return " AND ".join(bounds), tuple(values)


def _bound(field: str, value: int | float) -> Any:
    if field == "seed":
        return f"{min(max(0, int(value)), SEED_END):020d}"
    return float(value)


def _named(connection: sqlite3.Connection, term: Named) -> _Sql:
    """The names are few: they are compared here, where upper and lower case are those of all alphabets."""
    if term.field == "tag":
        fitting = [
            name for (name,) in connection.execute("SELECT DISTINCT name FROM tag") if _fits(term, name)
        ]
        return f"id IN (SELECT image FROM tag WHERE name IN ({_marks(fitting)}))", tuple(fitting)
    if term.field == "folder":
        found = connection.execute("SELECT id, path FROM folder").fetchall()
        keys = [key for key, path in found if _fits(term, os.fsdecode(path))]
    else:
        keys = [key for key, text in connection.execute("SELECT id, text FROM label") if _fits(term, text)]
    return f"{term.field} IN ({_marks(keys)})", tuple(keys)


def _fits(term: Named, name: str) -> bool:
    wanted, given = term.text.casefold(), name.casefold()
    return wanted == given if term.whole else wanted in given


def _marks(values: list[Any]) -> str:
    return ", ".join("?" * len(values))


def _ids(connection: sqlite3.Connection, sql: str, values: tuple[Any, ...] = ()) -> Ids:
    """The column `id` of a query, in its order."""
    import numpy as np

    (found,) = connection.execute(f"SELECT json_group_array(id) FROM ({sql})", values).fetchone()
    return np.fromstring(found[1:-1], np.int64, sep=",") if len(found) > 2 else np.empty(0, np.int64)


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
