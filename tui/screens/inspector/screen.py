"""The inspector: a recorded run as an open book, a tab for each way to read it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
from textual.app import ComposeResult
from textual.screen import Screen
from textual.timer import Timer

from sdcore.engine import messages as m
from sdcore.library.lineage import family, tree_line
from sdcore.library.metadata import MetadataError
from sdcore.spec.recipe import Recipe
from sdcore.spec.views import TraceInfo
from tui.actions import Group, Scope, bindings, footer
from tui.once_begun import once_begun
from tui.screens.inspector.attention import AttentionTab
from tui.screens.inspector.fork import ForkForm
from tui.screens.inspector.guidance import GuidanceTab
from tui.screens.inspector.latents import LatentsTab
from tui.screens.inspector.schedule import ScheduleTab
from tui.screens.inspector.steps import StepsTab
from tui.screens.inspector.tab import Tab
from tui.screens.inspector.text import TextTab
from tui.screens.lists.chooser import Choice, Chooser
from tui.screens.studio.run_view import path_wordings
from tui.screens.studio.screen import Studio
from tui.traces import Place, ViewKey
from tui.widgets.head import HeadLine
from tui.widgets.panes import Column
from tui.widgets.picture_grid import PictureGrid
from tui.widgets.scrubber import Scrubber
from tui.widgets.status import FooterLine, MessageLine, Tone
from tui.widgets.tab_line import TabLine

if TYPE_CHECKING:
    from tui.app import SdtuiApp
    from tui.screens.inspector.inspecting import Inspecting

STEPS_A_SECOND: Final = 8
_TABS: Final[tuple[type[Tab], ...]] = (TextTab, ScheduleTab, LatentsTab, StepsTab, GuidanceTab, AttentionTab)
_AHEAD: Final = (1, 2, -1)
"""The steps, in the direction of the last move, whose views are fetched before they are wanted."""
_PAGE: Final = 10
_LONGEST_NAME: Final = 24


class Inspector(Screen[None], inherit_bindings=False):
    """One recorded run, at one of its steps."""

    BINDINGS = bindings("inspector")
    CSS_PATH = "inspector.tcss"
    SCOPE: Scope = "inspector"
    GROUP: Group = "Inspector"
    AUTO_FOCUS = ""
    HORIZONTAL_BREAKPOINTS = Studio.HORIZONTAL_BREAKPOINTS
    VERTICAL_BREAKPOINTS = Studio.VERTICAL_BREAKPOINTS
    app: SdtuiApp

    def __init__(self, door: Inspecting, info: TraceInfo) -> None:
        super().__init__()
        self._door = door
        self._views = door.views
        self._tab: type[Tab] = StepsTab
        self._direction = 1
        self._player: Timer | None = None
        self._ready = False
        self.place = Place(info, max(0, info.recorded - 1))

    def compose(self) -> ComposeResult:
        """Head, tabs, the present tab, the step line, and what is said."""
        yield HeadLine("inspect", id="head")
        yield TabLine(tuple(tab.NAME for tab in _TABS), id="tabs")
        with Column(id="tab"):
            yield TextTab(id="tab-text")
            yield ScheduleTab(self._door.plan, id="tab-schedule")
            yield LatentsTab(id="tab-latents")
            yield StepsTab(id="tab-steps")
            yield GuidanceTab(id="tab-guidance")
            yield AttentionTab(id="tab-attention")
        yield Scrubber(id="scrubber")
        yield MessageLine(id="message")
        yield FooterLine(id="footer")

    def on_mount(self) -> None:
        """Open at the pictures of the last step."""
        self._ready = True
        self.action_show_tab(_TABS.index(StepsTab))

    @property
    def tab(self) -> Tab:
        """The present tab."""
        return self.query_one(self._tab)

    @property
    def about(self) -> str:
        """What the present tab shows, for the help."""
        return self._tab.HELP

    def say(self, *wordings: str, tone: Tone = "bright") -> None:
        """Say a sentence in the message line, in the longest wording that fits."""
        if self._ready:
            self.query_one(MessageLine).show(*wordings, tone=tone)

    # Showing

    def _show(self) -> None:
        if not self._ready:
            return  # what the engine tells before there are widgets is shown with them
        self._show_head()
        self.tab.show(self.place, self._views)
        self.query_one(Scrubber).show(self.place, playing=self._player is not None)
        self._fetch()

    def _fetch(self) -> None:
        """Ask for what is to be seen here, then for what is likely to be seen next."""
        if not self.place.recorded:
            return
        for key in self.tab.wanted(self.place):
            self._views.want(key)
        for distance in _AHEAD:
            step = self.place.step + distance * self._direction
            if self._tab.FIRST_STEP <= step < self.place.info.recorded:
                for key in self.tab.likely(msgspec.structs.replace(self.place, step=step)):
                    self._views.ahead(key)

    def view_came(self, key: ViewKey) -> None:
        """A view is there, or never will be."""
        if self._ready:
            if key in self.tab.wanted(self.place):
                self.tab.show(self.place, self._views)
            self._fetch()

    def on_tab_changed(self, message: Tab.Changed) -> None:
        """The tab looks at something else."""
        message.stop()
        self._show()

    def _show_head(self) -> None:
        info = self.place.info
        parent = info.parent
        origin = ""
        if parent is not None:
            origin = f"forked after step {parent.step} of {_short(parent.image) or 'an unsaved run'}"
        name = _short(Path(info.images[0]).name) if info.images else ""
        # the first of them is left out first
        facts = (info.family, f"{info.recipe.sampler} {info.recipe.steps}", f"seed {info.recipe.seed}", name,
                 origin)  # fmt: skip
        self.query_one(HeadLine).show(facts, "" if info.images else "not saved yet")

    # What the engine tells

    def update(self, info: TraceInfo) -> None:
        """The run as it is known now."""
        step = min(self.place.step, max(0, info.recorded - 1))
        self.place = msgspec.structs.replace(self.place, info=info, step=step)
        self._show()

    def progressed(self, event: m.JobProgress) -> None:
        """The run that is looked at went on."""
        info = self.place.info
        new = event.index + 1 - info.recorded
        if new > 0:
            seconds = (*info.seconds[: info.recorded], *event.seconds[-new:])
            self.place = msgspec.structs.replace(
                self.place, info=msgspec.structs.replace(info, recorded=event.index + 1, seconds=seconds)
            )
            self._show()

    def planned(self, event: m.SchedulePlanned) -> None:
        """A schedule to be laid over the run's."""
        if self._ready:
            self.query_one(ScheduleTab).planned(event)

    def terminal_answered(self) -> None:
        """The terminal has drawn the last pictures."""
        if self._ready:
            for grid in self.tab.query(PictureGrid):
                grid.terminal_answered()

    # Moving

    def go(self, step: int) -> None:
        """Go to a step, at most to the last that is recorded."""
        step = max(self._tab.FIRST_STEP, min(step, self.place.info.recorded - 1))
        if step != self.place.step and self.place.info.recorded:
            self._direction = 1 if step > self.place.step else -1
            self.place = msgspec.structs.replace(self.place, step=step)
            self._show()

    def action_step(self, steps: int) -> None:
        """Go on or back by steps."""
        self._stop_playing()
        self.go(self.place.step + steps)

    def action_first(self) -> None:
        """Go to the first step of this tab."""
        self._stop_playing()
        self.go(self._tab.FIRST_STEP)

    def action_last(self) -> None:
        """Go to the last step recorded."""
        self._stop_playing()
        self.go(self.place.info.recorded - 1)

    def action_play(self) -> None:
        """Play the run from here, from its beginning where this is the end; or stop."""
        if self._player is not None:
            self._stop_playing()
        else:
            self._player = self.set_interval(1 / STEPS_A_SECOND, self._play_on)
            if self.place.step >= self.place.info.recorded - 1:
                self.go(self._tab.FIRST_STEP)
        self._show()

    def _play_on(self) -> None:
        """One step on, as soon as this one is there to be seen."""
        missing = [key for key in self.tab.wanted(self.place)
                   if self._views.get(key) is None and not self._views.problem(key)]  # fmt: skip
        if self.place.step >= self.place.info.recorded - 1:
            self._stop_playing()
        elif not missing:
            self.go(self.place.step + 1)

    def _stop_playing(self) -> None:
        if self._player is not None:
            self._player.stop()
            self._player = None
            self.query_one(Scrubber).show(self.place)

    def on_scrubber_moved(self, message: Scrubber.Moved) -> None:
        """The bar was clicked."""
        self._stop_playing()
        self.go(message.step)

    def action_image(self) -> None:
        """Look at the next image of the batch."""
        count = self.place.info.recipe.batch_size
        if count == 1:
            self.say("This run made one image.")
            return
        self.place = msgspec.structs.replace(self.place, image=(self.place.image + 1) % count)
        self._show()

    # Tabs

    def action_show_tab(self, index: int) -> None:
        """Open a tab, by its place in the row."""
        self._tab = _TABS[index]
        for tab in self.query(Tab):
            tab.display = isinstance(tab, self._tab)
        self.query_one(TabLine).show(index)
        self.query_one(FooterLine).show(footer(self._tab.MOMENT))
        if self.place.step < self._tab.FIRST_STEP:
            self.place = msgspec.structs.replace(self.place, step=self._tab.FIRST_STEP)
        self._show()

    def action_next_tab(self, places: int) -> None:
        """Open the tab beside this one, around the ends."""
        self.action_show_tab((_TABS.index(self._tab) + places) % len(_TABS))

    def on_tab_line_opened(self, message: TabLine.Opened) -> None:
        """A tab was clicked."""
        self.action_show_tab(message.index)

    async def on_footer_line_pressed(self, message: FooterLine.Pressed) -> None:
        """A key of the footer was clicked."""
        await self.app.action_do(message.name)

    def action_move(self, rows: int) -> None:
        """Up or down in the tab."""
        self.tab.move(rows)

    def action_page(self, pages: int) -> None:
        """A page up or down in the tab."""
        self.tab.move(pages * _PAGE)

    def _open(self, tab: type[Tab]) -> None:
        if self._tab is not tab:
            self.action_show_tab(_TABS.index(tab))

    def action_unfold(self) -> None:
        """Show all padding of the prompts, or fold it."""
        self._open(TextTab)
        self.query_one(TextTab).unfold()

    def action_decode(self) -> None:
        """Decode this step with the VAE."""
        self._open(StepsTab)
        self.query_one(StepsTab).decode()

    def action_sheet(self) -> None:
        """The contact sheet of the run."""
        self._open(StepsTab)
        self.query_one(StepsTab).toggle_sheet()

    def action_whole_run(self) -> None:
        """Attention at this step or over the whole run."""
        self._open(AttentionTab)
        self.query_one(AttentionTab).toggle_whole_run()

    # Leaving

    def action_write(self) -> None:
        """Write the trace beside its image."""
        self.say("Writing the trace…")
        self._door.save(self.place.info)

    def written(self, path: str) -> None:
        """The trace is on disk."""
        self.say(*(f"wrote {wording}" for wording in path_wordings(path)))

    def action_fork(self) -> None:
        """Go on from this step by another road."""
        info, step = self.place.info, self.place.step
        self._stop_playing()
        if step < 0 or step >= info.recorded:
            self.say("A fork leaves a run after one of its steps; go to one first.", tone="alert")
        elif step + 1 >= len(info.timesteps):
            self.say(
                f"Step {step} is the last one; go back to a step that has others after it.", tone="alert"
            )
        else:
            # the settings that this step was made with: not those of a later fork
            recipe = [segment.recipe for segment in info.segments if segment.start <= step][-1]
            form = ForkForm(recipe, f"fork after step {step} of {len(info.timesteps)}", info.family)
            self.app.push_screen(form, self._forked)

    def action_start(self) -> None:
        """Go back to the studio, where the next image starts from this run's."""
        images = self.place.info.images
        if self.place.image < len(images):
            self._door.start_from(Path(images[self.place.image]))
        else:
            self.say("This run has no finished image to start from yet.")

    def _forked(self, recipe: Recipe | None) -> None:
        if recipe is not None:
            self._door.fork(self.place.info, self.place.step, recipe)

    def action_family(self) -> None:
        """Show the forks that led to this run's image and that left it."""
        if self.place.info.images:
            self.run_worker(once_begun(self._choose_relative), group="family", exclusive=True)
        else:
            self.say("This run has no image yet, and the images tell who was forked from whom.")

    async def _choose_relative(self) -> None:
        images = self.place.info.images
        image = Path(images[min(self.place.image, len(images) - 1)])
        try:
            found = await asyncio.to_thread(family, image)
        except (MetadataError, OSError) as fault:
            self.say(str(fault), tone="alert")
            return
        if not found:
            self.say("This image was forked from no other, and no other from it.")
            return
        choices = [Choice(str(one.path), tree_line(one, image)) for one in found]
        self.app.push_screen(Chooser("lineage", choices, present=str(image)), self._look_into)

    def _look_into(self, image: str | None) -> None:
        if image is not None and image not in self.place.info.images:
            self._door.leave()
            self._door.open(image)

    def action_back(self) -> None:
        """Back to the studio."""
        self._door.leave()


def _short(name: str) -> str:
    """A file's name without its ending, cut after a whole word where it is long."""
    stem = Path(name).stem
    return (
        stem
        if len(stem) <= _LONGEST_NAME
        else f"{stem[:_LONGEST_NAME].rpartition('-')[0] or stem[:_LONGEST_NAME]}…"
    )
