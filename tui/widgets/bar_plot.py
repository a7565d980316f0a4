"""A number a step as upright bars, the present step marked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Final

from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget

_EIGHTHS: Final = " ▁▂▃▄▅▆▇█"


class BarPlot(Widget):
    """Bars from 0 to the largest value; `write` makes the text of a value. Room is left for steps to come."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"bars--bar", "bars--now", "bars--label"}

    def __init__(self, title: str, write: Callable[[float], str], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.border_title = title
        self._write = write
        self._values: tuple[float, ...] = ()
        self._total = 0
        self._step = 0

    def show(self, values: Sequence[float], total: int, step: int) -> None:
        """Show the values of the steps so far, of `total` in the end, and mark `step`."""
        shown = tuple(values), max(total, len(values), 1), step
        if shown == (self._values, self._total, self._step):
            return
        self._values, self._total, self._step = shown
        if 0 <= step < len(self._values):
            self.border_subtitle = f"{self._write(self._values[step])} at k {step}"
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """The largest value on top, bars below."""
        width, height = self.size
        style = {name: self.get_component_rich_style(f"bars--{name}") for name in ("bar", "now", "label")}
        if not self._values:
            return Strip.blank(width, self.rich_style)
        top = max(self._values) or 1.0
        if y == 0:
            label = f"{self._write(top)} at the most, {self._write(min(self._values))} at the least"
            label = label if len(label) <= width else self._write(top)
            return Strip([Segment(label, style["label"])]).adjust_cell_length(width, self.rich_style)
        segments = []
        for column, heights in enumerate(bar_heights(self._values, self._total, width, (height - 1) * 8)):
            eighths = max(0, min(8, heights - (height - 1 - y) * 8))
            name = "now" if self._step in steps_at(column, self._total, width) else "bar"
            segments.append(Segment(_EIGHTHS[eighths], style[name]))
        return Strip(segments, len(segments)).simplify().adjust_cell_length(width, self.rich_style)


def steps_at(column: int, total: int, width: int) -> range:
    """The steps (0-based) of `total` that a column of `width` shows: several where there are more steps than columns,
    and the same step in neighbouring columns where there are fewer."""
    first = column * total // width
    return range(first, max(first + 1, (column + 1) * total // width))


def bar_heights(values: Sequence[float], total: int, width: int, most: int) -> list[int]:
    """The height (0..`most`) of the bar in each column; what is more than 0 is at least 1."""
    top = max(values) or 1.0
    heights = []
    for column in range(width):
        highest = max(
            (values[step] for step in steps_at(column, total, width) if step < len(values)), default=0.0
        )
        heights.append(max(int(highest > 0), round(highest / top * most)))
    return heights
