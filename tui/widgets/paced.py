"""Pictures at the pace at which the terminal takes them."""

from __future__ import annotations

from typing import ClassVar

from textual.timer import Timer
from textual.widget import Widget

from tui.term.pacing import Pacer, ask_behind_frame


class Paced(Widget):
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

    @property
    def picture_waits(self) -> bool:
        """Whether there is a picture that is not drawn yet."""
        raise NotImplementedError

    def draw_picture(self) -> None:
        """Draw it: on the event loop, in a few milliseconds."""
        raise NotImplementedError

    def draw_when_possible(self) -> None:
        """Draw what waits, now or when the terminal is ready for it."""
        if not self.picture_waits or not self.size or self._pause is not None:
            return
        covered = self.screen is not self.app.screen
        self.pacer.max_fps = self.COVERED_FPS if covered else self.FPS
        self.pacer.spare = getattr(self.app, "low_bandwidth", False)
        if (wait := self.pacer.wait()) > 0:
            self._pause = self.set_timer(wait, self._after_pause)
            return
        self.draw_picture()
        asks = self.pacer.asks and not covered and not self.app.is_headless
        self.pacer.sent(asks)
        if asks:
            self.call_after_refresh(ask_behind_frame, self.app)

    def terminal_answered(self) -> None:
        """To be called by the app's `on_cursor_position`: the terminal has drawn the last picture."""
        self.pacer.answered()
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
