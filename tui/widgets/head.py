"""The first line of the screen: the program, its screens, and what the engine is at."""

from __future__ import annotations

from typing import Final

from textual import events
from textual.content import Content
from textual.widget import Widget

from sdcore.spec.sanitise import sanitise

_NAME: Final = " sdtui"
_BEFORE: Final = "   "
_BETWEEN: Final = "  "
_JOIN: Final = " · "
_PLACES: Final = ("studio", "library", "queue", "sweep", "settings")
_ROOM: Final = 4
"""Columns that stay free between the names of the screens and the facts."""


class HeadLine(Widget):
    """The program's name and its screens on the left; model, device and queue on the right.

    `place` is the present screen; one that is reached from the studio alone stands after it while one is there. A
    click on another screen goes there. Where there is no room for both, the names of the screens give way.
    """

    def __init__(self, place: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._place = place
        self._facts: tuple[str, ...] = ()
        self._urgent = ""
        self._alarm = ""

    @property
    def text(self) -> str:
        """What stands on the right."""
        return _JOIN.join(part for part in (*self._facts, self._alarm, self._urgent) if part)

    def show(self, facts: tuple[str, ...], urgent: str = "", alarm: str = "") -> None:
        """Show the facts, after them in the warning colour what will not do, and at the end, in the accent colour, what
        is going on."""
        facts = tuple(sanitise(fact, newlines=False) for fact in facts if fact)
        if (facts, urgent, alarm) != (self._facts, self._urgent, self._alarm):
            self._facts, self._urgent, self._alarm = facts, urgent, alarm
            self.refresh()

    def _names(self) -> tuple[str, ...]:
        """The screens that are named, none where there is no room for them."""
        extra = () if self._place in _PLACES else (self._place,)
        names = (_PLACES[0], *extra, *_PLACES[1:])
        wanted = len(_NAME + _BEFORE + _BETWEEN.join(names) + self.text) + _ROOM
        return names if wanted <= self.size.width else ()

    def render(self) -> Content:
        """Facts that do not fit are left out whole, the first of them first."""
        names = self._names()
        left = Content.styled(_NAME, "bold $accent")
        if names:
            styled = (Content.styled(name, "$bright" if name == self._place else "$dim") for name in names)
            left = left.append(_BEFORE).append(Content(_BETWEEN).join(styled))
        room = self.size.width - left.cell_length - 2
        facts = list(self._facts)
        loud = [part for part in (self._alarm, self._urgent) if part]
        while facts and len(_JOIN.join([*facts, *loud])) >= room:
            facts.pop(0)
        right = Content(_JOIN).join(
            [
                *(Content.styled(fact, "$dim") for fact in facts),
                *([Content.styled(self._alarm, "$alert")] if self._alarm else []),
                *([Content.styled(self._urgent, "$accent")] if self._urgent else []),
            ]
        )
        gap = max(1, room - right.cell_length + 1)
        return left.append(" " * gap).append(right)

    async def on_click(self, event: events.Click) -> None:
        """Go to the screen whose name was clicked."""
        begin = len(_NAME + _BEFORE)
        for name in self._names():
            if begin <= event.x < begin + len(name) and name in _PLACES:
                await self.run_action(f"app.go('{name}')")
            begin += len(name + _BETWEEN)
