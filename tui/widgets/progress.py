"""One line that says how far something is: a bar, the step, the rate and the time left."""

from __future__ import annotations

from textual.content import Content
from textual.widget import Widget

from sdcore.spec.sanitise import sanitise

_SHORTEST_BAR = 6


class ProgressLine(Widget):
    """Empty when nothing happens. What does not fit is left out whole, the bar first gets short."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._fraction: float | None = None
        self._facts: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """What the line says beside its bar."""
        return " · ".join(self._facts)

    def show(self, fraction: float | None, *facts: str) -> None:
        """Show a bar at `fraction` (0..1; None: no bar) and the facts, the most important first."""
        self._fraction = None if fraction is None else min(1.0, max(0.0, fraction))
        self._facts = tuple(sanitise(fact, newlines=False) for fact in facts if fact)
        self.refresh()

    def clear(self) -> None:
        """Show nothing."""
        self.show(None)

    def render(self) -> Content:
        """The bar on the left in the accent colour, the facts on the right."""
        width = self.size.width
        facts = list(self._facts)
        room = width if self._fraction is None else width - _SHORTEST_BAR - 2
        while facts and len(" · ".join(facts)) > room:
            facts.pop()
        text = " · ".join(facts)
        if self._fraction is None:
            return Content.styled(text.center(width), "$normal")
        cells = width - len(text) - 2 if text else width
        said = Content.styled(f"  {text}" if text else "", "$normal")
        return Content("").join([*_bar(self._fraction, max(0, cells)), said])


def _bar(fraction: float, cells: int) -> list[Content]:
    halves = round(fraction * cells * 2)
    done = "━" * (halves // 2) + "╸" * (halves % 2)
    return [Content.styled(done, "$accent"), Content.styled("─" * (cells - len(done)), "$line")]
