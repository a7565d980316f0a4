"""Pictures at the pace at which the terminal takes them."""

from __future__ import annotations

from typing import ClassVar, Final

from textual.timer import Timer

from tui.punctual import Punctual
from tui.term.pacing import LONGEST_DELAY, Pacer, ask_behind_frame, is_spare, purse_of
from tui.widgets.own_lines import FinishedLines

_PATIENCE: Final = 8
"""Refreshes that a picture is waited for: it may be out of sight."""


class Paced(Punctual, FinishedLines):
    """A widget that draws its newest picture as soon as the terminal has shown the last; see `tui.term.pacing`.

    A subclass says in `picture_waits` whether there is one to draw, draws it in `draw_picture`, and calls
    `draw_when_possible` whenever there is a new one.
    """

    FPS: ClassVar[float] = 30.0
    COVERED_FPS: ClassVar[float] = 30.0
    """Pictures a second at the most, and under a dialog."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.pacer = Pacer(self.FPS)
        self._pause: Timer | None = None
        self._bytes = 0
        """What the last picture took."""

    @property
    def picture_waits(self) -> bool:
        """Whether there is a picture that is not drawn yet."""
        raise NotImplementedError

    @property
    def refines(self) -> bool:
        """Whether that picture only refines what is shown: it comes while the line is at rest, whatever it takes."""
        return False

    def draw_picture(self) -> None:
        """Draw it: on the event loop, in a few milliseconds."""
        raise NotImplementedError

    def draw_when_possible(self) -> None:
        """Draw what waits, now or when the terminal is ready for it."""
        if not self.picture_waits or not self.size or self._pause is not None:
            return
        covered = self.screen is not self.app.screen
        self.pacer.max_fps = self.COVERED_FPS if covered else self.FPS
        self.pacer.spare = is_spare(self.app)
        wait = self.pacer.wait()
        if self.pacer.spare and not self.refines:
            wait = max(wait, purse_of(self.app).wait)
        if wait > 0:
            self._pause = self.set_timer(wait, self._after_pause)
            return
        counts = not self.refines
        self.draw_picture()
        asks = self.pacer.asks and not covered and not self.app.is_headless
        self.pacer.sent(asks)
        self.call_after_refresh(self._picture_drawn, purse_of(self.app).spent, asks, counts)

    def _picture_drawn(self, spent: int, asks: bool, counts: bool, patience: int = _PATIENCE) -> None:
        # Textual calls after a refresh, but not always after that of this widget: asked too early, the terminal would
        # answer for the frame before
        if self._repaint_regions and patience:
            self.call_after_refresh(self._picture_drawn, spent, asks, counts, patience - 1)
            return
        purse = purse_of(self.app)
        self._bytes = purse.spent - spent
        if counts:
            self.pacer.cost(self._bytes)
            purse.charge(self._bytes)
        if asks:
            purse.asked()
            ask_behind_frame(self.app)

    def measure_line(self) -> None:
        """Ask the terminal while nothing is under way: how long it takes is the line's own delay."""
        if not self.app.is_headless and self.pacer.wait() <= 0:
            self._bytes = 0
            self.pacer.sent(asked=True)
            ask_behind_frame(self.app)

    def terminal_answered(self) -> None:
        """To be called by the app's `on_cursor_position`: the terminal has drawn the last picture."""
        purse = purse_of(self.app)
        self.pacer.round_trip = min(self.pacer.round_trip, purse.round_trip)
        if (seconds := self.pacer.answered()) is not None:
            purse.took(self._bytes, seconds)
            if seconds > LONGEST_DELAY and not self._bytes:
                self.set_timer(LONGEST_DELAY, self.measure_line)
        self.end_pause()
        self.draw_when_possible()

    def end_pause(self) -> None:
        """Wait no more: what waits is drawn by who calls this, or not at all."""
        if self._pause is not None:
            self._pause.stop()
            self._pause = None

    def on_unmount(self) -> None:
        """Stop waiting for a picture that nobody will see."""
        self.end_pause()

    def _after_pause(self) -> None:
        self._pause = None
        self.draw_when_possible()
