"""What the engine is doing, folded from its events: what a client that attaches late is told."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from sdcore.engine.messages import (
    AnyEvent,
    EngineFailed,
    EngineReady,
    EngineStarting,
    JobCancelled,
    JobFailed,
    JobFinished,
    JobKept,
    JobProgress,
    JobQueued,
    JobStarted,
    ModelFailed,
    ModelLoaded,
    ModelLoading,
    QueueState,
    Status,
)

_PACE_PASSES: Final = 8
"""The pace of a run is that of so many passes, the latest ones."""


@dataclass
class _Job:
    queued: JobQueued
    started: JobStarted | None = None
    progress: JobProgress | None = None

    @property
    def times(self) -> tuple[float, ...]:
        """The seconds of its forward passes so far."""
        return (self.started.seconds if self.started else ()) + (
            self.progress.seconds if self.progress else ()
        )


class EngineState:
    """The present, as events: `note` each one that happens, `replay` them to a newcomer."""

    def __init__(self) -> None:
        self._engine: EngineStarting | EngineReady | EngineFailed | None = None
        self._loading: ModelLoading | None = None
        self._loaded: ModelLoaded | None = None
        self._jobs: dict[str, _Job] = {}
        self._failed: dict[str, JobKept] = {}
        self._queue: QueueState | None = None

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
                self._failed.pop(event.job, None)
                self._jobs[event.job] = _Job(event)
            case JobStarted():
                job = self._jobs[event.job]
                job.started, job.progress = event, None
            case JobProgress():
                job = self._jobs[event.job]
                before = job.progress.seconds if job.progress else ()
                job.progress = msgspec.structs.replace(event, seconds=before + event.seconds)
            case JobKept():
                self._failed[event.job] = event
            case QueueState():
                self._queue = event
            case JobFinished() | JobCancelled() | JobFailed():
                if self._loading is not None and self._is_first(event.job):
                    self._loading = None  # it was for this one
                self._failed.pop(event.job, None)
                job_ended = self._jobs.pop(event.job, None)
                if job_ended is not None and isinstance(event, JobFailed):
                    self._failed[event.job] = _kept(job_ended.queued, event.message)

    def replay(self) -> Iterator[AnyEvent]:
        """The events that bring a newcomer up to date; progress carries the times of all passes so far."""
        yield from (event for event in (self._engine, self._loaded, self._loading) if event)
        yield from self._failed.values()
        waiting = 0
        for job in self._in_order():
            yield msgspec.structs.replace(job.queued, position=waiting)
            yield from (event for event in (job.started, job.progress) if event)
            waiting += job.started is None
        if self._queue is not None:
            yield self._without_ended(self._queue)

    def status(self, pid: int, began: float, clients: int) -> Status:
        """The same in numbers, for who asks once. `began` is when the engine did, by the monotonic clock."""
        running = self._jobs[self.running] if self.running else None
        queue = self._without_ended(self._queue) if self._queue is not None else QueueState()
        held = set(queue.held)
        waits = [name for name, job in self._jobs.items() if not job.started and name not in held]
        expected = dict(zip(queue.order, queue.seconds, strict=True))
        seconds = [expected.get(name) for name in waits]
        known = [one for one in seconds if one is not None]
        return Status(
            pid=pid,
            uptime_seconds=time.monotonic() - began,
            model=self.model,
            device=self.ready.device if self.ready else "",
            clients=clients,
            queued=len(waits),
            queued_seconds=sum(known) if len(known) == len(seconds) else None,
            held=len(held),
            failed=len(self._failed),
            paused=queue.paused,
            forever=queue.forever is not None,
            notice=queue.notice,
            **(_present(running) if running else {"running": None}),
        )

    def _is_first(self, job: str) -> bool:
        return [one.queued.job for one in self._in_order()[:1]] == [job]

    def _without_ended(self, queue: QueueState) -> QueueState:
        """What the queue said last, without the jobs that have left it by themselves."""
        there = [
            (job, seconds)
            for job, seconds in zip(queue.order, queue.seconds, strict=True)
            if job in self._jobs and not self._jobs[job].started
        ]
        return msgspec.structs.replace(
            queue,
            order=tuple(job for job, _ in there),
            seconds=tuple(seconds for _, seconds in there),
            held={job: why for job, why in queue.held.items() if job in self._jobs},
        )

    def _in_order(self) -> list[_Job]:
        """The running job, then those that wait as the queue has them; the newest last."""
        places = {job: place for place, job in enumerate(self._queue.order if self._queue else ())}
        last = len(places)
        return sorted(
            self._jobs.values(), key=lambda job: -1 if job.started else places.get(job.queued.job, last)
        )


def _kept(queued: JobQueued, message: str) -> JobKept:
    return JobKept(
        job=queued.job, recipe=queued.recipe, message=message, group=queued.group, label=queued.label
    )


def _present(job: _Job) -> dict[str, Any]:
    """The fields of `Status` that are about the job that runs."""
    assert job.started is not None  # it runs
    total, done = len(job.started.timesteps), job.progress.index + 1 if job.progress else 0
    late = job.times[-_PACE_PASSES:]
    return {
        "running": job.queued.job,
        "label": job.queued.label,
        "prompt": job.started.recipe.prompt,
        "steps_done": max(done, len(job.started.seconds)),
        "steps_total": total,
        "seconds_left": (total - done) * sum(late) / len(late) if late else None,
    }
