"""A waiting job in the studio's panes: what was typed there is laid aside until the job is back in the queue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sdcore.engine import messages as m
from sdcore.spec.recipe import Recipe

if TYPE_CHECKING:
    from tui.app import SdtuiApp
    from tui.screens.queue.queueing import Item

_TITLE: Final = "prompt of a job that waits"
_SAID: Final = "A job that waits: Enter puts it back as it is here, Escape leaves it as it was."


class QueueEditing:
    """Begun by the queue screen, ended by the studio's own keys. The job is held meanwhile."""

    def __init__(self, app: SdtuiApp) -> None:
        self._app = app
        self._job = ""
        self._held = False
        self._title = ""

    @property
    def job(self) -> str:
        """The job that is edited, "" where none is."""
        return self._job

    def begin(self, item: Item) -> None:
        """Bring a waiting job to the studio."""
        self.leave()
        studio = self._app.studio
        self._job, self._held = item.job, item.held
        if not item.held:
            self._app.send(m.HoldJobs(jobs=(item.job,)))
        studio.drafting.lay_aside()
        show_recipe(self._app, item.recipe)
        studio.styling.use(())
        self._title, studio.prompt.border_title = str(studio.prompt.border_title or ""), _TITLE
        studio.view.say(_SAID)

    def put_back(self, recipe: Recipe) -> bool:
        """Have the job made by `recipe`; whether one is edited."""
        if not self._job:
            return False
        self._app.send(m.EditJob(job=self._job, recipe=recipe))
        return self._end("It is back in the queue, changed.")

    def leave(self) -> bool:
        """Leave the job as it was; whether one is edited."""
        return bool(self._job) and self._end("It is back in the queue as it was.")

    def _end(self, sentence: str) -> bool:
        studio = self._app.studio
        if not self._held:
            self._app.send(m.HoldJobs(jobs=(self._job,), held=False))
        self._job = ""
        studio.drafting.take_back()
        studio.prompt.border_title = self._title
        studio.view.say(f"{sentence} What was here before is, too.")
        return True


def show_recipe(app: SdtuiApp, recipe: Recipe) -> None:
    """Fill the studio's panes with a recipe, its seed as one that was not used yet."""
    studio = app.studio
    studio.prompt.show(recipe.prompt)
    studio.negative.show(recipe.negative_prompt)
    studio.parameters.set_recipe(recipe)
    studio.parameters.set_seed(recipe.seed, used=False)
