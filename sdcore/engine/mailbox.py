"""The outbox between the engine and one client: never blocks its producer, never loses a result.

A client that is slower than the sampling finds the newest progress and preview in it, not a backlog. One that is
faster is not woken for each of them: an eye follows some ten changes a second, and every waking of a client on the
same machine is taken from the sampling.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Hashable, Iterator
from typing import Final

from sdcore.engine.messages import (
    LIVE,
    AnyEvent,
    JobCancelled,
    JobFailed,
    JobFinished,
    JobPreview,
    coalesce,
    slot,
)

LIVE_SECONDS: Final = 0.1
"""How long an asynchronous consumer that does not say otherwise waits between deliveries of progress."""

_TOGETHER: Final = 0.005
"""Seconds within which the preview of a pass follows its progress: what comes together is drawn together."""


class Mailbox:
    """Undelivered events in the order in which they happened. Any thread may put; one consumer takes.

    An event that stands for an older undelivered one takes that one's content over and its own, later
    place, so it can never arrive before what happened between the two. `beat` is how many seconds apart an
    asynchronous consumer gets progress and previews; everything else it gets at once, and with 0 these, too: so it is
    at the far end of a line, where they come in beats.
    """

    def __init__(self, beat: float = LIVE_SECONDS) -> None:
        self.beat = beat
        self._events: OrderedDict[Hashable, AnyEvent] = OrderedDict()
        self._changed = threading.Condition()
        self._wake: Callable[[], None] | None = None
        self._closed = False
        self._urgent = False

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
            self._notify(urgent=not isinstance(event, LIVE))

    def close(self) -> None:
        """Say that nothing more comes. The consumer still gets what is there."""
        with self._changed:
            self._closed = True
            self._notify(urgent=True)

    def take(self) -> AnyEvent | None:
        """The oldest undelivered event, or None when there is none now."""
        with self._changed:
            if not self._events:
                self._urgent = False
                return None
            return self._events.popitem(last=False)[1]

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
        """The same on the running event loop, which is not blocked while it waits.

        Where nothing waits but progress and previews, they come together, once in a `beat`.
        """
        loop = asyncio.get_running_loop()
        ready, urgent = asyncio.Event(), asyncio.Event()

        def wake() -> None:
            if self._urgent:
                urgent.set()
            ready.set()

        def wake_soon() -> None:
            # The loop may have been closed by the consumer's thread since the last event.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(wake)

        with self._changed:
            self._wake = wake_soon
        try:
            while True:
                ready.clear()
                urgent.clear()
                while (event := self.take()) is not None:
                    yield event
                with self._changed:
                    finished = self._closed and not self._events
                if finished:
                    return
                await _unless(urgent, self.beat)
                await ready.wait()
                await _unless(urgent, min(self.beat, _TOGETHER))
        finally:
            with self._changed:
                if self._wake is wake_soon:  # a reader that was left may be closed after the next one began
                    self._wake = None

    def _notify(self, *, urgent: bool) -> None:
        self._changed.notify_all()
        self._urgent = self._urgent or urgent
        if self._wake is not None and (urgent or len(self._events) == 1):
            self._wake()

    def _drop_previews(self, job: str) -> None:
        """The decoded images follow: a preview that is still here would show less than they do."""
        outdated = [
            key for key, event in self._events.items() if isinstance(event, JobPreview) and event.job == job
        ]
        for key in outdated:
            del self._events[key]


async def _unless(urgent: asyncio.Event, seconds: float) -> None:
    """Wait, but not while something is urgent."""
    if seconds > 0:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(urgent.wait(), seconds)
