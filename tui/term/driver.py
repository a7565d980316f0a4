"""Textual's driver, with the terminal's answers kept apart from the keys.

Textual takes an answer that it did not ask for to be typed. Here all input passes `Replies` before it is parsed. It
also carries on where the probe left off: the terminal's modes as they were before the question, and what was typed
while the program was being loaded.
"""

from __future__ import annotations

import os
import selectors
import time
from codecs import getincrementaldecoder
from typing import Any, Final

from textual._parser import ParseError
from textual._xterm_parser import XTermParser
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver

from tui.term import telling
from tui.term.probe import Probe

_TICK: Final = 0.05
_IDLE_TICK: Final = 0.1
_HUNG_UP: Final = 129
"""The exit status of who dies of a hang-up."""


def driver_for(probe: Probe) -> type[Driver]:
    """A driver class whose input passes the replies of `probe`; Textual makes its driver itself."""

    class ProbedDriver(_ProbedDriver):
        pass

    ProbedDriver.probe = probe
    return ProbedDriver


class _ProbedDriver(LinuxDriver):
    probe: Probe

    def start_application_mode(self) -> None:
        super().start_application_mode()
        self.write(telling.SAVE_TITLE)
        if self.attrs_before is not None and self.probe.attributes is not None:
            self.attrs_before = self.probe.attributes

    def stop_application_mode(self) -> None:
        if self._key_thread is not None and (patience := self.probe.pending):
            # an answer that is under way would be typed into the shell
            self._await_answers(patience)
        self.write(telling.RESTORE_TITLE)
        super().stop_application_mode()

    def _sigcont_application(self, *_: Any) -> None:
        """Go on after a stop. Of one that came without notice (SIGSTOP) nothing was put in order before: that is made
        up for, or a second thread would read the keys. On a terminal that has gone there is nothing to put in order."""
        if not os.isatty(self.fileno):
            return
        if self._auto_restart and self._key_thread is not None and self._key_thread.is_alive():
            self.suspend_application_mode()
            self._must_signal_resume = True
        super()._sigcont_application()

    def _await_answers(self, patience: float) -> None:
        deadline = time.monotonic() + patience
        thread = self._key_thread
        while (
            thread is not None
            and thread.is_alive()
            and not self.probe.complete
            and time.monotonic() < deadline
        ):
            self.exit_event.wait(_TICK)

    def run_input_thread(self) -> None:
        """Read keys until the app ends, or the terminal does."""
        parser = XTermParser(self._debug)
        replies = self.probe.replies
        decode = getincrementaldecoder("utf-8")("replace").decode

        def dispatch(keys: str) -> None:
            for event in parser.feed(keys) if keys else ():
                self.process_message(event)

        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            dispatch(self.probe.typed)
            self.probe.typed = ""
            while not self.exit_event.is_set():
                if selector.select(_TICK if replies.holds else _IDLE_TICK):
                    data = self._read()
                    if not data:
                        # the terminal has gone: to read on would spin, and nobody is there to quit
                        self._loop.call_soon_threadsafe(self._app.exit, None, _HUNG_UP)
                        break
                    dispatch(replies.feed(decode(data)))
                else:
                    dispatch(replies.tick())
                for event in parser.tick():
                    self.process_message(event)
        try:
            for _ in parser.feed(""):
                pass
        except (EOFError, ParseError):
            pass

    def _read(self) -> bytes:
        try:
            return os.read(self.fileno, 4096)
        except OSError:
            return b""
