"""The last border before the screen: whatever a widget draws, no control character gets to the terminal.

Text from outside is sanitised where it comes in; this is for the place that forgot to.
"""

from __future__ import annotations

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from sdcore.spec.sanitise import sanitise


class TextBorder(LineFilter):
    """Replaces what is no text in the text of segments; Textual's own control segments pass."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The segments of a line as they may be shown; the same list where nothing is amiss, which is soon seen."""
        if all(segment.text.isprintable() or segment.control for segment in segments):
            return segments
        return [
            segment if segment.control else Segment(sanitise(segment.text, newlines=False), segment.style)
            for segment in segments
        ]
