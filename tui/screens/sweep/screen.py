"""Many images at once: the form that describes them, and the grid that they fill."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from textual.app import ComposeResult
from textual.screen import Screen
from textual.timer import Timer

from sdcore.engine.estimates import Estimates
from sdcore.spec.found import ModelFile
from sdcore.spec.recipe import Recipe
from sdcore.spec.sweep.axes import AXES
from sdcore.spec.sweep.expand import LETTERS, Plan, Sweep, SweepError
from tui.actions import Group, Moment, Scope, bindings, footer
from tui.line.stock import all_models
from tui.once_begun import once_begun
from tui.parameter_row import model_name
from tui.screens.library.viewer import Files, Viewer
from tui.screens.lists.chooser import Choice, Chooser
from tui.screens.studio.screen import Studio
from tui.screens.sweep import files as sweep_files
from tui.screens.sweep.run import UNDER_WAY, Spot, SweepRun
from tui.screens.sweep.sources import Sources
from tui.screens.sweep.words import counts, described, expected, run_facts, spot_facts
from tui.widgets.caption import Caption
from tui.widgets.head import HeadLine
from tui.widgets.line_input import LineInput
from tui.widgets.panes import Column
from tui.widgets.status import FooterLine, MessageLine, Tone
from tui.widgets.sweep_form import Pick, SweepForm
from tui.widgets.sweep_grid import SweepGrid

if TYPE_CHECKING:
    from tui.app import SdtuiApp

_DELAY: Final = 0.12
"""Seconds after a letter before the form is reckoned through."""
_TELL_DELAY: Final = 0.1
"""Seconds between two looks at how far the sweep is."""
_NOTHING_YET: Final = "Choose what changes: Enter on x, y or z, or turn the matrix on."


class SweepScreen(Screen[None], inherit_bindings=False):
    """The form where there is no sweep, or where another is wanted; otherwise the grid of the newest."""

    BINDINGS = bindings("sweep")
    CSS_PATH = "sweep.tcss"
    AUTO_FOCUS = ""
    HORIZONTAL_BREAKPOINTS = Studio.HORIZONTAL_BREAKPOINTS
    VERTICAL_BREAKPOINTS = Studio.VERTICAL_BREAKPOINTS
    SCOPE: Scope = "sweep"
    GROUP: Group = "Sweep"
    HELP = (
        "Up to three axes: x gives the columns, y the rows, z the pages of a grid. Values are parted by commas: 10, "
        "20; 1-10; 1-10 (+3); 1-10 [4] for four of them evenly spaced; quotes keep a comma. Prompt S/R replaces its "
        "first word by each of the others. Choices in the prompt, {red|blue} and __wildcards__, are drawn by the seed "
        "of each image; the axis combinations makes all of them."
    )
    app: SdtuiApp

    def __init__(self) -> None:
        super().__init__()
        self._sources = Sources(self._find_models)
        self._estimates = Estimates()
        self._timer: Timer | None = None
        self._telling: Timer | None = None
        self._expanded: tuple[Plan, Recipe, Sweep] | None = None
        self._built = False

    def compose(self) -> ComposeResult:
        """Form and grid, of which one is seen."""
        self._loop = asyncio.get_running_loop()
        yield HeadLine("sweep", id="head")
        yield SweepForm(self._sources.names, id="sweep-form")
        with Column(id="sweep-pane"):
            yield Caption(id="sweep-caption")
            yield SweepGrid(id="sweep-grid")
            yield Caption(id="sweep-cell")
        yield MessageLine(id="message")
        yield FooterLine(id="footer")

    def on_mount(self) -> None:
        """Show which of them it is; what is in it comes after the first paint."""
        self._show_which(form=self.app.sweeping.run is None)
        self.run_worker(once_begun(self._build), group="ways")

    async def _build(self) -> None:
        """Show the sweep that there is, or the form."""
        sweeping, painted = self.app.sweeping, asyncio.Event()
        self.call_after_refresh(painted.set)
        await painted.wait()
        await self._form.build()
        self._form.fill(sweeping.plan or Plan())
        self._built = True
        self._show_face(form=sweeping.run is None)
        sweeping.watch(self._changed)
        self.run_worker(once_begun(self._open), group="open")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool:
        """Nothing can be done before all is there, but to go."""
        return self._built or action == "back"

    async def _open(self) -> None:
        """What takes its time: the sweep of an earlier run of the app, and what was measured before."""
        device = self.app.studio.view.device.partition(" ")[0]
        self._estimates = await asyncio.to_thread(sweep_files.measured, device)
        before = self.app.sweeping.run
        await self.app.sweeping.look_back()
        if self.app.sweeping.run is not before:
            self._form.fill(self.app.sweeping.plan or Plan())
            self._show_face(form=False)
        await self._reckon()

    def on_unmount(self) -> None:
        """Nobody looks any more; the sweep goes on."""
        self.app.sweeping.watch(None)

    # The two faces

    @property
    def _form(self) -> SweepForm:
        return self.query_one(SweepForm)

    @property
    def _grid(self) -> SweepGrid:
        return self.query_one(SweepGrid)

    @property
    def form_shown(self) -> bool:
        """Whether the form is seen, and not the grid."""
        return not self._form.has_class("-hidden")

    def _show_which(self, *, form: bool) -> None:
        self._form.set_class(not form, "-hidden")
        self.query_one("#sweep-pane").set_class(form, "-hidden")

    def _show_face(self, *, form: bool) -> None:
        self._show_which(form=form)
        self.say("")
        self._show_footer()
        if form:
            self.query_one("#sweep-x", Pick).focus()
        elif self.app.sweeping.run is not None:
            self._grid.show(self.app.sweeping.run)
            self._grid.focus()
            self._tell_grid()

    def on_descendant_focus(self) -> None:
        """The footer names the keys of the part in focus."""
        self._show_footer()

    def _show_footer(self) -> None:
        within: Moment = "sweep_values" if isinstance(self.focused, LineInput) else "sweep_form"
        self.query_one(FooterLine).show(footer(within if self.form_shown else "sweep"))
        view = self.app.studio.view
        self.query_one(HeadLine).show((model_name(view.model), view.device))

    def say(self, *wordings: str, tone: Tone = "bright") -> None:
        """Say a sentence in the message line, in the longest wording that fits."""
        self.query_one(MessageLine).show(*wordings, tone=tone)

    async def on_footer_line_pressed(self, message: FooterLine.Pressed) -> None:
        """A key of the footer was clicked."""
        await self.app.action_do(message.name)

    def terminal_answered(self) -> None:
        """The terminal has drawn the last picture."""
        self._grid.terminal_answered()

    # The form

    def on_sweep_form_changed(self) -> None:
        """Reckon it through when nothing was typed for a moment."""
        self.app.sweeping.plan = self._form.plan
        self._expanded = None
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(
            _DELAY, lambda: self.run_worker(once_begun(self._reckon), group="reckon", exclusive=True)
        )

    def _find_models(self) -> list[ModelFile]:
        """All models; on another thread than the app's."""
        return asyncio.run_coroutine_threadsafe(all_models(self.app.stock), self._loop).result()

    def _base(self) -> tuple[Recipe, dict[str, str]]:
        """What is varied: the studio's recipe in its styles; and what is wrong with it."""
        studio = self.app.studio
        recipe, faults = studio.read()
        return studio.styling.styled(recipe), faults

    async def _reckon(self) -> Sweep | None:
        """Say what comes of the form; None where nothing does."""
        form, plan = self._form, self._form.plan
        recipe, faults = self._base()
        form.tell_base(described(recipe))
        if not any(line.name for line in plan.lines) and not plan.matrix:
            form.tell(_NOTHING_YET, (), ())
            return None
        if faults:
            form.tell(
                "", (), (), f"The studio's settings are to be mended first: {next(iter(faults.values()))}"
            )
            return None
        view = self.app.studio.view
        loaded = {view.model: view.family} if view.model else {}
        try:
            sweep = await asyncio.to_thread(self._sources.expand, plan, recipe, loaded)
        except SweepError as fault:
            if plan == form.plan:
                form.tell("", (), (), str(fault), fault.axis)
            return None
        if plan == form.plan:
            self._expanded = plan, recipe, sweep
            able = [cell.recipe for cell in sweep.able]
            told = await asyncio.to_thread(lambda: expected(able, self._expected(able)))
            form.tell(told, sweep.notes, counts(sweep))
        return sweep

    def _expected(self, recipes: Sequence[Recipe]) -> float | None:
        loaded = self.app.studio.view.model
        return sweep_files.expected(recipes, self._estimates, loaded, self.app.sweeping.pace)

    def on_sweep_form_submitted(self) -> None:
        """Enter in a line of values."""
        self.action_begin()

    def on_pick_pressed(self, message: Pick.Pressed) -> None:
        """Another axis, or the other of two ways."""
        if not self._form.toggle(message.pick):
            self.run_worker(
                once_begun(self._choose_axis, str(message.pick.id)[-1]), group="choose", exclusive=True
            )

    async def _choose_axis(self, letter: str) -> None:
        present = self._form.plan.lines[LETTERS.index(letter)].name
        choices = [Choice(axis.name, axis.name, axis.about) for axis in AXES]
        nothing = Choice("", "nothing", "This axis is not used.")
        name = await self.app.push_screen_wait(
            Chooser(
                f"what changes along {letter}",
                [nothing, *choices] if present else choices,
                present=present,
            )
        )
        if name is not None:
            self._form.choose_axis(letter, name)

    def action_begin(self) -> None:
        """Make what the form describes."""
        if self.form_shown:
            self.run_worker(once_begun(self._begin), group="begin", exclusive=True)

    async def _begin(self) -> None:
        recipe, _ = self._base()
        if self._expanded is None or self._expanded[:2] != (self._form.plan, recipe):
            await self._reckon()
        if self._expanded is None:
            self.say("This cannot begin yet; see above.", tone="alert")
            return
        plan, recipe, sweep = self._expanded
        self._expanded = None  # the next one draws other random seeds
        run = await self.app.sweeping.start(sweep, plan, recipe, self.app.studio.styling.present)
        self.app.studio.remembering.add(self.app.studio.read()[0])
        self._grid.show(run)
        self._show_face(form=False)

    # The grid

    @property
    def _is_left(self) -> bool:
        """Whether its parts go, one after another: the engine goes on telling meanwhile."""
        return self not in self.app.screen_stack

    def _changed(self, spot: Spot | None) -> None:
        if self._is_left or self.form_shown:
            return
        if spot is None:
            self._grid.redraw()
        else:
            self._grid.refresh_spot(spot)
        if self._telling is None:  # a thousand cells may change at once
            self._telling = self.set_timer(_TELL_DELAY, self._tell_grid)

    def _tell_grid(self) -> None:
        """Say how far it is, and what the cell under the cursor is."""
        run, self._telling = self.app.sweeping.run, None
        if run is None or self._is_left:
            return
        left = [spot.cell.recipe for spot in run.spots if spot.is_under_way]
        seconds = self._expected(left) if left else None
        facts = [*run_facts(run, self._grid.cursor[2], seconds), *self._grid.view]
        self.query_one("#sweep-caption", Caption).show(facts)
        spot = self._grid.spot
        if spot is None:
            return
        self.query_one("#sweep-cell", Caption).show(spot_facts(run, spot))
        if spot.state in ("failed", "impossible"):
            self.say(spot.reason, tone="alert" if spot.state == "failed" else "bright")
        elif run.is_over and run.saved:
            self.say(f"The grid is saved as {Path(run.saved).name}.")
        else:
            self.say("")

    def on_sweep_grid_moved(self) -> None:
        """Say what the cell under the cursor is."""
        self._tell_grid()

    def on_sweep_grid_chosen(self) -> None:
        """A second click."""
        self.action_open()

    def action_open(self) -> None:
        """The image under the cursor; in the form, choose."""
        if isinstance(self.focused, Pick):
            self.focused.press()
        elif not self.form_shown:
            self._look()

    def _look(self) -> None:
        run, spot = self.app.sweeping.run, self._grid.spot
        if run is None or spot is None:
            return
        if not spot.paths:
            self.say(spot.reason or "This image is not made yet.")
            return
        spots = [(one, Path(path)) for one in run.spots for path in one.paths]
        place = next(index for index, (one, _) in enumerate(spots) if one is spot)

        def left(last: int | None) -> None:
            if last is not None:
                self._grid.go_to(spots[last][0].place)

        self.app.push_screen(Viewer(Files([path for _, path in spots]), place), left)

    def action_move(self, columns: int, rows: int) -> None:
        """Move the cursor; in the form, go on to the next part."""
        if not self.form_shown:
            self._grid.move(columns, rows)
        elif rows:
            self.focus_next() if rows > 0 else self.focus_previous()

    def action_page(self, pages: int) -> None:
        """Another value of z."""
        if not self.form_shown:
            self._grid.move(0, 0, pages)

    def action_recall(self) -> None:
        """Bring the cell's recipe to the studio, and go there."""
        spot = self._grid.spot
        if self.form_shown or spot is None:
            return
        studio, recipe = self.app.studio, spot.cell.recipe
        studio.prompt.show(recipe.prompt)
        studio.negative.show(recipe.negative_prompt)
        studio.parameters.set_recipe(recipe)
        studio.parameters.set_seed(recipe.seed, used=False)
        studio.view.say("The settings of the cell are in the panes; Enter makes it again.")
        self.app.ways.go("studio")

    def action_sheet(self) -> None:
        """Save the grid as one image."""
        run = self.app.sweeping.run
        if not self.form_shown and run is not None:
            self.run_worker(once_begun(self._sheet, run), group="sheet", exclusive=True)

    async def _sheet(self, run: SweepRun) -> None:
        self.say(await self.app.sweeping.save_grid(run))

    def action_new(self) -> None:
        """The form once more."""
        if not self.form_shown:
            self._show_face(form=True)
            self.run_worker(once_begun(self._reckon), group="reckon", exclusive=True)

    def action_retry(self) -> None:
        """The cell under the cursor once more."""
        spot = self._grid.spot
        if not self.form_shown and spot is not None:
            self.app.sweeping.retry(spot)

    def action_stop(self) -> None:
        """Cancel what waits, if that is meant."""
        run = self.app.sweeping.run
        if not self.form_shown and run is not None and not run.is_over:
            self.run_worker(once_begun(self._stop, run.count(*UNDER_WAY)), group="choose", exclusive=True)

    async def _stop(self, count: int) -> None:
        question = f"{count} image{'s are' if count > 1 else ' is'} still to be made."
        answer = await self.app.push_screen_wait(Chooser("cancel", [
            Choice("stay", "Go on", "Nothing changes."),
            Choice("stop", "Cancel what is not made yet", "What is made stays."),
        ], question=question))  # fmt: skip
        if answer == "stop":
            self.app.sweeping.stop()

    def action_back(self) -> None:
        """To the grid, or to the studio."""
        if self.form_shown and isinstance(self.focused, LineInput):
            self.focus_previous()
        elif self.form_shown and self.app.sweeping.run is not None:
            self._show_face(form=False)
        else:
            self.dismiss(None)
