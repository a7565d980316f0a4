"""The line over a picture: what it is, and whether the arrows change it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual.content import Content
from textual.widget import Widget

from sdcore.spec.sanitise import sanitise
from tui.shortening import shortened


class Caption(Widget):
    """A name and facts on one line, centred. Facts that do not fit are left out whole, the last first; for the first
    of them the name is shortened."""

    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._facts: tuple[str, ...] = ()
        self._movable = False
        self._accent = False

    @property
    def facts(self) -> tuple[str, ...]:
        """What it says where there is room for all."""
        return self._facts

    @property
    def movable(self) -> bool:
        """Whether it has arrows."""
        return self._movable

    def show(self, facts: Sequence[str], *, movable: bool = False, accent: bool = False) -> None:
        """Say these; with arrows around them where ← and → change the picture, in the accent colour where it is not
        the usual one."""
        self._facts = tuple(sanitise(fact, newlines=False) for fact in facts if fact)
        self._movable, self._accent = movable, movable or accent
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
        first = shortened(facts[0], room - cell_len(rest))
        arrows = ("← ", " →") if self._movable else ("", "")
        return Content("").join([
            Content.styled(arrows[0], "$accent"),
            Content.styled(first, "$accent" if self._accent else "$normal"),
            Content.styled(rest, "$dim"),
            Content.styled(arrows[1], "$accent"),
        ])  # fmt: skip
