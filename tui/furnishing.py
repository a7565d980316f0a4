"""What the app has besides the studio: made when it is first wanted, since the first paint wants none of it."""

from __future__ import annotations

import asyncio
import importlib
from functools import cached_property
from typing import TYPE_CHECKING, Final, cast

from tui.typeahead import TypeAhead

if TYPE_CHECKING:
    from tui.app import SdtuiApp
    from tui.line.library import Library
    from tui.line.link import Listener
    from tui.screens.compare.comparing import Comparing
    from tui.screens.inspector.inspecting import Inspecting
    from tui.screens.queue.queueing import Queueing
    from tui.screens.sweep.sweeping import Sweeping
    from tui.screens.variations.varying import Varying

_MODULES: Final = (
    "tui.line.near_library",
    "tui.line.far_library",
    "tui.screens.inspector.inspecting",
    "tui.screens.compare.comparing",
    "tui.screens.sweep.sweeping",
    "tui.screens.variations.varying",
    "tui.screens.queue.queueing",
)


class Furnished(TypeAhead):
    """An app with ways into its other screens, each of which listens to the engine. With a `host` the engine and the
    images are on another machine."""

    host = ""

    @cached_property
    def library(self) -> Library:
        """The images that the library screen browses."""
        from tui.line.far_library import FarLibrary
        from tui.line.near_library import NearLibrary

        return FarLibrary(self._self.send, self.host) if self.host else NearLibrary()

    @cached_property
    def inspecting(self) -> Inspecting:
        """The way into a recorded run."""
        from tui.screens.inspector.inspecting import Inspecting

        return Inspecting(self._self)

    @cached_property
    def comparing(self) -> Comparing:
        """The way to two images side by side."""
        from tui.screens.compare.comparing import Comparing

        return Comparing(self._self)

    @cached_property
    def sweeping(self) -> Sweeping:
        """The sweep that goes on."""
        from tui.screens.sweep.sweeping import Sweeping

        return Sweeping(self._self)

    @cached_property
    def varying(self) -> Varying:
        """The way to an image's variations."""
        from tui.screens.variations.varying import Varying

        return Varying(self._self)

    @cached_property
    def queueing(self) -> Queueing:
        """The queue as the engine tells of it."""
        from tui.screens.queue.queueing import Queueing

        return Queueing(self._self)

    async def furnish(self) -> list[Listener]:
        """All of it; what has to be imported is, on a thread."""
        await asyncio.to_thread(lambda: [importlib.import_module(name) for name in _MODULES])
        far = cast("list[Listener]", [self.library] if self.host else [])
        return [self.inspecting, self.comparing, self.sweeping, self.varying, self.queueing, *far]

    @property
    def _self(self) -> SdtuiApp:
        return cast("SdtuiApp", self)
