"""The studio: a prompt, its parameters, and the image that they make."""

from __future__ import annotations

import asyncio
import gc
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
from textual.app import ComposeResult

from sdcore.engine import messages as m
from sdcore.spec.recipe import Recipe
from tui import drafts
from tui.actions import Moment, bindings, footer
from tui.once_begun import once_begun
from tui.screens.inspector.inspecting import source_of
from tui.screens.studio.asking import Asking
from tui.screens.studio.counting import Counting
from tui.screens.studio.drafting import Drafting
from tui.screens.studio.gallery import Gallery
from tui.screens.studio.model_choice import ModelChoice
from tui.screens.studio.planning import Planning
from tui.screens.studio.remembering import Remembering
from tui.screens.studio.run_view import RunView
from tui.screens.studio.starting import FILES, Starting
from tui.screens.studio.styling import StyleLine, Styling
from tui.screens.studio.words import WordKeys
from tui.widgets.caption import Caption
from tui.widgets.head import HeadLine
from tui.widgets.panes import Column, Framed, Row
from tui.widgets.parameters import Parameters
from tui.widgets.plot import SchedulePlot
from tui.widgets.progress import ProgressLine
from tui.widgets.prompt import PromptEditor
from tui.widgets.sigma_table import SigmaTable
from tui.widgets.status import FooterLine, MessageLine

if TYPE_CHECKING:
    from tui.app import SdtuiApp
    from tui.screens.studio.completing import Completing
    from tui.screens.studio.drawing import Drawing
    from tui.widgets.canvas import Canvas
    from tui.widgets.recent import Recent

_PROMPT_HELP = (
    "What the image should show. Enter generates, ^J begins a new line; at the first and last line ↑ and ↓ "
    "walk the prompts used before, ^R searches them. Words that go on with what you write are suggested: ⇥ takes the "
    "marked one. ^↑ and ^↓ weigh the word at the cursor: (word:1.1). The model reads 75 tokens at a time; the border "
    "counts them, and a shade marks where one lot ends."
)
_NEGATIVE_HELP = "What the image should not show. Often empty."
_WIDTHS: Final = [(0, "-narrow"), (100, "-normal"), (160, "-wide")]
_HEIGHTS: Final = [(0, "-short"), (32, "-tall"), (50, "-high")]


class Studio(WordKeys, inherit_bindings=False):
    """The one screen that most work happens on."""

    BINDINGS = bindings("studio")
    HORIZONTAL_BREAKPOINTS = _WIDTHS
    VERTICAL_BREAKPOINTS = _HEIGHTS
    app: SdtuiApp

    def __init__(self, draft: drafts.Draft, outputs: Path) -> None:
        super().__init__()
        self.drafting = Drafting(self, draft)
        self.remembering = Remembering(self)
        self.counting = Counting(self)
        self.styling = Styling(self)
        self.planning = Planning(self)
        self.view = RunView(self)
        self.outputs = outputs
        self.gallery = Gallery(self, outputs)
        self.starting = Starting(self)
        self.asking = Asking(self)
        self.choosing = ModelChoice(self)
        self.ready = asyncio.Event()
        """Set when everything that the first paint does not wait for is there."""

    def compose(self) -> ComposeResult:
        """The regions; what needs Pillow comes after the first paint."""
        yield HeadLine("studio", id="head")
        with Row(id="main"):
            with Column(id="left"):
                yield PromptEditor("prompt", _PROMPT_HELP, walk=self.remembering.walk, id="prompt")
                yield PromptEditor("negative", _NEGATIVE_HELP, id="negative")
                yield StyleLine(id="style")
                yield Parameters(Recipe(), id="parameters")
            with Column(id="middle"):
                yield Caption(id="start")
                yield Column(id="image")
                yield ProgressLine(id="progress")
            with Column(id="right"):
                with Framed("steps", id="steps-frame"):
                    yield SigmaTable(id="steps")
                with Framed("noise schedule", id="plot-frame"):
                    yield SchedulePlot(id="plot")
        yield Framed("recent", id="strip")
        yield MessageLine(id="message")
        yield FooterLine(id="footer")

    def on_mount(self) -> None:
        """Fill the panes from the draft, then fetch what takes longer."""
        self.drafting.fill()
        self.prompt.focus()
        self.app.open_engine()
        self.call_after_refresh(lambda: self.run_worker(once_begun(self._fill), exit_on_error=True))

    async def _fill(self) -> None:
        """What the first paint does not wait for: pictures, history and tokenizer."""
        parts = (
            self.gallery.open, self.remembering.open, self.counting.open, self.completing.open, self.styling.open,
        )  # fmt: skip
        for begin in parts:
            if not self.is_running:
                return  # the app was left meanwhile
            await begin()
        gc.freeze()  # what is there now stays
        gc.enable()
        self.ready.set()

    @cached_property
    def drawing(self) -> Drawing:
        """What is drawn of the choices in a prompt."""
        from tui.screens.studio.drawing import Drawing

        return Drawing(self)

    @cached_property
    def completing(self) -> Completing:
        """What the prompt's words may go on with."""
        from tui.screens.studio.completing import Completing

        return Completing(self)

    # What the panes say

    @property
    def prompt(self) -> PromptEditor:
        """The prompt's editor."""
        return self.query_one("#prompt", PromptEditor)

    @property
    def negative(self) -> PromptEditor:
        """The negative prompt's editor."""
        return self.query_one("#negative", PromptEditor)

    @property
    def parameters(self) -> Parameters:
        """The parameters pane."""
        return self.query_one(Parameters)

    @property
    def model_named(self) -> str:
        """The model that the parameters name."""
        return self.parameters.texts["model"]

    def read(self) -> tuple[Recipe, dict[str, str]]:
        """The recipe as it stands, and what is wrong with it by row."""
        return self.parameters.read(self.prompt.text, self.negative.text)

    @property
    def said(self) -> object:
        """What is read, whatever the seed is: equal for as long as the panes say the same."""
        recipe, faults = self.read()
        return msgspec.structs.replace(recipe, seed=0), faults

    def on_prompt_editor_edited(self, message: PromptEditor.Edited) -> None:
        """Count, and keep the draft."""
        self.counting.count()
        self.view.look_again()
        self.drafting.keep_soon()

    def on_parameters_changed(self, message: Parameters.Changed) -> None:
        """Plan anew where it depends on the row, and keep the draft."""
        self.planning.row_changed(message.row)
        if message.row == "model":
            self.view.show_head()
        self.starting.row_changed(message.row)
        self.view.look_again()
        self.drafting.keep_soon()

    # The image

    def on_canvas_box_changed(self, message: Canvas.BoxChanged) -> None:
        """Have previews made in the size that fits."""
        self.app.ask_for_previews()

    def on_filmstrip_highlighted(self, message: Recent.Highlighted) -> None:
        """Look at an older image; its recipe is told below."""
        self.gallery.look_at(message.path)

    def on_filmstrip_chosen(self, message: Recent.Chosen) -> None:
        """Bring its recipe back."""
        self.gallery.use(message.path)

    # Keys

    def on_descendant_focus(self) -> None:
        """The footer names the keys of the part in focus; among the recent images one is looked at."""
        recent = self.gallery.recent
        if recent is None or not self.gallery.has_focus:
            self.gallery.look_away()
        elif recent.highlighted is not None:
            self.gallery.look_at(recent.highlighted)
        self.show_footer()

    def show_footer(self) -> None:
        """Name the keys that matter now."""
        focused = self.focused
        moment: Moment = "running" if self.view.book.running else "idle"
        if isinstance(focused, Parameters):
            moment = FILES.get(focused.row, "parameters")
        elif self.gallery.has_focus:
            moment = "recent"
        elif self.drafting.is_aside:
            moment = "job"
        self.query_one(FooterLine).show(footer(moment))

    async def on_footer_line_pressed(self, message: FooterLine.Pressed) -> None:
        """A key of the footer was clicked."""
        await self.app.action_do(message.name)

    def on_parameters_submitted(self) -> None:
        """Enter on a number generates."""
        self.action_generate()

    def on_parameters_moved(self) -> None:
        """A file has keys of its own."""
        self.show_footer()

    def on_parameters_own_size(self) -> None:
        """The size of the image that is started from."""
        self.starting.own_size()

    def on_parameters_choose(self, message: Parameters.Choose) -> None:
        """Open the row's list, or its files."""
        if message.row in FILES:
            self.starting.pick(message.row)
        elif message.row == "model":
            self.choosing.pick()
        else:
            self.run_worker(once_begun(self._choose, message.row), group="choose", exclusive=True)

    async def _choose(self, row: str) -> None:
        from tui.screens.lists.choices import choices_for
        from tui.screens.lists.chooser import Chooser

        recipe, _ = self.read()
        choices = await asyncio.to_thread(choices_for, row, recipe, self.parameters.family)
        value = await self.app.push_screen_wait(Chooser(row, choices, present=self.parameters.texts[row]))
        if value is not None:
            self.parameters.set_texts({row: value})

    def action_generate(self) -> None:
        """Queue the recipe; a seed that was used gives way to a new one unless it is locked."""
        self.asking.generate()

    def action_new_seed(self) -> None:
        """Queue the recipe with a new seed."""
        self.asking.queue(new_seed=True)

    def action_again(self) -> None:
        """Queue the recipe with the seed as it is."""
        self.asking.queue(new_seed=False)

    def action_stop(self, *, keep: bool = False) -> None:
        """Stop the running job, or the one queued last; from the recent images, or otherwise, go back to the prompt."""
        if self.gallery.has_focus and not keep:
            self.prompt.focus()
            return
        if self.app.queueing.editing.leave():
            return
        book = self.view.book
        job = book.running.job if book.running else next(reversed(book.waiting), None)
        if job is not None:
            self.app.send(m.Cancel(job=job, keep=keep))
            self.view.say("Stopping after this step.")
        else:
            self.prompt.focus()

    def action_forever(self) -> None:
        """Make one image after another of what the panes say, or make an end of it."""
        self.asking.forever()

    def action_keep(self) -> None:
        """Stop the running job and save what there is."""
        if self.view.book.running is None:
            self.view.say("Nothing is being made; there is nothing to keep.")
        else:
            self.action_stop(keep=True)

    def action_interrupt(self) -> None:
        """Copy the selection, or stop."""
        focused = self.focused
        if isinstance(focused, PromptEditor) and focused.selected_text:
            focused.action_copy()
            self.view.say("Copied.")
        else:
            self.action_stop()

    def action_lock_seed(self) -> None:
        """Keep the seed, or let it go."""
        self.parameters.set_lock(not self.parameters.seed_locked)

    def action_use_recipe(self) -> None:
        """Bring the recipe of the shown image back."""
        path = self.gallery.shown
        if path is None:
            self.view.say("There is no image yet whose recipe could be used; Enter makes one.")
        else:
            self.gallery.use(path)

    def action_models(self) -> None:
        """Show every model that there is."""
        self.choosing.pick()

    def action_model_settings(self) -> None:
        """Set what the model wants."""
        self.choosing.take_settings()

    def action_more_settings(self) -> None:
        """Show the settings that rest, or fold them away."""
        self.parameters.action_fold()
        self.parameters.focus()

    def action_start_from(self) -> None:
        """Image to image: start from the image that is shown."""
        self.starting.take()

    def action_start_clear(self) -> None:
        """Start from noise again."""
        self.starting.clear()

    def action_start_show(self) -> None:
        """Show the init image, or what was made again."""
        self.starting.toggle()

    def action_mask(self) -> None:
        """Draw the mask of the init image."""
        self.starting.draw_mask()

    def action_inspect(self) -> None:
        """Look into the run that goes on, or that made the image that is shown."""
        running = self.view.book.running
        source = source_of(running.job if running else None, self.gallery.looking_at, self.gallery.shown)
        if source is None:
            self.view.say("There is no run yet to look into; Enter makes an image.")
        else:
            self.view.say("Opening the run…")
            self.app.inspecting.open(source)

    def action_compare(self) -> None:
        """Lay the image that is looked at beside another."""
        self.app.comparing.open()

    def action_steps(self) -> None:
        """Show or hide the sigma table and the plot."""
        self.toggle_class("-steps" if self.has_class("-narrow") else "-no-steps")

    def action_recent(self) -> None:
        """Go to the recent images, or hide them again where there is little room."""
        recent = self.gallery.recent
        if recent is None:
            return
        if recent.has_focus:
            self.remove_class("-recent")
            self.prompt.focus()
        else:
            self.add_class("-recent")
            recent.focus()
