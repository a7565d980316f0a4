"""Bringing an image's recipe back into the studio: what would change is listed before it does.

Nothing is asked where nothing that a person typed can be lost and nothing is unknown: when only the prompts and the
seed change, the prompts were used before and so are in the history, and the seed has made its image.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from sdcore.spec.facts import ImageFacts
from sdcore.spec.recall import FIELDS, KnownModel, Recall, What, recall
from sdcore.spec.recipe import Recipe
from sdcore.spec.sanitise import sanitise
from tui.line.stock import Stock, all_models
from tui.parameter_row import Row
from tui.parameter_rows import ROWS, in_effect
from tui.screens.lists.chooser import ChoiceList

if TYPE_CHECKING:
    from tui.app import SdtuiApp
    from tui.screens.studio.screen import Studio

_PROMPTS: Final = {"prompt": "prompt", "negative_prompt": "negative"}
_NAMES: Final = 15
_MOST: Final = 400
"""Characters of a prompt that are shown."""
WHATS: Final[tuple[tuple[What, str, str], ...]] = (
    ("all", "All of it", "Prompt, seed, model and parameters: Enter makes it again."),
    ("prompt", "The prompt", "Prompt and negative prompt; all else stays."),
    ("seed", "The seed", "Another image from the same noise."),
    ("parameters", "The parameters", "Size, steps, sampler and the like; your prompt and seed stay."),
)
"""What of an image can be brought back: its name, a title and a sentence."""

_TITLES: Final[dict[What, str]] = {
    "all": "bring back its recipe",
    "prompt": "bring back its prompt",
    "seed": "bring back its seed",
    "parameters": "bring back its parameters",
}
_DONE: Final[dict[What, str]] = {
    "all": "The recipe of {} is in the panes; Enter makes it again.",
    "prompt": "The prompt of {} is in the panes.",
    "seed": "The seed of {} is in the panes.",
    "parameters": "The parameters of {} are in the panes.",
}


class RecallScreen(ModalScreen[bool], inherit_bindings=False):
    """What would change, and what cannot be had; True when it is taken."""

    HELP = (
        "What would be other than it is now, if the recipe of that image came into the studio, and what of it cannot "
        "be had here. Enter takes it; Escape leaves everything as it was."
    )

    def __init__(self, found: Recall, present: Recipe, title: str) -> None:
        super().__init__()
        self._found = found
        self._present = present
        self._title = title

    def compose(self) -> ComposeResult:
        """Just the list, with the title in its border."""
        yield ChoiceList(id="choices", markup=False)

    def on_mount(self) -> None:
        """One line for each row of the panes that changes."""
        lines = self.query_one(ChoiceList)
        lines.border_title = self._title
        lines.border_subtitle = "⏎ take it · esc leave it"
        lines.add_options(Option(line) for line in changed_lines(self._present, self._found.recipe))
        lines.add_options(
            Option(Content.styled(f"· {sanitise(note, newlines=False)}", "$alert"), disabled=True)
            for note in self._found.notes
        )
        lines.highlighted = 0

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter takes all of it."""
        event.stop()
        self.dismiss(True)

    def action_erase(self) -> None:
        """Nothing is typed here."""

    def action_close(self) -> None:
        """Leave everything as it was."""
        self.dismiss(False)


def changed_lines(before: Recipe, after: Recipe) -> list[Content]:
    """A line for each row of the studio's panes that changes between two recipes, as the panes name them."""
    lines = []
    for field, name in _PROMPTS.items():
        old, new = getattr(before, field), getattr(after, field)
        if old != new:
            lines.append(
                _named(name) + _prompt(old, "−", "$dim") + Content("\n") + _prompt(new, "+", "$bright")
            )
    for row in ROWS:
        shown = [_value(row, recipe) for recipe in (before, after)]
        acts = in_effect(row, before) or in_effect(row, after)
        changes = any(getattr(before, field) != getattr(after, field) for field in row.fields)
        if acts and changes:
            arrow = Content.styled(f"{shown[0]} → ", "$dim")
            lines.append(_named(row.name) + arrow + Content.styled(shown[1], "$bright"))
    if before.sigmas != after.sigmas and before.schedule == after.schedule:
        lines.append(_named("schedule") + Content.styled("other sigmas of its own", "$bright"))
    if before.earlier_variations != after.earlier_variations:
        count = len(after.earlier_variations)
        told = f"after {count} others" if count != 1 else "after another one"
        lines.append(_named("variation") + Content.styled(told if count else "the first of all", "$bright"))
    return lines


def _named(name: str) -> Content:
    return Content.styled(name + " " * max(1, _NAMES - cell_len(name)), "$normal")


def _prompt(text: str, mark: str, tone: str) -> Content:
    shown = sanitise(text, newlines=False)
    cut = f"{shown[:_MOST]}…" if len(shown) > _MOST else shown
    return Content.styled(f"\n{mark} {cut}", tone) if text else Content("")


def _value(row: Row, recipe: Recipe) -> str:
    """What a row says, a path by its name alone."""
    text = sanitise(row.write(recipe), newlines=False)
    return Path(text).name if text.startswith("/") else text or row.empty or "none"


async def recall_into_studio(
    app: SdtuiApp, path: Path, what: What = "all", facts: ImageFacts | None = None
) -> bool:
    """Bring what the image at `path` says (`facts`, where that is known) back into the studio's panes, once the person
    has seen what changes; whether that was done. What cannot be read is said in the studio. Call it from a worker."""
    studio = app.studio
    facts = facts or await studio.gallery.read(path)
    if facts is None:
        return False
    shown = sanitise(path.name, newlines=False)
    if not any(name in facts.told() for name in FIELDS[what]):
        studio.view.say(f"{shown} does not say how it was made.", tone="alert")
        return False
    present, _ = studio.read()
    models = await _known_models(app.stock, facts, what)
    found = recall(facts, present, what, models)
    if not found.changes:
        _fill(studio, found, what)
        said = found.notes[0] if found.notes else f"The panes say what {shown} says."
        studio.view.say(said, tone="alert" if found.notes else "bright")
        return not found.notes
    if not _is_harmless(studio, found, present):
        title = f"{_TITLES[what]} · {shown}"
        if not await app.push_screen_wait(RecallScreen(found, present, title)):
            return False
    _fill(studio, found, what)
    studio.view.say(_DONE[what].format(shown))
    return True


def _is_harmless(studio: Studio, found: Recall, present: Recipe) -> bool:
    """Whether it can be taken without a question: nothing typed is lost, and nothing is unknown."""
    changed = {change.field for change in found.changes}
    if found.notes or not changed <= {*_PROMPTS, "seed"}:
        return False
    used = {(entry.prompt, entry.negative_prompt) for entry in studio.remembering.walk.entries()}
    typed = (present.prompt, present.negative_prompt)
    kept = not any(typed) or typed in used or not changed & _PROMPTS.keys()
    return kept and ("seed" not in changed or studio.parameters.seed_used)


def _fill(studio: Studio, found: Recall, what: What) -> None:
    """Fill the panes; those that do not change keep their cursor and what can be undone in them."""
    changed = {change.field for change in found.changes}
    if "prompt" in changed:
        studio.prompt.show(found.recipe.prompt)
    if "negative_prompt" in changed:
        studio.negative.show(found.recipe.negative_prompt)
    if "prompt" in FIELDS[what]:
        studio.styling.use(())  # the prompt of the image holds them already
    if changed - _PROMPTS.keys():
        studio.parameters.set_recipe(found.recipe)
    if what in ("all", "seed"):
        studio.parameters.set_seed(found.recipe.seed, used=False)
    if studio.is_current:
        studio.prompt.focus()


async def _known_models(stock: Stock, facts: ImageFacts, what: What) -> tuple[KnownModel, ...]:
    """The models that there are, with their hashes where the image tells one and they are known already."""
    if "model" not in FIELDS[what] or not facts.model:
        return ()
    return tuple([
        KnownModel(one.ref, one.name, await stock.hash_of(one) if facts.model_hash else "", one.family)
        for one in await all_models(stock)
        if not one.problem
    ])  # fmt: skip
