"""Quiet sentences under what they explain."""

from __future__ import annotations

import textwrap

from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

from sdcore.spec.sanitise import sanitise


def unbroken(text: str) -> str:
    """`text` with spaces at which no line is broken."""
    return text.replace(" ", "\u00a0")


class Notes(Widget):
    """As many lines as the sentences need; each begins one of its own. With `hyphens` a line may end after one, as
    file names need it in a narrow place. A line that ends between two facts leaves out the dot between them."""

    ALLOW_SELECT = False

    def __init__(self, *, hyphens: bool = False, id: str | None = None) -> None:
        super().__init__(id=id)
        self._hyphens = hyphens
        self._sentences: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """What it says, a sentence a line."""
        return "\n".join(self._sentences).replace("\u00a0", " ")

    def show(self, *sentences: str) -> None:
        """Say these, instead of what was said before."""
        sentences = tuple(sanitise(sentence, newlines=False) for sentence in sentences if sentence)
        if sentences != self._sentences:
            self._sentences = sentences
            self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """A line for each that wrapping makes."""
        return len(self._lines(width))

    def _lines(self, width: int) -> list[str]:
        return [
            line.removesuffix("\u00a0·")
            for sentence in self._sentences
            for line in textwrap.wrap(
                sentence.replace(" · ", "\u00a0· "), max(10, width), break_on_hyphens=self._hyphens
            )
        ]

    def render(self) -> Content:
        """The sentences, wrapped between words."""
        return Content("\n".join(self._lines(self.size.width)).replace("\u00a0", " "))
