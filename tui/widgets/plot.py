"""The noise schedule as a braille line with the present step moving along it.

Drawn here rather than by textual-plot: its import alone (numpy, a canvas) adds a tenth of a second to the
first paint, and its axes leave no room for the line in a pane of 22x8 cells.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Final

from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip

from tui.widgets.own_lines import OwnLines

_DOTS: Final = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""The bit of a braille character for each (column, row) of its 2x4 dots."""

_BRAILLE: Final = 0x2800


class SchedulePlot(OwnLines):
    """Sigma over the steps of a run: the past in the accent colour, the future dim, a dot where it is now."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"plot--past", "plot--future", "plot--now", "plot--label"}
    DEFAULT_CSS = """
    SchedulePlot { width: 1fr; height: 1fr; min-height: 3; }
    SchedulePlot > .plot--past { color: $accent; }
    SchedulePlot > .plot--future { color: $text-disabled; }
    SchedulePlot > .plot--now { color: $accent; text-style: bold; }
    SchedulePlot > .plot--label { color: $text-muted; }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._sigmas: tuple[float, ...] = ()
        self._step: int | None = None
        self._drawn: list[Strip] | None = None
        self._rows: dict[tuple[int, int, int | None], Strip] = {}
        self._dots: list[list[int]] = []

    def set_schedule(self, sigmas: Sequence[float]) -> None:
        """Plot these sigmas, one a forward pass and the last the end; what is not finite is left out."""
        self._sigmas = tuple(sigma for sigma in sigmas if math.isfinite(sigma))
        self._redraw()

    def set_step(self, index: int | None) -> None:
        """Move the dot to sigma number `index` (0-based, bounded to the schedule); None takes it away."""
        if index == self._step:
            return
        self._step = index
        before, self._drawn = self._drawn, self._draw()
        if before is None or len(before) != len(self._drawn):
            self.refresh()
        for y, (old, new) in enumerate(zip(before or (), self._drawn, strict=False)):
            if old != new:
                self.refresh(Region(0, y, self.size.width, 1))

    def _redraw(self) -> None:
        self._forget()
        self.refresh()

    def _forget(self) -> None:
        self._drawn = None
        self._rows.clear()
        self._dots = []

    def notify_style_update(self) -> None:
        """Take up the colours of a new theme."""
        self._forget()
        super().notify_style_update()

    def on_resize(self) -> None:
        """Draw again for the new size."""
        self._redraw()

    def render_line(self, y: int) -> Strip:
        """One line of the plot."""
        if self._drawn is None:
            self._drawn = self._draw()
        return self._drawn[y] if y < len(self._drawn) else Strip.blank(self.size.width, self.ground)

    def _draw(self) -> list[Strip]:
        width, height = self.size
        if len(self._sigmas) < 2 or width < 8 or height < 2:
            return []
        curve = Curve(self._sigmas, width, height)
        if not self._dots:
            self._dots = curve.dots()
        past, row = (0, -1) if self._step is None else curve.cell(self._step)
        return [self._row(y, self._dots[y], past, past if y == row else None) for y in range(height)]

    def _row(self, y: int, dots: list[int], past: int, now: int | None) -> Strip:
        """Row `y`, its first `past` columns done and the dot in column `now`. Most rows stay what they were."""
        key = (y, sum(1 for bits in dots[:past] if bits), now)
        if key not in self._rows:
            self._rows[key] = self._line(y, dots, past, now)
        return self._rows[key]

    def _line(self, y: int, dots: list[int], past: int, now: int | None) -> Strip:
        """The row as segments: the past, the dot, the future, and in the first row the largest sigma."""
        text = "".join(chr(_BRAILLE + bits) if bits else " " for bits in dots)
        label = f"σ {max(self._sigmas):.3g}" if y == 0 else ""
        if text[len(text) - len(label) :].strip() or len(label) > len(text):
            label = ""
        line = len(text) - len(label)
        marked = past if now is None else now
        parts = [
            (text[:marked], "past"),
            ("●" if now is not None else "", "now"),
            (text[marked + (now is not None) : line], "future"),
            (label, "label"),
        ]
        return Strip(
            [Segment(part, self.style_of(f"plot--{name}")) for part, name in parts if part], len(text)
        )


class Curve:
    """The line through `sigmas` in `width` x `height` cells, which reach from 0 to `top` (by default the largest)."""

    def __init__(self, sigmas: Sequence[float], width: int, height: int, top: float | None = None) -> None:
        self._sigmas = sigmas
        self._width, self._height = width, height
        self._top = top or max(sigmas) or 1.0
        self._last = len(sigmas) - 1

    def dots(self) -> list[list[int]]:
        """The braille bits of every cell, row by row."""
        bits = [[0] * self._width for _ in range(self._height)]
        previous = self._row(0)
        for column in range(self._width * 2):
            row = self._row(column)
            low, high = sorted((row, previous + (row > previous) - (row < previous)))
            for dot in range(low, high + 1):
                bits[dot // 4][column // 2] |= _DOTS[column % 2][dot % 4]
            previous = row
        return bits

    def cell(self, step: int) -> tuple[int, int]:
        """The cell (x, y) of sigma number `step`, bounded to those there are: where the line is in the column of its
        dot, since between columns the two may differ by a cell."""
        column = round(max(0, min(step, self._last)) / self._last * (self._width * 2 - 1))
        return column // 2, self._row(column) // 4

    def _row(self, column: int) -> int:
        """The row of dots at which the line is in a column of dots."""
        position = column / (self._width * 2 - 1) * self._last
        index = min(int(position), self._last - 1)
        share = position - index
        sigma = self._sigmas[index] * (1 - share) + self._sigmas[index + 1] * share
        return round((1 - max(0.0, sigma) / self._top) * (self._height * 4 - 1))
