"""When the next live frame may be drawn: at most so many a second, and after the terminal took the last.

SSH and terminal buffers hide a backlog: bytes written are not bytes shown, and every key typed meanwhile
waits behind them. So a frame is followed by a request for the cursor position (`ESC [6n`), and the next one
waits for the answer. A terminal that never answers is asked no more. Nothing here sleeps or draws.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from textual.app import App

CURSOR_POSITION_REQUEST: Final = "\x1b[6n"


@dataclass(frozen=True, slots=True)
class Quality:
    """How rich a live frame is: colour bits a channel, and how many columns share a pixel."""

    bits: int
    columns_a_pixel: int


QUALITIES: Final = (Quality(5, 1), Quality(4, 1), Quality(4, 2), Quality(3, 2), Quality(3, 4))
"""From the best to the cheapest; each step about halves the bytes or a little less."""

_SPARE_LEVEL: Final = 2
"""The best quality that is used where bytes are dear."""


class Pacer:
    """Decides when a frame may be drawn and how rich it is.

    Call `wait()` for the seconds until a frame may go out (0: now), `sent()` when it has been written and
    `answered()` when the terminal's answer comes back. `max_fps` bounds the rate, `budget` is the longest
    (seconds) that a frame may take on the line before `quality` drops, `timeout` how long an answer is
    waited for.
    """

    def __init__(
        self,
        max_fps: float = 10.0,
        budget: float = 0.12,
        timeout: float = 0.5,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.max_fps = max_fps
        self.asks = True
        """Whether a frame should be followed by a request; false once a terminal proved deaf to it."""
        self.spare = False
        """Whether bytes are dear even where the line would take them."""
        self._budget = budget
        self._timeout = timeout
        self._clock = clock
        self._sent_at: float | None = None
        self._waiting = False
        self._heard = False
        self._round_trip = float("inf")
        self._level = 0
        self._good = 0

    @property
    def quality(self) -> Quality:
        """What the next frame should look like."""
        return QUALITIES[max(self._level, _SPARE_LEVEL if self.spare else 0)]

    def wait(self) -> float:
        """Seconds until the next frame may be drawn; 0 if it may be drawn now."""
        if self._sent_at is None:
            return 0.0
        now = self._clock()
        pause = self._sent_at + 1 / self.max_fps - now
        if self._waiting:
            # One that has answered before is slow rather than deaf: it gets longer
            patience = self._sent_at + (4 if self._heard else 1) * self._timeout - now
            if patience > 0:
                return max(pause, patience)
            self._give_up()
        return max(0.0, pause)

    def sent(self, asked: bool) -> None:
        """A frame has been written, and a request after it if `asked`."""
        self._sent_at = self._clock()
        self._waiting = asked

    def answered(self) -> None:
        """The terminal answered: everything written before the request has been drawn."""
        self._heard = self.asks = True
        if not self._waiting or self._sent_at is None:
            return
        self._waiting = False
        took = self._clock() - self._sent_at
        # The quickest answer seen is the line's own delay; what comes on top is the frame's doing
        self._round_trip = min(self._round_trip, took)
        self._adapt(took - self._round_trip)

    def _give_up(self) -> None:
        self._waiting = False
        if self._heard:
            self._adapt(self._budget * 2)
        else:
            self.asks = False

    def _adapt(self, seconds: float) -> None:
        if seconds > self._budget:
            self._level = min(self._level + 1, len(QUALITIES) - 1)
            self._good = 0
        elif seconds < self._budget / 4 and self._level:
            self._good += 1
            if self._good >= 8:
                self._level -= 1
                self._good = 0


def ask_behind_frame(app: App[Any]) -> None:
    """Ask for the cursor's position behind the frame just written; the app hears the answer."""
    driver = app._driver
    if driver is not None:
        driver.write(CURSOR_POSITION_REQUEST)
        driver.flush()
