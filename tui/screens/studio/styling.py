"""The styles that the studio's prompts are put into when an image is asked for."""

from __future__ import annotations

import asyncio
import importlib
from typing import TYPE_CHECKING

from textual import events
from textual.content import Content
from textual.widget import Widget

from sdcore.spec.recipe import Recipe
from sdcore.spec.sanitise import sanitise
from sdcore.spec.styles import Style, in_style
from tui.once_begun import once_begun

if TYPE_CHECKING:
    from tui.screens.studio.screen import Studio

_LABEL = "  style       "


class StyleLine(Widget):
    """One quiet line under the prompts: which styles are used. It is not there while none is."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._names: tuple[str, ...] = ()
        self.display = False

    def show(self, names: tuple[str, ...]) -> None:
        """Name these."""
        self._names = names
        self.display = bool(names)
        self.refresh()

    def render(self) -> Content:
        """The label as the parameters have theirs."""
        names = " + ".join(sanitise(name, newlines=False) for name in self._names)
        line = Content.styled(_LABEL, "$dim") + Content.styled(names, "$accent")
        return line.truncate(max(1, self.size.width), ellipsis=True)

    async def on_click(self, event: events.Click) -> None:
        """Choose others."""
        event.stop()
        await self.run_action("screen.styles")


class Styling:
    """Knows the styles of the file and which of them are used."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._styles: dict[str, Style] = {}
        self.names: tuple[str, ...] = ()

    async def open(self) -> None:
        """Read the file on a thread."""
        self._styles = await asyncio.to_thread(_load)

    def use(self, names: tuple[str, ...]) -> None:
        """Use these from now on, in this order."""
        if names != self.names:
            self.names = names
            self._studio.query_one(StyleLine).show(names)
            self._studio.drafting.keep_soon()

    def styled(self, recipe: Recipe) -> Recipe:
        """The recipe with its prompts in the styles that are used; one that is gone is left out, which is said."""
        gone = [name for name in self.names if name not in self._styles]
        if gone:
            named = ", ".join(sanitise(name, newlines=False) for name in gone)
            self._studio.view.say(f"There is no style {named} any more; ⌥t chooses others.", tone="alert")
        return in_style(recipe, [self._styles[name] for name in self.present])

    @property
    def present(self) -> tuple[str, ...]:
        """Those of the styles in use that there are."""
        return tuple(name for name in self.names if name in self._styles)

    def choose(self) -> None:
        """Open the list."""
        self._studio.run_worker(once_begun(self._choose), group="choose", exclusive=True)

    async def _choose(self) -> None:
        await asyncio.to_thread(importlib.import_module, "tui.screens.named.styles")
        from tui.screens.named.styles import StyleList

        recipe, _ = self._studio.read()
        names = await self._studio.app.push_screen_wait(StyleList(recipe, self.names))
        await self.open()  # they may have been edited, whatever was chosen
        if names is not None:
            self.use(names)
        else:
            self.use(self.present)


def _load() -> dict[str, Style]:
    from sdcore.library.styles import Styles

    return Styles().load()[0]
