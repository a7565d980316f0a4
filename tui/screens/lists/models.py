"""Every model that there is: found while one looks, narrowed by typing, loaded with Enter; or fetched by its hub id."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Final

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from sdcore.library.hub import is_id, is_offline
from sdcore.spec.found import ModelFile
from sdcore.spec.sanitise import sanitise
from tui import folder_settings
from tui.actions import bindings
from tui.line.stock import Stock
from tui.once_begun import once_begun
from tui.screens.lists.chooser import NO_FIT, ChoiceList, Narrowed
from tui.widgets.folder_line import FolderLine
from tui.widgets.model_lines import Device, ModelFacts, model_line, title_line

_HINT: Final = "⏎ load · type to search · ^O add a folder · esc"
_FAR_HINT: Final = "⏎ load · type to search · esc"
_FAR: Final = (
    "These models are on the engine's machine: set model_folders there, in its config.toml, for more."
)
_FOLDER_HINT: Final = "⏎ look there · ⇥ complete · esc"


class Models(Narrowed[str], inherit_bindings=False):
    """Returns what a recipe calls the model taken, None when closed without one. `present` is the one that is set now,
    as a recipe names it."""

    HELP = (
        "Every model on the engine's machine: the networks that turn noise into images. Type to find one, Enter loads "
        "it; the lines below say what it is, whether it fits into the memory, and why one cannot be loaded. Type an id "
        "of the Hugging Face hub, such as owner/name, to fetch one that is not here, or add a folder of your own."
    )
    BINDINGS = bindings("models")
    CSS_PATH = "models.tcss"

    def __init__(self, present: str, device: Device, stock: Stock) -> None:
        super().__init__()
        self._stock = stock
        self._present = present
        self._device = device
        self._found: list[ModelFile] = []
        """In the order in which they were found."""
        self._shown: list[ModelFile] = []
        self._width = 0
        self._lines: dict[tuple[str, int], Content] = {}
        self._at = ""
        self._looking = False

    def compose(self) -> ComposeResult:
        """The list under the titles of its columns, and under it what is known of the one under the cursor."""
        with Vertical(id="models"):
            yield Static(id="model-titles")
            yield ChoiceList(id="model-list", markup=False)
            with Vertical(id="model-foot"):
                yield ModelFacts(id="model-facts")
                yield FolderLine(id="model-folder")

    def on_mount(self) -> None:
        """Begin to look."""
        self.query_one("#models").border_title = "models"
        self.query_one(FolderLine).display = False
        self._look()
        self.query_one(ChoiceList).focus()

    def on_resize(self) -> None:
        """The columns are others."""
        self.call_after_refresh(self._fill)

    # Looking

    def _look(self) -> None:
        self._found, self._lines = [], {}
        self.run_worker(once_begun(self._search, self._found), group="look", exclusive=True)

    async def _search(self, found: list[ModelFile]) -> None:
        self._looking = True
        async with aclosing(self._stock.models()) as pieces:
            async for piece in pieces:
                await asyncio.to_thread(self._draw, piece)  # where it costs nobody a key
                found += piece
                self._fill()
        self._looking = False
        self._fill()

    def _draw(self, piece: list[ModelFile]) -> None:
        for model in piece:
            self._line(model, self._width)

    # The list

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Tell what is known of the one under the cursor."""
        event.stop()
        self._at = self._shown[event.option_index].path if event.option_index < len(self._shown) else ""
        self.run_worker(once_begun(self._tell), group="facts", exclusive=True)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Take it, unless it cannot be loaded: its facts say why. The line after the last is for the hub."""
        event.stop()
        if event.option_index == len(self._shown):
            self.dismiss(self._typed)
            return
        model = self._shown[event.option_index]
        if model.problem:
            self.app.bell()
        else:
            self.dismiss(model.ref)

    @property
    def _highlighted(self) -> ModelFile | None:
        return next((model for model in self._shown if model.path == self._at), None)

    async def _tell(self) -> None:
        model = self._highlighted
        known = await self._stock.hash_of(model) if model else ""
        if model != self._highlighted:
            return  # another was typed for meanwhile, or one that there is not
        for facts in self.query(ModelFacts):  # none where the screen was closed meanwhile
            facts.show(model, self._device, known)

    def _fill(self) -> None:
        if not self.query(FolderLine):  # the last to come, and gone when the screen was closed meanwhile
            return
        options = self.query_one(ChoiceList)
        found = list(self._found)
        wanted = self._typed.casefold().split()
        fitting = [model for model in found if all(word in _words(model) for word in wanted)]
        self._shown = sorted(
            fitting, key=lambda model: (not model.bundled, model.name.casefold(), model.path)
        )
        width = self._width = options.measure()
        at = self._at or self._present
        self.query_one("#model-titles", Static).update(title_line(width))
        with self.prevent(OptionList.OptionHighlighted):
            options.clear_options()
            options.add_options(Option(self._line(model, width)) for model in self._shown)
        if on_hub := is_id(self._typed) and self._typed not in {model.ref for model in found}:
            options.add_option(_hub_line(self._typed))
        elif not self._shown:
            waiting = "Looking for models…" if self._looking else NO_FIT
            options.add_option(Option(Content.styled(waiting, "$dim"), disabled=True))
        places = (index for index, model in enumerate(self._shown) if at in (model.path, model.ref))
        options.highlighted = next(places, 0) if self._shown or on_hub else None
        if not self._shown:
            self.query_one(ModelFacts).show(None, self._device, "")
        self._show_hint()

    def _line(self, model: ModelFile, width: int) -> Content:
        """Drawn once: the list is filled again and again while models are found."""
        key = model.path, width
        if key not in self._lines:
            present = self._present in (model.ref, model.path)
            self._lines[key] = model_line(model, self._device, width, present=present)
        return self._lines[key]

    def _show_hint(self) -> None:
        box = self.query_one("#models")
        count = f"{len(self._shown)} of {len(self._found)}" if self._typed else str(len(self._found))
        box.border_title = Content(f"models · {count}{' · looking…' if self._looking else ''}")
        hint = _HINT if self._stock.here else _FAR_HINT
        typed = f"{sanitise(self._typed, newlines=False)}▏" if self._typed else hint
        box.border_subtitle = Content(_FOLDER_HINT if self.query_one(FolderLine).display else typed)

    # Folders

    def action_add(self) -> None:
        """Ask for a folder to look into as well."""
        if not self._stock.here:
            self.notify(_FAR)
            return
        self.query_one(FolderLine).open()
        self._show_hint()

    def on_folder_line_closed(self) -> None:
        """Go on with the list."""
        self.query_one(ChoiceList).focus()
        self._show_hint()

    def on_folder_line_entered(self, message: FolderLine.Entered) -> None:
        """Keep it in the settings, and look again."""
        self.run_worker(once_begun(self._add, message.folder), group="add", exclusive=True)

    async def _add(self, folder: str) -> None:
        problem = await asyncio.to_thread(add_folder, folder)
        for line in self.query(FolderLine):
            if problem:
                line.complain(problem)
            else:
                line.close()
                self._look()


def _hub_line(ref: str) -> Option:
    """What stands for a model of the hub that is not here yet."""
    if is_offline():
        said = f"{ref} is not on this machine, and sdtui is set to stay offline."
        return Option(Content.styled(said, "$dim"), disabled=True)
    return Option(Content.styled("⏎ fetches ", "$normal") + Content.styled(ref, "$bright")
                  + Content.styled(" from the Hugging Face hub", "$normal"))  # fmt: skip


def add_folder(text: str) -> str:
    """Have models looked for in a folder from now on; why that cannot be, in one sentence, or "". Reads the disk."""
    return folder_settings.add_folder(text, "model_folders", "Models are looked for in {} already.")


def _words(model: ModelFile) -> str:
    """What a filter is looked for in."""
    return f"{model.name} {model.what} {model.kind} {model.path}".casefold()
