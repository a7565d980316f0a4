"""Every model that there is: found while one looks, narrowed by typing, loaded with Enter; or fetched by its hub id."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from sdcore.library.checkpoints import ModelFile, hashed_files, iter_models
from sdcore.library.config import SettingsError, load, save
from sdcore.library.hashes import known_hash
from sdcore.library.hub import is_id, is_offline
from sdcore.spec.sanitise import sanitise
from tui.actions import bindings
from tui.screens.chooser import ChoiceList, Narrowed
from tui.widgets.folder_line import FolderLine
from tui.widgets.model_lines import Device, ModelFacts, model_line, title_line

_REFRESH: Final = 0.15
"""Seconds between two looks at what was found meanwhile."""
_HINT: Final = "⏎ load · type to filter · ^O add a folder · esc"
_FOLDER_HINT: Final = "⏎ look there · ⇥ complete · esc"
_NO_FIT: Final = "Nothing fits what you typed."


class Models(Narrowed, inherit_bindings=False):
    """Returns what a recipe calls the model taken, None when closed without one. `present` is the one that is set now,
    as a recipe names it."""

    BINDINGS = bindings("models")

    def __init__(self, present: str, device: Device) -> None:
        super().__init__()
        self._present = present
        self._device = device
        self._found: list[ModelFile] = []
        """Grows on the thread that looks; the order is that in which they were found."""
        self._listed = -1
        self._shown: list[ModelFile] = []
        self._width = 0
        self._lines: dict[tuple[str, int], Content] = {}
        self._at = ""
        self._stop = threading.Event()
        self._looking = False

    def compose(self) -> ComposeResult:
        """The list under the titles of its columns, and under it what is known of the one under the cursor."""
        with Vertical(id="models"):
            yield Static(id="model-titles")
            yield ChoiceList(id="model-list", markup=False)
            yield ModelFacts(id="model-facts")
            yield FolderLine(id="model-folder")

    def on_mount(self) -> None:
        """Begin to look."""
        self.query_one("#models").border_title = "models"
        self.query_one(FolderLine).display = False
        self.set_interval(_REFRESH, self._keep_up)
        self._look()
        self.query_one(ChoiceList).focus()

    def on_unmount(self) -> None:
        """Nobody wants to know any more."""
        self._stop.set()

    def on_resize(self) -> None:
        """The columns are others."""
        self.call_after_refresh(self._fill)

    # Looking

    def _look(self) -> None:
        self._stop.set()
        self._stop = threading.Event()
        self._found, self._listed, self._lines = [], -1, {}
        self.run_worker(self._search(self._found, self._stop), group="look", exclusive=True)

    async def _search(self, found: list[ModelFile], stop: threading.Event) -> None:
        def search() -> None:
            for model in iter_models(stop=stop.is_set):
                self._line(model, self._width)  # here, where it costs nobody a key
                found.append(model)
                if stop.is_set():
                    return

        self._looking = True
        await asyncio.to_thread(search)
        self._looking = False
        self._fill()

    def _keep_up(self) -> None:
        """Show what was found since the last time."""
        if self._looking and len(self._found) != self._listed:
            self._fill()

    # The list

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Tell what is known of the one under the cursor."""
        event.stop()
        self._at = self._shown[event.option_index].path if event.option_index < len(self._shown) else ""
        self.run_worker(self._tell(), group="facts", exclusive=True)

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

    async def _tell(self) -> None:
        model = next((model for model in self._shown if model.path == self._at), None)
        known = await asyncio.to_thread(lambda: known_hash(hashed_files(model))) if model else ""
        for facts in self.query(ModelFacts):  # none where the screen was closed meanwhile
            facts.show(model, self._device, known)

    def _fill(self) -> None:
        if not self.query(FolderLine):  # the last to come, and gone when the screen was closed meanwhile
            return
        options = self.query_one(ChoiceList)
        found = list(self._found)
        self._listed = len(found)
        wanted = self._typed.casefold().split()
        fitting = [model for model in found if all(word in _words(model) for word in wanted)]
        self._shown = sorted(
            fitting, key=lambda model: (not model.bundled, model.name.casefold(), model.path)
        )
        width = self._width = options.scrollable_content_region.width - 2
        at = self._at or self._present
        self.query_one("#model-titles", Static).update(title_line(width))
        with self.prevent(OptionList.OptionHighlighted):
            options.clear_options()
            options.add_options(Option(self._line(model, width)) for model in self._shown)
        if on_hub := is_id(self._typed) and self._typed not in {model.ref for model in found}:
            options.add_option(_hub_line(self._typed))
        elif not self._shown:
            waiting = "Looking for models…" if self._looking else _NO_FIT
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
        typed = f"{sanitise(self._typed, newlines=False)}▏" if self._typed else _HINT
        box.border_subtitle = Content(_FOLDER_HINT if self.query_one(FolderLine).display else typed)

    # Folders

    def action_add(self) -> None:
        """Ask for a folder to look into as well."""
        self.query_one(FolderLine).open()
        self._show_hint()

    def on_folder_line_closed(self) -> None:
        """Go on with the list."""
        self.query_one(ChoiceList).focus()
        self._show_hint()

    def on_folder_line_entered(self, message: FolderLine.Entered) -> None:
        """Keep it in the settings, and look again."""
        self.run_worker(self._add(message.folder), group="add", exclusive=True)

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
    shown = sanitise(text, newlines=False)[:200]
    try:
        folder = Path(text).expanduser().absolute()
        if not folder.is_dir():
            return (
                f"{shown} is a file; name the folder that it is in."
                if folder.exists()
                else f"There is no folder {shown}."
            )
    except (OSError, ValueError, RuntimeError):
        return f"{shown} cannot be a folder of yours; check the path."
    settings, _ = load()
    if str(folder) in _absolute(settings.model_folders):
        return f"Models are looked for in {shown} already."
    try:
        save(msgspec.structs.replace(settings, model_folders=(*settings.model_folders, str(folder))))
    except SettingsError as fault:
        return str(fault)
    return ""


def _absolute(folders: Sequence[str]) -> list[str]:
    return [str(Path(folder).expanduser().absolute()) for folder in folders]


def _words(model: ModelFile) -> str:
    """What a filter is looked for in."""
    return f"{model.name} {model.what} {model.kind} {model.path}".casefold()
