"""The noise schedule as a braille line with the present step moving along it.

Drawn here rather than by textual-plot: its import alone (numpy, a canvas) adds a tenth of a second to the
first paint, and its axes leave no room for the line in a pane of 22x8 cells.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Final

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip

from tui.widgets.own_lines import OwnLines

_DOTS: Final = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""The bit of a braille character for each (column, row) of its 2x4 dots."""

_BRAILLE: Final = 0x2800
_PARTS = ("past", "future", "now", "label")


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
        self._styles_of: dict[str, Style] = {}

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
        self._styles_of.clear()

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
        blank = Strip.blank(self.size.width, self.visual_style.rich_style)
        return self._drawn[y] if y < len(self._drawn) else blank

    def _draw(self) -> list[Strip]:
        width, height = self.size
        if len(self._sigmas) < 2 or width < 8 or height < 2:
            return []
        now = None if self._step is None else max(0, min(self._step, len(self._sigmas) - 1))
        dots, current = plot_dots(self._sigmas, width, height, now)
        past = 0 if current is None else current[0]
        return [
            self._row(y, dots[y], past, past if current is not None and current[1] == y else None)
            for y in range(height)
        ]

    def _row(self, y: int, dots: list[int], past: int, now: int | None) -> Strip:
        """Row `y`, its first `past` columns done and the dot in column `now`. Most rows stay what they were."""
        key = (y, sum(1 for bits in dots[:past] if bits), now)
        if key not in self._rows:
            self._rows[key] = self._line(y, dots, past, now)
        return self._rows[key]

    def _line(self, y: int, dots: list[int], past: int, now: int | None) -> Strip:
        """The row as segments: the past, the dot, the future, and in the first row the largest sigma."""
        if not self._styles_of:
            ground = self.visual_style.rich_style
            self._styles_of = {
                part: ground + self.get_component_rich_style(f"plot--{part}") for part in _PARTS
            }
        styles = self._styles_of
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
        return Strip([Segment(part, styles[style]) for part, style in parts if part], len(text))


def plot_dots(
    sigmas: Sequence[float], width: int, height: int, now: int | None, top: float | None = None
) -> tuple[list[list[int]], tuple[int, int] | None]:
    """Braille bits (height rows of width) of the line through `sigmas`, which reach from 0 to `top` (by default the
    largest of them); the cell (x, y) of sigma `now`."""
    columns, rows = width * 2, height * 4
    top = top or max(sigmas) or 1.0
    last = len(sigmas) - 1
    bits = [[0] * width for _ in range(height)]

    def row_of(sigma: float) -> int:
        return round((1 - max(0.0, sigma) / top) * (rows - 1))

    def value_at(column: int) -> float:
        position = column / (columns - 1) * last
        index = min(int(position), last - 1)
        share = position - index
        return sigmas[index] * (1 - share) + sigmas[index + 1] * share

    previous = row_of(sigmas[0])
    for column in range(columns):
        row = row_of(value_at(column))
        low, high = sorted((row, previous + (row > previous) - (row < previous)))
        for dot in range(low, high + 1):
            bits[dot // 4][column // 2] |= _DOTS[column % 2][dot % 4]
        previous = row
    if now is None:
        return bits, None
    # the row of the line at the dot's column, not of its sigma: between columns the two may differ by a cell
    column = round(now / last * (columns - 1))
    return bits, (column // 2, row_of(value_at(column)) // 4)
