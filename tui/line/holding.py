"""The app's line to the engine: opened, listened to, and opened again when the engine dies."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from typing import TYPE_CHECKING, Final

from sdcore.engine import messages as m
from sdcore.engine.wire import EngineError
from tui.line.link import Engine, Listener, OpenEngine
from tui.once_begun import once_begun

if TYPE_CHECKING:
    from tui.app import SdtuiApp

MOST_RESTARTS: Final = 3
RESTART_SECONDS: Final = 600.0
"""An engine that dies is started again by itself, so many times within so many seconds."""

_HANG_UP_SECONDS: Final = 2.0
_LONGEST_SECONDS: Final = 0.005
"""How long events that came at once are shown without a look at the keys."""
_FORCE_SECONDS: Final = 3.0
_ANSWERS: Final = (m.JobQueued, m.JobFinished, m.JobCancelled, m.JobFailed)


class EngineLine:
    """Gives the engine's events to all listeners, the studio's view before all others."""

    def __init__(self, app: SdtuiApp, open_engine: OpenEngine) -> None:
        self._app = app
        self._open_engine = open_engine
        self._engine: Engine | None = None
        self._listeners: list[Listener] = [app.studio.view]
        self._furnished = False
        self._unanswered: dict[str, m.Generate] = {}
        """Jobs that no engine has acknowledged yet: sent again to the next one."""
        self._deaths: deque[float] = deque(maxlen=MOST_RESTARTS)
        self.farewell: m.Shutdown | None = m.Shutdown(when_idle=True)
        """What the engine is told when the app is left."""

    @property
    def engine(self) -> Engine | None:
        """The engine that is spoken to, or None."""
        return self._engine

    def listen(self, listener: Listener) -> None:
        """Let `listener` have every event from now on."""
        self._listeners.append(listener)

    def open(self) -> None:
        """Open a line, in place of the one there was. Commands may be sent at once."""
        app = self._app
        if self._engine is not None:
            app.run_worker(once_begun(self._engine.close), group="old engine", exit_on_error=False)
        self._engine = engine = self._open_engine()
        for command in self._unanswered.values():
            engine.send(command)
        # after a paint: starting a process takes longer than a frame
        app.call_after_refresh(
            lambda: app.run_worker(once_begun(self._follow, engine), group="engine", exclusive=True)
        )

    def send(self, command: m.AnyCommand) -> None:
        """Send a command to the engine; without one it goes nowhere, which the screen has said by then."""
        if isinstance(command, m.Generate):
            self._unanswered[command.job] = command
        if self._engine is not None:
            self._engine.send(command)

    def force(self) -> None:
        """Have the engine end though a step hangs; one that does not even listen is killed. The next one is started as
        after any death."""
        engine = self._engine
        if engine is None:
            return
        engine.send(m.Shutdown(by_force=True))

        def kill() -> None:
            if self._engine is engine:
                engine.kill()

        self._app.set_timer(_FORCE_SECONDS, kill)

    async def hang_up(self) -> None:
        """Say farewell, and close the line."""
        if self._engine is None:
            return
        if self.farewell is not None:
            self._engine.send(self.farewell)
        with contextlib.suppress(OSError, TimeoutError):
            await asyncio.wait_for(self._engine.close(), _HANG_UP_SECONDS)
        self._engine = None

    async def _follow(self, engine: Engine) -> None:
        if not self._furnished:
            self._furnished = True
            self._listeners += await self._app.furnish()
        reader = asyncio.create_task(self._show_events(engine))  # what comes while it starts is shown, too
        try:
            await engine.connect()
            died = await reader
        except (EngineError, OSError) as fault:
            self._lost(str(fault))
        else:
            if died:
                self._app.open_engine()
        finally:
            reader.cancel()

    async def _show_events(self, engine: Engine) -> bool:
        """Give events to the listeners until there are no more; whether the engine died and is to be started again."""
        rested = time.monotonic()
        async for event in engine.events():
            if not self._app.is_running:
                return False  # the app is being left, and the parts of its screens go one after another
            if time.monotonic() - rested > _LONGEST_SECONDS:
                await asyncio.sleep(0)
                rested = time.monotonic()
            if isinstance(event, m.EngineFailed) and event.died and self._may_restart():
                self._app.studio.view.died(event.message)
                for listener in self._listeners[1:]:
                    listener.lost(event.message)
                return True
            if isinstance(event, _ANSWERS):
                self._unanswered.pop(event.job, None)
            for listener in tuple(self._listeners):
                listener.handle(event)
        return False

    def _may_restart(self) -> bool:
        now = time.monotonic()
        often = len(self._deaths) == MOST_RESTARTS and now - self._deaths[0] < RESTART_SECONDS
        if not often:
            self._deaths.append(now)
        return not often

    def _lost(self, fault: str) -> None:
        self._app.studio.view.lost(f"{fault} Press Enter to try again.")
        for listener in self._listeners[1:]:
            listener.lost(f"{fault} Go back to the studio to try again.")
