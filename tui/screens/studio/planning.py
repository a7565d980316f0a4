"""The schedule of the settings as they stand, asked of the engine while they are changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sdcore.engine import messages as m

if TYPE_CHECKING:
    from textual.timer import Timer

    from tui.screens.studio.screen import Studio

_DELAY: Final = 0.08
"""Seconds after the last key until it is asked: the 1 of 12 is not worth a question."""
_PLANNED_BY: Final = ("sampler", "schedule", "steps")
_WEIGHED_BY: Final = (*_PLANNED_BY, "model", "size", "guidance", "batch", "hires", "init image", "strength")
"""What the memory that a run needs depends on as well."""


class Planning:
    """Asks for the sigmas, and for the memory that a run would take."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._timer: Timer | None = None
        self._request = 0

    def row_changed(self, name: str) -> None:
        """A row says something else now: ask soon where the plan depends on it."""
        if name not in _WEIGHED_BY:
            return
        if self._timer is not None:
            self._timer.stop()
        self._timer = self._studio.set_timer(_DELAY, self.ask)

    def ask(self) -> None:
        """Ask now, unless the settings are none that could be planned."""
        recipe, faults = self._studio.read()
        if not any(name in faults for name in _PLANNED_BY):
            self._request += 1
            self._studio.app.send(m.PlanSchedule(request=self._request, recipe=recipe))

    def is_answer(self, event: m.SchedulePlanned) -> bool:
        """Whether this is said to the newest question."""
        return event.request == self._request
