"""The words of a prompt, one of them chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.cells import set_cell_size
from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from sdcore.spec.sanitise import sanitise
from sdcore.spec.views import TokenView


class TokenList(Widget):
    """Position and text of every token that may be chosen; the choice stays in sight."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"tokens--chosen", "tokens--mark", "tokens--other"}

    class Chosen(Message):
        """The choice moved."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.border_title = "token"
        self._tokens: tuple[TokenView, ...] = ()
        self._choice = 0

    @property
    def chosen(self) -> TokenView | None:
        """The chosen token; None while there are none."""
        return self._tokens[self._choice] if self._tokens else None

    def show(self, tokens: Sequence[TokenView]) -> None:
        """Offer these; the choice stays at its place in the prompt."""
        if tuple(tokens) != self._tokens:
            self._tokens = tuple(tokens)
            self._choice = max(0, min(self._choice, len(self._tokens) - 1))
            self.refresh()

    def move(self, rows: int) -> None:
        """Move the choice, at most to either end."""
        choice = max(0, min(self._choice + rows, len(self._tokens) - 1))
        if choice != self._choice:
            self._choice = choice
            self.refresh()
            self.post_message(self.Chosen())

    @property
    def _top(self) -> int:
        height = max(1, self.size.height)
        return max(0, min(self._choice - height // 2, len(self._tokens) - height))

    def on_click(self, event: events.Click) -> None:
        """Choose what was clicked."""
        y = event.get_content_offset_capture(self).y
        self.move(self._top + y - self._choice)

    def render_line(self, y: int) -> Strip:
        """One token."""
        width, index = self.size.width, self._top + y
        if index >= len(self._tokens):
            return Strip.blank(width, self.rich_style)
        token, here = self._tokens[index], index == self._choice
        text = sanitise(token.text, newlines=False)
        shown = text if len(text) <= width - 5 else text[: max(1, width - 6)] + "…"
        style = self.get_component_rich_style("tokens--chosen" if here else "tokens--other")
        mark = self.get_component_rich_style("tokens--mark")
        return Strip([
            Segment("▸" if here else " ", mark),
            Segment(set_cell_size(f"{token.position:>3} {shown}", width - 1), style),
        ], width)  # fmt: skip
