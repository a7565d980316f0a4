"""Asking the engine for images of what the panes say, or saying what is wrong with it."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from sdcore.spec.lineage import Origin

if TYPE_CHECKING:
    from textual.widget import Widget

    from tui.screens.studio.screen import Studio

_SEEDS: Final = 2**32


class Asking:
    """Reads the studio's panes and sends their recipe, with the seed that it is to have."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    def generate(self) -> None:
        """Queue the recipe; a seed that was used gives way to a new one unless it is locked."""
        panel = self._studio.parameters
        self.queue(new_seed=panel.seed_used and not panel.seed_locked)

    def queue(self, *, new_seed: bool) -> None:
        """Queue the recipe, as many times as the panes count. A new seed is drawn once nothing else is wrong."""
        studio = self._studio
        if studio.view.engine_dead:
            studio.app.open_engine()
        recipe, faults = studio.read()
        if new_seed and faults.keys() <= {"seed"}:
            studio.parameters.set_seed(secrets.randbelow(_SEEDS), used=False)
            recipe, faults = studio.read()
        if faults:
            self._refuse(*next(iter(faults.items())))
            return
        if studio.app.queueing.editing.put_back(recipe):
            return
        studio.parameters.set_seed(recipe.seed, used=True)
        studio.gallery.look_away()
        studio.starting.put_away()
        recipes = studio.styling.styled(recipe).in_turn(studio.parameters.count)
        studio.drawing.send(recipes, Origin(styles=studio.styling.present))
        studio.view.show_head()
        studio.remembering.add(recipe)
        studio.completing.used(recipe.prompt)

    def forever(self) -> None:
        """Make one image after another of what the panes say, or make an end of it."""
        said, fault = self._studio.app.queueing.toggle_forever()
        if fault:
            self._refuse(fault, said)
        else:
            self._studio.view.say(said)

    def _refuse(self, name: str, message: str) -> None:
        studio = self._studio
        editors: dict[str, Widget] = {"prompt": studio.prompt, "negative_prompt": studio.negative}
        if name in editors:
            editors[name].focus()
        else:
            studio.parameters.go_to(name)
        studio.view.complain(message, lambda: studio.said)
