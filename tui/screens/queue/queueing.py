"""The engine's queue as the app knows it, whatever screen is looked at: what runs, waits, failed and was made."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from sdcore.engine import messages as m
from sdcore.spec.recipe import Recipe
from tui.screens.queue.editing import QueueEditing

if TYPE_CHECKING:
    from tui.app import SdtuiApp

_MOST_DONE: Final = 200

State = Literal["running", "waiting", "failed", "done"]


class Item(msgspec.Struct):
    """A job. `message` says why it failed or is held, or what is wrong while it runs; `seconds` are those that a
    waiting one is expected to take, or that a finished one took."""

    job: str
    recipe: Recipe
    label: str = ""
    group: str = ""
    state: State = "waiting"
    held: bool = False
    message: str = ""
    seconds: float | None = None
    done: int = 0
    total: int = 0
    pass_seconds: float = 0.0
    images: tuple[str, ...] = ()

    @property
    def seconds_left(self) -> float | None:
        """Until it is made: of the running one by its own pace, once it has one. None where that is not known."""
        if self.state != "running" or not self.pass_seconds:
            return self.seconds
        return self.pass_seconds * (self.total - self.done)


class QueueBook:
    """The jobs, folded from the engine's events."""

    def __init__(self) -> None:
        self.waiting: dict[str, Item] = {}
        """Those that wait, in the order in which they will be made."""
        self.running: Item | None = None
        self.failed: dict[str, Item] = {}
        self.done: deque[Item] = deque(maxlen=_MOST_DONE)
        """Those made while the app is there, the newest first."""
        self.paused = False
        self.forever: Recipe | None = None
        self.notice = ""

    def find(self, job: str) -> Item | None:
        """A job, wherever it is."""
        if self.running is not None and self.running.job == job:
            return self.running
        made = next((item for item in self.done if item.job == job), None)
        return self.waiting.get(job) or self.failed.get(job) or made

    def wait(self) -> tuple[int, float | None]:
        """How many jobs are still to be made that nothing holds, and for how long; None where that is not known."""
        items = [item for item in self.waiting.values() if not item.held]
        items += [] if self.running is None else [self.running]
        seconds = [item.seconds_left for item in items]
        known = [one for one in seconds if one is not None]
        return len(items), sum(known) if len(known) == len(seconds) else None

    def note(self, event: m.AnyEvent) -> bool:
        """Take an event into account; whether anything changed."""
        match event:
            case m.JobQueued():
                self._queued(event)
            case m.JobKept():
                self.failed[event.job] = Item(
                    event.job, event.recipe, event.label, event.group, "failed", message=event.message
                )
            case m.JobStarted():
                item = self.waiting.pop(event.job, None) or Item(event.job, event.recipe)
                item.state, item.recipe, item.message = "running", event.recipe, ""
                item.done, item.total = len(event.seconds), len(event.timesteps)
                self.running = item
            case m.JobProgress() if self.running is not None and self.running.job == event.job:
                self._progressed(self.running, event)
            case m.JobStalled() if self.running is not None:
                self.running.message = event.message
            case m.JobFinished() | m.JobFailed() | m.JobCancelled():
                self._ended(event)
            case m.QueueState():
                self._ordered(event)
            case m.EngineFailed() | m.LineBack():
                self.forget()
            case _:
                return False
        return True

    def forget(self) -> None:
        """The engine is gone: what it has kept is told by the next one."""
        self.waiting.clear()
        self.failed.clear()
        self.running = None

    def _queued(self, event: m.JobQueued) -> None:
        if self.running is not None and self.running.job == event.job:
            self.running = None
        self.failed.pop(event.job, None)
        before = self.waiting.get(event.job)
        item = Item(event.job, event.recipe, event.label, event.group)
        if before is not None:
            item.held, item.message, item.seconds = before.held, before.message, before.seconds
        self.waiting[event.job] = item

    def _progressed(self, item: Item, event: m.JobProgress) -> None:
        if event.seconds:
            late = event.seconds[-1]
            item.pass_seconds = late if not item.pass_seconds else 0.7 * item.pass_seconds + 0.3 * late
        item.done, item.total, item.message = event.index + 1, event.total, ""

    def _ended(self, event: m.JobFinished | m.JobFailed | m.JobCancelled) -> None:
        item = self.waiting.pop(event.job, None) or self.failed.pop(event.job, None)
        if self.running is not None and self.running.job == event.job:
            item, self.running = self.running, None
        if item is None:
            return
        match event:
            case m.JobFailed():
                item.state, item.message = "failed", event.message
                self.failed[event.job] = item
            case m.JobFinished():
                item.state, item.message, item.seconds = "done", "", event.seconds
                item.images = tuple(image.path for image in event.images)
                self.done.appendleft(item)

    def _ordered(self, event: m.QueueState) -> None:
        self.paused, self.forever, self.notice = event.paused, event.forever, event.notice
        for job, seconds in zip(event.order, event.seconds, strict=False):
            if (item := self.waiting.get(job)) is not None:
                item.held, item.message, item.seconds = job in event.held, event.held.get(job, ""), seconds
        self.reorder(event.order)

    def reorder(self, order: Iterable[str]) -> None:
        """Put the waiting jobs in this order, those that it does not name behind."""
        first = {job: self.waiting[job] for job in order if job in self.waiting}
        self.waiting = first | {job: item for job, item in self.waiting.items() if job not in first}


class Queueing:
    """Listens to the engine for the queue, and asks it for what a person wants of it."""

    def __init__(self, app: SdtuiApp) -> None:
        self._app = app
        self.book = QueueBook()
        self.editing = QueueEditing(app)
        self._watcher: Callable[[], None] | None = None

    def watch(self, watcher: Callable[[], None] | None) -> None:
        """Call this after every change; None: nobody looks."""
        self._watcher = watcher

    def handle(self, event: m.AnyEvent) -> None:
        """Take up what concerns the queue."""
        if self.book.note(event):
            self._changed()

    def lost(self, message: str) -> None:
        """The engine is gone."""
        self.book.forget()
        self._changed()

    def move(self, job: str, to: int) -> None:
        """Have a waiting job stand at `to`; it is shown there at once."""
        order = [one for one in self.book.waiting if one != job]
        to = max(0, min(to, len(order)))
        self.book.reorder([*order[:to], job, *order[to:]])
        self._app.send(m.MoveJob(job=job, to=to))
        self._changed()

    def toggle_forever(self) -> tuple[str, str]:
        """Make what the studio says without end, or make an end of it. What is to be said, and the row that is wrong
        where nothing could be begun."""
        if self.book.forever is not None:
            self._app.send(m.RunForever())
            return "No more without end; what is being made is brought to its end.", ""
        recipe, faults = self._app.studio.read()
        if faults:
            name, message = next(iter(faults.items()))
            return message, name
        self._app.send(m.RunForever(recipe=self._app.studio.styling.styled(recipe)))
        return "Whenever nothing else waits, this is made with a new seed; ⌥e ends it.", ""

    def _changed(self) -> None:
        if self._watcher is not None:
            self._watcher()
