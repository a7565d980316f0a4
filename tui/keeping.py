"""The process that keeps the library's index up to date, as long as the app runs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from tui.once_begun import once_begun

if TYPE_CHECKING:
    from tui.app import SdtuiApp


class Keeper(Protocol):
    """A process that was started, as `sdcore.library.index.keeper` has it."""

    def close(self) -> None:
        """Have it end."""


StartKeeper = Callable[[], Keeper]


def start_keeper() -> Keeper:
    """Start it; imported here, off the event loop, for the first paint needs none of it. Raises OSError."""
    from sdcore.library.index import keeper

    return keeper.start_keeper()


class Keeping:
    """Starts the keeper once the studio is ready and nobody waits for anything."""

    def __init__(self, app: SdtuiApp, start: StartKeeper | None) -> None:
        self._app = app
        self._start = start
        self._keeper: Keeper | None = None

    def begin(self) -> None:
        """Start it as soon as that is in nobody's way; without it the library shows what it knew before."""
        if self._start is not None:
            self._app.run_worker(once_begun(self._begin, self._start), group="keeper", exit_on_error=False)

    async def _begin(self, start: StartKeeper) -> None:
        await self._app.studio.ready.wait()
        with contextlib.suppress(OSError):
            self._keeper = await asyncio.to_thread(start)

    async def end(self) -> None:
        """The app is left."""
        if self._keeper is not None:
            await asyncio.to_thread(self._keeper.close)
