"""The presets: what each would change, seen before it is done; made of the present parameters and edited here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from sdcore.library.presets import NamedTablesError, Preset, Presets, applied
from sdcore.spec.recipe import Recipe
from sdcore.spec.sanitise import sanitise
from tui.actions import bindings
from tui.parameter_rows import ROWS, in_effect
from tui.screens.lists.chooser import ChoiceList
from tui.screens.lists.recalling import changed_lines
from tui.screens.named.lists import NamedList

if TYPE_CHECKING:
    from tui.screens.studio.screen import Studio

_MARKED: Final = "● "
_UNMARKED: Final = "○ "
_USUAL: Final = ("size", "steps", "guidance", "sampler", "schedule", "clip skip", "emphasis", "rescale")
"""Rows that a new preset has marked from the start, and every row that is not at rest but those of one image."""
_OF_ONE_IMAGE: Final = ("seed", "batch", "init image", "mask", "variation seed", "variation")
_PROMPTS: Final = {"prompt": ("prompt",), "negative": ("negative_prompt",)}
_PLACES: Final[dict[str, tuple[str, ...]]] = {**{row.name: row.fields for row in ROWS}, **_PROMPTS}
"""What can be marked, and the fields that it stands for."""


class PresetList(NamedList[Preset], inherit_bindings=False):
    """Returns the preset that was taken; None when closed. `recipe` is what the panes say now."""

    BINDINGS = bindings("named")
    TITLE_TEXT = "presets"
    HINTS = ("⏎ apply", "^N keep the present ones", "^E edit", "del delete", "^R rename")
    WITHOUT = ("^N keep the present parameters",)
    EMPTY = "There is no preset yet: ^N keeps the present parameters under a name."
    FAULTS = (NamedTablesError,)

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self._recipe = recipe
        self._presets: dict[str, Preset] = {}

    def load(self) -> tuple[Sequence[str], Sequence[str]]:
        """Read the file."""
        self._presets, problems = Presets().load()
        return list(self._presets), problems

    def look(self, name: str) -> Content:
        """What it would change."""
        if not name:
            return Content("")
        preset = self._presets[name]
        lines = changed_lines(self._recipe, applied(self._recipe, preset))
        said = "changes nothing: the panes say this already" if preset else "sets nothing"
        return Content("\n").join(lines) if lines else Content.styled(said, "$dim")

    def take(self, name: str) -> None:
        """Apply it."""
        if name:
            self.dismiss(self._presets[name])

    async def make(self) -> None:
        """Keep the present parameters."""
        name = await self.ask_name("a new preset", "What is the preset called?")
        if name is not None:
            await self._edit(name, self._recipe, _first_marks(self._recipe))

    async def change(self, name: str) -> None:
        """Choose again what of the present parameters it keeps."""
        preset = self._presets[name]
        marked = {place for place, fields in _PLACES.items() if any(field in preset for field in fields)}
        await self._edit(name, applied(self._recipe, preset), marked)

    async def _edit(self, name: str, recipe: Recipe, marked: set[str]) -> None:
        preset = await self.app.push_screen_wait(PresetForm(name, recipe, self._recipe, marked))
        if preset is not None and await self.attempt(lambda: Presets().put(name, preset)):
            self.reload(name)

    def call(self, old: str, new: str) -> None:
        """Rename it."""
        Presets().rename(old, new)

    def forget(self, name: str) -> str:
        """Take it out of the file."""
        Presets().remove(name)
        return f"{name} is deleted."


class PresetForm(ModalScreen[Preset | None], inherit_bindings=False):
    """Returns the marked fields with their values; None when closed. `kept` has the values of the preset, `present`
    those of the panes, which take their place with a key."""

    HELP = (
        "A preset is a set of parameters under a name: steps, sampler, size and the like, without the prompt. "
        "Change its rows here and press Enter to keep them; Escape leaves the preset as it was."
    )
    CSS_PATH = "named_list.tcss"
    BINDINGS = bindings("preset")

    def __init__(self, name: str, kept: Recipe, present: Recipe, marked: set[str]) -> None:
        super().__init__()
        self._called = name
        self._recipe = kept
        self._present = present
        self._marked = set(marked)
        rows = [row.name for row in ROWS if in_effect(row, kept) or row.name in marked]
        self._places = [*rows, *_PROMPTS]

    def compose(self) -> ComposeResult:
        """A line for each thing that can be kept."""
        with Vertical(id="preset-form"):
            yield ChoiceList(id="preset-rows", markup=False)

    def on_mount(self) -> None:
        """Fill it."""
        pane = self.query_one("#preset-form")
        pane.border_title = Content(f"{sanitise(self._called, newlines=False)} keeps")
        pane.border_subtitle = "space mark · ^U the panes' values · ⏎ keep · esc"
        self.query_one(ChoiceList).focus()

    def on_resize(self) -> None:
        """Lines are cut elsewhere."""
        self.call_after_refresh(self._fill)

    def _fill(self) -> None:
        options = self.query_one(ChoiceList)
        at = options.highlighted or 0
        options.clear_options()
        options.add_options(Option(self._line(place)) for place in self._places)
        options.highlighted = at

    def _line(self, place: str) -> Content:
        marked = place in self._marked
        row = next((row for row in ROWS if row.name == place), None)
        value = (
            row.write(self._recipe) or row.empty or "none"
            if row
            else getattr(self._recipe, _PROMPTS[place][0])
        )
        shown = sanitise(" ".join(str(value).split()), newlines=False)
        line = Content.styled(_MARKED if marked else _UNMARKED, "$accent" if marked else "$dim")
        line += Content.styled(f"{place:<16}", "$normal" if marked else "$dim")
        line += Content.styled(shown, "$bright" if marked else "$dim")
        width = self.query_one(ChoiceList).measure()
        return line.truncate(max(8, width), ellipsis=True)

    def action_mark(self) -> None:
        """Keep the row under the cursor, or not."""
        at = self.query_one(ChoiceList).highlighted
        if at is not None:
            self._marked ^= {self._places[at]}
            self._fill()

    def action_present(self) -> None:
        """Take the values that the panes have now."""
        self._recipe = self._present
        self._fill()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Done."""
        event.stop()
        fields = [field for place in self._places if place in self._marked for field in _PLACES[place]]
        said: dict[str, Any] = msgspec.to_builtins(self._recipe)
        self.dismiss({field: said[field] for field in fields})

    def action_close(self) -> None:
        """Leave it as it was."""
        self.dismiss(None)

    def action_erase(self) -> None:
        """Nothing is typed here."""


def _first_marks(recipe: Recipe) -> set[str]:
    own = {row.name for row in ROWS if not row.rests(recipe) and row.name not in (*_OF_ONE_IMAGE, "model")}
    return {*_USUAL, *own}


async def choose_preset(studio: Studio) -> None:
    """Let the person choose a preset, and fill the panes with what it says."""
    recipe, _ = studio.read()
    preset = await studio.app.push_screen_wait(PresetList(recipe))
    if preset is None:
        return
    made = applied(recipe, preset)
    for editor, field in ((studio.prompt, "prompt"), (studio.negative, "negative_prompt")):
        if getattr(made, field) != getattr(recipe, field):
            editor.show(getattr(made, field))
    seed = studio.parameters.texts["seed"]
    studio.parameters.set_recipe(made)
    if "seed" not in preset:
        studio.parameters.set_texts({"seed": seed})
    studio.view.say("The preset is in the panes.")
