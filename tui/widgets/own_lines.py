"""Widgets whose lines are finished when they give them.

Textual takes every line of a widget apart and puts it together again, for its border, padding and colours: half of what
a progress line costs. A widget that has none of these and draws its lines whole needs none of it.
"""

from __future__ import annotations

from typing import Any

from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget


class OwnLines(Widget):
    """A widget whose `render_line` gives lines as wide as itself, with colours for every cell and no text from outside.

    A frame round it is its container's. With a border or padding of its own, or where there are no colours, it is drawn
    as any other.
    """

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

    @property
    def has_own_lines(self) -> bool:
        """Whether `render_line` gives such lines now."""
        return not (self.gutter or self.app.no_color)

    def render_lines(self, crop: Region) -> list[Strip]:
        """The lines inside `crop`."""
        if not self.has_own_lines:
            return super().render_lines(crop)
        lines = [self.render_line(y) for y in range(crop.y, crop.bottom)]
        if crop.width < self.size.width:
            return [line.crop(crop.x, crop.right) for line in lines]
        return lines
