"""Asks for a key by having it pressed."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.actions import BY_NAME, bindings
from tui.actions.remap import Keymap, fault_of_key


class KeyCapture(ModalScreen[str | None], inherit_bindings=False):
    """Returns the key that was pressed for the action called `name`, None when closed. A key that means something else
    already is not taken: what it means is said."""

    HELP = (
        "Press the key that the action shall have: a function key, or a letter with Ctrl or Alt. A key that means "
        "something else where the action works is not taken. Escape keeps the key that it has."
    )
    BINDINGS = bindings("capture")

    def __init__(self, name: str, keymap: Keymap) -> None:
        super().__init__()
        self._changing = name
        self._keymap = keymap
        self._wrong = ""

    @property
    def complaint(self) -> str:
        """Why the last key was not taken."""
        return self._wrong

    def compose(self) -> ComposeResult:
        """A question and its answer."""
        with Vertical(id="capture"):
            yield Static(Content.styled("Press the new key.", "$bright"), markup=False)
            yield Static(id="capture-wrong", markup=False)

    def on_mount(self) -> None:
        """Which action it is for."""
        box = self.query_one("#capture")
        box.border_title = f"key · {BY_NAME[self._changing].title}"
        box.border_subtitle = "esc"

    def on_key(self, event: events.Key) -> None:
        """This one, if it can be had."""
        event.stop()
        self._wrong = fault_of_key(self._changing, event.key, self._keymap)
        if not self._wrong:
            self.dismiss(event.key)
        else:
            self.query_one("#capture-wrong", Static).update(Content.styled(f"{self._wrong}.", "$alert"))

    def action_close(self) -> None:
        """The key stays."""
        self.dismiss(None)
