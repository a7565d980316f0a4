"""One line that says how far something is: a bar, the step, the rate and the time left."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual.strip import Strip

from sdcore.spec.sanitise import sanitise
from tui.widgets.own_lines import OwnLines

_SHORTEST_BAR = 6


class ProgressLine(OwnLines):
    """Empty when nothing happens. What does not fit is left out whole, the bar first gets short."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"progress--done", "progress--ahead", "progress--facts"}

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

    def render_line(self, y: int) -> Strip:
        """The bar on the left in the accent colour, the facts on the right; without a bar they are in the middle."""
        width = self.size.width
        facts = list(self._facts)
        room = width if self._fraction is None else width - _SHORTEST_BAR - 2
        while facts and cell_len(" · ".join(facts)) > room:
            facts.pop()
        text = " · ".join(facts)
        if self._fraction is None:
            parts = [(" " * ((width - cell_len(text)) // 2) + text, "facts")]
        else:
            said = f"  {text}" if text else ""
            done, ahead = _bar(self._fraction, max(0, width - cell_len(said)))
            parts = [(done, "done"), (ahead, "ahead"), (said, "facts")]
        strip = Strip([Segment(part, self.style_of(f"progress--{name}")) for part, name in parts if part])
        return strip.adjust_cell_length(width, self.ground)


def _bar(fraction: float, cells: int) -> tuple[str, str]:
    halves = round(fraction * cells * 2)
    done = "━" * (halves // 2) + "╸" * (halves % 2)
    return done, "─" * (cells - len(done))
