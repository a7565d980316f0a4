"""How long a forward pass takes, told without stopping the device to ask.

On a GPU a pass is over long after it was launched. Two events of the GPU's own frame it, and are read when somebody
wants to know. The one thing that is waited for is the end of the pass before: a loop that launched pass upon pass would
show progress that has not happened, and a cancel would come too late; the GPU, which has the next pass by then, never
stands still for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import Any, ClassVar, Protocol

import torch


class Lap(Protocol):
    """The time of one pass."""

    @property
    def done(self) -> bool:
        """Whether the pass is over; returns at once."""

    @property
    def seconds(self) -> float:
        """How long it took; waits for its end."""


@dataclass(frozen=True)
class Measured:
    """The lap of a pass that is over."""

    seconds: float
    done: ClassVar[bool] = True


@dataclass(frozen=True)
class _Framed:
    """The lap between two events of a GPU."""

    began: Any
    ended: Any

    @property
    def done(self) -> bool:
        return self.ended.query()

    @property
    def seconds(self) -> float:
        self.ended.synchronize()
        return self.began.elapsed_time(self.ended) / 1000


class Clock:
    """Times the passes of one run on a device."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._on_gpu = device.type == "cuda"
        self._began: Any = None
        self._before: Any = None

    def begin(self) -> None:
        """A pass is about to be launched."""
        self._began = self._mark() if self._on_gpu else perf_counter()

    def end(self) -> Lap:
        """It is launched: its lap. Waits for the end of the pass before it."""
        if not self._on_gpu:
            return Measured(perf_counter() - self._began)
        ended = self._mark()
        if self._before is not None:
            self._before.synchronize()
        self._before = ended
        return _Framed(self._began, ended)

    def _mark(self) -> Any:
        # Blocking: who waits for it sleeps, where otherwise it would keep a core busy.
        event = torch.cuda.Event(enable_timing=True, blocking=True)
        event.record(torch.cuda.current_stream(self._device))
        return event
