"""The app ends within a second when its terminal has gone or it is told to by a signal, whatever it waits for."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

from tui.term.leaving import leave

if TYPE_CHECKING:
    from tui.app import SdtuiApp

SIGNALLED: Final = 128
"""Exit statuses above it are those of who is ended from without."""

_SIGNALS: Final = (signal.SIGTERM, signal.SIGHUP)
_SECONDS: Final = 0.7
"""So long an orderly end may take. One that does not comes from a terminal that takes no more."""


class Ending:
    """Listens for the signals that end a program. Without it the terminal would be left in a mess."""

    def __init__(self, app: SdtuiApp) -> None:
        self._app = app
        self._before: dict[signal.Signals, Any] = {}
        self._timer: threading.Timer | None = None

    def begin(self) -> None:
        """Listen, where this is the thread that can."""
        with contextlib.suppress(ValueError):
            # Not by the event loop: it stands still while a terminal takes nothing of what is written to it.
            self._before = {name: signal.signal(name, self._told) for name in _SIGNALS}

    def stop(self) -> None:
        """Listen no more."""
        for name, handler in self._before.items():
            signal.signal(name, handler)
        self._before = {}

    def _told(self, number: int, frame: FrameType | None) -> None:
        status = SIGNALLED + number
        self.soon(status)
        loop = self._app._loop
        if loop is not None:
            loop.call_soon_threadsafe(self._app.exit, None, status)

    def soon(self, status: int) -> None:
        """End the process after a moment, if it has not ended by then."""
        if self._timer is None:
            self._timer = threading.Timer(_SECONDS, self._end, (status,))
            self._timer.daemon = True
            self._timer.start()

    def _end(self, status: int) -> None:
        driver = self._app._driver
        if driver is not None and not self._app.is_headless and sys.__stderr__ is not None:
            keyboard: int = getattr(driver, "fileno", -1)
            leave(sys.__stderr__.fileno(), keyboard, getattr(driver, "attrs_before", None))
        os._exit(status)
