"""Prompts that hold choices: one lot is drawn for each image, by its seed, before it is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from sdcore.engine import messages as m
from sdcore.spec.lineage import Origin
from sdcore.spec.recipe import Recipe
from tui.once_begun import once_begun

if TYPE_CHECKING:
    from sdcore.library.wildcards import Wildcards
    from sdcore.spec.sweep.drawing import Drawn
    from tui.screens.studio.screen import Studio

_MARKS: Final = ("{", "__", "\\")
"""Without one of these there is nothing to draw."""
_MOST_SAID: Final = 200
_KEPT: Final = 500
"""Of how many jobs it is known what was drawn."""


class Drawing:
    """Sends the studio's recipes, those with choices in their prompts as they were drawn."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._said: dict[str, str] = {}
        self._words: Wildcards | None = None
        self._turn = asyncio.Lock()

    def send(self, recipes: Sequence[Recipe], origin: Origin) -> None:
        """Have the engine make them. Recipes are sent in the order in which they came."""
        texts, said = (
            [text for one in recipes for text in (one.prompt, one.negative_prompt)],
            self._studio.said,
        )
        if self._turn.locked() or any(mark in text for mark in _MARKS for text in texts):
            self._studio.run_worker(once_begun(self._draw, recipes, origin, said), group="draw")
            return
        for recipe in recipes:
            self._submit(recipe, origin, said)

    def said(self, job: str) -> str:
        """What was drawn for a job, in a few words; "" where nothing was."""
        return self._said.get(job, "")

    async def _draw(self, recipes: Sequence[Recipe], origin: Origin, said: object) -> None:
        from sdcore.spec.sweep.drawing import DrawingError

        async with self._turn:
            try:
                every = await asyncio.to_thread(self._drawn, recipes)
            except DrawingError as fault:
                self._studio.view.complain(str(fault), lambda: self._studio.said)
                return
            for recipe, drawn in zip(recipes, every, strict=True):
                self._submit(recipe, origin, said, drawn)

    def _drawn(self, recipes: Sequence[Recipe]) -> list[Drawn]:
        from sdcore.library.wildcards import Wildcards
        from sdcore.spec.sweep.drawing import draw

        if self._words is None:
            self._words = Wildcards()
        self._words.forget()  # they may have been edited since the last image
        return [draw(recipe, self._words) for recipe in recipes]

    def _submit(self, recipe: Recipe, origin: Origin, said: object, drawn: Drawn | None = None) -> None:
        view = self._studio.view
        made = drawn.recipe if drawn is not None else recipe
        job = view.book.add(made)
        view.newest = job, said
        if drawn is not None and (sentence := told(drawn)):
            self._said = {**dict(list(self._said.items())[-_KEPT:]), job: sentence}
            view.say(sentence)
        template = drawn.template if drawn is not None else None
        self._studio.app.send(m.Generate(job=job, recipe=made, template=template, origin=origin))


def told(drawn: Drawn) -> str:
    """What was drawn, and which wildcards there are no files for; "" where neither is so."""
    missing = ", ".join(drawn.unknown)
    choices = " · ".join(choice.strip() or "nothing" for choice in drawn.choices)
    sentences = [f"drawn: {choices[:_MOST_SAID]}"] if choices else []
    sentences += [f"There is no wildcard file called {missing}."] if missing else []
    return "; ".join(sentences)
