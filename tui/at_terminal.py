"""What the app has to do with the terminal it is in: how pictures are drawn there, its title, and its bell."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from rich.console import COLOR_SYSTEMS

from sdcore.engine import messages as m
from tui.term import colour, telling
from tui.term.driver import driver_for
from tui.term.graphics import overlay
from tui.term.graphics.ways import TITLES, Pictures

if TYPE_CHECKING:
    from textual.widget import Widget

    from tui.app import SdtuiApp
    from tui.term.capabilities import Capabilities
    from tui.term.probe import Probe

_SOON: Final = 0.02
"""Seconds: a screen that opens or closes is drawn more than once."""

_ENDED: Final = (m.JobFinished, m.JobFailed)


@dataclass(frozen=True, slots=True)
class Terminal:
    """The question to the terminal, under way, and the colours that were decided without its answer."""

    probe: Probe
    colours: colour.Decision


class AtTerminal:
    """Follows the terminal's answers and the engine's events. Without a `terminal` nothing is known or asked."""

    def __init__(self, app: SdtuiApp, terminal: Terminal | None) -> None:
        self._app = app
        self._probe = terminal.probe if terminal else None
        self._decision = terminal.colours if terminal else None
        self.pictures = Pictures(app.preferences.settings.pictures)
        if terminal is not None:
            self.pictures.know(terminal.probe.capabilities())
            app.driver_class = driver_for(terminal.probe)
        self._bare: set[Widget] = set()
        self._title = ""
        self._began: float | None = None

    def begin(self) -> None:
        """Take up what is known, and listen for the rest."""
        app = self._app
        app.listen(self)
        app.preferences.changed.subscribe(app, lambda settings: self._want(settings.pictures))
        app.app_resume_signal.subscribe(app, lambda _: self._write(telling.title(self._title)))
        self._show_title("")
        if self._probe is not None:
            loop = asyncio.get_running_loop()

            def answered(found: Capabilities) -> None:
                loop.call_soon_threadsafe(self.known, found)

            self._probe.on_answer = answered
            if self._probe.heard:
                self.known(self._probe.capabilities())

    def known(self, found: Capabilities) -> None:
        """The terminal has answered: draw as it can."""
        before = self.pictures.way
        self.pictures.know(found)
        if self._decision is not None:
            refined = colour.refined(self._decision, found)
            if refined != self._decision:
                self._decision = refined
                # what is drawn in 256 colours already is right in truecolor, too
                self._app.console._color_system = COLOR_SYSTEMS[refined.color_system]
                self._draw_again()
        if self.pictures.way != before:
            self._draw_again()

    # Pictures

    def next_way(self) -> None:
        """Draw pictures in the next way that the terminal has, and say which."""
        way = self.pictures.go_on()
        self._draw_again()
        self._app.studio.view.say(f"Pictures are drawn as {TITLES[way]}.")

    def drawn(self, update: object) -> None:
        """A frame was written: what lay over its cells is written again, once for all frames that follow at once."""
        for widget in tuple(self.pictures.laid_over):
            if widget.is_mounted and overlay.was_drawn(update, widget.region):
                if not self._bare:
                    self._app.set_timer(_SOON, self._lay_over)
                self._bare.add(widget)

    def _lay_over(self) -> None:
        while self._bare:
            getattr(self._bare.pop(), "lay_over", _nothing)()

    def _want(self, wanted: str) -> None:
        before = self.pictures.way
        self.pictures.want(wanted)
        if self.pictures.way != before:
            self._draw_again()

    def _draw_again(self) -> None:
        for screen in self._app.screen_stack:
            for widget in screen.query("*"):
                getattr(widget, "draw_again", _nothing)()

    # The engine's events

    def handle(self, event: m.AnyEvent) -> None:
        """Tell by title, bell and notification how the work goes."""
        book = self._app.studio.view.book
        if isinstance(event, m.JobStarted):
            if self._began is None:
                self._began = time.monotonic()
        elif isinstance(event, _ENDED) and not book.busy:
            self._done(event)
        job = book.running
        self._show_title(f"{job.done}/{job.total}" if job is not None and job.total else "")
        if not book.busy:
            self._began = None

    def lost(self, message: str) -> None:
        """The engine is gone, and nothing is made."""
        self._began = None
        self._show_title("")

    def _done(self, event: m.JobFinished | m.JobFailed) -> None:
        least = self._app.preferences.settings.bell_seconds
        took = time.monotonic() - self._began if self._began is not None else 0.0
        if least <= 0 or took < least or self._app.app_focus:
            return
        said = "The run failed." if isinstance(event, m.JobFailed) else "The images are ready."
        self._write(telling.BELL + telling.notification(f"sdtui: {said}", tmux=self.pictures.tmux))

    def _show_title(self, progress: str) -> None:
        title = f"{progress} sdtui" if progress else "sdtui"
        if title != self._title:
            self._title = title
            self._write(telling.title(title))

    def _write(self, text: str) -> None:
        driver = self._app._driver
        if driver is not None and not self._app.is_headless:
            driver.write(text)


def _nothing(*_: Any) -> None:
    pass
