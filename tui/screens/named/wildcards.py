"""The wildcard files: written into the prompt, edited, made, renamed, thrown away."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static, TextArea

from sdcore.library import wildcard_files as files
from sdcore.library.wildcard_files import WildcardError
from sdcore.library.wildcards import Wildcards, path_of, read_lines
from sdcore.spec.sanitise import sanitise
from tui.actions import bindings
from tui.once_begun import once_begun
from tui.screens.lists.chooser import Choice, Chooser
from tui.screens.named.lists import NamedList
from tui.typed import is_alt

if TYPE_CHECKING:
    from tui.screens.studio.screen import Studio
    from tui.widgets.prompt import PromptEditor

_MOST_LINES: Final = 8
_REPLACED: Final = "Control characters of the file are shown as \ufffd, and saved so."


class WildcardList(NamedList[str], inherit_bindings=False):
    """Returns the name that is to be written into the prompt; None when closed."""

    BINDINGS = bindings("named")
    TITLE_TEXT = "wildcards"
    HINTS = ("⏎ into the prompt", "^N new", "^E edit", "del delete", "^R rename")
    WITHOUT = ("^N new",)
    EMPTY = "There is no wildcard yet: ^N makes a file; __its name__ in a prompt draws one of its lines."
    FAULTS = (WildcardError,)

    def __init__(self) -> None:
        super().__init__()
        self._lines: dict[str, tuple[str, ...]] = {}

    def load(self) -> tuple[Sequence[str], Sequence[str]]:
        """Look into the folder."""
        found = Wildcards().files()
        self._lines = {name: read_lines(path) for name, path in found.items()}
        return list(found), []

    def line(self, name: str) -> Content:
        """The name, and how many lines it has."""
        count = len(self._lines[name])
        told = f"  {count:,} line{'' if count == 1 else 's'}"
        return Content.styled(f"__{sanitise(name, newlines=False)}__", "$normal") + Content.styled(
            told, "$dim"
        )

    def look(self, name: str) -> Content:
        """Its first lines."""
        lines = self._lines.get(name, ())
        shown = [sanitise(line, newlines=False) for line in lines[:_MOST_LINES]]
        if len(lines) > _MOST_LINES:
            shown.append(f"and {len(lines) - _MOST_LINES:,} more")
        return Content.styled("\n".join(shown), "$dim")

    def take(self, name: str) -> None:
        """Write it into the prompt."""
        if name:
            self.dismiss(name)

    async def make(self) -> None:
        """A new file, and into it."""
        name = await self.ask_name(
            "a new wildcard file",
            "What is it called? A / puts it into a folder: animals/birds.",
            check=_wrong,
        )
        if name is not None and await self.attempt(lambda: files.create(name)):
            await self._edit(name)

    async def change(self, name: str) -> None:
        """Edit the file."""
        await self._edit(name)

    async def _edit(self, name: str) -> None:
        try:
            text = await asyncio.to_thread(files.read_text, name)
        except WildcardError as fault:
            self.say(str(fault), alert=True)
            return
        await self.app.push_screen_wait(WildcardEditor(name, text))
        self.reload(name)

    def call(self, old: str, new: str) -> None:
        """Rename the file."""
        files.rename(old, new)

    def forget(self, name: str) -> str:
        """Throw it away."""
        files.remove(name)
        return f"{name} is in the trash."


def _wrong(name: str) -> str:
    try:
        path_of(name)
    except ValueError as fault:
        return str(fault)
    return ""


class FileText(TextArea, inherit_bindings=False):
    """The text of a file, with keys of the registry alone; Enter begins a new line."""

    BINDINGS = bindings("editor")

    def action_select_up(self) -> None:
        """Select a line up."""
        self.action_cursor_up(True)

    def action_select_down(self) -> None:
        """Select a line down."""
        self.action_cursor_down(True)

    def on_key(self, event: events.Key) -> None:
        """Alt and a letter is a command, not text."""
        if is_alt(event):
            event.prevent_default()

    async def on_paste(self, event: events.Paste) -> None:
        """Paste every line; control characters become visible."""
        event.prevent_default()
        event.stop()
        if result := self._replace_via_keyboard(sanitise(event.text), *self.selection):
            self.move_cursor(result.end_location)


class WildcardEditor(ModalScreen[None], inherit_bindings=False):
    """Saves with a key; asks before it lets go of what was not saved."""

    CSS_PATH = "named_list.tcss"
    BINDINGS = bindings("file")
    HELP = (
        "A wildcard file: one choice a line. Where a prompt names the file between two underscores on each side, one "
        "of its lines is drawn for each image. Empty lines, and those that begin with #, are no choices."
    )

    def __init__(self, name: str, text: str) -> None:
        super().__init__()
        self._called = name
        self._saved = sanitise(text)
        self._replaced = sanitise(text) != text.replace("\r\n", "\n").replace("\t", " ")

    def compose(self) -> ComposeResult:
        """The text, and a line for what is to be said."""
        with Vertical(id="file-editor"):
            yield FileText(self._saved, soft_wrap=True, tab_behavior="focus", compact=True, id="file-text")
            yield Static(_REPLACED if self._replaced else "", id="file-said", markup=False)

    def on_mount(self) -> None:
        """The cursor behind the last line."""
        text = self.query_one(FileText)
        text.cursor_blink = False
        text.move_cursor(text.document.end)
        text.focus()
        self._show_title()

    def _show_title(self) -> None:
        box = self.query_one("#file-editor")
        changed = " · changed" if self.query_one(FileText).text != self._saved else ""
        box.border_title = Content(f"{sanitise(self._called, newlines=False)}{changed}")
        box.border_subtitle = "^S save · esc"

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        """Say that it is not saved."""
        event.stop()
        self._show_title()

    @property
    def said(self) -> str:
        """What is said under the text."""
        return str(self.query_one("#file-said", Static).content)

    def _say(self, sentence: str, tone: str) -> None:
        self.query_one("#file-said", Static).update(Content.styled(sanitise(sentence, newlines=False), tone))

    def action_save(self) -> None:
        """Write it."""
        self.run_worker(once_begun(self._save), group="ask", exclusive=True)

    async def _save(self) -> bool:
        text = self.query_one(FileText).text
        try:
            await asyncio.to_thread(files.write_text, self._called, text)
        except WildcardError as fault:
            self._say(str(fault), "$alert")
            return False
        self._saved = text
        self._say("saved", "$dim")
        self._show_title()
        return True

    def action_close(self) -> None:
        """Close; ask first where something is not saved."""
        if self.query_one(FileText).text == self._saved:
            self.dismiss(None)
        else:
            self.run_worker(once_begun(self._ask), group="ask", exclusive=True)

    async def _ask(self) -> None:
        answer = await self.app.push_screen_wait(Chooser("not saved", [
            Choice("save", "Save and close"), Choice("drop", "Close without saving"),
            Choice("stay", "Go on editing"),
        ]))  # fmt: skip
        if answer == "drop" or (answer == "save" and await self._save()):
            self.dismiss(None)


async def choose_wildcard(studio: Studio, editor: PromptEditor) -> None:
    """Show the files; write the one that is taken into the editor at the cursor."""
    name = await studio.app.push_screen_wait(WildcardList())
    studio.completing.learn_files()
    if name is not None:
        editor.write_word(f"__{name}__")
        editor.focus()
