"""Variations of an image: asked of the engine, followed until they are made, kept as a tree while the app runs."""

from __future__ import annotations

import asyncio
import importlib
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from sdcore.engine import messages as m
from sdcore.spec.facts import ImageFacts
from sdcore.spec.lineage import Origin
from sdcore.spec.recipe import Recipe
from sdcore.spec.views import Picture
from tui.once_begun import once_begun
from tui.screens.variations.tree import NEIGHBOURS, Node, before, is_deepest, neighbours

if TYPE_CHECKING:
    from tui.app import SdtuiApp
    from tui.screens.variations.screen import Variations
    from tui.widgets.status import Tone

_SEEDS: Final = 2**32
_SIDE: Final = 512
"""Pixels of a picture's longer side that are kept for the grid."""
FIRST_STRENGTH: Final = 0.2


class Say(Protocol):
    """Says a sentence in the message line of a screen, in the longest wording that fits."""

    def __call__(self, *wordings: str, tone: Tone = "bright") -> None:
        """Say it."""


class Varying:
    """Opens the screen and keeps the tree. `handle` takes every event, whether the screen is there or not."""

    def __init__(self, app: SdtuiApp) -> None:
        self._app = app
        self._screen: Variations | None = None
        self._nodes: dict[Path, Node] = {}
        self._jobs: dict[str, Node] = {}
        self.strength = FIRST_STRENGTH
        self._handlers: dict[type, Callable[[Any], None]] = {
            m.JobStarted: self._started,
            m.JobProgress: self._progressed,
            m.JobPreview: self._previewed,
            m.JobFinished: self._finished,
            m.JobCancelled: self._cancelled,
            m.JobFailed: self._failed,
        }

    def open(self, image: Path, say: Say | None = None) -> None:
        """Show the neighbours of an image that says how it was made; have them made where there are none yet. Why that
        cannot be is told through `say`, where none is given in the studio."""
        self._app.run_worker(
            once_begun(self._open, image, say or self._app.studio.view.say),
            group="variations",
            exclusive=True,
        )

    async def _open(self, image: Path, say: Say) -> None:
        from sdcore.library.metadata import MetadataError

        await asyncio.to_thread(importlib.import_module, "tui.screens.variations.screen")
        from tui.screens.variations.screen import Variations

        try:
            node = self._nodes.get(image) or await asyncio.to_thread(_read, image)
        except (MetadataError, OSError) as fault:
            say(str(fault), tone="alert")
            return
        if node is None:
            say(f"{image.name} does not say how it was made, so it cannot be varied.", tone="alert")
            return
        self._nodes.setdefault(image, node)
        if self._screen is None:
            self._screen = Variations(self, node)
            await self._app.push_screen(self._screen, self._left)
            if not node.children:
                self.make(node)

    def _left(self, _result: None) -> None:
        self._screen = None

    def lost(self, message: str) -> None:
        """The engine is gone: what was not made is not made."""
        for node in self._jobs.values():
            node.state = "dropped"
        self._jobs.clear()
        if self._screen is not None:
            self._screen.say(message, tone="alert")
            self._screen.show()

    # What the screen asks for

    def make(self, node: Node) -> None:
        """Have new neighbours of a node made at the present strength."""
        if is_deepest(node.recipe):
            self._say(
                "This is as many generations as a recipe can hold; begin again from its image in img2img."
            )
            return
        self.drop(node.newest)
        for place, child in enumerate(
            neighbours(node, self.strength, [secrets.randbelow(_SEEDS) for _ in range(NEIGHBOURS)]), 1
        ):
            self._send(child, node, f"{place} of {NEIGHBOURS}")
        self._show()

    def back(self, node: Node) -> Node | None:
        """The node that this one is a variation of, None where it is none. Where its image is not to be found it is
        made again: its recipe is known."""
        if node.parent is None and (recipe := before(node.recipe)) is not None:
            node.parent = Node(recipe, children=[node])
            self._app.run_worker(once_begun(self._find, node, node.parent), group="variations back")
        return node.parent

    async def _find(self, node: Node, parent: Node) -> None:
        from sdcore.library.metadata import MetadataError

        found: Node | None = None
        try:
            found = await asyncio.to_thread(_read_parent, node)
        except (MetadataError, OSError):
            found = None
        if found is None:
            self._send(parent, None, "parent")
        else:
            parent.path, parent.picture, parent.state = found.path, found.picture, found.state
            parent.note = found.note
            if found.path is not None:
                self._nodes.setdefault(found.path, parent)
        self._show()

    def drop(self, nodes: list[Node]) -> None:
        """Nobody wants those that are not begun any more."""
        for node in nodes:
            if node.state == "waiting" and node.job:
                self._app.send(m.Cancel(job=node.job))
                node.state = "dropped"

    def use(self, node: Node) -> None:
        """Bring a node's recipe to the studio, and go there."""
        if node.path is not None:
            self._app.run_worker(once_begun(self._use, node.path), group="ask", exclusive=True)

    async def _use(self, path: Path) -> None:
        from tui.screens.lists.recalling import recall_into_studio

        if await recall_into_studio(self._app, path):
            self._app.ways.go("studio")

    def _send(self, node: Node, parent: Node | None, label: str) -> None:
        source = parent.path.name if parent is not None and parent.path is not None else ""
        node.job = self._app.studio.view.book.add(node.recipe)
        node.state = "waiting"
        self._jobs[node.job] = node
        group = f"variations of {source}" if source else "variations"
        self._app.send(
            m.Generate(
                job=node.job, recipe=node.recipe, group=group, label=label, origin=Origin(varied_from=source)
            )
        )

    def _say(self, sentence: str) -> None:
        if self._screen is not None:
            self._screen.say(sentence)

    def _show(self) -> None:
        if self._screen is not None:
            self._screen.show()

    # What the engine tells

    def handle(self, event: m.AnyEvent) -> None:
        """Take up what concerns the tree."""
        handler = self._handlers.get(type(event))
        if handler is not None and getattr(event, "job", "") in self._jobs:
            handler(event)
            self._show()

    def _started(self, event: m.JobStarted) -> None:
        node = self._jobs[event.job]
        node.state, node.total = "running", len(event.timesteps)

    def _progressed(self, event: m.JobProgress) -> None:
        node = self._jobs[event.job]
        node.done, node.total = event.index + 1, event.total

    def _previewed(self, event: m.JobPreview) -> None:
        node = self._jobs[event.job]
        if event.image == 0:
            node.picture = Picture(width=event.width, height=event.height, rgb=event.rgb)

    def _finished(self, event: m.JobFinished) -> None:
        node = self._jobs.pop(event.job)
        if not event.images:
            node.state = "dropped"
            return
        node.path, node.state = Path(event.images[0].path), "made"
        self._nodes[node.path] = node
        self._app.run_worker(once_begun(self._picture, node, node.path), group="variations picture")

    async def _picture(self, node: Node, path: Path) -> None:
        from sdcore.library.metadata import MetadataError

        try:
            node.picture = await asyncio.to_thread(_load, path)
        except (MetadataError, OSError) as fault:
            self._say(str(fault))
        self._show()

    def _cancelled(self, event: m.JobCancelled) -> None:
        self._jobs.pop(event.job).state = "dropped"

    def _failed(self, event: m.JobFailed) -> None:
        node = self._jobs.pop(event.job)
        node.state, node.note = "failed", event.message
        self._say(event.message)


def _read(image: Path) -> Node | None:
    """The node of an image on disk; None where it does not say how it was made."""
    from sdcore.library.metadata import read_image

    facts = read_image(image)
    if facts.writer is None:
        return None
    return Node(_recipe_of(facts), path=image, state="made", picture=_load(image), note=_note(facts))


def _recipe_of(facts: ImageFacts) -> Recipe:
    recipe = facts.recipe()
    return recipe.for_image(0) if recipe.batch_size > 1 else recipe


def _note(facts: ImageFacts) -> str:
    """Why the neighbours may not be near, "" where they are exactly what they are called."""
    if facts.extra.get("segments"):
        return "This image is a fork: its neighbours start at the first step, under the recipe of its last."
    if not facts.exact:
        return f"Made by {facts.writer}: its neighbours are near what sdtui makes of its recipe."
    return ""


def _read_parent(node: Node) -> Node | None:
    """The image that a node's image names as its parent, if it lies beside it or in the folder of another day and is
    what the recipe says."""
    from sdcore.library.lineage import beside
    from sdcore.library.metadata import read_image

    if node.path is None:
        return None
    named = read_image(node.path).extra.get("varied_from", "")
    if not isinstance(named, str) or not named or Path(named).name != named:
        return None
    found = beside(named, node.path)
    parent = _read(found) if found.is_file() else None
    return parent if parent is not None and parent.recipe == before(node.recipe) else None


def _load(path: Path) -> Picture:
    from sdcore.library.metadata import read_pixels

    image = read_pixels(path)
    image.thumbnail((_SIDE, _SIDE))
    return Picture(width=image.width, height=image.height, rgb=image.tobytes())
