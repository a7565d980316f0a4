"""The engine of another machine as the app sees it: the same commands and events, over a line that may break.

It stands where an `EngineClient` stands. What it adds: a broken line is opened again by itself, what the engine did
meanwhile is caught up, and its images are fetched into a cache as they are told of.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
from collections.abc import AsyncIterator
from functools import partial
from typing import Any, Final

import msgspec

from sdcore.engine import messages as m
from sdcore.engine.bringing import Bringing, fetch
from sdcore.engine.client import EngineClient
from sdcore.engine.far_files import FarFiles, pictures
from sdcore.engine.file_answers import PART
from sdcore.engine.mailbox import Mailbox
from sdcore.engine.ssh import Line
from sdcore.engine.wire import EngineError
from sdcore.library.inputs import InputError, input_path

_WAITS: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds before each further try to open the line; the last stays."""
_FAREWELL_SECONDS: Final = 1.0
_ENDS: Final = (m.JobFinished, m.JobCancelled, m.JobFailed)

_log = logging.getLogger(__name__)


class RemoteClient:
    """A client of the engine at the other end of `line`. Belongs to one event loop."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._files = FarFiles(line.target)
        self._client = EngineClient(path=line.path)
        self._mailbox = Mailbox(beat=0)
        self._open_jobs: dict[str, m.Generate] = {}
        """What was sent and has not ended: sent again over a new line, and not made again there."""
        self._asked: dict[int, asyncio.Future[m.FilePart]] = {}
        self._bringing = Bringing(self._files, self._ask, self._mailbox.put)
        self._taken: dict[str, asyncio.Future[m.InputTaken]] = {}
        self._there: set[str] = set()
        self._numbers = itertools.count(1)
        self._outbox: asyncio.Queue[m.AnyCommand] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._fetches: list[asyncio.Task[None]] = []
        self._fetching = asyncio.Lock()
        self._closed = False
        self._leaving = False

    async def connect(self) -> None:
        """Reach the engine, starting it where there is none. Raises `EngineError`."""
        await self._reach()
        self._tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._deliver())]

    def send(self, command: m.AnyCommand) -> None:
        """Send a command; returns at once. Without a line it is kept until there is one."""
        if isinstance(command, m.Generate):
            self._open_jobs[command.job] = command
        if isinstance(command, m.Shutdown):
            self._leaving = True
        if isinstance(command, m.BringFile):
            self._bringing.take(command)
        elif isinstance(command, m.LibraryCommand):
            self._client.send(command)  # past the pictures of jobs: somebody waits for the answer
        else:
            self._outbox.put_nowait(command)

    def events(self) -> AsyncIterator[m.AnyEvent]:
        """What the engine tells, paths being those of the copies here, until `close` or the engine's end."""
        return aiter(self._mailbox)

    def kill(self) -> None:
        """Nothing: another machine's processes are out of reach here."""

    async def close(self) -> None:
        """Hang up. The engine goes on with what it has."""
        self._closed = True
        if self._tasks:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_FAREWELL_SECONDS):
                    await self._outbox.join()
        self._bringing.pause()
        for task in (*self._tasks, *self._fetches):
            task.cancel()
        await asyncio.gather(*self._tasks, *self._fetches, return_exceptions=True)
        await self._client.close()
        await asyncio.to_thread(self._line.close)
        self._mailbox.close()

    # The line

    async def _reach(self) -> None:
        if not self._line.stands:
            await asyncio.to_thread(partial(self._line.open, silent=True))
        await self._client.connect(spawn=False)

    async def _follow(self) -> None:
        """Pass events on; over a new line after each that broke."""
        try:
            while True:
                ended = await self._pass_on()
                if self._closed or ended:
                    return
                await self._reopen()
        finally:
            self._mailbox.close()

    async def _pass_on(self) -> bool:
        """Everything that comes over this line; whether the engine itself has ended."""
        async for event in self._client.events():
            match event:
                case m.EngineFailed():
                    await asyncio.to_thread(self._line.settle)
                    if not self._line.stands:
                        return False  # the client's word for the end of a line
                    self._mailbox.put(event)
                    return True
                case m.FilePart():
                    _answer(self._asked.pop(event.request, None), event)
                case m.InputTaken():
                    _answer(self._taken.pop(event.ref, None), event)
                case m.JobFinished() | m.TraceOpened() | m.TraceSaved():
                    # Not awaited: what goes on is shown while an image comes over.
                    self._fetches.append(asyncio.create_task(self._localise(event)))
                case _:
                    self._put(event)
        return self._leaving

    def _put(self, event: m.AnyEvent) -> None:
        if isinstance(event, _ENDS):
            self._open_jobs.pop(event.job, None)
        self._mailbox.put(event)

    async def _reopen(self) -> None:
        questions: list[asyncio.Future[Any]] = [*self._asked.values(), *self._taken.values()]
        for question in questions:
            question.cancel()
        for fetching in self._fetches:
            fetching.cancel()
        self._bringing.pause()
        self._asked.clear()
        self._taken.clear()
        self._fetches.clear()
        target = self._line.target
        self._mailbox.put(
            m.LineLost(message=f"The line to {target} broke; what is being made goes on there.")
        )
        for number in itertools.count():
            await asyncio.sleep(_WAITS[min(number, len(_WAITS) - 1)])
            try:
                await self._reach()
            except EngineError as fault:
                self._mailbox.put(m.LineLost(message=f"{fault} Trying again."))
            else:
                break
        self._mailbox.put(m.LineBack())
        self._bringing.go_on()
        for command in self._open_jobs.values():
            self._outbox.put_nowait(command)

    # Commands

    async def _deliver(self) -> None:
        """Send commands in the order in which they were given, each after the pictures that it names."""
        while True:
            command = await self._outbox.get()
            try:
                translated = await asyncio.to_thread(self._files.translated, command)
                for ref in pictures(translated):
                    await self._bring(ref)
                self._client.send(translated)
            except asyncio.CancelledError:
                if asyncio.current_task().cancelling():  # type: ignore[union-attr]
                    raise
                self._outbox.put_nowait(command)  # the line broke under the pictures
            finally:
                self._outbox.task_done()

    async def _bring(self, ref: str) -> None:
        """Have a kept picture lie on the engine's machine, too."""
        if ref in self._there:
            return
        try:
            data = await asyncio.to_thread(lambda: input_path(ref).read_bytes())
        except (InputError, OSError):
            return  # the engine says what is missing
        self._taken[ref] = taken = asyncio.get_running_loop().create_future()
        for offset in range(0, len(data), PART):
            self._client.send(
                m.PutInput(ref=ref, offset=offset, total=len(data), data=data[offset : offset + PART])
            )
            await asyncio.sleep(0)
        if not (await taken).problem:
            self._there.add(ref)

    # Files

    async def _localise(self, event: m.JobFinished | m.TraceOpened | m.TraceSaved) -> None:
        """Pass an event on with the paths of copies here, as soon as the images that it tells of have come over."""
        async with self._fetching:
            match event:
                case m.JobFinished():
                    images = [
                        msgspec.structs.replace(image, path=await self._fetched(image.path))
                        for image in event.images
                    ]
                    self._put(msgspec.structs.replace(event, images=tuple(images)))
                case m.TraceOpened():
                    names = [await self._fetched(path) for path in event.info.images]
                    info = msgspec.structs.replace(event.info, images=tuple(names))
                    self._put(msgspec.structs.replace(event, info=info))
                case m.TraceSaved():
                    self._put(msgspec.structs.replace(event, path=str(self._files.here(event.path))))

    async def _fetched(self, path: str) -> str:
        """The copy here of a file there; where that cannot be had, the path that it would have."""
        if (copy := await asyncio.to_thread(self._files.kept, path)) is None:
            data = bytearray()
            if problem := await fetch(self._ask, path, data):
                copy = self._files.here(path)
                _log.warning("%s was not fetched: %s", copy.name, problem)
            else:
                copy = await asyncio.to_thread(self._files.keep, path, bytes(data))
        return str(copy)

    async def _ask(self, path: str, offset: int) -> m.FilePart:
        number = next(self._numbers)
        self._asked[number] = asked = asyncio.get_running_loop().create_future()
        self._client.send(m.GetFile(request=number, path=os.fsencode(path), offset=offset))
        return await asked


def _answer(asked: asyncio.Future[Any] | None, answer: m.AnyEvent) -> None:
    if asked is not None and not asked.done():
        asked.set_result(answer)
