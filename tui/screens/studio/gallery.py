"""The pictures of the studio: the canvas, the recent images, and which of them is looked at."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Final

from textual.containers import Vertical

from tui.actions import BY_NAME
from tui.actions.base import key_words
from tui.once_begun import once_begun

if TYPE_CHECKING:
    from sdcore.spec.facts import ImageFacts
    from tui.screens.studio.screen import Studio
    from tui.widgets.canvas import Canvas
    from tui.widgets.recent import Recent


HINT: Final = "The image appears here."


def welcome() -> str:
    """What a person reads who has no images yet."""
    generate, models, explain, commands = (
        key_words(BY_NAME[name].present_keys[0]) for name in ("generate", "models", "help", "commands")
    )
    return (
        f"Say in the prompt what you want to see and press {generate}: the image appears here, step by step.\n\n"
        f"A small model came along and is loaded by itself; {models} finds others.\n\n"
        f"{explain} explains where you are; {commands} finds any command."
    )


class Gallery:
    """Puts pictures on the studio's screen. Its widgets come after the first paint, since they need Pillow."""

    def __init__(self, studio: Studio, outputs: Path) -> None:
        self._studio = studio
        self._outputs = outputs
        self._finished: list[Path] = []
        self._looking_at: Path | None = None
        self._hint = HINT
        self.canvas: Canvas | None = None
        self.recent: Recent | None = None

    async def open(self) -> None:
        """Import what is needed on a thread, then bring in the widgets and the images there are."""
        await asyncio.to_thread(_import_widgets)
        from tui.widgets.canvas import Canvas
        from tui.widgets.recent import Recent

        canvas = Canvas(id="canvas")
        recent = Recent("Images that you make appear here.", id="recent")
        for place, widget in (("#image", canvas), ("#strip", recent)):
            if not self._studio.is_running:
                return  # the app was left before its pictures came
            await self._studio.query_one(place, Vertical).mount(widget)
        self.canvas, self.recent = canvas, recent
        paths = await asyncio.to_thread(self._newest)
        self.recent.set_paths(paths)
        self._hint = HINT if paths else welcome()
        if not self._studio.view.book.busy and not self._studio.starting.shown:
            self.show_again()

    def _newest(self) -> list[Path]:
        """The images made last where the engine is."""
        from tui.pictures import recent_copies, recent_images

        host = self._studio.app.host
        return recent_copies(host) if host else recent_images(self._outputs)

    @property
    def has_focus(self) -> bool:
        """Whether the keys go to the recent images."""
        return self.recent is not None and self._studio.focused is self.recent

    @property
    def looking_at(self) -> Path | None:
        """The older image that the person looks at, None while it is the newest."""
        return self._looking_at

    @property
    def shown(self) -> Path | None:
        """The finished image on the canvas, None while there is none."""
        return self._looking_at or (self._finished[0] if self._finished else None)

    def show_preview(self, width: int, height: int, rgb: bytes) -> None:
        """Show the image as it emerges, unless the person is looking at another."""
        if self.canvas is not None and self._looking_at is None and not self._studio.starting.shown:
            self.canvas.show_frame(width, height, rgb)

    def show_finished(self, paths: list[Path]) -> None:
        """Put finished images among the recent ones, and show them unless the person is looking at another."""
        self._finished = paths
        if self.recent is not None:
            for path in paths:
                self.recent.add(path)
        if self._looking_at is None and not self._studio.starting.shown:
            self._run(paths)

    def look_at(self, path: Path) -> None:
        """Show an image from disk and say how it was made."""
        self._looking_at = path
        self._studio.starting.put_away()
        self._studio.run_worker(once_begun(self._look, path), group="picture", exclusive=True)

    def look_away(self) -> None:
        """Nobody looks at an older image any more: what is being made is shown again."""
        self._looking_at = None

    def show_again(self) -> None:
        """Show what was made, after something else."""
        if (looking_at := self._looking_at) is not None:
            self._run([looking_at])
        elif self._finished:
            self._run(self._finished)
        elif self.canvas is not None:
            self.canvas.show_hint(self._hint)

    async def read(self, path: Path) -> ImageFacts | None:
        """How the image at `path` was made; says what is wrong and returns None where it cannot be read."""
        from sdcore.library.metadata import MetadataError, read_image

        try:
            return await asyncio.to_thread(read_image, path)
        except (MetadataError, OSError) as fault:
            self._studio.view.say(str(fault), tone="alert")
            return None

    def use(self, path: Path) -> None:
        """Bring the recipe of the image at `path` back to the panes."""
        from tui.screens.lists.recalling import recall_into_studio

        self._studio.run_worker(
            once_begun(recall_into_studio, self._studio.app, path), group="ask", exclusive=True
        )

    def _run(self, paths: list[Path]) -> None:
        self._studio.run_worker(once_begun(self._show, paths), group="picture", exclusive=True)

    async def _show(self, paths: list[Path]) -> bool:
        from sdcore.library.metadata import MetadataError
        from tui.pictures import load_picture

        try:
            picture = await asyncio.to_thread(load_picture, paths)
        except (MetadataError, OSError) as fault:
            self._studio.view.say(str(fault), tone="alert")
            return False
        if self.canvas is not None:
            self.canvas.show_image(picture)
        return True

    async def _look(self, path: Path) -> None:
        if not await self._show([path]) or (facts := await self.read(path)) is None:
            return
        recipe = facts.recipe()
        self._studio.view.say(
            " · ".join(
                [
                    f"seed {recipe.seed}",
                    f"{recipe.sampler} {recipe.steps}",
                    recipe.schedule,
                    f"guidance {recipe.guidance_scale:g}",
                    f"{recipe.width} × {recipe.height}",
                    recipe.model,
                    recipe.prompt,
                ]
            )
        )


def _import_widgets() -> None:
    import tui.widgets.canvas
    import tui.widgets.recent  # noqa: F401
