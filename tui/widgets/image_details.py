"""One image larger, and what is known of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import msgspec
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from tui.image_text import Told, details_text
from tui.line.library import LibraryError
from tui.once_begun import once_begun
from tui.widgets.canvas import Canvas
from tui.widgets.panes import Column

if TYPE_CHECKING:
    from tui.line.library import Library

_DELAY: Final = 0.12
"""Seconds that the cursor has to rest on an image before its file is read."""
_FINE: Final = 4
"""Pixels to a cell's width: a terminal may draw so many."""
_UNREADABLE: Final = "This image cannot be read."


class DetailsText(VerticalScroll, can_focus=False):
    """Words, parameters and origin of an image, to be scrolled."""

    DEFAULT_CSS = """
    DetailsText { width: 1fr; height: 1fr; scrollbar-size-vertical: 1; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._told: Told | None = None

    def compose(self) -> ComposeResult:
        """One text."""
        yield Static(markup=False)

    @property
    def told(self) -> Told | None:
        """What is shown."""
        return self._told

    def show(self, told: Told | None) -> None:
        """Show what is known of an image; nothing with None."""
        if told == self._told:
            return
        if told is None or self._told is None or told.path != self._told.path:
            self.scroll_home(animate=False)
        self._told = told
        self._fill()

    def on_resize(self) -> None:
        """Lines are broken elsewhere."""
        self._fill()

    def _fill(self) -> None:
        width = self.scrollable_content_region.width
        if not width:
            return  # lines cut to nothing would be given room that they keep
        text = details_text(self._told, width) if self._told else ""
        for static in self.query(Static):  # none where the screen is being left
            static.update(text)


class ImageDetails(Column):
    """The picture over the text. What the index knows is there at once, picture and file follow when the cursor rests.

    `show` with a `Told`; None for no image.
    """

    DEFAULT_CSS = """
    ImageDetails > Canvas { height: 1fr; }
    ImageDetails > DetailsText { height: 46%; margin: 1 0 0 0; }
    """

    def __init__(self, library: Library, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._library = library
        self._path = ""

    def compose(self) -> ComposeResult:
        """Picture above, text below."""
        yield Canvas(id="details-picture")
        yield DetailsText(id="details-text")

    @property
    def text(self) -> DetailsText:
        """The words."""
        return self.query_one(DetailsText)

    def show(self, told: Told | None) -> None:
        """Show an image."""
        path, before = told.path if told else "", self._path
        self._path = path
        if told is None:
            self.text.show(None)
            self.query_one(Canvas).show_hint("")
            return
        present = self.text.told
        if path == before and present is not None:  # only its marks may have changed
            told = _marked_as(present, told)
        self.text.show(told)
        if path != before:
            self.run_worker(once_begun(self._read, told), group="details", exclusive=True)

    def scroll_text(self, lines: int) -> None:
        """Scroll the text."""
        self.text.scroll_relative(y=lines, animate=False)

    async def _read(self, told: Told) -> None:
        await asyncio.sleep(_DELAY)
        canvas = self.query_one(Canvas)
        try:
            picture = await self._library.picture(told, _FINE * max(canvas.preview_box()))
            if told.path != self._path or not self.is_attached:
                return
            if picture is None:
                canvas.show_hint(_UNREADABLE)
            else:
                canvas.show_image(picture)
            whole = await self._library.tell(told)
        except LibraryError as fault:
            if told.path == self._path and self.is_attached:
                canvas.show_hint(str(fault))
                self._path = ""  # it is asked for again when next it is shown
            return
        if told.path == self._path and self.is_attached and self.text.told is not None:
            self.text.show(_marked_as(whole, self.text.told))


def _marked_as(told: Told, other: Told) -> Told:
    return msgspec.structs.replace(told, star=other.star, tags=other.tags)
