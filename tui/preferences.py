"""The settings while the app runs: read again when the file changes, and put into effect at once where that can be."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from textual.signal import Signal

from sdcore.library import config
from sdcore.library.config import Problem, Settings, SettingsError
from sdcore.library.setting import MISSING
from tui.actions import BY_NAME
from tui.actions.remap import Keymap, remap, remapping
from tui.once_begun import once_begun
from tui.theme import theme_for
from tui.widgets.status import FooterLine

if TYPE_CHECKING:
    from tui.app import SdtuiApp

_EVERY: Final = 2.0
"""Seconds between two looks at whether the file was changed by somebody else."""


class Preferences:
    """What the file says, and the app as it wants it."""

    def __init__(self, app: SdtuiApp) -> None:
        self._app = app
        self._stamp = config.stamp()
        self._found = config.read()
        self.keymap: Keymap = {}
        self.problems: tuple[Problem, ...] = ()
        """What cannot be used of the file, with line numbers."""
        self.changed: Signal[Settings] = Signal(app, "settings")
        """Told after a change, of whoever's, is in effect."""
        self._apply()

    @property
    def settings(self) -> Settings:
        """What is set."""
        return self._found.settings

    def begin(self) -> None:
        """Say what is wrong in the file, and watch it."""
        self._app.set_interval(
            _EVERY, lambda: self._app.run_worker(once_begun(self.look), group="settings", exclusive=True)
        )
        if self.problems:
            self._app.run_worker(once_begun(self._complain), group="complaint", exclusive=True)

    async def look(self) -> None:
        """Read the file again if it has changed."""
        stamp = await asyncio.to_thread(config.stamp)
        if stamp != self._stamp:
            await self._read()
            if self.problems:
                await self._complain()

    async def change(self, values: Mapping[str, Any]) -> str:
        """Set these settings and no others; why that cannot be, in one sentence, or ""."""
        try:
            await asyncio.to_thread(config.change, values)
        except SettingsError as fault:
            return str(fault)
        await self._read()
        return ""

    async def change_key(self, name: str, key: str | None) -> str:
        """Give the action called `name` another key, its own where that is None; as `change` has it."""
        own = key is None or BY_NAME[name].keys == (key,)
        return await self.change({"keys": {name: MISSING if own else key}})

    def show_theme(self, name: str) -> None:
        """Show the app in a theme, whichever is set."""
        theme = theme_for(self._app.console.color_system, name)
        self._app.register_theme(theme)
        self._app.theme = theme.name

    async def choose_theme(self) -> None:
        """Let a theme be chosen from a list that shows each at once."""
        from tui.screens.settings.themes import ThemeChooser

        name = await self._app.push_screen_wait(ThemeChooser(self.settings.theme))
        problem = await self.change({"theme": name}) if name is not None else ""
        self.show_theme(self.settings.theme)
        if problem:
            self._app.studio.view.say(problem, tone="alert")

    async def _read(self) -> None:
        self._stamp = await asyncio.to_thread(config.stamp)
        self._found = await asyncio.to_thread(config.read)
        self._apply()
        self._app.ask_for_previews()
        for screen in self._app.screen_stack:
            screen.query(FooterLine).refresh()
        self.changed.publish(self.settings)

    def _apply(self) -> None:
        self.keymap, faults = remapping(self.settings.keys)
        unused = (
            self._found.problem(f"the key of {name} is not changed: {why}.", "keys", name)
            for name, why in faults.items()
        )
        self.problems = (*self._found.problems, *unused)
        remap(self.keymap)
        self._app.set_keymap({name: ",".join(keys) for name, keys in self.keymap.items()})
        self.show_theme(self.settings.theme)

    async def _complain(self) -> None:
        await self._app.studio.ready.wait()
        first, *others = self.problems
        more = f" (and {len(others)} more, listed in the settings)" if others else ""
        self._app.studio.view.say(f"{first}{more}", tone="alert")
