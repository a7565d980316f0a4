"""The Guidance tab: how far the prompt pulls away from the unconditional prediction, and where."""

from __future__ import annotations

from textual.app import ComposeResult

from sdcore.spec.views import GuidanceView
from tui.screens.inspector.tab import Tab, excuse
from tui.traces import Place, ViewKey, Views, guidance_key
from tui.widgets.bar_plot import BarPlot
from tui.widgets.notes import Notes
from tui.widgets.panes import Column, Row
from tui.widgets.picture_grid import Panel, PictureGrid

_NONE = (
    "This run has no guidance: its scale is 1 or less, so the unconditional prediction is never made. "
    "Raise the guidance scale to see where the prompt pulls."
)


class GuidanceTab(Tab):
    """Two plots over the steps and the pull map of this one."""

    NAME = "Guidance"
    MOMENT = "guidance"
    HELP = (
        "How the prediction with the prompt differs from the one without: the norm of the difference and the angle "
        "between the two at each step, and a map of this step, white where the prompt pulls hardest."
    )

    def compose(self) -> ComposeResult:
        """Plots on the left, the map on the right."""
        with Row(id="guidance"):
            with Column(id="guidance-plots"):
                yield BarPlot("|text − unconditional|", lambda value: f"{value:.3g}", id="norms")
                yield BarPlot("angle between them", lambda value: f"{value:.3g}°", id="angles")
            yield PictureGrid(id="pull")
        yield Notes(id="guidance-notes")

    def wanted(self, place: Place) -> tuple[ViewKey, ...]:
        """Guidance here."""
        return (guidance_key(place),)

    def show(self, place: Place, views: Views) -> None:
        """Plots and map, or why there are none."""
        view = views.get(guidance_key(place))
        grid = self.query_one(PictureGrid)
        if not isinstance(view, GuidanceView):
            if not grid.panels or views.problem(guidance_key(place)):
                grid.show_hint(excuse(views, guidance_key(place)))
            return
        guided = bool(view.norms)
        self.query_one("#guidance-plots").display = guided
        if not guided or view.pull is None:
            grid.show_hint(_NONE)
            self.query_one(Notes).show()
            return
        total = len(place.info.timesteps)
        self.query_one("#norms", BarPlot).show(view.norms, total, place.step)
        self.query_one("#angles", BarPlot).show(view.degrees, total, place.step)
        grid.show(Panel(f"pull at k {place.step}", view.pull, smooth=False))
        self.query_one(Notes).show(
            f"White: the prompt pulls hardest, {view.strongest:.3g}. Guidance {place.info.recipe.guidance_scale:g} "
            "multiplies the difference."
        )
