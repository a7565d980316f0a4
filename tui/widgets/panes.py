"""Containers that arrange widgets and paint nothing, or a frame.

Textual paints every container line by line behind its children, and does so again whenever anything in its rows
changes: a third of what a live frame costs. Ours have no colour of their own, so the screen's shows between the
widgets just as well.
"""

from __future__ import annotations

from textual.containers import Horizontal, Vertical
from textual.geometry import Region
from textual.strip import Strip


class Row(Horizontal):
    """Children side by side."""

    def render_lines(self, crop: Region) -> list[Strip]:
        """Nothing: what lies behind is seen."""
        return []


class Column(Vertical):
    """Children one above the other."""

    def render_lines(self, crop: Region) -> list[Strip]:
        """Nothing: what lies behind is seen."""
        return []


class Framed(Vertical):
    """A pane with a title in its frame, which its contents need not draw again and again."""

    def __init__(self, title: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.border_title = title
