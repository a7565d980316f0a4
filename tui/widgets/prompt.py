"""The prompt editor: several lines, a token count in its border, history at its edges."""

from __future__ import annotations

from typing import Protocol

from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widgets import TextArea

from sdcore.spec.sanitise import sanitise
from tui.actions import bindings

TOKENS_READ = 75
"""What CLIP reads of a prompt, the two tokens that mark its ends not counted."""


class History(Protocol):
    """The prompts used before, as the editor walks them."""

    def older(self, current: str) -> str | None:
        """The prompt before the one shown; `current` is kept when the walk begins. None at the oldest."""

    def newer(self) -> str | None:
        """The prompt after the one shown, at last the text kept; None when there is no walk."""


class PromptEditor(TextArea, inherit_bindings=False):
    """A text to be drawn. Enter is not text here: it is left to the screen's binding."""

    BINDINGS = bindings("prompt", "editor")

    class Edited(Message):
        """The text changed, by keys or otherwise."""

        def __init__(self, editor: PromptEditor) -> None:
            super().__init__()
            self.editor = editor

    def __init__(
        self, title: str, help_text: str, *, walk: History | None = None, id: str | None = None
    ) -> None:
        super().__init__(
            "", id=id, tab_behavior="focus", soft_wrap=True, compact=True, highlight_cursor_line=False
        )
        self.border_title = title
        self.about = help_text
        self.walk = walk
        self._tokens = 0
        self._themed = False
        self.cursor_blink = False

    def show(self, text: str) -> None:
        """Replace the text, as an edit that can be undone, and put the cursor at its end."""
        self.replace(sanitise(text), self.document.start, self.document.end)
        self.move_cursor(self.document.end)

    def render_lines(self, crop: Region) -> list[Strip]:
        """Take the colours from the style sheet when they change, not once a redraw as `TextArea` does."""
        if self._themed:
            return super(TextArea, self).render_lines(crop)
        self._themed = True
        return super().render_lines(crop)

    def notify_style_update(self) -> None:
        """Take up the colours of a new theme, or of having the focus."""
        self._themed = False
        super().notify_style_update()

    def show_tokens(self, count: int) -> None:
        """Write the count into the border; past what the model reads, a sentence as well."""
        if count == self._tokens:
            return
        self._tokens = count
        over = count - TOKENS_READ
        self.set_class(over > 0, "-over")
        counted = f"{count} of {TOKENS_READ}" if count else ""
        left_out = f" · last {over if over > 1 else 'one'} not read" if over > 0 else ""
        self.border_subtitle = counted + left_out

    def on_key(self, event: events.Key) -> None:
        """Leave Enter to the bindings; `TextArea` would make a line of it."""
        if event.key == "enter":
            event.prevent_default()

    async def on_paste(self, event: events.Paste) -> None:
        """Paste every line; control characters become visible."""
        event.prevent_default()
        event.stop()
        if result := self._replace_via_keyboard(sanitise(event.text), *self.selection):
            self.move_cursor(result.end_location)

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        """Tell the screen in this widget's own words."""
        event.stop()
        self.post_message(self.Edited(self))

    def action_new_line(self) -> None:
        """Break the line at the cursor."""
        self._replace_via_keyboard("\n", *self.selection)

    def action_cursor_up(self, select: bool = False) -> None:
        """Up a line; at the first line, the prompt used before."""
        at_edge = self.wrapped_document.location_to_offset(self.cursor_location).y == 0
        if select or not at_edge or self.walk is None:
            super().action_cursor_up(select)
        elif (older := self.walk.older(self.text)) is not None:
            self.show(older)
            self.move_cursor((0, 0))

    def action_cursor_down(self, select: bool = False) -> None:
        """Down a line; at the last line, the prompt used after it."""
        wrapped = self.wrapped_document
        at_edge = wrapped.location_to_offset(self.cursor_location).y >= wrapped.height - 1
        if select or not at_edge or self.walk is None:
            super().action_cursor_down(select)
        elif (newer := self.walk.newer()) is not None:
            self.show(newer)

    def action_select_up(self) -> None:
        """Select a line up."""
        super().action_cursor_up(True)

    def action_select_down(self) -> None:
        """Select a line down."""
        super().action_cursor_down(True)
