"""What the queue knows, and the records by which it changes: written one after another, they are its journal.

Everything that happens to a job is a record. The present is what all of them make together, so what is read back after
a crash cannot differ from what was known before it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Final

import msgspec

from sdcore.engine.messages import ForkPoint, SavedImage
from sdcore.spec.lineage import Origin
from sdcore.spec.recipe import Recipe
from sdcore.spec.sweep import typed

MOST_DONE: Final = 500
"""How many finished jobs are remembered, so that none is made again for a client that asks for it twice."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A job as it is remembered. `held` and failed ones have a `reason` ("" where a person holds it). `deaths` counts
    the engines that died with it, `began` is when it began first (seconds since 1970; 0: not yet), and `saved` has
    the images of its batch that are on disk, by their place in it. `endless` ones nobody asked for one by one."""

    job: str
    recipe: Recipe
    fork: ForkPoint | None = None
    group: str = ""
    label: str = ""
    held: bool = False
    reason: str = ""
    deaths: int = 0
    began: float = 0.0
    endless: bool = False
    saved: dict[int, SavedImage] = {}
    template: typed.Template | None = None
    origin: Origin = Origin()


class Endless(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is made whenever nothing else is to be."""

    recipe: Recipe
    group: str = ""
    label: str = ""


class Record(msgspec.Struct, frozen=True, tag=True):
    """One change."""


class Placed(Record, frozen=True):
    """A job waits, at place `at` of those that do; at the end where that is None. It is nowhere else any more."""

    entry: Entry
    at: int | None = None


class Changed(Record, frozen=True):
    """A job that waits or runs is another now, in the same place."""

    entry: Entry


class Began(Record, frozen=True):
    """A waiting job runs, since `when` (seconds since 1970)."""

    job: str
    when: float


class Saved(Record, frozen=True):
    """Image `index` of the running job's batch is on disk."""

    job: str
    index: int
    image: SavedImage


class Done(Record, frozen=True):
    """A job is finished, and these are its images."""

    job: str
    images: tuple[SavedImage, ...]


class Failed(Record, frozen=True):
    """A job failed, and is kept until it is tried again or removed."""

    entry: Entry


class Removed(Record, frozen=True):
    """A job is wanted no more."""

    job: str


class Paused(Record, frozen=True):
    """Whether the queue stands still."""

    paused: bool


class Forever(Record, frozen=True):
    """What is made whenever nothing else is to be; None ends it."""

    endless: Endless | None = None


AnyRecord = Placed | Changed | Began | Saved | Done | Failed | Removed | Paused | Forever


class Ledger:
    """The present state of the queue. `apply` takes every record, also one that fits nothing any more."""

    def __init__(self) -> None:
        self.waiting: dict[str, Entry] = {}
        self.running: Entry | None = None
        self.failed: dict[str, Entry] = {}
        self.done: OrderedDict[str, tuple[SavedImage, ...]] = OrderedDict()
        self.paused = False
        self.endless: Endless | None = None

    def __len__(self) -> int:
        return len(self.waiting) + len(self.failed) + (self.running is not None)

    def apply(self, record: AnyRecord) -> None:
        """Take a change into account."""
        match record:
            case Placed(entry, at):
                self._take(entry.job)
                self._place(entry, at)
            case Changed(entry):
                if entry.job in self.waiting:
                    self.waiting[entry.job] = entry
                elif self._runs(entry.job):
                    self.running = entry
            case Began(job, when):
                if job in self.waiting:
                    entry = self.waiting.pop(job)
                    self.running = msgspec.structs.replace(entry, began=entry.began or when)
            case Saved(job, index, image):
                if self.running is not None and self._runs(job):
                    saved = {**self.running.saved, index: image}
                    self.running = msgspec.structs.replace(self.running, saved=saved)
            case Done(job, images):
                self._take(job)
                self.done[job] = images
                while len(self.done) > MOST_DONE:
                    self.done.popitem(last=False)
            case Failed(entry):
                self._take(entry.job)
                self.failed[entry.job] = entry
            case Removed(job):
                self._take(job)
            case Paused(paused):
                self.paused = paused
            case Forever(endless):
                self.endless = endless

    def find(self, job: str) -> Entry | None:
        """The job, wherever it is but among those that are done."""
        running = self.running if self._runs(job) else None
        return running or self.waiting.get(job) or self.failed.get(job)

    def snapshot(self) -> Iterator[AnyRecord]:
        """The fewest records that make the present."""
        yield from (Done(job, images) for job, images in self.done.items())
        yield from (Failed(entry) for entry in self.failed.values())
        if self.running is not None:
            yield Placed(self.running)
            yield Began(self.running.job, self.running.began)
        yield from (Placed(entry) for entry in self.waiting.values())
        if self.paused:
            yield Paused(True)
        if self.endless is not None:
            yield Forever(self.endless)

    def _runs(self, job: str) -> bool:
        return self.running is not None and self.running.job == job

    def _take(self, job: str) -> None:
        self.waiting.pop(job, None)
        self.failed.pop(job, None)
        if self._runs(job):
            self.running = None

    def _place(self, entry: Entry, at: int | None) -> None:
        if at is None or at >= len(self.waiting):
            self.waiting[entry.job] = entry
            return
        order = list(self.waiting.values())
        order.insert(max(0, at), entry)
        self.waiting = {one.job: one for one in order}
