"""The recorded runs that the engine holds: the last ones, as far as memory goes, and those read back from disk."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sdcore.engine.backend import Trace
from sdcore.library.trace_files import TRACE_SUFFIX, trace_path
from sdcore.spec.sanitise import sanitise


class NoTraceError(LookupError):
    """There is no such run; the message is one sentence that says what to do."""


@dataclass
class Kept:
    """A run and the absolute paths of its images. One that is `running` is never let go."""

    trace: Trace
    images: list[str] = field(default_factory=list)
    running: bool = False

    def place_of(self, source: str) -> int:
        """Which image of the run's batch `source` is; the first where it names the run as a whole."""
        return self.images.index(source) if source in self.images else 0


class Traces:
    """Runs by the job that made them. Any thread may ask; of the runs that have ended, those looked at longest ago
    go first when all together pass `budget` bytes."""

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Kept] = OrderedDict()

    def begin(self, job: str, trace: Trace) -> None:
        """A run that is about to go on."""
        with self._lock:
            self._kept[job] = Kept(trace, running=True)

    def saved(self, job: str, image: str) -> None:
        """An image came of it."""
        with self._lock:
            if job in self._kept:
                self._kept[job].images.append(image)

    def ended(self, job: str) -> None:
        """It goes on no more."""
        with self._lock:
            if job in self._kept:
                self._kept[job].running = False
            self._let_go()

    def find(self, source: str, load: Callable[[Path], Trace]) -> tuple[str, Kept]:
        """The run that `source` names (a job, an image, a trace file), and its name here; `load` reads a file.

        Raises `NoTraceError`, and what `load` raises.
        """
        with self._lock:
            name = source if source in self._kept else self._of_image(source)
            if name is not None:
                self._kept.move_to_end(name)
                return name, self._kept[name]
        path = Path(source)
        file = path if path.name.endswith(TRACE_SUFFIX) else trace_path(path)
        if not path.is_absolute() or not file.is_file():
            raise NoTraceError(_missing(path))
        kept = Kept(load(file), [source] if file != path else [])
        with self._lock:
            self._kept[source] = kept
            self._let_go()
        return source, kept

    def _of_image(self, image: str) -> str | None:
        return next((name for name, kept in self._kept.items() if image in kept.images), None)

    def _let_go(self) -> None:
        held = {name: kept.trace.nbytes for name, kept in self._kept.items()}
        for name in list(held)[:-1]:  # the newest stays, whatever its size
            if sum(held.values()) <= self._budget:
                return
            if not self._kept[name].running:
                del self._kept[name], held[name]


def _missing(path: Path) -> str:
    if not path.is_absolute():
        return "That run is not in memory any more; open it from its image, or make it again."
    name = sanitise(path.name, newlines=False)
    return f"No trace of {name} is kept: only the last runs are, and those written to disk; make it again."
