"""The prompts used before: remembered when an image is asked for, and listed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sdcore.spec.recipe import Recipe
from tui.once_begun import once_begun
from tui.prompt_history import HistoryWalk

if TYPE_CHECKING:
    from sdcore.library.history import PromptHistory
    from tui.screens.studio.screen import Studio


class Remembering:
    """Keeps the prompt history of the studio."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self.walk = HistoryWalk()

    async def open(self) -> None:
        """Read the history on a thread."""
        self.walk.history = await asyncio.to_thread(_open_history)

    def add(self, recipe: Recipe) -> None:
        """An image of these prompts is asked for."""
        self.walk.rest()
        if self.walk.history is not None:
            self._studio.run_worker(once_begun(self._add, recipe), group="history")

    async def _add(self, recipe: Recipe) -> None:
        history = self.walk.history
        try:
            if history is not None:
                await asyncio.to_thread(history.add, recipe)
        except OSError as fault:
            self._studio.view.say(
                f"The prompt history cannot be written: {fault.strerror or fault}.", tone="alert"
            )

    def choose(self) -> None:
        """List the prompts used before, newest first."""
        self._studio.run_worker(once_begun(self._choose), group="choose", exclusive=True)

    async def _choose(self) -> None:
        from tui.screens.lists.prompt_search import PromptSearch

        studio = self._studio
        taken = await studio.app.push_screen_wait(PromptSearch(await asyncio.to_thread(self.walk.entries)))
        if taken is None:
            return
        studio.prompt.show(taken.entry.prompt)
        studio.prompt.focus()
        if taken.whole:
            studio.negative.show(taken.entry.negative_prompt)
            if (recipe := taken.entry.recipe()) is not None:
                seed = studio.parameters.texts["seed"]
                studio.parameters.set_recipe(recipe)
                studio.parameters.set_texts({"seed": seed})


def _open_history() -> PromptHistory:
    from sdcore.library.history import PromptHistory

    return PromptHistory()
