"""A file to take: folders are walked through, typing narrows the list, the image under the cursor is shown."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Final

from rich.cells import cell_len
from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from sdcore.library.inputs import InputError, read_input
from sdcore.spec.sanitise import sanitise
from tui.files import Entry, list_folder
from tui.image_text import size_of
from tui.once_begun import once_begun
from tui.parameter_row import Files, absolute, short
from tui.parameter_rows import size_text
from tui.screens.lists.chooser import NO_FIT, ChoiceList
from tui.typed import typed
from tui.widgets.canvas import Canvas
from tui.widgets.caption import Caption
from tui.widgets.panes import Column
from tui.widgets.parameter_lines import file_name

_MOST_SHOWN: Final = 400
_LOOK_DELAY: Final = 0.08
_NOTHING: Final[dict[Files, str]] = {
    "image": "There is no PNG, JPEG or WebP image here; Backspace goes to the folder above.",
    "weights": "There is no .safetensors file here; Backspace goes to the folder above.",
}
_FOLDER: Final = "A folder: Enter shows what is in it."
_HINT: Final = "⏎ choose · type to search · ⌫ up · ~ home · esc"


class FilePicker(ModalScreen[Path | None], inherit_bindings=False):
    """Returns the path of the file taken, None when closed without one. Opens in the folder of `present`, the row's
    text, or else in `otherwise`."""

    HELP = (
        "The files of a folder. Type a part of a name to find one, Enter takes it or goes into a folder; / after a "
        "name goes into that folder, ~ leads home, Backspace goes up. An image under the cursor is shown beside the "
        "list."
    )
    CSS_PATH = "files.tcss"

    def __init__(self, title: str, files: Files, present: str, otherwise: Path) -> None:
        super().__init__()
        self._title = title
        self._files: Files = files
        self._present = present
        self._otherwise = otherwise
        self._folder = otherwise
        self._entries: list[Entry] = []
        self._shown: list[Entry] = []
        self._typed = ""

    def compose(self) -> ComposeResult:
        """The list, and beside it the image under the cursor."""
        with Horizontal(id="files"):
            yield ChoiceList(id="file-list", markup=False)
            with Column(id="file-preview"):
                yield Canvas(id="file-picture")
                yield Caption(id="file-facts")

    def on_mount(self) -> None:
        """Open the first folder."""
        self.query_one("#files").border_title = self._title
        self.query_one("#file-preview").display = self._files == "image"
        self._run(once_begun(self._open_first))

    def on_key(self, event: events.Key) -> None:
        """Letters narrow the list; ~ and / at its beginning lead home and to the root, / after a folder into it."""
        character = typed(event)
        if not character or (character == " " and not self._typed):
            return
        event.stop()
        at = self._highlighted
        if not self._typed and character in "~/":
            self._run(once_begun(self._open, Path.home() if character == "~" else Path("/")))
        elif character == "/" and at is not None and at.is_folder:
            self._run(once_begun(self._open, at.path))
        else:
            self._narrow(self._typed + character)

    def action_erase(self) -> None:
        """Take the last letter back; without one, go to the folder above."""
        if self._typed:
            self._narrow(self._typed[:-1])
        else:
            self._run(once_begun(self._open, self._folder.parent, come_from=self._folder))

    def action_close(self) -> None:
        """Leave everything as it was."""
        self.dismiss(None)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Open a folder, take a file."""
        event.stop()
        at = self._highlighted
        if at is None:
            return
        if at.is_folder:
            self._run(once_begun(self._open, at.path))
        else:
            self.dismiss(at.path)

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Show the image under the cursor."""
        event.stop()
        if self._files == "image":
            self.run_worker(once_begun(self._look, self._highlighted), group="look", exclusive=True)

    # Folders

    def _run(self, opening: Any) -> None:
        self.run_worker(opening, group="open", exclusive=True)

    async def _open_first(self) -> None:
        """The folder of what is named now, if there is one."""
        try:
            present = Path(absolute(self._present, self._files)) if self._present else None
        except ValueError:
            present = None
        if present is None or not present.is_absolute() or not await asyncio.to_thread(present.parent.is_dir):
            await self._open(self._otherwise)
        else:
            await self._open(present.parent, come_from=present)

    async def _open(self, folder: Path, come_from: Path | None = None) -> None:
        """List a folder, the cursor on the one or the file that one comes from. The way is kept as it was walked: a
        link's folder above is the one that it lies in."""
        try:
            self._entries = await asyncio.to_thread(list_folder, folder, self._files)
        except OSError as fault:
            reason = sanitise(fault.strerror or str(fault), newlines=False)
            self.query_one("#files").border_subtitle = Content.styled(f"cannot be opened: {reason}", "$alert")
            return
        self._folder = folder
        self._narrow("", come_from)

    def _narrow(self, typed: str, come_from: Path | None = None) -> None:
        self._typed = typed
        wanted = typed.casefold()
        fitting = [entry for entry in self._entries if wanted in entry.name.casefold()]
        self._shown = fitting[:_MOST_SHOWN]
        box, options = self.query_one("#files"), self.query_one(ChoiceList)
        room = max(12, box.size.width - len(self._title) - 8)
        box.border_title = Content(f"{self._title} · {_folder_name(self._folder, room)}")
        box.border_subtitle = Content(f"{sanitise(typed)}▏") if typed else _HINT
        options.clear_options()
        options.add_options(
            Option(self._line(entry), id=str(place)) for place, entry in enumerate(self._shown)
        )
        if not self._shown:
            note = NO_FIT if typed else _NOTHING[self._files]
            options.add_option(Option(Content.styled(note, "$dim"), disabled=True))
        elif more := len(fitting) - len(self._shown):
            options.add_option(
                Option(Content.styled(f"and {more:,} more: type to narrow", "$dim"), disabled=True)
            )
        at = next((place for place, entry in enumerate(self._shown) if entry.path == come_from), 0)
        options.highlighted = at if self._shown else None
        if not self._shown:
            self._show_nothing()

    def _line(self, entry: Entry) -> Content:
        name = sanitise(entry.name, newlines=False)
        room = max(12, self.query_one(ChoiceList).measure())
        if entry.is_folder:
            return Content.styled(file_name(name.rstrip("/"), room - 1) + "/", "$normal")
        size = "in diffusers' layout" if entry.is_here else size_of(entry.bytes)
        shown = file_name(name, room - len(size) - 2)
        return Content.styled(f"{shown.ljust(room - len(size))}", "$bright") + Content.styled(size, "$dim")

    # The image under the cursor

    @property
    def _highlighted(self) -> Entry | None:
        place = self.query_one(ChoiceList).highlighted
        return self._shown[place] if place is not None and place < len(self._shown) else None

    async def _look(self, entry: Entry | None) -> None:
        if entry is None or entry.is_folder:
            self._show_nothing(_FOLDER if entry is not None else "")
            return
        await asyncio.sleep(_LOOK_DELAY)
        canvas, facts = self.query_one(Canvas), self.query_one(Caption)
        try:
            image = await asyncio.to_thread(read_input, entry.path)
        except InputError:
            canvas.show_hint("This image cannot be read.")
            facts.show(())
            return
        canvas.show_image(image)
        facts.show((size_text(*image.size),))

    def _show_nothing(self, hint: str = "") -> None:
        self.query_one(Canvas).show_hint(hint)
        self.query_one(Caption).show(())


def _folder_name(folder: Path, room: int) -> str:
    """As many of a folder's last parts as there is room for."""
    name = sanitise(short(str(folder)), newlines=False)
    while cell_len(name) > room and "/" in name.removeprefix("…/"):
        name = f"…/{name.removeprefix('…/').partition('/')[2]}"
    return name
