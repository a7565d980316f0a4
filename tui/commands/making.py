"""Recipes made by an engine in this process, with a progress bar on stderr where that is a terminal."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, Self, TypeVar, cast

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from sdcore import environment
from sdcore.engine.backend import Backend, LoadBackend, Report
from sdcore.engine.local import LocalEngine, torch_backend
from sdcore.engine.log import log_to, open_log
from sdcore.engine.messages import (
    AnyEvent,
    Cancel,
    EngineFailed,
    EngineStarting,
    ForkPoint,
    Generate,
    GetView,
    JobCancelled,
    JobFailed,
    JobFinished,
    JobNotice,
    JobProgress,
    JobStarted,
    ModelLoading,
    OpenTrace,
    SaveTrace,
    TraceFailed,
    TraceOpened,
    TraceSaved,
    ViewReady,
)
from sdcore.spec.recipe import Recipe
from sdcore.spec.sanitise import sanitise
from sdcore.spec.sweep.typed import Template
from tui.commands.console import CommandError, complain, rich_console

A = TypeVar("A", TraceOpened, ViewReady, TraceSaved)

_START = "starting"
_NO_ANSWER = "The engine ended without an answer; see the log that sdtui doctor names."


class Maker:
    """An engine of one's own whose images are saved below `folder`.

    with Maker(device="auto", folder=folder) as maker:
        finished = maker.make(recipe, "sampling")

    On a CPU `threads` share the work, as many as torch likes if 0: the last bits of an image depend on it.
    Raises `CommandError` where no engine can run. Leaving it, by Ctrl-C too, ends the engine before its next
    forward pass.
    """

    def __init__(self, *, device: str, folder: Path, threads: int = 0) -> None:
        if lacking := environment.no_engine():
            raise CommandError(lacking)
        self._engine = LocalEngine(_saving_in(folder, torch_backend(device, threads=threads)))
        self._client = self._engine.attach()
        self._names = itertools.count(1)

    def __enter__(self) -> Self:
        log_to(open_log())
        self._engine.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._engine.close()

    def make(
        self, recipe: Recipe, title: str, fork: ForkPoint | None = None, template: Template | None = None
    ) -> JobFinished:
        """Make all images of `recipe`, or with a `fork` the rest of a run; `title` stands beside the progress bar.
        `template` is what its prompts were drawn from.

        Raises `CommandError`, and `KeyboardInterrupt` once a Ctrl-C has stopped the job.
        """
        job = str(next(self._names))
        self._client.send(Generate(job=job, recipe=recipe, fork=fork, template=template))
        with _Bar(title) as bar, _ctrl_c_does(lambda: self._client.send(Cancel(job=job))):
            for event in self._client:
                match event:
                    case JobFinished():
                        return event
                    case JobCancelled():
                        raise KeyboardInterrupt
                    case JobFailed() | EngineFailed():
                        raise CommandError(event.message)
                    case JobNotice():
                        complain(event.message)
                bar.show(event)
        raise CommandError(_NO_ANSWER)

    def ask(self, command: OpenTrace | GetView | SaveTrace, kind: type[A]) -> A:
        """The answer, of this kind, to a question about a run that was made here. Raises `CommandError`."""
        self._client.send(command)
        for event in self._client:
            if isinstance(event, kind):
                return event
            if isinstance(event, TraceFailed | EngineFailed):
                raise CommandError(event.message)
        raise CommandError(_NO_ANSWER)


@contextlib.contextmanager
def _ctrl_c_does(stop: Callable[[], None]) -> Iterator[None]:
    """Have the first Ctrl-C call `stop`, and the next one raise `KeyboardInterrupt` as usual.

    An exception raised by a signal can come up inside a finaliser, where Python swallows it and the key is lost.
    `stop` runs on a thread of its own, for the signal may interrupt whoever holds the locks that it needs.
    """

    def stop_once(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, before)
        threading.Thread(target=stop, daemon=True).start()

    before = signal.signal(signal.SIGINT, stop_once)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _saving_in(folder: Path, load: LoadBackend) -> LoadBackend:
    def load_and_save(report: Report) -> Backend:
        backend = load(report)
        return dataclasses.replace(backend, save=functools.partial(cast(Any, backend.save), folder=folder))

    return load_and_save


class _Bar:
    """What the engine does, on one line of stderr that vanishes; nothing where that is no terminal."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._passes = 0
        self._seconds = 0.0
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[rate]}", markup=False),
            TimeRemainingColumn(compact=True),
            console=rich_console(stderr=True),
            transient=True,
            expand=True,
            disable=not sys.stderr.isatty() or os.environ.get("TERM") == "dumb",
        )
        self._task: TaskID = self._progress.add_task(_START, total=1.0, rate="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def show(self, event: AnyEvent) -> None:
        match event:
            case EngineStarting():
                self._stage(f"{_START}: {event.stage}", event.fraction)
            case ModelLoading():
                self._stage(f"loading {event.model}: {event.stage}", event.fraction)
            case JobStarted():
                self._progress.reset(self._task, total=len(event.timesteps), description=self._title, rate="")
            case JobProgress():
                self._passes += len(event.seconds)
                self._seconds += sum(event.seconds)
                rate = f"{event.index + 1}/{event.total} · {self._passes / max(self._seconds, 1e-9):.1f} it/s"
                self._progress.update(self._task, completed=event.index + 1, rate=rate)

    def _stage(self, text: str, fraction: float) -> None:
        shown = sanitise(text, newlines=False)
        self._progress.update(self._task, description=shown, completed=fraction, total=1.0)
