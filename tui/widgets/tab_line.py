"""The tabs of a screen on one line, each with the digit that opens it."""

from __future__ import annotations

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widget import Widget


class TabLine(Widget):
    """Names, the present one in the accent colour; a click opens one."""

    class Opened(Message):
        """The tab with this index (0-based) was clicked."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    def __init__(self, names: tuple[str, ...], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._names = names
        self._present = 0

    def show(self, index: int) -> None:
        """Mark a tab as the present one."""
        self._present = index
        self.refresh()

    def _labels(self) -> list[str]:
        return [f"{number} {name}" for number, name in enumerate(self._names, 1)]

    def _gap(self) -> int:
        room = self.size.width - 2 - sum(map(len, self._labels()))
        return max(1, min(4, room // max(1, len(self._names) - 1)))

    def render(self) -> Content:
        """Digits dim, names normal, the present one bright."""
        parts = [Content(" ")]
        for index, label in enumerate(self._labels()):
            digit, name = label.split(" ", 1)
            here = index == self._present
            parts += [
                Content.styled(f"{digit} ", "$accent" if here else "$dim"),
                Content.styled(name, "bold underline $accent" if here else "$normal"),
                Content(" " * self._gap()),
            ]
        return Content("").join(parts)

    def on_click(self, event: events.Click) -> None:
        """Open what was clicked."""
        left = 1
        for index, label in enumerate(self._labels()):
            if left <= event.x < left + len(label):
                self.post_message(self.Opened(index))
            left += len(label) + self._gap()
