"""The small list under the cursor: how the word that is being written may go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.geometry import Offset
from textual.widget import Widget

from sdcore.spec.sanitise import sanitise
from tui.completion import Suggestion
from tui.shortening import shortened

_WIDEST: Final = 44
_TAB: Final = "⇥"


class Suggestions(Widget):
    """Lies over the screen, takes neither the focus nor a key: those are the editor's. A click on a line does `take`
    with its place."""

    ALLOW_SELECT = False

    def __init__(self, take: Callable[[int], None], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._take = take
        self.display = False
        self._shown: tuple[Suggestion, ...] = ()
        self._at = 0
        self._entered = False

    @property
    def names(self) -> list[str]:
        """What is suggested; nothing while the list is closed."""
        return [one.name for one in self._shown] if self.display else []

    def show(self, suggestions: Sequence[Suggestion], at: int, place: Offset, *, entered: bool) -> None:
        """Suggest these, the one at `at` marked, from the cell `place` of the screen on; brightly once `entered`."""
        self._shown, self._at, self._entered = tuple(suggestions), at, entered
        width = min(_WIDEST, max(self._wanted(one) for one in suggestions))
        if (width, len(suggestions)) != (self.styles.width, self.styles.height):
            self.styles.width, self.styles.height = width, len(suggestions)
        self.absolute_offset = place
        self.display = True
        self.refresh()

    def hide(self) -> None:
        """Suggest nothing."""
        self.display = False

    @staticmethod
    def _wanted(one: Suggestion) -> int:
        return cell_len(one.name) + (cell_len(one.kind) + 2 if one.kind != "word" else 0) + 5

    def render(self) -> Content:
        """A line each; the marked one says which key takes it."""
        lines = []
        for index, one in enumerate(self._shown):
            marked = index == self._at
            kind = "" if one.kind == "word" else f"  {one.kind}"
            room = self.size.width - 4 - cell_len(kind)
            name = shortened(sanitise(one.name, newlines=False), room)
            gap = " " * max(0, room - cell_len(name))
            key = f" {_TAB} " if marked else "   "
            tone = ("$accent" if self._entered else "$bright") if marked else "$normal"
            lines.append(
                Content.styled(f" {name}{gap}", tone)
                + Content.styled(kind, "$dim")
                + Content.styled(key, "$accent")
            )
        return Content("\n").join(lines)

    def on_click(self, event: events.Click) -> None:
        """Take the line that was clicked."""
        event.stop()
        if 0 <= event.y < len(self._shown):
            self._take(event.y)
