"""The form of a fork: what the rest of the run is to be made from."""

from __future__ import annotations

import asyncio
from typing import Final

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen

from sdcore.spec.recipe import Recipe
from tui.actions import bindings
from tui.once_begun import once_begun
from tui.screens.lists.choices import choices_for
from tui.screens.lists.chooser import Chooser
from tui.widgets.notes import Notes
from tui.widgets.parameters import Parameters
from tui.widgets.prompt import PromptEditor

INEXACT: Final = "Changing the sampler midway starts it without its history: this fork will not be exact."
EXACT: Final = "With nothing changed it is the same image, bit for bit."
ANEW: Final = "The steps so far are kept; what follows is made anew."
_ROWS: Final = ("guidance", "sampler", "schedule", "seed")
_SOLVER: Final = ("sampler", "schedule")
_PROMPTS: Final = ("prompt", "negative_prompt")


class ForkForm(ModalScreen[Recipe | None], inherit_bindings=False):
    """Returns the recipe of the rest; None when closed without one. Nothing has to be changed. The lists offer what
    models of `family` can do, all that there is where that is not known."""

    HELP = (
        "A fork goes on from the chosen step of a run with something changed: the steps before stay to the bit, only "
        "the rest is made anew. Change the prompt, the guidance, the sampler or the seed, and press Enter; with "
        "nothing changed the same image comes out again."
    )
    BINDINGS = bindings("fork")
    CSS_PATH = "fork.tcss"

    def __init__(self, recipe: Recipe, title: str, family: str = "") -> None:
        super().__init__()
        self._recipe = recipe
        self._family = family
        self._title = title

    def compose(self) -> ComposeResult:
        """Both prompts, the rows that a fork can change, and a line for what is to be said."""
        with Vertical(id="fork"):
            yield PromptEditor("prompt", "What the rest of the run should show.", id="fork-prompt")
            yield PromptEditor("negative", "What it should not show.", id="fork-negative")
            yield Parameters(self._recipe, names=_ROWS, id="fork-rows")
            yield Notes(id="fork-notes")

    def on_mount(self) -> None:
        """Fill the form from the run."""
        pane = self.query_one("#fork")
        pane.border_title, pane.border_subtitle = self._title, "⏎ fork · ⇥ next · esc"
        for place, text in (
            ("#fork-prompt", self._recipe.prompt),
            ("#fork-negative", self._recipe.negative_prompt),
        ):
            editor = self.query_one(place, PromptEditor)
            editor.load_text(text)
            editor.move_cursor(editor.document.end)
        self.query_one(Parameters).know(self._recipe.model, self._family)
        self.query_one("#fork-prompt").focus()
        self._explain()

    def _read(self) -> tuple[Recipe, dict[str, str]]:
        prompt, negative = (
            self.query_one(place, PromptEditor).text for place in ("#fork-prompt", "#fork-negative")
        )
        return self.query_one(Parameters).read(prompt, negative)

    def _explain(self) -> None:
        """Faults that have no row here; else, that a fork under these settings is not exact."""
        recipe, faults = self._read()
        elsewhere = [message for name, message in faults.items() if name not in _ROWS]
        changed = any(getattr(recipe, name) != getattr(self._recipe, name) for name in _SOLVER)
        notes = self.query_one(Notes)
        notes.set_class(bool(elsewhere), "-alert")
        notes.show(*(elsewhere or [INEXACT if changed else EXACT if recipe == self._recipe else ANEW]))

    def on_parameters_changed(self, message: Parameters.Changed) -> None:
        """Say what a fork under these settings is."""
        self._explain()

    def on_prompt_editor_edited(self, message: PromptEditor.Edited) -> None:
        """The same for the prompts."""
        self._explain()

    def on_parameters_submitted(self) -> None:
        """Enter on a number forks."""
        self.action_go()

    def on_parameters_choose(self, message: Parameters.Choose) -> None:
        """Open the row's list."""
        self.run_worker(once_begun(self._choose, message.row), group="choose", exclusive=True)

    async def _choose(self, row: str) -> None:
        recipe, _ = self._read()
        rows = self.query_one(Parameters)
        choices = await asyncio.to_thread(choices_for, row, recipe, rows.family)
        value = await self.app.push_screen_wait(Chooser(row, choices, present=rows.texts[row]))
        if value is not None:
            rows.set_texts({row: value})

    def action_go(self) -> None:
        """Fork, unless something is wrong."""
        recipe, faults = self._read()
        if not faults:
            self.dismiss(recipe)
            return
        name = next(iter(faults))
        if name in _PROMPTS:
            self.query_one("#fork-prompt" if name == "prompt" else "#fork-negative").focus()
        else:
            self.query_one(Parameters).go_to(name)

    def action_close(self) -> None:
        """Leave the run as it is."""
        self.dismiss(None)
