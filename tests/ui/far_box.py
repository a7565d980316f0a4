"""The library of another machine without the line: the engine's own librarian, and an engine that is none."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterable
from pathlib import Path

from sdcore.engine import messages as m
from sdcore.engine.far_files import FarFiles
from sdcore.engine.librarian import AboutFiles, Librarian
from sdcore.engine.mailbox import Mailbox
from tests.ui.fake_engine import FakeEngine


class NoKeeper:
    """Keeps nothing: the tests fill the index."""

    alive = True

    def close(self, seconds: float = 0.5) -> None:
        """Nothing ends."""


class FarBox:
    """What `engine` answers to questions about the disks: as an engine would, on threads, over what counts as a line.
    `sent` counts the bytes of each kind of answer."""

    def __init__(self, engine: FakeEngine) -> None:
        self.librarian = Librarian(NoKeeper)  # type: ignore[arg-type]
        self.mailbox = Mailbox()
        self.sent: dict[str, int] = {}
        self.asked: dict[str, int] = {}
        self._engine = engine
        self._loop: asyncio.AbstractEventLoop | None = None
        self._files = FarFiles("box")
        engine.answer = self.answer
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def answer(self, command: m.AnyCommand) -> Iterable[m.AnyEvent]:
        """Take what an engine's librarian takes; bring files at once."""
        self._loop = asyncio.get_running_loop()
        name = type(command).__name__
        self.asked[name] = self.asked.get(name, 0) + len(m.encode(command))
        if isinstance(command, m.BringFile):
            return self._bring(command) if command.wanted else ()
        if isinstance(command, AboutFiles):
            self.librarian.take(command, self.mailbox)
        return ()

    def close(self) -> None:
        """No more answers."""
        self.librarian.stop()
        self.mailbox.close()
        self._thread.join(5)

    def _bring(self, command: m.BringFile) -> Iterable[m.AnyEvent]:
        try:
            copy = self._files.keep(command.path, Path(command.path).read_bytes())
        except OSError as fault:
            yield m.FileBrought(request=command.request, problem=f"It is not to be had: {fault.strerror}.")
        else:
            yield m.FileBrought(request=command.request, done=1, total=2)
            yield m.FileBrought(request=command.request, done=2, total=2, copy=str(copy))

    def _run(self) -> None:
        for event in self.mailbox:
            name = type(event).__name__
            self.sent[name] = self.sent.get(name, 0) + len(m.encode(event))
            with contextlib.suppress(RuntimeError):  # the app has been left
                assert self._loop is not None
                self._loop.call_soon_threadsafe(self._engine.tell, event)
