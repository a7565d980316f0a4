"""The job queue: what is to be made, in which order, and what became of it. With a journal it outlives the process.

It decides; it makes nothing. The worker takes the next job from it and tells it every event; clients change it by their
commands. Each change is a record of the `Ledger`, and with a journal a job is neither acknowledged nor begun before its
record is on disk.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec

from sdcore.engine.endless import Draw, draw_from_files, next_of, random_seed
from sdcore.engine.estimates import Estimates
from sdcore.engine.journal import Journal
from sdcore.engine.ledger import (
    AnyRecord,
    Began,
    Changed,
    Done,
    Endless,
    Entry,
    Failed,
    Forever,
    Ledger,
    Paused,
    Placed,
    Removed,
    Saved,
)
from sdcore.engine.messages import (
    AnyEvent,
    EditJob,
    Generate,
    JobCancelled,
    JobFailed,
    JobFinished,
    MoveJob,
    QueueState,
    RunForever,
    SavedImage,
)
from sdcore.engine.queue_events import finished, kept, queued
from sdcore.spec.lineage import Origin
from sdcore.spec.sweep.drawing import DrawingError

_CLOSE_SECONDS: Final = 5.0
_SAVE_SECONDS: Final = 10.0
"""How often what was measured is written down."""

_STOPPED: Final = "The engine was stopped while this was still to be made."


class JobQueue:
    """The queue. Methods may be called from any thread; `publish` is given every event, under the lock.

    `changed` is the lock, and is notified when there may be something to take. `forget` is called with jobs whose
    checkpoint is of no use any more.
    """

    def __init__(
        self,
        publish: Callable[[AnyEvent], None],
        estimates: Estimates,
        *,
        ledger: Ledger | None = None,
        notice: str = "",
        forget: Callable[[str], None] = lambda job: None,
        seed: Callable[[], int] = random_seed,
        draw: Draw = draw_from_files,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.changed = threading.Condition(threading.RLock())
        self.idle = True
        """Whether nothing runs, and nothing would without a further command."""
        self.loaded: str | None = None
        """The model that is loaded, for the estimates."""
        self._publish = publish
        self._estimates = estimates
        self._ledger = Ledger() if ledger is None else ledger
        self._notice = notice
        self._forget = forget
        self._seed = seed
        self._draw = draw
        self._journal: Journal | None = None
        self._unannounced: set[str] = set()
        self._kinds = 0
        self._clock = clock
        self._save_at = 0.0
        with self.changed:
            self._look()

    @property
    def durable(self) -> bool:
        """Whether it outlives this process."""
        return self._journal is not None

    def keep_in(self, journal: Journal) -> None:
        """Write every change to `journal` from now on."""
        self._journal = journal

    def snapshot(self) -> Iterable[AnyRecord]:
        """The present as records."""
        return self._ledger.snapshot()

    def open(self) -> None:
        """Tell of everything that an earlier engine left behind, and begin to keep what comes."""
        if self._journal is not None:
            self._journal.start()
        with self.changed:
            for entry in self._ledger.failed.values():
                self._publish(kept(entry))
            for position, entry in enumerate(self._ledger.waiting.values()):
                self._publish(queued(entry, position))
            if len(self._ledger) or self._notice:
                self._tell_state()

    def close(self) -> None:
        """Wait until everything is kept. Nothing is acknowledged after it."""
        if self._journal is not None:
            self._journal.stop()
            self._journal.join(_CLOSE_SECONDS)
        self._estimates.save()

    # -- what clients ask for ----------------------------------------------------------------------------------

    def submit(self, command: Generate) -> AnyEvent | None:
        """Queue a job behind all others. What is to be said to who asked, where the job is known already."""
        with self.changed:
            if command.job in self._ledger.done:
                return finished(command.job, self._ledger.done[command.job], command.group, command.label)
            if (entry := self._ledger.find(command.job)) is not None:
                waiting = list(self._ledger.waiting)
                if entry.job in self._ledger.failed:
                    return JobFailed(job=entry.job, message=entry.reason)
                return queued(entry, waiting.index(entry.job)) if entry.job in waiting else None
            entry = Entry(
                job=command.job,
                recipe=command.recipe,
                fork=command.fork,
                group=command.group,
                label=command.label,
                template=command.template,
                origin=command.origin,
            )
            self._queue(entry)
        return None

    def move(self, command: MoveJob) -> None:
        """Have a waiting job stand elsewhere."""
        with self.changed:
            if (entry := self._ledger.waiting.get(command.job)) is not None:
                self._note(Placed(entry, max(0, command.to)))
                self._tell_state()

    def edit(self, command: EditJob) -> bool:
        """Have a waiting job made by another recipe; whether it waits."""
        with self.changed:
            entry = self._ledger.waiting.get(command.job)
            if entry is None:
                return False
            if command.recipe != entry.recipe:
                self._forget(entry.job)
                entry = msgspec.structs.replace(
                    entry,
                    recipe=command.recipe,
                    fork=None,
                    began=0.0,
                    saved={},
                    deaths=0,
                    template=None,
                    origin=Origin(),
                )
                self._note(Changed(entry))
                if entry.job not in self._unannounced:
                    self._publish(queued(entry, list(self._ledger.waiting).index(entry.job)))
                self._tell_state()
            return True

    def hold(self, jobs: Iterable[str], held: bool, reason: str = "") -> None:
        """Have waiting jobs held, or released: a release forgives the engines that died with them."""
        with self.changed:
            for job in jobs:
                entry = self._ledger.waiting.get(job)
                if entry is not None and (entry.held, entry.reason) != (held, reason):
                    deaths = entry.deaths if held else 0
                    self._note(
                        Changed(msgspec.structs.replace(entry, held=held, reason=reason, deaths=deaths))
                    )
            self._tell_state()

    def retry(self, jobs: Iterable[str]) -> None:
        """Queue failed jobs once more."""
        with self.changed:
            for job in jobs:
                if (entry := self._ledger.failed.get(job)) is not None:
                    self._queue(msgspec.structs.replace(entry, reason="", held=False, deaths=0))

    def remove(self, jobs: Iterable[str]) -> None:
        """Forget jobs that wait or failed."""
        with self.changed:
            found = [job for job in jobs if job in self._ledger.waiting or job in self._ledger.failed]
            for job in found:
                self.tell(JobCancelled(job=job, index=0))
            if found:
                self._tell_state()

    def pause(self, paused: bool) -> None:
        """Have no job begin until it is told otherwise."""
        with self.changed:
            self._notice = ""
            self._note(Paused(paused))
            self._tell_state()

    def run_forever(self, command: RunForever) -> None:
        """Make a recipe whenever there is nothing else; without one, no more."""
        endless = None
        if command.recipe is not None:
            endless = Endless(recipe=command.recipe, group=command.group, label=command.label)
        with self.changed:
            self._notice = ""
            self._note(Forever(endless))
            self._tell_state()

    def stand_still(self) -> None:
        """Hold everything: somebody ended the engine, and the next one is not to go on by itself."""
        with self.changed:
            running = self._ledger.running
            if running is not None:
                self._note(Changed(msgspec.structs.replace(running, held=True, reason=_STOPPED)))
            if self._ledger.endless is not None:
                self._note(Forever(None))
            self.hold([job for job, entry in self._ledger.waiting.items() if not entry.held], True, _STOPPED)

    def set_aside(self, reason: str) -> None:
        """Have the running job held when the next engine comes upon it."""
        with self.changed:
            if (running := self._ledger.running) is not None:
                self._note(Changed(msgspec.structs.replace(running, held=True, reason=reason)))

    # -- what the worker does ----------------------------------------------------------------------------------

    def take(self) -> Entry | None:
        """The job to be made now, which runs from then on; None where there is none."""
        with self.changed:
            entry = None if self._ledger.paused else self._next() or self._another()
            if entry is not None:
                self._note(Began(entry.job, time.time()))
            return self._ledger.running if entry is not None else None

    def put_back(self, job: str, *, held: bool) -> None:
        """The running job stops, and is the next one again."""
        with self.changed:
            running = self._ledger.running
            if running is not None and running.job == job:
                running = msgspec.structs.replace(running, held=held or running.held)
                self._note(Placed(running, 0))
                self._publish(queued(running, 0))
                self._tell_state()

    def saved(self, job: str, index: int, image: SavedImage) -> None:
        """An image of the running job is on disk."""
        with self.changed:
            self._note(Saved(job, index, image))

    def tell(self, event: AnyEvent) -> None:
        """Take the end of a job into account, and publish whatever happened."""
        with self.changed:
            match event:
                case JobFinished():
                    self._drop(event.job, Done(event.job, event.images))
                    if self._estimates.kinds != self._kinds and self._ledger.waiting:
                        self._tell_state()  # how long others take is known now
                case JobCancelled():
                    self._drop(event.job, Removed(event.job))
                case JobFailed():
                    self._fail(event)
            self._publish(event)

    def give_up(self, message: str) -> None:
        """The engine ends by a fault. What would be lost with it has failed; what is kept waits for the next one."""
        with self.changed:
            if not self.durable:
                for job in list(self._ledger.waiting):
                    self.tell(JobFailed(job=job, message=message))

    def tell_again(self) -> None:
        """Tell how long the waiting jobs will take, for that is known better now."""
        with self.changed:
            if self._ledger.waiting:
                self._tell_state()

    # -- the journal's side ------------------------------------------------------------------------------------

    def landed(self, records: Sequence[AnyRecord]) -> None:
        """Acknowledge the jobs whose records are on disk."""
        if self._clock() >= self._save_at and any(isinstance(one, Done) for one in records):
            self._save_at = self._clock() + _SAVE_SECONDS
            self._estimates.save()
        with self.changed:
            fresh = {one.entry.job for one in records if isinstance(one, Placed)} & self._unannounced
            if not fresh:
                return
            self._unannounced -= fresh
            for position, entry in enumerate(self._ledger.waiting.values()):
                if entry.job in fresh:
                    self._publish(queued(entry, position))
            self._look()
            self._tell_state()

    def complain(self, sentence: str) -> None:
        """Say something about the queue as a whole."""
        with self.changed:
            if sentence != self._notice:
                self._notice = sentence
                self._tell_state()

    # -- within ------------------------------------------------------------------------------------------------

    def _queue(self, entry: Entry) -> None:
        self._unannounced.add(entry.job)
        record = Placed(entry)
        self._note(record)
        if not self.durable:
            self.landed([record])

    def _next(self) -> Entry | None:
        ready = (one for one in self._ledger.waiting.values() if not one.held)
        return next((one for one in ready if one.job not in self._unannounced), None)

    def _another(self) -> Entry | None:
        """The next job of those without end."""
        endless = self._ledger.endless
        if endless is None or any(not one.held for one in self._ledger.waiting.values()):
            return None
        try:
            entry = next_of(endless, self._seed(), self._draw)
        except DrawingError as fault:
            self._end_endless(str(fault))
            return None
        self._note(Placed(entry, 0))
        self._publish(queued(entry, 0))
        return entry

    def _end_endless(self, why: str) -> None:
        self._note(Forever(None))
        self._notice = f"Generating without end has stopped: {why}"
        self._tell_state()

    def _drop(self, job: str, record: AnyRecord) -> None:
        self._note(record)
        self._unannounced.discard(job)
        self._forget(job)

    def _fail(self, event: JobFailed) -> None:
        entry = self._ledger.find(event.job)
        if entry is None:
            return
        self._note(Failed(msgspec.structs.replace(entry, held=False, reason=event.message)))
        self._unannounced.discard(event.job)
        if entry.endless and self._ledger.endless is not None:
            self._end_endless(event.message)

    def _note(self, record: AnyRecord) -> None:
        self._ledger.apply(record)
        if self._journal is not None:
            self._journal.append(record)
        self._look()

    def _look(self) -> None:
        ledger = self._ledger
        ready = any(not entry.held for entry in ledger.waiting.values()) or ledger.endless is not None
        self.idle = ledger.running is None and (ledger.paused or not ready)
        self.changed.notify_all()

    def _tell_state(self) -> None:
        ledger = self._ledger
        order = [entry for entry in ledger.waiting.values() if entry.job not in self._unannounced]
        self._kinds = self._estimates.kinds
        models = [self.loaded if ledger.running is None else ledger.running.recipe.model]
        models += [entry.recipe.model for entry in order]
        self._publish(
            QueueState(
                order=tuple(entry.job for entry in order),
                seconds=tuple(
                    self._estimates.seconds(entry.recipe, before)
                    for entry, before in zip(order, models, strict=False)
                ),
                held={entry.job: entry.reason for entry in order if entry.held},
                paused=ledger.paused,
                forever=None if ledger.endless is None else ledger.endless.recipe,
                notice=self._notice,
            )
        )
