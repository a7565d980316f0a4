"""F1: every key, made from the registry, after a word on the part under the cursor."""

from __future__ import annotations

import textwrap
from itertools import groupby
from typing import get_args

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.actions import ACTIONS, Action, Group, bindings, key_label

_KEYS = 16
_SUMMARY = 50


class HelpScreen(ModalScreen[None], inherit_bindings=False):
    """Closes with Escape; scrolls."""

    BINDINGS = bindings("help")

    def __init__(self, about: str, first: Group | None = None) -> None:
        super().__init__()
        self._about = about
        self._first = first

    def compose(self) -> ComposeResult:
        """One scrolling text."""
        with VerticalScroll(id="help", can_focus=False):
            yield Static(help_text(self._about, self._first), markup=False)

    def on_mount(self) -> None:
        """Title and way out in the border."""
        pane = self.query_one("#help")
        pane.border_title, pane.border_subtitle = "help", "↑ ↓ · esc"

    def action_scroll(self, lines: int) -> None:
        """Scroll by lines."""
        self.query_one("#help").scroll_relative(y=lines, animate=False)

    def action_close(self) -> None:
        """Back to work."""
        self.dismiss(None)


def help_text(about: str, first: Group | None = None) -> Content:
    """What the focused part is for, then every action of the registry by group, `first` before the others; a summary
    beneath its title."""
    parts = [Content.styled(about, "$normal"), Content("\n")] if about else []
    ordered = sorted(ACTIONS, key=lambda action: (action.group != first, get_args(Group).index(action.group)))
    for group, actions in groupby(ordered, key=lambda action: action.group):
        parts.append(Content.styled(f"\n{group}\n", "bold $accent"))
        parts += [_line(action) for action in actions]
    return Content("").join(parts)


def _line(action: Action) -> Content:
    keys = " ".join(key_label(key) for key in action.present_keys)
    line = Content.styled(f"  {keys.ljust(_KEYS)}", "$bright") + Content.styled(
        f"{action.title}\n", "$normal"
    )
    summary = textwrap.wrap(action.summary, _SUMMARY)
    return line + Content.styled("".join(f"  {' ' * _KEYS}{words}\n" for words in summary), "$dim")
