"""What is said of a job that the queue remembers."""

from __future__ import annotations

from sdcore.engine.ledger import Entry
from sdcore.engine.messages import JobFinished, JobKept, JobQueued, SavedImage


def queued(entry: Entry, position: int) -> JobQueued:
    """It waits."""
    return JobQueued(
        job=entry.job, position=position, recipe=entry.recipe, group=entry.group, label=entry.label
    )


def kept(entry: Entry) -> JobKept:
    """It failed before."""
    return JobKept(
        job=entry.job, recipe=entry.recipe, message=entry.reason, group=entry.group, label=entry.label
    )


def finished(job: str, images: tuple[SavedImage, ...], group: str, label: str) -> JobFinished:
    """It was made before; how long it took is not remembered."""
    return JobFinished(job=job, images=images, seconds=0.0, steps_per_second=0.0, group=group, label=label)
