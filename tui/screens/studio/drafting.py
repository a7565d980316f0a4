"""The panes as they stand are kept for the next run, shortly after each change."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from textual.timer import Timer

from tui import drafts
from tui.once_begun import once_begun

if TYPE_CHECKING:
    from tui.screens.studio.screen import Studio

_DELAY: Final = 0.5


class Drafting:
    """Fills the studio's panes from a draft, and writes what they say back to disk."""

    def __init__(self, studio: Studio, draft: drafts.Draft) -> None:
        self._studio = studio
        self._first = draft
        self._aside: drafts.Draft | None = None
        self._timer: Timer | None = None

    def fill(self) -> None:
        """Fill the panes from the draft."""
        self._show(self._first)

    def lay_aside(self) -> None:
        """Keep what the panes say, as what was typed, while they are used for something else."""
        self._aside = self.read()

    @property
    def is_aside(self) -> bool:
        """Whether the panes are used for something else."""
        return self._aside is not None

    def take_back(self) -> None:
        """Have the panes say it again."""
        draft, self._aside = self._aside, None
        if draft is not None:
            self._show(draft)

    def _show(self, draft: drafts.Draft) -> None:
        studio = self._studio
        studio.prompt.load_text(draft.prompt)
        studio.prompt.move_cursor(studio.prompt.document.end)
        studio.negative.load_text(draft.negative_prompt)
        studio.parameters.set_texts(draft.rows)
        studio.parameters.seed_locked = draft.seed_locked
        studio.parameters.seed_used = draft.seed_used
        studio.styling.use(draft.styles)

    def read(self) -> drafts.Draft:
        """The panes as they stand, or what was laid aside."""
        if self._aside is not None:
            return self._aside
        panel = self._studio.parameters
        return drafts.Draft(
            prompt=self._studio.prompt.text,
            negative_prompt=self._studio.negative.text,
            rows=panel.texts,
            seed_locked=panel.seed_locked,
            seed_used=panel.seed_used,
            styles=self._studio.styling.names,
        )

    def keep_soon(self) -> None:
        """Write them when nothing has changed for a while."""
        if self._timer is not None:
            self._timer.stop()
        self._timer = self._studio.set_timer(_DELAY, self._keep)

    def _keep(self) -> None:
        self._studio.run_worker(once_begun(self._write, self.read()), group="draft")

    async def _write(self, draft: drafts.Draft) -> None:
        try:
            await asyncio.to_thread(drafts.save, draft)
        except OSError as fault:
            self._studio.view.say(
                f"What you type cannot be kept for the next run: {fault.strerror or fault}.", tone="alert"
            )
