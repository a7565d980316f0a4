"""The studio's keys that help with words: the history, LoRAs and embeddings, styles, an editor of one's own."""

from __future__ import annotations

import asyncio
import importlib
from typing import TYPE_CHECKING

from textual.screen import Screen

from tui.once_begun import once_begun
from tui.screens.lists.addons import pick_addon

if TYPE_CHECKING:
    from tui.app import SdtuiApp
    from tui.screens.studio.remembering import Remembering
    from tui.screens.studio.run_view import RunView
    from tui.screens.studio.screen import Studio
    from tui.screens.studio.styling import Styling
    from tui.widgets.prompt import PromptEditor


class WordKeys(Screen[None], inherit_bindings=False):
    """What these keys do; a part of the studio."""

    app: SdtuiApp
    remembering: Remembering
    styling: Styling
    view: RunView

    @property
    def prompt(self) -> PromptEditor:
        """The prompt's editor."""
        raise NotImplementedError

    @property
    def negative(self) -> PromptEditor:
        """The negative prompt's editor."""
        raise NotImplementedError

    @property
    def editor(self) -> PromptEditor:
        """The editor in focus; the prompt's where none is."""
        return self.negative if self.focused is self.negative else self.prompt

    def action_history(self) -> None:
        """Search the prompts used before."""
        self.remembering.choose()

    def action_addons(self: Studio) -> None:  # type: ignore[misc]
        """List the LoRAs and embeddings there are, to name one in the prompt or the negative prompt."""
        self.run_worker(once_begun(pick_addon, self, self.editor), group="choose", exclusive=True)

    def action_styles(self) -> None:
        """Choose the styles that the next prompts are put into."""
        self.styling.choose()

    def action_presets(self: Studio) -> None:  # type: ignore[misc]
        """Choose a named set of parameters."""
        self.run_worker(once_begun(self._choose_preset), group="choose", exclusive=True)

    def action_wildcards(self: Studio) -> None:  # type: ignore[misc]
        """List the wildcard files, to edit them or to name one in the prompt."""
        self.run_worker(once_begun(self._choose_wildcard, self.editor), group="choose", exclusive=True)

    async def _choose_wildcard(self: Studio, editor: PromptEditor) -> None:  # type: ignore[misc]
        await asyncio.to_thread(importlib.import_module, "tui.screens.named.wildcards")
        from tui.screens.named.wildcards import choose_wildcard

        await choose_wildcard(self, editor)

    async def _choose_preset(self: Studio) -> None:  # type: ignore[misc]
        await asyncio.to_thread(importlib.import_module, "tui.screens.named.presets")
        from tui.screens.named.presets import choose_preset

        await choose_preset(self)

    def action_variations(self: Studio) -> None:  # type: ignore[misc]
        """Vary the image that is shown."""
        image = self.gallery.shown
        if image is None:
            self.view.say("There is no image yet that could be varied; Enter makes one.")
        else:
            self.app.varying.open(image)

    def action_edit(self) -> None:
        """Open the prompt, or the negative prompt if that is in focus, in an editor."""
        from tui.editor import EditorError, edit

        editor = self.editor
        try:
            editor.show(edit(self.app, editor.text))
        except EditorError as fault:
            self.view.say(str(fault), tone="alert")
        editor.focus()
