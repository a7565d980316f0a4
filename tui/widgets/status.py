"""The quiet lines at the foot of the screen: the message line and the footer."""

from __future__ import annotations

import textwrap
from typing import Literal

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.widget import Widget

from sdcore.spec.sanitise import sanitise
from tui.actions import Action

Tone = Literal["quiet", "bright", "alert"]
_GAP = 3
_MOST_LINES = 3
_GB = 1 << 30
_LITTLE = 20
"""A need below this part of the memory is not worth a word."""


class MessageLine(Widget):
    """One sentence: where the image was saved, or what went wrong and what to do."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._wordings: tuple[str, ...] = ("",)
        self._tone: Tone = "quiet"

    @property
    def text(self) -> str:
        """The sentence in the longest wording that fits on a line; in the longest of all where none does."""
        room = self.size.width - 2
        return next((wording for wording in self._wordings if cell_len(wording) <= room), self._wordings[0])

    @property
    def tone(self) -> Tone:
        """How it is said."""
        return self._tone

    def show(self, *wordings: str, tone: Tone = "quiet") -> None:
        """Say this instead of what was said before; `wordings` are of one sentence, the longest first."""
        said = tuple(sanitise(wording, newlines=False) for wording in wordings)
        if (said, tone) == (self._wordings, self._tone):
            return
        before = self._height(self.size.width)
        self._wordings, self._tone = said, tone
        self.refresh(layout=self._height(self.size.width) != before)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many lines as the sentence needs, three at most."""
        return self._height(width)

    def _height(self, width: int) -> int:
        return max(1, len(self._lines(width)))

    def _lines(self, width: int) -> list[str]:
        lines = textwrap.wrap(self.text, max(10, width - 2))
        if len(lines) > _MOST_LINES:
            lines[_MOST_LINES - 1 :] = [f"{lines[_MOST_LINES - 1].rsplit(' ', 1)[0]} …"]
        return lines

    def render(self) -> Content:
        """The sentence, wrapped between words."""
        style = {"quiet": "$dim", "bright": "$normal", "alert": "$alert"}[self._tone]
        return Content.styled("\n".join(f" {line}" for line in self._lines(self.size.width)), style)


class FooterLine(Widget):
    """The keys that matter now, six at most; a click on one does it."""

    class Pressed(Message):
        """The action called `name` was clicked."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._items: list[tuple[Action, str]] = []

    @property
    def labels(self) -> list[str]:
        """What is named, when there is room for all."""
        return [label for _, label in self._items]

    def show(self, items: list[tuple[Action, str]]) -> None:
        """Name these actions by these labels."""
        if items != self._items:
            self._items = list(items)
            self.refresh()

    def _fitting(self) -> list[tuple[Action, str]]:
        """What there is room for; the last two, help and commands, stay longest."""
        items = list(self._items)
        while items and sum(map(_width, items)) - _GAP > self.size.width - 2:
            items.pop(max(0, len(items) - 3))
        return items

    def render(self) -> Content:
        """Keys bright, labels dim."""
        parts = [Content(" ")]
        for action, label in self._fitting():
            parts += [Content.styled(action.key, "$bright"), Content.styled(f" {label}{' ' * _GAP}", "$dim")]
        return Content("").join(parts)

    def on_click(self, event: events.Click) -> None:
        """Do what was clicked."""
        left = 1
        for action, label in self._fitting():
            if left <= event.x < left + _width((action, label)) - _GAP:
                self.post_message(self.Pressed(action.name))
            left += _width((action, label))


def _width(item: tuple[Action, str]) -> int:
    return len(item[0].key) + 1 + len(item[1]) + _GAP


def memory_needs(needed: int, there: int) -> tuple[str, bool]:
    """What the head line says of memory ("needs 9.1 of 24 GB", nothing where it is little or not known), and whether
    there is less. Both are bytes; GB are those that cards are sold by, of 2**30 bytes."""
    if needed * _LITTLE < there or not there:
        return "", False
    size = needed / _GB
    short = needed > there
    return f"needs {size:.{1 if size < 10 or short else 0}f} of {there / _GB:.0f} GB", short
