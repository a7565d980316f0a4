"""The outbox between the engine and one client: never blocks its producer, never loses a result.

A client that is slower than the sampling finds the newest progress and preview in it, not a backlog.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Hashable, Iterator

from sdcore.engine.messages import (
    AnyEvent,
    JobCancelled,
    JobFailed,
    JobFinished,
    JobPreview,
    coalesce,
    slot,
)


class Mailbox:
    """Undelivered events in the order in which they happened. Any thread may put; one consumer takes.

    An event that stands for an older undelivered one takes that one's content over and its own, later
    place, so it can never arrive before what happened between the two.
    """

    def __init__(self) -> None:
        self._events: OrderedDict[Hashable, AnyEvent] = OrderedDict()
        self._changed = threading.Condition()
        self._wake: Callable[[], None] | None = None
        self._closed = False

    def __len__(self) -> int:
        return len(self._events)

    def put(self, event: AnyEvent) -> None:
        """Leave an event for the consumer. Returns at once; what comes after `close` is dropped."""
        with self._changed:
            if self._closed:
                return
            key = slot(event)
            older = self._events.pop(key, None) if key is not None else None
            joined = coalesce(older, event) if older is not None else None
            if isinstance(event, JobFinished | JobCancelled | JobFailed):
                self._drop_previews(event.job)
            self._events[key if key is not None else object()] = joined or event
            self._notify()

    def close(self) -> None:
        """Say that nothing more comes. The consumer still gets what is there."""
        with self._changed:
            self._closed = True
            self._notify()

    def take(self) -> AnyEvent | None:
        """The oldest undelivered event, or None when there is none now."""
        with self._changed:
            return self._events.popitem(last=False)[1] if self._events else None

    def __iter__(self) -> Iterator[AnyEvent]:
        """Take events as they come, waiting for the next, until the box is closed and empty."""
        while True:
            with self._changed:
                while not self._events and not self._closed:
                    self._changed.wait()
                if not self._events:
                    return
                event = self._events.popitem(last=False)[1]
            yield event

    async def __aiter__(self) -> AsyncIterator[AnyEvent]:
        """The same on the running event loop, which is not blocked while it waits."""
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()

        def wake() -> None:
            # The loop may have been closed by the consumer's thread since the last event.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(ready.set)

        with self._changed:
            self._wake = wake
        try:
            while True:
                ready.clear()
                while (event := self.take()) is not None:
                    yield event
                with self._changed:
                    finished = self._closed and not self._events
                if finished:
                    return
                await ready.wait()
        finally:
            with self._changed:
                if self._wake is wake:  # a reader that was left may be closed after the next one began
                    self._wake = None

    def _notify(self) -> None:
        self._changed.notify_all()
        if self._wake is not None and (self._closed or len(self._events) == 1):
            self._wake()

    def _drop_previews(self, job: str) -> None:
        """The decoded images follow: a preview that is still here would show less than they do."""
        outdated = [
            key for key, event in self._events.items() if isinstance(event, JobPreview) and event.job == job
        ]
        for key in outdated:
            del self._events[key]
