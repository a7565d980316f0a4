"""What the engine can use: models, LoRA files, embeddings and VAEs, of this machine or of the one that it is on."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import AsyncGenerator, Callable, Iterable
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

from sdcore.engine import messages as m

if TYPE_CHECKING:
    from sdcore.spec.found import Addon, ModelFile, VaeFile

_T = TypeVar("_T")
_PIECE_SECONDS: Final = 0.15
"""How often a search tells what it has found meanwhile."""


class Stock(Protocol):
    """What there is to make images with. Nothing here raises, or blocks the event loop."""

    here: bool
    """Whether it lies on this machine."""

    def models(self) -> AsyncGenerator[list[ModelFile], None]:
        """All models, in pieces, as they are found; closing it ends the search."""

    async def hash_of(self, model: ModelFile) -> str:
        """What names the weights of one of them, "" where that was not reckoned yet."""

    async def model(self, ref: str) -> ModelFile | None:
        """The model that a recipe calls `ref`."""

    async def addons(self) -> list[Addon]:
        """The LoRA files and embeddings, in the order of `library.addons.find_addons`."""

    async def vaes(self) -> list[VaeFile]:
        """The VAEs that lie by themselves, in the order of `library.vaes.find_vaes`."""


async def all_models(stock: Stock) -> list[ModelFile]:
    """All models, once the search is over."""
    return [model async for piece in stock.models() for model in piece]


class LocalStock:
    """What lies on this machine: read from its disks, on threads."""

    here = True

    async def models(self) -> AsyncGenerator[list[ModelFile], None]:
        """See `Stock`."""
        from sdcore.library.checkpoints import iter_models

        found: list[ModelFile] = []
        stop = threading.Event()

        def search() -> None:
            for model in iter_models(stop=stop.is_set):
                found.append(model)
                if stop.is_set():
                    return

        searching = asyncio.get_running_loop().run_in_executor(None, search)
        told = 0
        try:
            while not searching.done() or told < len(found):
                await asyncio.wait((searching,), timeout=_PIECE_SECONDS)
                piece = found[told:]
                told += len(piece)
                if piece:
                    yield piece
        finally:
            stop.set()

    async def hash_of(self, model: ModelFile) -> str:
        """See `Stock`."""
        from sdcore.engine.stock import hash_of

        return await asyncio.to_thread(hash_of, model)

    async def model(self, ref: str) -> ModelFile | None:
        """See `Stock`."""
        from sdcore.library.checkpoints import UnknownModelError, describe

        try:
            return await asyncio.to_thread(describe, ref)
        except UnknownModelError:
            return None

    async def addons(self) -> list[Addon]:
        """See `Stock`."""
        from sdcore.library.addons import find_addons

        return await asyncio.to_thread(find_addons)

    async def vaes(self) -> list[VaeFile]:
        """See `Stock`."""
        from sdcore.library.vaes import find_vaes

        return await asyncio.to_thread(find_vaes)


class _Search:
    """One question for models: whoever asks meanwhile hears the same answer."""

    def __init__(self, request: int) -> None:
        self.request = request
        self.found: list[ModelFile] = []
        self.done = False
        self.changed = asyncio.Event()

    def end(self) -> None:
        self.done = True
        self.changed.set()


class _Question(Generic[_T]):
    """One that is answered all at once: whoever asks it meanwhile hears the same answer."""

    def __init__(self) -> None:
        self._answer: asyncio.Future[list[_T]] | None = None

    async def ask(self, send: Callable[[], None]) -> list[_T]:
        if self._answer is None or self._answer.done():
            self._answer = asyncio.get_running_loop().create_future()
            send()
        return await asyncio.shield(self._answer)

    def answer(self, found: Iterable[_T]) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(list(found))


class FarStock:
    """What lies on the engine's machine, as the engine tells. A listener of its events."""

    here = False

    def __init__(self, send: Callable[[m.AnyCommand], None]) -> None:
        self._send = send
        self._numbers = itertools.count(1)
        self._search: _Search | None = None
        self._hashes: dict[str, str] = {}
        self._addons: _Question[Addon] = _Question()
        self._vaes: _Question[VaeFile] = _Question()

    async def models(self) -> AsyncGenerator[list[ModelFile], None]:
        """See `Stock`."""
        search = self._search
        if search is None or search.done:
            self._search = search = _Search(next(self._numbers))
            self._send(m.ListModels(request=search.request))
        told = 0
        while not search.done or told < len(search.found):
            if told == len(search.found):
                search.changed.clear()
                await search.changed.wait()
            piece = search.found[told:]
            told += len(piece)
            if piece:
                yield piece

    async def hash_of(self, model: ModelFile) -> str:
        """See `Stock`."""
        return self._hashes.get(model.path, "")

    async def model(self, ref: str) -> ModelFile | None:
        """See `Stock`."""
        known = self._search.found if self._search is not None else []
        found = next((one for one in known if ref in (one.ref, one.path)), None)
        if found is not None:
            return found
        return next((one for one in await all_models(self) if ref in (one.ref, one.path, one.name)), None)

    async def addons(self) -> list[Addon]:
        """See `Stock`."""
        return await self._addons.ask(lambda: self._send(m.ListAddons(request=next(self._numbers))))

    async def vaes(self) -> list[VaeFile]:
        """See `Stock`."""
        return await self._vaes.ask(lambda: self._send(m.ListVaes(request=next(self._numbers))))

    def handle(self, event: m.AnyEvent) -> None:
        """Take an answer up."""
        match event:
            case m.ModelsFound() if self._search is not None and event.request == self._search.request:
                self._search.found += event.models
                self._hashes |= event.hashes
                self._search.done = event.done
                self._search.changed.set()
            case m.AddonsFound():
                self._addons.answer(event.addons)
            case m.VaesFound():
                self._vaes.answer(event.vaes)
            case m.LineLost() | m.EngineFailed():
                self._end()

    def lost(self, message: str) -> None:
        """The engine is gone."""
        self._end()

    def _end(self) -> None:
        """Nobody answers any more."""
        if self._search is not None:
            self._search.end()
        self._addons.answer(())
        self._vaes.answer(())
