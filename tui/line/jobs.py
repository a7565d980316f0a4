"""What the engine is making, as its events tell it: the queue, the running job and its pace."""

from __future__ import annotations

import secrets

import msgspec

from sdcore.engine import messages as m
from sdcore.spec.recipe import Recipe

_PACE_PASSES = 8


class Job(msgspec.Struct):
    """A job under way. `seconds` holds the time of every forward pass done."""

    job: str
    recipe: Recipe
    timesteps: tuple[float, ...]
    sigmas: tuple[float, ...]
    seconds: list[float] = []
    index: int | None = None

    @property
    def total(self) -> int:
        """Forward passes in all."""
        return len(self.timesteps)

    @property
    def done(self) -> int:
        """Forward passes done."""
        return 0 if self.index is None else self.index + 1

    @property
    def per_second(self) -> float:
        """Forward passes a second, of late; 0 before the first."""
        late = self.seconds[-_PACE_PASSES:]
        return len(late) / sum(late) if late and sum(late) > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """How long the rest takes at this pace; None before there is one."""
        return (self.total - self.done) / self.per_second if self.per_second else None


class JobBook:
    """The jobs that are not finished. Jobs of earlier runs of the app, still with the engine, are in it too."""

    def __init__(self) -> None:
        self.waiting: dict[str, Recipe] = {}
        self.running: Job | None = None
        self.held: frozenset[str] = frozenset()
        """Of those that wait, the ones that are not made until they are released; others may be among them."""

    @property
    def busy(self) -> bool:
        """Whether anything is being made, or will be without a word."""
        return self.running is not None or not self.held.issuperset(self.waiting)

    def add(self, recipe: Recipe) -> str:
        """Note a job that is about to be sent; returns its new identifier."""
        job = secrets.token_hex(8)
        self.waiting[job] = recipe
        return job

    def queued(self, event: m.JobQueued) -> None:
        """The engine has it: anew, changed, or once more because it was held on its way."""
        if self.running is not None and self.running.job == event.job:
            self.running = None
        self.waiting[event.job] = event.recipe

    def started(self, event: m.JobStarted) -> Job:
        """It samples now."""
        self.waiting.pop(event.job, None)
        shared = list(event.seconds)
        index = len(shared) - 1 if shared else None
        self.running = Job(event.job, event.recipe, event.timesteps, event.sigmas, shared, index)
        return self.running

    def progressed(self, event: m.JobProgress) -> Job | None:
        """It went on; None if it is not the one that runs."""
        running = self.running
        if running is None or running.job != event.job:
            return None
        running.seconds += event.seconds
        running.index = event.index
        return running

    def ended(self, job: str) -> Job | None:
        """It is over, one way or another; returns it if it was running."""
        self.waiting.pop(job, None)
        if self.running is not None and self.running.job == job:
            ended, self.running = self.running, None
            return ended
        return None

    def clear(self) -> int:
        """Forget all: the engine is gone. Returns how many jobs were lost."""
        lost = len(self.waiting) + (self.running is not None)
        self.held = frozenset()
        self.waiting.clear()
        self.running = None
        return lost
