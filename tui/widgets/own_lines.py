"""Widgets whose lines are finished when they give them.

Textual takes every line of a widget apart and puts it together again, for its border, padding and colours: half of what
a progress line costs. A widget that has none of these and draws its lines whole needs none of it.
"""

from __future__ import annotations

from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget


class OwnLines(Widget):
    """A widget whose `render_line` gives lines as wide as itself, with colours for every cell and no text from outside.

    A frame round it is its container's. With a border or padding of its own, or where there are no colours, it is drawn
    as any other.
    """

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
