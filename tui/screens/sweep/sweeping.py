"""The sweep that goes on, whatever screen is looked at: sent, followed, kept, and at its end saved as one image."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from textual.timer import Timer

from sdcore.engine import messages as m
from sdcore.spec.recipe import Recipe
from tui.once_begun import once_begun

if TYPE_CHECKING:
    from sdcore.spec.sweep.expand import Plan, Sweep
    from tui.app import SdtuiApp
    from tui.screens.sweep.run import Spot, SweepRun

_KEEP_DELAY: Final = 1.0
_AT_ONCE: Final = 10
"""Commands that are sent between two looks at the keys."""

Watcher = Callable[["Spot | None"], None]
"""Called with the spot that changed, None where all may have."""


class Sweeping:
    """Holds the newest sweep. `handle` takes every event."""

    def __init__(self, app: SdtuiApp) -> None:
        self._app = app
        self._by_job: dict[str, Spot] = {}
        self._watcher: Watcher | None = None
        self._timer: Timer | None = None
        self._ask_again = False
        self._looked: asyncio.Event | None = None
        """Set when the sweep of an earlier run of the app is taken up, None before anyone looked for it."""
        self._begun = False
        self.run: SweepRun | None = None
        self.plan: Plan | None = None
        """What the form says, kept while the app runs."""
        self.pace = 0.0
        """Seconds a step of a megapixel took, of the newest image; 0 before the first."""

    def watch(self, watcher: Watcher | None) -> None:
        """Tell this one of changes; None: nobody."""
        self._watcher = watcher

    # Beginning and ending

    async def look_back(self) -> None:
        """Take up the sweep of an earlier run of the app, once; what became of its jobs is asked for."""
        if self._looked is None:
            self._looked = asyncio.Event()
            # by a worker of its own: who waits for it may be replaced by another who does
            self._app.run_worker(once_begun(self._take_up, self._looked), group="sweep back")
        await self._looked.wait()

    async def _take_up(self, looked: asyncio.Event) -> None:
        run = None if self._begun else await asyncio.to_thread(_load)
        if run is not None and not self._begun:
            self._take(run)
            self.plan = run.plan
            await self._send(run)
            self._look_whether_over()
        looked.set()

    async def _catch_up(self) -> None:
        """There is an engine: ask it for what became of the jobs that the last one had."""
        await self.look_back()
        if self._ask_again and self.run is not None:
            await self._send(self.run)
            self._ask_again = False

    async def start(self, sweep: Sweep, plan: Plan, recipe: Recipe, styles: tuple[str, ...] = ()) -> SweepRun:
        """Begin a sweep in place of the one there was, which goes on unseen."""
        from tui.screens.sweep.run import SweepRun

        self._begun = True
        run = await asyncio.to_thread(SweepRun.begin, sweep, plan, recipe, styles)
        self._take(run)
        if self._app.studio.view.engine_dead:
            self._app.open_engine()
        await self._send(run)
        self._keep_soon()
        return run

    def _take(self, run: SweepRun) -> None:
        self.run = run
        self._by_job = {spot.job: spot for spot in run.spots if spot.job}
        self._tell(None)

    async def _send(self, run: SweepRun) -> None:
        for place, command in enumerate(await asyncio.to_thread(run.commands)):
            if place % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)
            self._app.send(command)

    def stop(self) -> None:
        """Take out of the queue what is not made yet."""
        if self.run is not None:
            jobs = tuple(spot.job for spot in self.run.spots if spot.is_under_way)
            self._app.send(m.RemoveJobs(jobs=jobs))

    def retry(self, spot: Spot) -> None:
        """Make a cell that failed, or was taken out, once more."""
        run = self.run
        if run is None or spot.state not in ("failed", "stopped"):
            return
        if spot.state == "failed":
            self._app.send(m.RetryJobs(jobs=(spot.job,)))
        spot.state, spot.reason = "waiting", ""
        for command in run.commands():
            if command.job == spot.job:
                self._app.send(command)
        run.saved = ""
        self._tell(spot)

    # What the engine tells

    def handle(self, event: m.AnyEvent) -> None:
        """Take up what concerns a cell."""
        if isinstance(event, m.JobFinished):
            self._measure(event)
        if isinstance(event, m.EngineReady | m.LineBack):
            self._ask_again |= isinstance(event, m.LineBack)
            self._app.run_worker(once_begun(self._catch_up), group="sweep", exclusive=True)
        spot = self._by_job.get(getattr(event, "job", ""))
        if spot is None or not spot.update(event):
            return
        self._tell(spot)
        if not isinstance(event, m.LIVE):
            self._keep_soon()
        if isinstance(event, m.JobFinished | m.JobFailed | m.JobCancelled):
            self._look_whether_over()

    def lost(self, message: str) -> None:
        """The engine is gone. What it was to make is asked for again when there is another."""
        self._ask_again = True
        for spot in self._by_job.values():
            if spot.state == "running":
                spot.state, spot.share = "waiting", 0.0
        self._tell(None)

    def _measure(self, event: m.JobFinished) -> None:
        if event.images and event.seconds > 0:
            recipe = event.images[0].recipe
            work = recipe.steps * recipe.width * recipe.height * len(event.images) / 1e6
            self.pace = event.seconds / work

    def _tell(self, spot: Spot | None) -> None:
        if self._watcher is not None:
            self._watcher(spot)

    # The file of it

    def _keep_soon(self) -> None:
        if self._timer is not None:
            self._timer.stop()
        self._timer = self._app.set_timer(_KEEP_DELAY, self._keep)

    def _keep(self) -> None:
        self._app.run_worker(once_begun(self._write), group="sweep file")

    async def _write(self) -> None:
        if self.run is None:
            return
        try:
            await asyncio.to_thread(_save, self.run)
        except OSError as fault:
            sentence = f"The sweep cannot be kept for the next run: {fault.strerror or fault}."
            self._app.studio.view.say(sentence, tone="alert")

    # The grid as one image

    def _look_whether_over(self) -> None:
        run = self.run
        if (
            run is not None
            and run.is_over
            and not run.saved
            and run.count("done")
            and not run.count("stopped")
        ):
            self._app.run_worker(once_begun(self.save_grid, run), group="sweep grid", exclusive=True)

    async def save_grid(self, run: SweepRun) -> str:
        """Save the grid as it is as one image beside the others; returns the sentence that says where, or why not."""
        from sdcore.library.metadata import MetadataError
        from sdcore.library.outputs import OutputError
        from tui.screens.sweep.files import save_grid

        try:
            path = await asyncio.to_thread(save_grid, run, self._app.studio.outputs)
        except (OutputError, MetadataError, OSError, MemoryError) as fault:
            return f"The grid was not saved: {fault}"
        run.saved = str(path)
        self._keep_soon()
        self._tell(None)
        if (recent := self._app.studio.gallery.recent) is not None:
            recent.add(path)
        return f"The grid was saved as {path.name}."


def _load() -> SweepRun | None:
    from tui.screens.sweep import run as sweep_run

    return sweep_run.load()


def _save(run: SweepRun) -> None:
    from tui.screens.sweep import run as sweep_run

    sweep_run.save(run)
