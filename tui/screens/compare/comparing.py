"""The way from the studio to two images side by side, and back."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from sdcore.engine import messages as m
from tui.once_begun import once_begun

if TYPE_CHECKING:
    from tui.app import SdtuiApp
    from tui.screens.compare.screen import Compare


class Comparing:
    """Opens the screen on two images and asks the engine how their runs differ. `handle` takes every event."""

    def __init__(self, app: SdtuiApp) -> None:
        self._app = app
        self._screen: Compare | None = None
        self._request: int | None = None

    def open(self) -> None:
        """Compare the image that is looked at, or the newest, with another."""
        self._app.run_worker(once_begun(self._show), group="compare", exclusive=True)

    async def _show(self) -> None:
        await asyncio.to_thread(_import_screen)
        from tui.screens.compare.comparison import first_pair
        from tui.screens.compare.screen import Compare

        studio = self._app.studio
        paths = tuple(studio.gallery.recent.paths) if studio.gallery.recent is not None else ()
        pair = first_pair(paths, studio.gallery.looking_at)
        if pair is None:
            studio.view.say("There are no two images yet to be compared; make another one.")
        elif self._screen is None:
            self._screen = Compare(self, paths, *pair)
            await self._app.push_screen(self._screen, self._left)

    def open_among(self, paths: tuple[Path, ...], stays: Path) -> None:
        """Compare two or more images, newest first: `stays`, one of them, and the others beside it."""
        self._app.run_worker(once_begun(self._show_among, paths, stays), group="compare", exclusive=True)

    async def _show_among(self, paths: tuple[Path, ...], stays: Path) -> None:
        await asyncio.to_thread(_import_screen)
        from tui.screens.compare.screen import Compare

        if self._screen is None:
            other = next(path for path in paths if path != stays)
            self._screen = Compare(self, paths, stays, other)
            await self._app.push_screen(self._screen, self._left)

    def _left(self, _result: None) -> None:
        self._screen = self._request = None

    def ask(self, older: Path, newer: Path) -> None:
        """Ask how the runs of two images (absolute paths) differ; only the newest question is answered."""
        self._request = self._app.inspecting.views.new_request()
        self._app.send(m.CompareTraces(request=self._request, first=str(older), second=str(newer)))

    def forget(self) -> None:
        """No answer is waited for any more."""
        self._request = None

    def handle(self, event: m.AnyEvent) -> None:
        """Take up what concerns the two images."""
        if isinstance(event, m.EngineFailed):
            self.lost(event.message)
        elif isinstance(event, m.Compared | m.TraceFailed) and event.request == self._request:
            self._request = None
            if self._screen is not None and isinstance(event, m.Compared):
                self._screen.compared(event.view)
            elif self._screen is not None and isinstance(event, m.TraceFailed):
                self._screen.no_divergence(event.message)

    def lost(self, message: str) -> None:
        """The engine is gone: what was asked is not answered any more."""
        if self._request is not None and self._screen is not None:
            self._screen.no_divergence(message)
        self.forget()


def _import_screen() -> None:
    import tui.screens.compare.screen  # noqa: F401
