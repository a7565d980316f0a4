"""The runs of jobs that are not at their end, kept where they outlive the process: a job goes on from the last of them.

A run is written from a thread of its own while it goes on; the worker only looks at the clock.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sdcore.engine.backend import Backend, Trace
from sdcore.engine.traces import TRACE_SUFFIX

EVERY_SECONDS: Final = 10.0
"""What a crash may cost a job at most, as long as writing is quick."""

_SHARE: Final = 20.0
"""A write is followed by this many times its own length without another."""

_log = logging.getLogger(__name__)


class Checkpoints:
    """Runs by their jobs, in files below `folder`; without one they are kept in memory, and only when they are left."""

    def __init__(
        self,
        folder: Path | None = None,
        *,
        every: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._every = EVERY_SECONDS if every is None else every
        self._clock = clock
        self._held: dict[str, Trace] = {}
        self._due = 0.0
        self._written = ""
        self._writer: threading.Thread | None = None

    def begin(self) -> None:
        """A run begins, whose first checkpoint is due after a while."""
        self._due = self._clock() + self._every

    def offer(self, job: str, trace: Trace, backend: Backend) -> None:
        """Write the run if it is time. Called between forward passes: returns at once."""
        if self._folder is None or self._clock() < self._due or self._is_writing():
            return
        self._due, self._written = float("inf"), job
        self._writer = threading.Thread(
            target=self._write_beside, args=(job, trace, backend), name="checkpoint", daemon=True
        )
        self._writer.start()

    def keep(self, job: str, trace: Trace) -> None:
        """Keep a run that is left, to be taken up later; returns when it is safe."""
        if self._folder is None:
            self._held[job] = trace
        else:
            self._finish()
            self._write(job, trace)

    def find(self, job: str, load: Callable[[Path], Trace]) -> Trace | None:
        """The run of a job as far as it is kept; None where there is none that can be read."""
        if self._folder is None:
            return self._held.get(job)
        path = self._path(self._folder, job)
        if not path.is_file():
            return None
        try:
            return load(path)
        except Exception as fault:
            _log.warning("A checkpoint could not be read: %s", fault)
            return None

    def forget(self, job: str) -> None:
        """A job is at its end, or is to begin anew."""
        self._held.pop(job, None)
        if self._folder is not None:
            if job == self._written:
                self._finish()
            with contextlib.suppress(OSError):
                self._path(self._folder, job).unlink(missing_ok=True)

    def sweep(self, jobs: set[str]) -> None:
        """Delete the files of all other jobs, and what a crash left half written."""
        if self._folder is None:
            return
        wanted = {self._path(self._folder, job) for job in jobs}
        with contextlib.suppress(OSError):
            for path in self._folder.iterdir():
                if TRACE_SUFFIX in path.name and path not in wanted:
                    path.unlink(missing_ok=True)

    def _is_writing(self) -> bool:
        return self._writer is not None and self._writer.is_alive()

    def _finish(self) -> None:
        if self._writer is not None:
            self._writer.join()

    def _write_beside(self, job: str, trace: Trace, backend: Backend) -> None:
        backend.beside()
        began = self._clock()
        self._write(job, trace)
        ended = self._clock()
        self._due = ended + max(self._every, _SHARE * (ended - began))

    def _write(self, job: str, trace: Trace) -> None:
        assert self._folder is not None  # the callers saw to it
        try:
            trace.save(self._path(self._folder, job))
        except (
            Exception
        ) as fault:  # a run that has no checkpoint is made from its beginning: no reason to end it
            _log.warning("A checkpoint could not be written: %s", fault)

    @staticmethod
    def _path(folder: Path, job: str) -> Path:
        # A job's name is whatever a client chose.
        return folder / (hashlib.sha256(job.encode(errors="surrogatepass")).hexdigest()[:32] + TRACE_SUFFIX)
