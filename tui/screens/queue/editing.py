"""A waiting job in the studio's panes: what was typed there is laid aside until the job is back in the queue, and the
person with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sdcore.engine import messages as m
from sdcore.spec.recipe import Recipe

if TYPE_CHECKING:
    from tui.app import SdtuiApp
    from tui.screens.queue.queueing import Item

_TITLE: Final = "prompt of a job that waits"
_SAID: Final = "A job that waits: Enter puts it back as it is here, Escape as it was."
_CHANGED: Final = "The job is changed; the studio says again what it said before."
_LEFT: Final = "The job is as it was; the studio says again what it said before."


class QueueEditing:
    """Begun by the queue screen, ended by the studio's own keys. The job is held meanwhile."""

    def __init__(self, app: SdtuiApp) -> None:
        self._app = app
        self._job = ""
        self._held = False
        self._title = ""
        self._news = ("", "")

    @property
    def job(self) -> str:
        """The job that is edited, "" where none is."""
        return self._job

    def begin(self, item: Item) -> None:
        """Bring a waiting job to the studio."""
        if self._job:
            self._end()
        studio = self._app.studio
        self._job, self._held = item.job, item.held
        if not item.held:
            self._app.send(m.HoldJobs(jobs=(item.job,)))
        studio.drafting.lay_aside()
        show_recipe(self._app, item.recipe)
        studio.styling.use(())
        self._title, studio.prompt.border_title = str(studio.prompt.border_title or ""), _TITLE
        studio.show_footer()
        studio.view.say(_SAID)

    def put_back(self, recipe: Recipe) -> bool:
        """Have the job made by `recipe`, and go back to it; whether one is edited."""
        if not self._job:
            return False
        self._app.send(m.EditJob(job=self._job, recipe=recipe))
        self._return(_CHANGED)
        return True

    def leave(self) -> bool:
        """Leave the job as it was, and go back to it; whether one is edited."""
        if not self._job:
            return False
        self._return(_LEFT)
        return True

    def take_news(self) -> tuple[str, str]:
        """The job that one has just come back from, and what is to be said of it; told once."""
        news, self._news = self._news, ("", "")
        return news

    def _return(self, sentence: str) -> None:
        self._news = self._job, sentence
        self._end()
        self._app.studio.view.say("")
        self._app.ways.go("queue")

    def _end(self) -> None:
        studio = self._app.studio
        if not self._held:
            self._app.send(m.HoldJobs(jobs=(self._job,), held=False))
        self._job = ""
        studio.drafting.take_back()
        studio.prompt.border_title = self._title
        studio.show_footer()


def show_recipe(app: SdtuiApp, recipe: Recipe) -> None:
    """Fill the studio's panes with a recipe, its seed as one that was not used yet."""
    studio = app.studio
    studio.prompt.show(recipe.prompt)
    studio.negative.show(recipe.negative_prompt)
    studio.parameters.set_recipe(recipe)
    studio.parameters.set_seed(recipe.seed, used=False)
