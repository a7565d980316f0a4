"""The Schedule tab: every timestep and sigma of the run, and how other schedules would have spaced them."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from textual.app import ComposeResult

from sdcore.engine import messages as m
from sdcore.spec.choices import find_schedule, is_flow_family
from sdcore.spec.recipe import Recipe
from tui.parameter_rows import schedules_of
from tui.screens.inspector.tab import Tab
from tui.traces import Place, Views
from tui.widgets.notes import Notes
from tui.widgets.overlay_plot import OverlayPlot
from tui.widgets.panes import Column, Row
from tui.widgets.sigma_table import SigmaTable

Ask = Callable[[Recipe], int]


class ScheduleTable(SigmaTable, can_focus=False, inherit_bindings=False):
    """The sigma table, led by the step line."""

    def on_resize(self) -> None:
        """Keep the step in sight, also when the table first gets its size."""
        if self.step is not None:
            self._follow(self.step)


class ScheduleTab(Tab):
    """A table, and a plot with another schedule laid over; `ask` sends a `PlanSchedule` and returns its number.

    Plans are asked for one after another: the engine answers the newest of several alone.
    """

    NAME = "Schedule"
    MOMENT = "schedule"
    HELP = (
        "Every forward pass with the timestep t that the network is told, the noise level σ, its fall Δσ, ᾱ (the share "
        "of the image in the variance) and the signal-to-noise ratio. ↑ and ↓ walk the schedules laid over the plot."
    )

    def __init__(self, ask: Ask, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._ask = ask
        self._place: Place | None = None
        self._recipe: Recipe | None = None
        self._table_of: tuple[float, ...] = ()
        self._choice = 0
        self._plans: dict[str, m.SchedulePlanned] = {}
        self._asked: tuple[int, str] | None = None

    def compose(self) -> ComposeResult:
        """Table on the left, plot on the right, the sentences below."""
        with Row(id="schedule"):
            yield ScheduleTable(id="schedule-table")
            with Column(id="schedule-right"):
                yield OverlayPlot(id="overlay")
        yield Notes(id="schedule-notes")

    @property
    def overlaid(self) -> str:
        """The name of the schedule laid over the run's own; empty where there is no other."""
        names = self._others()
        return names[self._choice % len(names)] if names else ""

    def _others(self) -> list[str]:
        recipe = self._recipe
        if recipe is None or self._place is None:
            return []
        able = schedules_of(recipe, self._place.info.family)
        return [name for name in able if name != recipe.schedule]

    def show(self, place: Place, views: Views) -> None:
        """Mark the step; ask for a plan that is missing."""
        self._place = place
        info = place.info
        if info.recipe != self._recipe:
            self._recipe, self._plans, self._asked = info.recipe, {}, None
        table = self.query_one(ScheduleTable)
        if info.sigmas != self._table_of:
            self._table_of = info.sigmas
            table.set_schedule(info.timesteps, info.sigmas, flow=is_flow_family(info.family))
            table.border_title = "timesteps and sigmas"
        table.set_step(max(0, place.step), list(info.seconds[: info.recorded]))
        self._plan()
        self._draw()

    def planned(self, event: m.SchedulePlanned) -> None:
        """Take a plan, and ask for the next."""
        if self._asked is None:
            return
        request, name = self._asked
        self._asked = None
        if event.request == request:
            self._plans[name] = event
        self._plan()
        self._draw()

    def _plan(self) -> None:
        """Ask for the plan that is shown, then for the others, one at a time."""
        missing = [name for name in (self.overlaid, *self._others()) if name and name not in self._plans]
        if self._asked is None and missing and self._recipe is not None:
            recipe = msgspec.structs.replace(self._recipe, schedule=missing[0], sigmas=())
            self._asked = self._ask(recipe), missing[0]

    def _draw(self) -> None:
        if self._place is None:
            return
        info, name = self._place.info, self.overlaid
        plan = self._plans.get(name)
        self.query_one(OverlayPlot).show(
            info.sigmas, plan.sigmas if plan else (), self._place.step, (info.recipe.schedule, name)
        )
        self.query_one(Notes).show(*self._sentences(plan))

    def _sentences(self, plan: m.SchedulePlanned | None) -> list[str]:
        assert self._place is not None
        info, name = self._place.info, self.overlaid
        levels = len(info.sigmas)
        choice = find_schedule(name)
        other = (
            f"{name}: {choice.summary}."
            if choice is not None
            else "The sampler can follow no other schedule."
        )
        return [
            f"{levels - 1} passes join {levels} levels of noise: the last σ, {info.sigmas[-1]:.3g}, is where the run "
            "ends."
            if levels
            else "",
            f"init_noise_sigma {info.init_noise_sigma:.4g} multiplies the initial noise.",
            plan.problem if plan is not None and plan.problem else other,
        ]

    def move(self, rows: int) -> None:
        """Lay the schedule before or after in the list over the plot."""
        names = self._others()
        if names:
            self._choice = (self._choice + (1 if rows > 0 else -1)) % len(names)
            self._plan()
            self._draw()
