"""The screens that one goes to from anywhere: their names, and where they are found once they are wanted."""

from __future__ import annotations

import asyncio
import importlib
from typing import TYPE_CHECKING, Final

import msgspec
from textual.screen import Screen

from tui.once_begun import once_begun

if TYPE_CHECKING:
    from tui.app import SdtuiApp


class Place(msgspec.Struct, frozen=True):
    """A screen by the module that holds it and its class, which takes no arguments: what it needs, the app has."""

    name: str
    module: str
    screen: str


PLACES: Final = {
    place.name: place
    for place in (
        Place("library", "tui.screens.library.screen", "LibraryScreen"),
        Place("queue", "tui.screens.queue.screen", "QueueScreen"),
        Place("sweep", "tui.screens.sweep.screen", "SweepScreen"),
        Place("settings", "tui.screens.settings.screen", "SettingsScreen"),
    )
}
"""Imported on a thread when they are first gone to: the app's first paint needs none of them."""

_LEFT_FREELY: Final = frozenset({"inspector", "compare", "viewer", "variations", *PLACES})
"""The scopes of screens that lose nothing when one goes elsewhere."""


class Ways:
    """Goes from the studio, or any screen that is left freely, to a place, and back."""

    def __init__(self, app: SdtuiApp) -> None:
        self._app = app

    def go(self, name: str) -> None:
        """Go to the place called `name`, or back to the studio from it; "studio" is the studio. Elsewhere than in the
        studio and in places nothing happens: a list or a mask that is being drawn is closed by its own keys."""
        self._app.run_worker(once_begun(self._go, name), group="ways", exclusive=True)

    async def _go(self, name: str) -> None:
        present = self._scope(self._app.screen)
        wanted = None if name in ("studio", present) else PLACES[name]
        if wanted is not None:
            await asyncio.to_thread(importlib.import_module, wanted.module)
        if not await self._back() or wanted is None:
            return
        screen = getattr(importlib.import_module(wanted.module), wanted.screen)()
        await self._dress(screen)
        await self._app.push_screen(screen)

    async def _dress(self, screen: Screen[object]) -> None:
        """Parse the rules of a screen's looks on a thread: Textual would parse all that there are between two keys."""
        present = self._app.stylesheet
        paths = [path for path in screen.css_path if not present.has_source(str(path), "")]
        if not paths:
            return
        rules, sources, fresh = present.rules, set(present.source), present.copy()

        def parse() -> None:
            fresh.read_all(paths)
            fresh.parse()

        await asyncio.to_thread(parse)
        # another theme, or a widget that was not there before: then Textual parses what is there now
        if present.rules is rules and set(present.source) == sources:
            self._app.stylesheet = fresh

    async def _back(self) -> bool:
        """Leave every screen above the studio; whether that could be done."""
        app = self._app
        while app.screen is not app.studio:
            if self._scope(app.screen) not in _LEFT_FREELY:
                return False
            await app.screen.dismiss(None)
        return True

    def _scope(self, screen: Screen[object]) -> str:
        return getattr(screen, "SCOPE", "")
