"""When the next live frame may be drawn: at most so many a second, and after the terminal took the last.

SSH and terminal buffers hide a backlog: bytes written are not bytes shown, and every key typed meanwhile
waits behind them. So a frame is followed by a request for the cursor position (`ESC [6n`), and the next one
waits for the answer. A terminal that never answers is asked no more. Nothing here sleeps or draws.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from textual.app import App

CURSOR_POSITION_REQUEST: Final = "\x1b[6n"


@dataclass(frozen=True, slots=True)
class Quality:
    """How rich a picture is: `bits` of colour a channel, a pixel as wide as `grain` columns and as high, and how far
    (of 255) a cell may be off before it is drawn anew over what was there."""

    bits: int
    grain: int = 1
    tolerance: int = 0


QUALITIES: Final = (
    Quality(5, 1, 12),
    Quality(4, 1, 12),
    Quality(4, 2, 12),
    Quality(4, 2, 24),
    Quality(4, 4, 24),
    Quality(3, 6, 32),
)
"""From the best to the cheapest, of which each takes a little more than half the bytes of the one before."""

_SPARE_LEVEL: Final = 2
_SPARE_START: Final = 4
"""The best quality that is used where bytes are dear, and the one that is tried first."""

_SPARE_BYTES: Final = 2500
"""What a frame may cost there before the next one is coarser."""

SPARE_RATE: Final = 2500
"""Bytes a second that pictures may take where bytes are dear."""

REST: Final = 2.0
"""Seconds in which nothing was written, after which the line has room for what is not urgent."""

_SLOW, _FAST = 40_000, 100_000
"""Bytes a second: on a line of fewer than the first they are dear, until it has had more than the second."""

_TELLING: Final = 1500
"""A frame of fewer bytes says nothing about that."""

_AGREEING: Final = 3
"""So many frames in turn have to say it."""

_OVERDUE: Final = 0.5
"""Seconds after which an answer is late, beyond the line's own delay."""

LONGEST_DELAY: Final = 1.0
"""Seconds that the longest line takes there and back."""

COARSE: Final = 2
"""The grain of thumbnails where bytes are dear: a quarter of the pixels, and fewer colours."""

_MOST_OWED: Final = 4 * SPARE_RATE


class Purse:
    """The bytes that go to the terminal, and how many of them pictures may take where bytes are dear: so many a second,
    and what is saved up in one second at the most. A picture that costs more is owed for, a few seconds at the most."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.spent = 0
        """Bytes in all."""
        self.round_trip = math.inf
        """Seconds of the quickest answer of the terminal: the line's own delay."""
        self._slow = False
        self._asked_at: float | None = None
        self._doubts = 0
        self._clock = clock
        self._saved = 0.0
        self._at = clock()
        self._last = self._at

    def spend(self, count: int) -> None:
        """So many bytes were written."""
        if count:
            self.spent += count
            self._last = self._clock()

    def charge(self, count: int) -> None:
        """So many of them were a picture's."""
        self._fill()
        self._saved = max(self._saved - count, -_MOST_OWED)

    @property
    def slow(self) -> bool:
        """Whether the line itself makes bytes dear: it has been slow, or an answer is overdue from a terminal that has
        answered before."""
        waited = self._clock() - self._asked_at if self._asked_at is not None else 0.0
        return self._slow or (self.round_trip < math.inf and waited > self._delay + _OVERDUE)

    @property
    def _delay(self) -> float:
        """Seconds that an answer takes, as far as is known: one that came so late had something before it."""
        return min(self.round_trip, LONGEST_DELAY)

    def asked(self) -> None:
        """The terminal was asked what it has drawn."""
        self._asked_at = self._clock()

    def took(self, count: int, seconds: float) -> None:
        """A frame of so many bytes was answered after so long."""
        self._asked_at = None
        self.round_trip = min(self.round_trip, seconds)
        if count < _TELLING:
            return
        on_the_way = seconds - self._delay
        says_otherwise = on_the_way * _FAST < count if self._slow else on_the_way * _SLOW > count
        self._doubts = self._doubts + 1 if says_otherwise else 0
        if self._doubts >= _AGREEING or (says_otherwise and on_the_way > _OVERDUE):
            self._slow, self._doubts = not self._slow, 0

    @property
    def wait(self) -> float:
        """Seconds until nothing is owed for pictures."""
        self._fill()
        return max(0.0, -self._saved / SPARE_RATE)

    @property
    def unrest(self) -> float:
        """Seconds until the line has been at rest for long enough, if nothing is written; 0 if it has."""
        return max(0.0, self._last + REST - self._clock())

    def _fill(self) -> None:
        now = self._clock()
        self._saved = min(self._saved + (now - self._at) * SPARE_RATE, SPARE_RATE)
        self._at = now


_LONGER: Final = 8
"""Times the time-out: a terminal that has answered before is waited for so long."""


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
        timeout: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.max_fps = max_fps
        self.asks = True
        """Whether a frame should be followed by a request; false once a terminal proved deaf to it."""
        self._spare = False
        self._budget = budget
        self._timeout = timeout
        self._clock = clock
        self._sent_at: float | None = None
        self._waiting = False
        self._heard = False
        self.round_trip = math.inf
        """Seconds that an answer takes where nothing is before it."""
        self._level = 0
        self._good = 0

    @property
    def spare(self) -> bool:
        """Whether bytes are dear even where the line would take them."""
        return self._spare

    @spare.setter
    def spare(self, spare: bool) -> None:
        if spare and not self._spare:
            self._level = max(self._level, _SPARE_START)
        self._spare = spare

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
            patience = self._sent_at + (_LONGER if self._heard else 1) * self._timeout - now
            if patience > 0:
                return max(pause, patience)
            self._give_up()
        return max(0.0, pause)

    def sent(self, asked: bool) -> None:
        """A frame has been written, and a request after it if `asked`."""
        self._sent_at = self._clock()
        self._waiting = asked

    def answered(self) -> float | None:
        """The terminal answered: everything written before the request has been drawn. Returns how many seconds that
        took; None where it was not waited for."""
        self._heard = self.asks = True
        if not self._waiting or self._sent_at is None:
            return None
        self._waiting = False
        took = self._clock() - self._sent_at
        # The quickest answer seen is the line's own delay; what comes on top is the frame's doing
        self.round_trip = min(self.round_trip, took)
        if not self.spare or took - self.round_trip > self._budget:
            self._adapt(took - self.round_trip)
        return took

    def cost(self, count: int) -> None:
        """The last frame took so many bytes: where these are dear, they say how rich the next one may be."""
        if self.spare:
            self._adapt(count / _SPARE_BYTES * self._budget)

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


def is_spare(app: App[Any]) -> bool:
    """Whether bytes are dear: the person says so, or the line is slow."""
    return bool(getattr(app, "low_bandwidth", False)) or purse_of(app).slow


def purse_of(app: App[Any]) -> Purse:
    """The bytes that go to the app's terminal; an app that does not count them has a full purse."""
    found = getattr(app, "purse", None)
    return found if isinstance(found, Purse) else Purse()


def thumb_grain(app: App[Any]) -> int:
    """How many columns share a pixel of a thumbnail, and half rows."""
    return COARSE if is_spare(app) else 1
