"""Whole files of the other machine, brought over in parts and kept: what has come is not lost with the line."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from sdcore.engine import messages as m
from sdcore.engine.far_files import FarFiles
from sdcore.spec.sanitise import sanitise

MOST_BYTES: Final = 256 << 20
"""Of one file."""

Ask = Callable[[str, int], Awaitable[m.FilePart]]
"""Asks for the part of a file that begins at an offset. Cancelled where the line breaks."""


async def fetch(
    ask: Ask, path: str, data: bytearray, told: Callable[[int, int], object] = lambda done, total: None
) -> str:
    """Add to `data`, the beginning of a file, all that is missing; says why that cannot be, or "". `told` hears how
    many bytes of how many are here."""
    total = len(data) + 1
    while len(data) < total:
        part = await ask(path, len(data))
        if part.problem:
            return part.problem
        if not part.data or part.total > MOST_BYTES:
            return "It is cut off." if part.total <= MOST_BYTES else "It is too large to be brought here."
        data += part.data
        total = part.total
        told(len(data), total)
    return ""


class _Wanted:
    """A file that is on its way."""

    def __init__(self, command: m.BringFile) -> None:
        self.command = command
        self.data = bytearray()
        self.task: asyncio.Task[None] | None = None


class Bringing:
    """The files that the app waits for. Belongs to one event loop."""

    def __init__(self, files: FarFiles, ask: Ask, put: Callable[[m.FileBrought], object]) -> None:
        self._files = files
        self._ask = ask
        self._put = put
        self._wanted: dict[int, _Wanted] = {}

    def take(self, command: m.BringFile) -> None:
        """Bring a file, or do not go on with it."""
        if command.wanted:
            self._wanted[command.request] = wanted = _Wanted(command)
            wanted.task = asyncio.create_task(self._bring(wanted))
        elif (left := self._wanted.pop(command.request, None)) is not None and left.task is not None:
            left.task.cancel()

    def pause(self) -> None:
        """There is no line: wait with what is here."""
        for wanted in self._wanted.values():
            if wanted.task is not None:
                wanted.task.cancel()

    def go_on(self) -> None:
        """There is a line again."""
        for wanted in self._wanted.values():
            wanted.task = asyncio.create_task(self._bring(wanted))

    async def _bring(self, wanted: _Wanted) -> None:
        command = wanted.command
        try:
            copy = await asyncio.to_thread(self._files.kept, command.path, command.size)
            if copy is None:
                problem = await fetch(
                    self._ask,
                    command.path,
                    wanted.data,
                    lambda done, total: self._tell(wanted, m.FileBrought(
                        request=command.request, done=done, total=total
                    )),
                )  # fmt: skip
                if problem:
                    self._end(wanted, problem=problem)
                    return
                copy = await asyncio.to_thread(self._files.keep, command.path, bytes(wanted.data))
        except (OSError, ValueError) as fault:
            reason = getattr(fault, "strerror", None) or "it has no plain name"
            self._end(wanted, problem=f"The image cannot be kept here: {sanitise(str(reason))}.")
        else:
            self._end(wanted, copy=str(copy))

    def _tell(self, wanted: _Wanted, event: m.FileBrought) -> None:
        if self._wanted.get(wanted.command.request) is wanted:
            self._put(event)

    def _end(self, wanted: _Wanted, *, copy: str = "", problem: str = "") -> None:
        request, size = wanted.command.request, len(wanted.data)
        self._tell(wanted, m.FileBrought(request=request, done=size, total=size, copy=copy, problem=problem))
        self._wanted.pop(request, None)
