"""Two noise schedules in one plot, on a logarithmic axis: the run's own, and another for comparison."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Final

from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget

from tui.widgets.plot import Curve

_BRAILLE: Final = 0x2800


class OverlayPlot(Widget):
    """Sigma over the steps, its logarithm upward; sigmas of 0, where a run ends, have no place on it."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "overlay--own", "overlay--other", "overlay--now", "overlay--label",
    }  # fmt: skip

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.border_title = "noise schedule"
        self._own: tuple[float, ...] = ()
        self._other: tuple[float, ...] = ()
        self._step = 0
        self._names = ("", "")

    @property
    def overlaid(self) -> tuple[float, ...]:
        """The sigmas laid over the run's own; empty where there are none."""
        return self._other

    def show(self, own: Sequence[float], other: Sequence[float], step: int, names: tuple[str, str]) -> None:
        """Show the run's sigmas and others over the same steps, with a dot at `step`."""
        self._own, self._other, self._step = tuple(own), tuple(other), step
        self._names = names
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """The legend, then the plot."""
        width, height = self.size
        style = {
            name: self.get_component_rich_style(f"overlay--{name}")
            for name in ("own", "other", "now", "label")
        }
        legends = self._legends(width)
        if y < len(legends):
            segments = [Segment(text, style[part]) for text, part in legends[y]]
            return Strip(segments).adjust_cell_length(width, self.rich_style)
        drawn = self._cells(width, height - len(legends))
        if y - len(legends) >= len(drawn):
            return Strip.blank(width, self.rich_style)
        segments = [Segment(text, style[part]) for text, part in drawn[y - len(legends)]]
        return Strip(segments, len(segments)).simplify().adjust_cell_length(width, self.rich_style)

    def _legends(self, width: int) -> list[list[tuple[str, str]]]:
        """Which line is which, in one line or, where there is little room, in two."""
        lines = [
            [("━ ", part), (name, "label")]
            for name, part in zip(self._names, ("own", "other"), strict=True)
            if name
        ]
        if sum(len(name) + 2 for name in self._names) + 3 <= width:
            return [[cell for line in lines for cell in (*line, ("   ", "label"))]]
        return lines

    def _cells(self, width: int, height: int) -> list[list[tuple[str, str]]]:
        levels = [sigma for sigma in (*self._own, *self._other) if sigma > 0 and math.isfinite(sigma)]
        if len(self._own) < 3 or not levels or width < 8 or height < 2:
            return []
        low, high = math.log(min(levels)), math.log(max(levels))
        span = high - low or 1.0

        def upward(sigmas: Sequence[float]) -> list[float]:
            return [max(0.0, (math.log(sigma) - low) / span) if sigma > 0 else 0.0 for sigma in sigmas]

        # the last sigma is where the run ends, usually 0
        own = self._own[:-1] if self._own[-1] <= 0 else self._own
        other = self._other[:-1] if self._other and self._other[-1] <= 0 else self._other
        curve = Curve(upward(own), width, height, 1.0)
        dots, (column, row) = curve.dots(), curve.cell(self._step)
        beneath = Curve(upward(other), width, height, 1.0).dots() if len(other) > 1 else None
        cells = [[(" ", "label")] * width for _ in range(height)]
        for y in range(height):
            for x in range(width):
                if dots[y][x]:
                    cells[y][x] = (chr(_BRAILLE + dots[y][x]), "own")
                elif beneath is not None and beneath[y][x]:
                    cells[y][x] = (chr(_BRAILLE + beneath[y][x]), "other")
        cells[row][column] = ("●", "now")
        _label(cells[0], f"σ {math.exp(high):.3g}", width)
        _label(cells[-1], f"σ {math.exp(low):.3g}", 0)
        return cells


def _label(row: list[tuple[str, str]], text: str, end: int) -> None:
    """Write `text` so that it ends at `end`, or begins a row (0), where the lines leave room."""
    start = max(0, end - len(text))
    if len(row) >= start + len(text) and all(cell == " " for cell, _ in row[start : start + len(text)]):
        row[start : start + len(text)] = [(letter, "label") for letter in text]
