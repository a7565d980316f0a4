"""A line to type the path of a folder into."""

from __future__ import annotations

import asyncio
from typing import Final

from textual import events
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.widget import Widget

from sdcore.spec.sanitise import sanitise
from tui.actions import bindings
from tui.files import complete, pasted_path
from tui.once_begun import once_begun
from tui.typed import typed

_LONGEST: Final = 4096


class FolderLine(Widget, can_focus=True, inherit_bindings=False):
    """The path as it is typed, what would complete it, and under it what is wrong with it."""

    BINDINGS = bindings("folder")

    class Entered(Message):
        """This folder was named."""

        def __init__(self, folder: str) -> None:
            super().__init__()
            self.folder = folder

    class Closed(Message):
        """There is nothing more to name."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._typed = ""
        self._rest = ""
        self._complaint = ""

    @property
    def text(self) -> str:
        """What was typed."""
        return self._typed

    @property
    def complaint(self) -> str:
        """What is wrong with it."""
        return self._complaint

    def open(self) -> None:
        """Be there and take the keys; what was typed before is there still."""
        self.display = True
        self.focus()

    def close(self) -> None:
        """Be empty and away."""
        self._typed = ""
        self._write("")
        self.display = False
        self.post_message(self.Closed())

    def complain(self, sentence: str) -> None:
        """Say what is wrong, and leave what was typed."""
        self._complaint = sanitise(sentence, newlines=False)
        self.refresh(layout=True)

    # Keys

    def on_key(self, event: events.Key) -> None:
        """What can be printed is typed."""
        if character := typed(event):
            event.stop()
            self._write(self._typed + character)

    def on_paste(self, event: events.Paste) -> None:
        """A pasted path comes as one, out of its quotes."""
        event.stop()
        self._write(self._typed + pasted_path(event.text))

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Everything that can be printed is text here."""
        return bool(character) and (character or "").isprintable()

    def action_enter(self) -> None:
        """This one."""
        if self._typed.strip():
            self.post_message(self.Entered(self._typed.strip()))

    def action_close(self) -> None:
        """Never mind."""
        self.close()

    def action_erase(self) -> None:
        """Take the last letter back."""
        self._write(self._typed[:-1])

    def action_complete(self) -> None:
        """Take what is shown after the cursor."""
        if self._rest:
            self._write(self._typed + self._rest)

    def _write(self, text: str) -> None:
        self._typed, self._complaint, self._rest = text[:_LONGEST], "", ""
        self.refresh(layout=True)
        self.run_worker(once_begun(self._complete, text), group="complete", exclusive=True)

    async def _complete(self, text: str) -> None:
        rest = await asyncio.to_thread(complete, text, "weights")
        if text == self._typed:
            self._rest = rest
            self.refresh()

    # Drawing

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """A line, and one more for what is wrong."""
        return 2 if self._complaint else 1

    def render(self) -> Content:
        """The end of the path where it is longer than the line."""
        room = max(8, self.size.width - 11)
        typed = sanitise(self._typed, newlines=False)[-room:]
        rest = sanitise(self._rest, newlines=False)[: room - len(typed)]
        line = Content("").join([
            Content.styled("folder  ", "$dim"), Content.styled(typed, "$bright"), Content.styled("▏", "$accent"),
            Content.styled(rest, "$dim"),
        ])  # fmt: skip
        return line + Content.styled(f"\n{self._complaint}", "$alert") if self._complaint else line
