"""A single line of text to type into."""

from __future__ import annotations

from typing import Final

from textual import events
from textual.suggester import Suggester
from textual.widgets import Input

from sdcore.spec.sanitise import sanitise
from tui.actions import bindings
from tui.typed import is_alt

_LONGEST: Final = 4096


class LineInput(Input, inherit_bindings=False):
    """Textual's line with the keys of the registry; what would complete it stands after the cursor, → or ⇥ takes it."""

    BINDINGS = bindings("line")
    DEFAULT_CSS = """
    LineInput {
        height: 1; border: none; padding: 0; background: $background; color: $bright;
        &:focus { border: none; background-tint: $background 0%; }
        &>.input--placeholder, &>.input--suggestion { color: $dim; }
    }
    """

    def __init__(self, value: str = "", *, hint: str = "", suggester: Suggester | None = None,
                 id: str | None = None) -> None:  # fmt: skip
        super().__init__(value, placeholder=hint, suggester=suggester, max_length=_LONGEST, compact=True,
                         select_on_focus=False, id=id)  # fmt: skip
        self.cursor_blink = False

    async def _on_key(self, event: events.Key) -> None:
        """Alt and a letter is a command, not text; Textual calls its own method after this one."""
        if is_alt(event):
            event.prevent_default()

    def _on_paste(self, event: events.Paste) -> None:
        """A paste comes as one line, without what would move a cursor."""
        event.prevent_default()
        event.stop()
        self.replace(sanitise(event.text.strip(), newlines=False), *self.selection)

    def action_complete(self) -> None:
        """Take what stands after the cursor; without any, go on to the next part of the screen."""
        if self._suggestion:
            self.cursor_position = len(self.value)
            self.action_cursor_right()
        else:
            self.app.action_focus_next()
