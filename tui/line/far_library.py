"""The images of the engine's machine, as the engine tells of them over the line."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from sdcore.engine import messages as m
from tui.files import pasted_path
from tui.image_text import Told, with_texts
from tui.line.far_thumbs import MOST_BYTES, Copies, FarThumbs, Key, side_for
from tui.line.library import Found, LibraryError, Saved, Thrown

if TYPE_CHECKING:
    from PIL.Image import Image

    from sdcore.library.index import Progress, Row

MOST_AT_ONCE: Final = 2000
_PATHS: Final = 200
"""That go in one command."""
_ROWS: Final = 200
_MOST_IMAGES: Final = 10_000_000
"""More are not believed: there is a number here for each."""
_EPOCH: Final = 1 << 40
"""Versions of an index that is another one, behind a line that is another one, are other versions."""

_T = TypeVar("_T")


class FarLibrary:
    """See `Library`. A listener of the engine's events; `send` sends it commands."""

    most = MOST_AT_ONCE

    def __init__(self, send: Callable[[m.AnyCommand], None], machine: str) -> None:
        self.machine = machine
        self._send = send
        self._numbers = itertools.count(1)
        self._copies = Copies(machine)
        self.thumbs = FarThumbs(self._copies, send, lambda: next(self._numbers))
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._bringing: dict[int, Callable[[float], object]] = {}
        self._looking = False
        self._lost = ""
        self._searches = 0
        self._epoch = 0
        self._news = m.LibraryChanged(version=0)

    @property
    def trouble(self) -> str:
        """See `Library`."""
        return self._lost

    # What the engine tells

    def handle(self, event: m.AnyEvent) -> None:
        """Take an answer up."""
        match event:
            case m.LibraryChanged():
                self._news = event
            case m.FileBrought():
                self._brought(event)
            case m.LibraryEvent() if event.request in self._asked:
                _answer(self._asked.pop(event.request), event)
            case m.ThumbMade():
                self.thumbs.take(event)
            case m.LineLost():
                self._pause(event.message, [one for one in self._asked if one not in self._bringing])
            case m.EngineFailed():
                self.lost(event.message)
            case m.LineBack() | m.EngineReady() if self._lost:
                self._back()

    def lost(self, message: str) -> None:
        """Nobody answers any more."""
        self._pause(message, list(self._asked))

    def _pause(self, message: str, unanswered: list[int]) -> None:
        """There is no line. A file that is on its way comes over the next one."""
        self._lost = message
        for number in unanswered:
            _refuse(self._asked.pop(number), message)
        self.thumbs.forget_asked()

    def _back(self) -> None:
        self._lost = ""
        self._epoch += 1
        if self._looking:
            self._send(m.WatchLibrary(request=next(self._numbers)))
            self.thumbs.go_on()

    def _brought(self, event: m.FileBrought) -> None:
        if event.request not in self._bringing:
            return
        if event.copy or event.problem:
            self._bringing.pop(event.request)
            _answer(self._asked.pop(event.request), event)
        elif event.total:
            self._bringing[event.request](min(1.0, event.done / event.total))

    async def _ask(self, kind: Callable[..., m.AnyCommand], answer: type[_T], **fields: Any) -> _T:
        """Ask, and wait for the answer. Raises `LibraryError` where there is none."""
        number = next(self._numbers)
        self._asked[number] = asked = asyncio.get_running_loop().create_future()
        self._send(kind(request=number, **fields))
        try:
            told = await asked
        finally:
            self._asked.pop(number, None)
        if not isinstance(told, answer):
            raise LibraryError(f"{self.machine} answered something else than it was asked.")
        return told

    # Looking

    def open(self) -> None:
        """See `Library`."""
        self._looking = True
        self._send(m.WatchLibrary(request=next(self._numbers)))

    def close(self) -> None:
        """See `Library`."""
        self._looking = False
        self._searches += 1
        self._send(m.WatchLibrary(request=next(self._numbers), on=False))

    async def news(self) -> tuple[int, Progress]:
        """See `Library`."""
        from sdcore.library.index import Progress

        told = self._news
        return self._version(told.version), Progress("", told.done, told.total, told.running)

    def _version(self, version: int) -> int:
        return self._epoch * _EPOCH + version

    async def search(self, text: str, window: tuple[int, int], ahead: int = 0, at: int = 0) -> Found | None:
        """See `Library`."""
        self._searches += 1
        search = self._searches
        found = await self._find(text, window, ahead, at)
        return found if search == self._searches else None

    async def page(self, text: str, window: tuple[int, int]) -> Found | None:
        """See `Library`."""
        return await self._find(text, window, 0, 0)

    async def _find(self, text: str, window: tuple[int, int], ahead: int, at: int) -> Found | None:
        from sdcore.engine.packing import PackingError, unpack_ids, unpack_rows

        epoch = self._epoch
        try:
            told = await self._ask(
                m.FindImages, m.ImagesFound,
                text=_encodable(text), first=window[0], count=window[1] - window[0], at=at, rows=ahead,
            )  # fmt: skip
            if told.problem:
                raise LibraryError(told.problem)
            rows = await asyncio.to_thread(unpack_rows, told.rows)
            ids = await asyncio.to_thread(unpack_ids, told.ids)
        except (LibraryError, PackingError):
            return None
        if told.version > self._news.version:  # what is told of later is known by now
            self._news = msgspec.structs.replace(self._news, version=told.version)
        first = min(max(0, told.first), _MOST_IMAGES)
        count = max(first + len(ids), min(told.count, _MOST_IMAGES))
        return Found(
            version=epoch * _EPOCH + told.version,
            count=count,
            total=max(count, told.total),
            ids=ids,
            first=first,
            rows=tuple(rows),
            at=told.at if 0 <= told.at < count else None,
        )

    async def rows(self, ids: Sequence[int]) -> list[Row]:
        """See `Library`."""
        try:
            return await self._known(ids, whole=False)
        except LibraryError:
            return []

    async def whole_rows(self, ids: Sequence[int]) -> list[Row]:
        """See `Library`."""
        return await self._known(ids, whole=True)

    async def _known(self, ids: Sequence[int], *, whole: bool) -> list[Row]:
        from sdcore.engine.packing import PackingError, unpack_rows

        rows: list[Row] = []
        left = list(ids)
        while left:
            asked = left[:_ROWS]
            told = await self._ask(m.GetImages, m.ImagesKnown, ids=tuple(asked), whole=whole)
            if told.problem or told.seen < 1:
                raise LibraryError(
                    told.problem or f"{self.machine} does not tell what it knows of the images."
                )
            try:
                rows += await asyncio.to_thread(unpack_rows, told.rows)
            except PackingError as fault:
                raise LibraryError(f"What {self.machine} tells of the images is damaged.") from fault
            left = left[told.seen :]
        return rows

    async def saved(self) -> Saved:
        """See `Library`."""
        told = _sound(await self._ask(m.GetLists, m.LibraryLists))
        return Saved(told.tags, told.searches, told.outputs, told.folders)

    async def picture(self, told: Told, side: int) -> Image | None:
        """See `Library`."""
        key = Key(told.path, told.created + told.bytes, side_for((side,)))
        if not await asyncio.to_thread(self._copies.has, key):
            made = await self._ask(m.GetPicture, m.ThumbMade, side=key.side, path=os.fsencode(key.path))
            if not 0 < len(made.data) <= MOST_BYTES:
                return None
            await asyncio.to_thread(self._copies.keep, key, made.data)
        return await asyncio.to_thread(self._copies.image, key)

    async def tell(self, told: Told) -> Told:
        """See `Library`."""
        from sdcore.engine.packing import PackingError, unpack_texts

        read = await self._ask(m.GetTexts, m.TextsRead, path=os.fsencode(told.path))
        if read.problem:
            return msgspec.structs.replace(told, problem=told.problem or read.problem)
        try:
            texts = await asyncio.to_thread(unpack_texts, read.texts)
        except PackingError:
            return msgspec.structs.replace(told, problem=f"What {self.machine} tells of it is damaged.")
        size = read.width, read.height
        return await asyncio.to_thread(with_texts, told, texts, size, read.size, read.changed)

    # Files

    async def bring(self, row: Row, progress: Callable[[float], object] = lambda share: None) -> Path:
        """See `Library`."""
        number = next(self._numbers)
        self._asked[number] = asked = asyncio.get_running_loop().create_future()
        self._bringing[number] = progress
        self._send(m.BringFile(request=number, path=row.path, size=row.bytes))
        try:
            told: m.FileBrought = await asked
        except asyncio.CancelledError:
            self._send(m.BringFile(request=number, path=row.path, wanted=False))
            raise
        finally:
            self._asked.pop(number, None)
            self._bringing.pop(number, None)
        if told.problem:
            raise LibraryError(told.problem)
        return Path(told.copy)

    def source(self, row: Row) -> str:
        """See `Library`."""
        return row.path

    def scp(self, rows: Sequence[Row]) -> str:
        """See `Library`."""
        from tui.scp_line import far_scp_line

        return far_scp_line(self.machine, (row.path for row in rows))

    # What is done

    async def mark(
        self,
        rows: Sequence[Row],
        *,
        star: bool | None = None,
        new: Sequence[str] = (),
        old: Sequence[str] = (),
    ) -> None:
        """See `Library`."""
        for part in _parts(rows):
            _sound(await self._ask(
                m.MarkImages, m.LibraryDone, paths=_paths(part), star=star,
                new=tuple(map(_encodable, new)), old=tuple(map(_encodable, old)),
            ))  # fmt: skip

    async def throw(self, rows: Sequence[Row]) -> Thrown:
        """See `Library`."""
        thrown = Thrown()
        for part in _parts(rows):
            told = await self._ask(m.ThrowImages, m.ImagesThrown, paths=_paths(part))
            if told.problem and not thrown.ids:
                raise LibraryError(told.problem)
            gone = set(told.gone)
            thrown = Thrown(
                (*thrown.ids, *(row.id for row in part if os.fsencode(row.path) in gone)),
                (*thrown.names, *([told.thrown] if told.thrown else [])),
                (*thrown.problems, *told.problems, *([told.problem] if told.problem else [])),
            )
        return thrown

    async def restore(self, thrown: Thrown) -> tuple[str, ...]:
        """See `Library`."""
        told = [await self._ask(m.RestoreImages, m.LibraryDone, thrown=name) for name in thrown.names]
        return tuple(one.problem for one in told if one.problem)

    async def keep_search(self, name: str, query: str) -> None:
        """See `Library`."""
        _sound(await self._ask(m.KeepSearch, m.LibraryDone, name=_encodable(name), query=_encodable(query)))

    async def forget_search(self, name: str) -> None:
        """See `Library`."""
        _sound(await self._ask(m.KeepSearch, m.LibraryDone, name=name))

    async def add_folder(self, text: str) -> None:
        """See `Library`."""
        _sound(await self._ask(m.AddFolder, m.LibraryDone, folder=_encodable(pasted_path(text))))

    async def remove_folder(self, folder: str) -> None:
        """See `Library`."""
        _sound(await self._ask(m.AddFolder, m.LibraryDone, folder=folder, on=False))

    async def sheet(self, rows: Sequence[Row]) -> str:
        """See `Library`: made and saved over there."""
        told = _sound(await self._ask(m.MakeSheet, m.LibraryDone, paths=_paths(rows)))
        return os.fsdecode(told.path)


_E = TypeVar("_E", bound=m.LibraryEvent)


def _sound(event: _E) -> _E:
    """An answer without a problem; raises `LibraryError` for one with."""
    if event.problem:
        raise LibraryError(event.problem)
    return event


def _encodable(text: str) -> str:
    """Without halves of characters, which a terminal may send and no message can hold."""
    return text.encode("utf-8", "replace").decode()


def _parts(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    return (rows[start : start + _PATHS] for start in range(0, len(rows), _PATHS))


def _paths(rows: Sequence[Row]) -> tuple[bytes, ...]:
    return tuple(os.fsencode(row.path) for row in rows)


def _answer(asked: asyncio.Future[Any], event: m.AnyEvent) -> None:
    if not asked.done():
        asked.set_result(event)


def _refuse(asked: asyncio.Future[Any], message: str) -> None:
    if not asked.done():
        asked.set_exception(LibraryError(message))
