"""The line over a picture: what it is, and whether the arrows change it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size
from textual.content import Content
from textual.widget import Widget

from sdcore.spec.sanitise import sanitise


class Caption(Widget):
    """A name and facts on one line, centred. Facts that do not fit are left out whole, the last first; for the first
    of them the name is shortened."""

    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._facts: tuple[str, ...] = ()
        self._movable = False

    @property
    def facts(self) -> tuple[str, ...]:
        """What it says where there is room for all."""
        return self._facts

    @property
    def movable(self) -> bool:
        """Whether it has arrows."""
        return self._movable

    def show(self, facts: Sequence[str], *, movable: bool = False) -> None:
        """Say these; with arrows around them where ← and → change the picture."""
        self._facts = tuple(sanitise(fact, newlines=False) for fact in facts if fact)
        self._movable = movable
        self.refresh()

    def render(self) -> Content:
        """The name brighter than the rest."""
        room = self.size.width - (4 if self._movable else 0)
        facts = list(self._facts)
        while len(facts) > 2 and cell_len(" · ".join(facts)) > room:
            facts.pop()
        if not facts:
            return Content("")
        rest = "".join(f" · {fact}" for fact in facts[1:])
        first = _shortened(facts[0], room - cell_len(rest))
        arrows = ("← ", " →") if self._movable else ("", "")
        return Content("").join([
            Content.styled(arrows[0], "$accent"),
            Content.styled(first, "$accent" if self._movable else "$normal"),
            Content.styled(rest, "$dim"),
            Content.styled(arrows[1], "$accent"),
        ])  # fmt: skip


def _shortened(name: str, room: int) -> str:
    """A name cut after a whole word of it where it is too long."""
    if cell_len(name) <= room:
        return name
    cut = set_cell_size(name, max(1, room - 1)).rstrip()
    return f"{cut.rpartition('-')[0] or cut}…"
