"""The studio: a prompt, its parameters, and the image that they make."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Final

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import Screen
from textual.timer import Timer
from textual.widget import Widget

from sdcore.engine import messages as m
from sdcore.spec.recipe import Recipe
from tui import drafts
from tui.actions import Moment, bindings, footer
from tui.prompt_history import HistoryWalk
from tui.screens.gallery import Gallery
from tui.screens.inspecting import source_of
from tui.screens.run_view import RunView
from tui.widgets.panes import Column, Row
from tui.widgets.parameters import Parameters
from tui.widgets.plot import SchedulePlot
from tui.widgets.progress import ProgressLine
from tui.widgets.prompt import PromptEditor
from tui.widgets.sigma_table import SigmaTable
from tui.widgets.status import FooterLine, HeadLine, MessageLine

if TYPE_CHECKING:
    from sdcore.library.history import PromptHistory
    from sdcore.library.tokens import TokenCounter
    from tui.app import SdtuiApp
    from tui.widgets.canvas import Canvas
    from tui.widgets.recent import Recent

PLAN_DELAY: Final = 0.08
DRAFT_DELAY: Final = 0.5
COUNT_DELAY: Final = 0.05
"""The echo of a letter goes before its count: each draws the editor once."""
_SEEDS: Final = 2**32
_PROMPT_HELP = (
    "What the image should show. Enter generates, ^J begins a new line; at the first and last line ↑ and ↓ "
    "walk the prompts used before. The model reads 75 tokens; the border counts them."
)
_NEGATIVE_HELP = "What the image should not show. Often empty."
_WIDTHS: Final = [(0, "-narrow"), (100, "-normal"), (160, "-wide")]
_HEIGHTS: Final = [(0, "-short"), (32, "-tall"), (50, "-high")]
_PLANNED_BY: Final = ("sampler", "schedule", "steps")


class Studio(Screen[None], inherit_bindings=False):
    """The one screen that most work happens on."""

    BINDINGS = bindings("studio")
    HORIZONTAL_BREAKPOINTS = _WIDTHS
    VERTICAL_BREAKPOINTS = _HEIGHTS
    app: SdtuiApp

    def __init__(self, draft: drafts.Draft, outputs: Path) -> None:
        super().__init__()
        self._draft = draft
        self._walk = HistoryWalk()
        self._tokens: TokenCounter | None = None
        self._counting = False
        self._uncounted = False
        self._plan_timer: Timer | None = None
        self._draft_timer: Timer | None = None
        self.view = RunView(self)
        self.gallery = Gallery(self, outputs)
        self.ready = asyncio.Event()
        """Set when everything that the first paint does not wait for is there."""

    def compose(self) -> ComposeResult:
        """The regions; what needs Pillow comes after the first paint."""
        yield HeadLine(id="head")
        with Row(id="main"):
            with Column(id="left"):
                yield PromptEditor("prompt", _PROMPT_HELP, walk=self._walk, id="prompt")
                yield PromptEditor("negative", _NEGATIVE_HELP, id="negative")
                yield Parameters(Recipe(), id="parameters")
            with Column(id="middle"):
                yield Column(id="image")
                yield ProgressLine(id="progress")
            with Column(id="right"):
                yield SigmaTable(id="steps")
                yield SchedulePlot(id="plot")
        yield Vertical(id="strip")
        yield MessageLine(id="message")
        yield FooterLine(id="footer")

    def on_mount(self) -> None:
        """Fill the panes from the draft, then fetch what takes longer."""
        self.query_one("#plot").border_title = "noise schedule"
        self.query_one("#strip").border_title = "recent"
        self.prompt.load_text(self._draft.prompt)
        self.prompt.move_cursor(self.prompt.document.end)
        self.negative.load_text(self._draft.negative_prompt)
        self.parameters.set_texts(self._draft.rows)
        self.parameters.seed_locked = self._draft.seed_locked
        self.parameters.seed_used = self._draft.seed_used
        self.prompt.focus()
        self.app.open_engine()
        self.call_after_refresh(lambda: self.run_worker(self._fill(), exit_on_error=True))

    async def _fill(self) -> None:
        """What the first paint does not wait for: pictures, history and tokenizer."""
        await self.gallery.open()
        self._walk.history, self._tokens = await asyncio.to_thread(_open_prompt_tools)
        self._count_tokens()
        self.ready.set()

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

    def draft(self) -> drafts.Draft:
        """The panes as they stand, to be kept for the next run."""
        panel = self.parameters
        return drafts.Draft(prompt=self.prompt.text, negative_prompt=self.negative.text, rows=panel.texts,
                            seed_locked=panel.seed_locked, seed_used=panel.seed_used)  # fmt: skip

    def on_prompt_editor_edited(self, message: PromptEditor.Edited) -> None:
        """Count, and keep the draft."""
        self._count_tokens()
        self._keep_draft()

    def on_parameters_changed(self, message: Parameters.Changed) -> None:
        """Plan the schedule anew where it depends on the row, and keep the draft."""
        if message.row in _PLANNED_BY:
            self._plan_soon()
        if message.row == "model":
            self.view.show_head()
        self._keep_draft()

    def _plan_soon(self) -> None:
        if self._plan_timer is not None:
            self._plan_timer.stop()
        self._plan_timer = self.set_timer(PLAN_DELAY, self.plan)

    def plan(self) -> None:
        """Ask for the sigmas of the settings as they stand."""
        recipe, faults = self.read()
        if not any(name in faults for name in _PLANNED_BY):
            self.view.plan_request += 1
            self.app.send(m.PlanSchedule(request=self.view.plan_request, recipe=recipe))

    def _count_tokens(self) -> None:
        self._uncounted = True
        if (tokens := self._tokens) is not None and not self._counting:
            self._counting = True
            self.set_timer(COUNT_DELAY, lambda: self.run_worker(self._count(tokens), group="tokens"))

    async def _count(self, tokens: TokenCounter) -> None:
        """Count on a thread, and again for as long as the text changes meanwhile."""
        while self._uncounted:
            self._uncounted = False
            for editor in (self.prompt, self.negative):
                editor.show_tokens(await asyncio.to_thread(tokens.count, editor.text))
        self._counting = False

    def _keep_draft(self) -> None:
        if self._draft_timer is not None:
            self._draft_timer.stop()
        self._draft_timer = self.set_timer(DRAFT_DELAY, self._save_draft)

    def _save_draft(self) -> None:
        self.run_worker(self._write_draft(self.draft()), group="draft")

    async def _write_draft(self, draft: drafts.Draft) -> None:
        try:
            await asyncio.to_thread(drafts.save, draft)
        except OSError as fault:
            self.view.say(
                f"What you type cannot be kept for the next run: {fault.strerror or fault}.", tone="alert"
            )

    # The image

    def on_canvas_box_changed(self, message: Canvas.BoxChanged) -> None:
        """Have previews made in the size that fits."""
        self.app.ask_for_previews()

    def on_filmstrip_highlighted(self, message: Recent.Highlighted) -> None:
        """Look at an older image; its recipe is told below."""
        self.gallery.look_at(message.path)

    def on_filmstrip_chosen(self, message: Recent.Chosen) -> None:
        """Bring its recipe back."""
        self.run_worker(self._use(message.path), group="picture", exclusive=True)

    async def _use(self, path: Path) -> None:
        facts = await self.gallery.read(path)
        if facts is None:
            return
        if facts.writer is None:
            self.view.say(f"{path.name} does not say how it was made.", tone="alert")
            return
        recipe = facts.recipe()
        self.prompt.show(recipe.prompt)
        self.negative.show(recipe.negative_prompt)
        self.parameters.set_recipe(recipe)
        self.parameters.set_seed(recipe.seed, used=False)
        self.prompt.focus()
        self.view.say(f"The recipe of {path.name} is in the panes; Enter makes it again.")

    # Keys

    def on_descendant_focus(self) -> None:
        """The footer names the keys of the part in focus; among the recent images one is looked at."""
        recent = self.gallery.recent
        if recent is None or self.focused is not recent:
            self.gallery.look_away()
        elif recent.highlighted is not None:
            self.gallery.look_at(recent.highlighted)
        self.show_footer()

    def show_footer(self) -> None:
        """Name the keys that matter now."""
        focused = self.focused
        moment: Moment = "running" if self.view.book.running else "idle"
        if isinstance(focused, Parameters):
            moment = "parameters"
        elif focused is not None and focused is self.gallery.recent:
            moment = "recent"
        self.query_one(FooterLine).show(footer(moment))

    async def on_footer_line_pressed(self, message: FooterLine.Pressed) -> None:
        """A key of the footer was clicked."""
        await self.app.action_do(message.name)

    def on_parameters_submitted(self) -> None:
        """Enter on a number generates."""
        self.action_generate()

    def on_parameters_choose(self, message: Parameters.Choose) -> None:
        """Open the row's list."""
        self.run_worker(self._choose(message.row), group="choose", exclusive=True)

    async def _choose(self, row: str) -> None:
        from tui.screens.choices import choices_for
        from tui.screens.chooser import Chooser

        recipe, _ = self.read()
        choices = await asyncio.to_thread(choices_for, row, recipe)
        value = await self.app.push_screen_wait(Chooser(row, choices, present=self.parameters.texts[row]))
        if value is not None:
            self.parameters.set_texts({row: value})

    def action_generate(self) -> None:
        """Queue the recipe; a seed that was used gives way to a new one unless it is locked."""
        panel = self.parameters
        self._submit(new_seed=panel.seed_used and not panel.seed_locked)

    def action_new_seed(self) -> None:
        """Queue the recipe with a new seed."""
        self._submit(new_seed=True)

    def action_again(self) -> None:
        """Queue the recipe with the seed as it is."""
        self._submit(new_seed=False)

    def _submit(self, *, new_seed: bool) -> None:
        if self.view.engine_dead:
            self.app.open_engine()
        if new_seed:
            self.parameters.set_seed(secrets.randbelow(_SEEDS), used=False)
        recipe, faults = self.read()
        if faults:
            name, message = next(iter(faults.items()))
            self._go_to(name)
            self.view.say(message, tone="alert")
            return
        self.parameters.set_seed(recipe.seed, used=True)
        self.gallery.look_away()
        self._walk.rest()
        self.app.send(m.Generate(job=self.view.book.add(recipe), recipe=recipe))
        self.view.show_head()
        if self._walk.history is not None:
            self.run_worker(self._remember(recipe), group="history")

    def _go_to(self, name: str) -> None:
        editors: dict[str, Widget] = {"prompt": self.prompt, "negative_prompt": self.negative}
        if name in editors:
            editors[name].focus()
        else:
            self.parameters.go_to(name)

    async def _remember(self, recipe: Recipe) -> None:
        history = self._walk.history
        try:
            if history is not None:
                await asyncio.to_thread(history.add, recipe.prompt, recipe.negative_prompt)
        except OSError as fault:
            self.view.say(f"The prompt history cannot be written: {fault.strerror or fault}.", tone="alert")

    def action_stop(self, *, keep: bool = False) -> None:
        """Stop the running job, or the one queued last; otherwise go back to the prompt."""
        book = self.view.book
        job = book.running.job if book.running else next(reversed(book.waiting), None)
        if job is not None:
            self.app.send(m.Cancel(job=job, keep=keep))
            self.view.say("Stopping after this step.")
        else:
            self.prompt.focus()

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
            self.view.say("There is no image yet whose recipe could be used.")
        else:
            self.run_worker(self._use(path), group="picture", exclusive=True)

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

    def action_history(self) -> None:
        """List the prompts used before, newest first."""
        self.run_worker(self._choose_prompt(), group="choose", exclusive=True)

    async def _choose_prompt(self) -> None:
        from tui.screens.chooser import Choice, Chooser

        prompts = [Choice(prompt, prompt) for prompt in reversed(self._walk.prompts())]
        chosen = await self.app.push_screen_wait(
            Chooser(
                "prompt history",
                prompts,
                empty="No prompt was used before." if not prompts else "No such prompt.",
            )
        )
        if chosen is not None:
            self.prompt.show(chosen)
            self.prompt.focus()

    def action_edit(self) -> None:
        """Open the prompt, or the negative prompt if that is in focus, in an editor."""
        from tui.editor import EditorError, edit

        editor = self.negative if self.focused is self.negative else self.prompt
        try:
            editor.show(edit(self.app, editor.text))
        except EditorError as fault:
            self.view.say(str(fault), tone="alert")
        editor.focus()

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


def _open_prompt_tools() -> tuple[PromptHistory, TokenCounter]:
    from sdcore.library.checkpoints import resolve
    from sdcore.library.history import PromptHistory
    from sdcore.library.tokens import TokenCounter

    tokens = TokenCounter(resolve("tiny"))
    tokens.load()
    return PromptHistory(), tokens
