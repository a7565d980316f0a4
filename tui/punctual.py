"""Timers that go off, however late."""

from __future__ import annotations

from typing import Any

from textual.message_pump import MessagePump
from textual.timer import Timer


class Punctual(MessagePump):
    """One whose timers for one time always go off.

    Textual lets a tick go that is late already when the timer begins to wait, which is right for a clock; but where the
    process stands still for longer than such a timer's delay, just then, its only tick is gone, and what waits for it
    waits for ever.
    """

    def set_timer(self, *arguments: Any, **options: Any) -> Timer:
        """See Textual's."""
        timer = super().set_timer(*arguments, **options)
        timer._skip = False
        return timer
