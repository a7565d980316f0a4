"""Notices a forward pass that does not end. Its thread is not the worker's, which may hang in a driver for good."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from statistics import median
from typing import Final

from sdcore.engine.messages import JobStalled

LEAST_SECONDS: Final = 60.0
TIMES: Final = 20.0
"""A pass has stalled after the longer of that many seconds and that many times the median of this job's passes."""

FIRST_SECONDS: Final = 600.0
"""The same before a job's first pass is over, which may have to wait for a compiler."""

_REMEMBERED: Final = 100


class Heartbeat:
    """Told of each forward pass; `publish` is given one `JobStalled` for each that takes too long."""

    def __init__(
        self, publish: Callable[[JobStalled], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._publish = publish
        self._clock = clock
        self._changed = threading.Condition()
        self._job = ""
        self._passes = 0
        self._since = 0.0
        self._times: deque[float] = deque(maxlen=_REMEMBERED)
        self._told = False
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def begin(self, job: str, passes: int = 0) -> None:
        """A job begins, of which so many forward passes were made before."""
        with self._changed:
            self._job, self._passes, self._since, self._told = job, passes, self._clock(), False
            self._times.clear()
            self._changed.notify()

    def beat(self) -> None:
        """A forward pass is over, and the next one begins."""
        with self._changed:
            now = self._clock()
            self._times.append(now - self._since)
            self._since = now
            self._passes += 1
            if self._told:  # and the thread waits for something new
                self._told = False
                self._changed.notify()

    def end(self) -> None:
        """There are no more forward passes."""
        with self._changed:
            self._job = ""

    def stop(self) -> None:
        """End the thread."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def join(self, timeout: float) -> None:
        """Wait for the thread, `timeout` seconds at most."""
        if self._thread.is_alive():
            self._thread.join(timeout)

    @property
    def limit(self) -> float:
        """How many seconds the present pass may take."""
        return max(LEAST_SECONDS, TIMES * median(self._times)) if self._times else FIRST_SECONDS

    def look(self) -> JobStalled | None:
        """What is to be said of the present pass now: each that takes too long is told of once."""
        with self._changed:
            taken = self._clock() - self._since
            if not self._job or self._told or taken < self.limit:
                return None
            self._told = True
            return JobStalled(job=self._job, seconds=taken, message=self._sentence(taken))

    def _sentence(self, taken: float) -> str:
        usual = f", where {median(self._times):.1f} s are usual" if self._times else ""
        return (
            f"Step {self._passes + 1} has taken {taken:.0f} s{usual}: wait, or end the engine by force; what "
            "it is making is held then."
        )

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._stopped:
                    return
                stalled = self.look()
                if stalled is None:
                    watched = bool(self._job) and not self._told
                    self._changed.wait(self._since + self.limit - self._clock() if watched else None)
                    continue
            self._publish(stalled)
