"""Widgets whose lines are finished when they give them.

Textual takes every line of a widget apart and puts it together again, for its border, padding and colours: half of what
a progress line costs. A widget that has none of these and draws its lines whole needs none of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget


class FinishedLines(Widget):
    """A widget that draws its lines whole, as wide as itself, with a style for every cell.

    A frame round it is its container's. With a border or padding of its own it is drawn as any other.
    """

    def finished(self, begin: int, end: int) -> Sequence[Strip] | None:
        """The lines from `begin` to `end` (not among them); None where Textual has to draw what `render` gives."""
        raise NotImplementedError

    def render_line(self, y: int) -> Strip:
        """A line for Textual's own way of drawing."""
        lines = self.finished(y, y + 1)
        return lines[0] if lines else super().render_line(y)

    def render_lines(self, crop: Region) -> list[Strip]:
        """The lines inside `crop`; those of another size than the widget's, which is new then, go Textual's way."""
        lines = None if self.gutter else self.finished(crop.y, crop.bottom)
        if not lines or (lines[0].cell_length, len(lines)) != (self.size.width, crop.height):
            return super().render_lines(crop)
        if crop.width < self.size.width:
            return [line.crop(crop.x, crop.right) for line in lines]
        return list(lines)


class OwnLines(FinishedLines):
    """A widget that has nothing but its `render_line`, with colours for every cell and no text from outside. Where
    there are no colours, it is drawn as any other."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._styles_of: dict[str, Style] = {}

    @property
    def ground(self) -> Style:
        """The style of a cell in which nothing is."""
        return self.style_of("")

    def style_of(self, component: str) -> Style:
        """The style of a component class on the ground. It is looked up once: Textual's way walks all parents."""
        if component not in self._styles_of:
            own = self.get_component_rich_style(component) if component else Style.null()
            self._styles_of[component] = self.visual_style.rich_style + own
        return self._styles_of[component]

    def notify_style_update(self) -> None:
        """Take up the colours of a new theme."""
        self._styles_of.clear()
        super().notify_style_update()

    def finished(self, begin: int, end: int) -> list[Strip] | None:
        """The lines from `begin` to `end`."""
        return None if self.app.no_color else [self.render_line(y) for y in range(begin, end)]
