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


def clock(seconds: float) -> str:
    """A duration that a person reads at a glance: `0.8 s`, `12 s`, `3:05`, `1:02:03`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def rate(per_second: float) -> str:
    """Steps a second, or seconds a step when that is the larger number."""
    if per_second <= 0:
        return ""
    if per_second < 1:
        return f"{1 / per_second:.1f} s/it"
    return f"{per_second:.0f} it/s" if per_second >= 9.95 else f"{per_second:.1f} it/s"
