"""The way from the studio into a recorded run, and back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from sdcore.engine import messages as m
from sdcore.spec.recipe import Recipe
from sdcore.spec.views import TraceInfo
from tui.once_begun import once_begun
from tui.traces import Views

if TYPE_CHECKING:
    from tui.app import SdtuiApp
    from tui.screens.inspector.screen import Inspector
    from tui.widgets.status import Tone


@runtime_checkable
class _Teller(Protocol):
    """Who can say a sentence."""

    def say(self, *wordings: str, tone: Tone = "bright") -> None:
        """Say it, in the longest wording that fits."""


class Inspecting:
    """Opens a run and shows it as soon as the engine has it; keeps its views. `handle` takes every event."""

    def __init__(self, app: SdtuiApp) -> None:
        self._app = app
        self.views = Views(app.send)
        self._inspector: Inspector | None = None
        self._source = ""
        self._opening: int | None = None
        self._answer: asyncio.Future[TraceInfo | None] | None = None
        """What the engine opened, None where it could not, for who waits to show it."""
        self._saving: int | None = None
        self._handlers: dict[type, Callable[[Any], None]] = {
            m.TraceOpened: self._opened,
            m.TraceFailed: self._failed,
            m.ViewReady: self._view,
            m.TraceSaved: self._saved,
            m.SchedulePlanned: self._planned,
            m.JobProgress: self._progressed,
            m.JobFinished: self._ended,
            m.JobCancelled: self._ended,
            m.JobFailed: self._ended,
            m.EngineFailed: lambda event: self.lost(event.message),
        }

    def handle(self, event: m.AnyEvent) -> None:
        """Take up what concerns the run that is looked at."""
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(event)

    def open(self, source: str) -> None:
        """Look into the run that `source` names, as in `OpenTrace`."""
        self._source = source
        self.views.forget_problems()
        self._opening = self.views.new_request()
        if self._inspector is None:
            self._answer = asyncio.get_running_loop().create_future()
            self._app.run_worker(once_begun(self._lead, self._answer), group="inspector", exclusive=True)
        self._app.send(m.OpenTrace(request=self._opening, source=source))

    def plan(self, recipe: Recipe) -> int:
        """Ask for the sigmas of a recipe; returns the request's number."""
        request = self.views.new_request()
        self._app.send(m.PlanSchedule(request=request, recipe=recipe))
        return request

    def save(self, info: TraceInfo) -> None:
        """Have the trace written beside its image."""
        self._saving = self.views.new_request()
        self._app.send(m.SaveTrace(request=self._saving, trace=info.trace))

    def fork(self, info: TraceInfo, step: int, recipe: Recipe) -> None:
        """Queue the rest of a run after `step` under another recipe, and go back to the studio to see it."""
        studio = self._app.studio
        point = m.ForkPoint(source=info.trace, step=step)
        self._app.send(m.Generate(job=studio.view.book.add(recipe), recipe=recipe, fork=point))
        self.leave()
        self._app.ways.go("studio")
        studio.gallery.look_away()
        studio.starting.put_away()
        studio.prompt.focus()
        studio.view.show_head()

    def start_from(self, image: Path) -> None:
        """Go back to the studio, where the next image starts from this one."""
        self.leave()
        self._app.ways.go("studio")
        self._app.studio.starting.take_file(image)

    def leave(self) -> None:
        """Go back to the studio: from now on nothing is shown any more."""
        inspector, self._inspector = self._inspector, None
        if inspector is not None:
            inspector.dismiss(None)

    def _left(self, _result: None) -> None:
        self._inspector = None

    def lost(self, message: str) -> None:
        """The engine is gone: what was asked is not answered any more."""
        self.views.forget_questions()
        self._opening = self._saving = None
        self._settle(None)
        if self._inspector is not None:
            self._inspector.say(message, tone="alert")

    # What the engine tells

    def _opened(self, event: m.TraceOpened) -> None:
        if event.request != self._opening:
            return
        self._opening = None
        if self._inspector is not None:
            self._inspector.update(event.info)
        else:
            self._settle(event.info)

    def _settle(self, info: TraceInfo | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(info)

    async def _lead(self, answer: asyncio.Future[TraceInfo | None]) -> None:
        """Show what the engine opens. Keys that are typed meanwhile wait for the screen, as long as this goes on."""
        await asyncio.to_thread(_import_inspector)
        info = await answer
        if info is None:
            return
        from tui.screens.inspector.screen import Inspector

        self._teller().say("")
        self._inspector = Inspector(self, info)
        await self._app.push_screen(self._inspector, self._left)

    def _teller(self) -> _Teller:
        """Who tells the person where they are: the present screen, or else the studio."""
        screen = self._app.screen
        return screen if isinstance(screen, _Teller) else self._app.studio.view

    def _failed(self, event: m.TraceFailed) -> None:
        if event.request in (self._opening, self._saving):
            opening = event.request == self._opening
            self._opening, self._saving = (None, self._saving) if opening else (self._opening, None)
            if opening:
                self._settle(None)
            (self._inspector or self._teller()).say(event.message, tone="alert")
        elif (key := self.views.handle(event)) is not None and self._inspector is not None:
            self._inspector.view_came(key)

    def _view(self, event: m.ViewReady) -> None:
        key = self.views.handle(event)
        if key is not None and self._inspector is not None:
            self._inspector.view_came(key)

    def _saved(self, event: m.TraceSaved) -> None:
        if event.request == self._saving and self._inspector is not None:
            self._saving = None
            self._inspector.written(event.path)

    def _planned(self, event: m.SchedulePlanned) -> None:
        if self._inspector is not None:
            self._inspector.planned(event)

    def _progressed(self, event: m.JobProgress) -> None:
        if self._inspector is not None and event.job == self._source:
            self._inspector.progressed(event)

    def _ended(self, event: m.JobFinished | m.JobCancelled | m.JobFailed) -> None:
        if self._inspector is not None and event.job == self._source:
            self.open(self._source)


def source_of(job: str | None, looked_at: Path | None, shown: Path | None) -> str | None:
    """What to look into: the image that the person looks at, else the running job, else the image that is shown."""
    image = looked_at or (shown if job is None else None)
    return str(image.resolve()) if image is not None else job


def _import_inspector() -> None:
    import tui.screens.inspector.screen  # noqa: F401
