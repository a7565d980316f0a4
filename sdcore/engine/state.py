"""What the engine is doing, folded from its events: what a client that attaches late is told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from sdcore.engine.messages import (
    AnyEvent,
    EngineFailed,
    EngineReady,
    EngineStarting,
    JobCancelled,
    JobFailed,
    JobFinished,
    JobProgress,
    JobQueued,
    JobStarted,
    ModelFailed,
    ModelLoaded,
    ModelLoading,
    coalesce,
)


@dataclass
class _Job:
    queued: JobQueued
    started: JobStarted | None = None
    progress: AnyEvent | None = None


class EngineState:
    """The present, as events: `note` each one that happens, `replay` them to a newcomer."""

    def __init__(self) -> None:
        self._engine: EngineStarting | EngineReady | EngineFailed | None = None
        self._loading: ModelLoading | None = None
        self._loaded: ModelLoaded | None = None
        self._jobs: dict[str, _Job] = {}

    @property
    def ready(self) -> EngineReady | None:
        """The engine's description, once it takes jobs."""
        return self._engine if isinstance(self._engine, EngineReady) else None

    @property
    def failed(self) -> EngineFailed | None:
        """Why the engine is of no use any more."""
        return self._engine if isinstance(self._engine, EngineFailed) else None

    @property
    def model(self) -> str | None:
        """The model that is loaded."""
        return self._loaded.model if self._loaded else None

    @property
    def jobs(self) -> list[str]:
        """The jobs that are not at their end, in the order in which they run."""
        return list(self._jobs)

    @property
    def running(self) -> str | None:
        """The job that samples."""
        return next((name for name, job in self._jobs.items() if job.started), None)

    def note(self, event: AnyEvent) -> None:
        """Take an event into account."""
        match event:
            case EngineStarting() | EngineReady() | EngineFailed():
                self._engine = event
            case ModelLoading():
                self._loading, self._loaded = event, None
            case ModelLoaded():
                self._loading, self._loaded = None, event
            case ModelFailed():
                self._loading = None
            case JobQueued():
                self._jobs[event.job] = _Job(event)
            case JobStarted():
                job = self._jobs[event.job]
                job.started, job.progress = event, None
            case JobProgress():
                job = self._jobs[event.job]
                job.progress = coalesce(job.progress, event) if job.progress else event
            case JobFinished() | JobCancelled() | JobFailed():
                if self.jobs[:1] == [event.job]:  # a load that was under way was for this one
                    self._loading = None
                self._jobs.pop(event.job, None)

    def replay(self) -> Iterator[AnyEvent]:
        """The events that bring a newcomer up to date; progress carries the times of all passes so far."""
        yield from (event for event in (self._engine, self._loaded, self._loading) if event)
        waiting = 0
        for job in self._jobs.values():
            yield msgspec.structs.replace(job.queued, position=waiting)
            yield from (event for event in (job.started, job.progress) if event)
            waiting += job.started is None
