"""One image on the whole screen: closer, over it, on to its neighbours."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import msgspec
from PIL import Image
from textual.app import ComposeResult
from textual.screen import Screen

from sdcore.library.metadata import MetadataError, read_pixels
from tui.actions import Group, Scope, bindings, footer
from tui.image_text import Told, tell
from tui.line.library import LibraryError
from tui.once_begun import once_begun
from tui.screens.studio.screen import Studio
from tui.viewport import Viewport
from tui.widgets.canvas import Canvas
from tui.widgets.caption import Caption
from tui.widgets.image_details import DetailsText
from tui.widgets.panes import Row
from tui.widgets.status import FooterLine, MessageLine, Tone

if TYPE_CHECKING:
    from tui.app import SdtuiApp

_FINE: Final = 4
"""Pixels to a cell's width of what is shown until the whole is here: a terminal may draw so many."""
_KEPT_PIXELS: Final = 4_000_000
"""An image of more is not read ahead of its turn."""


class Marking(Protocol):
    """Which images are marked, by their place in the sequence."""

    def is_marked(self, place: int) -> bool:
        """Whether it is."""

    def toggle(self, place: int) -> None:
        """Mark it, or take the mark away."""


class Images(Protocol):
    """Images in their order. What raises, raises `LibraryError` or OSError."""

    @property
    def ahead(self) -> bool:
        """Whether the next one may be read before it is looked at."""

    def __len__(self) -> int:
        """How many there are."""

    async def rough(self, place: int, side: int) -> tuple[str, Image.Image] | None:
        """The name of an image and a copy of it of some `side` pixels, if that comes sooner than the file. Raises."""

    async def file(self, place: int, progress: Callable[[float], object]) -> tuple[Path, Told | None]:
        """The file on this machine, and what is known of it; `progress` hears what share of it is here. Raises."""


class Files:
    """Images by their files on this machine."""

    ahead = True

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths

    def __len__(self) -> int:
        return len(self._paths)

    async def rough(self, place: int, side: int) -> None:
        """See `Images`: the file itself is there."""

    async def file(self, place: int, progress: Callable[[float], object]) -> tuple[Path, None]:
        """See `Images`."""
        return self._paths[place], None


_Read = tuple[Path, "Told | None", Image.Image]
"""A file, what was known of it, and its pixels."""


class Viewer(Screen[int | None], inherit_bindings=False):
    """Of the `images` that at `index` is shown first. Returns the place of the one that was shown last; with a
    `marking` they can be marked."""

    BINDINGS = bindings("viewer")
    CSS_PATH = "viewer.tcss"
    AUTO_FOCUS = ""
    HORIZONTAL_BREAKPOINTS = Studio.HORIZONTAL_BREAKPOINTS
    SCOPE: Scope = "viewer"
    GROUP: Group = "Viewer"
    HELP = (
        "One image as large as the screen allows. + and − go closer and back, 1 shows its pixels, 0 the whole; the "
        "arrows move over it. [ and ] go on to its neighbours, Space marks it, i tells how it was made."
    )
    app: SdtuiApp

    def __init__(self, images: Images, index: int, marking: Marking | None = None) -> None:
        super().__init__()
        self._images = images
        self._marking = marking
        self._place = index
        self._path: Path | None = None
        self._image: Image.Image | None = None
        self._view: Viewport | None = None
        self._known: Told | None = None
        self._ahead: dict[int, _Read] = {}
        self._rough_name = ""
        """What is shown while the whole is on its way."""
        self._then: Callable[[Path], object] | None = None
        """What is to be done with the file as soon as it is read."""
        self._step = 1

    def compose(self) -> ComposeResult:
        """The image, and little else."""
        yield Caption(id="viewer-caption")
        with Row(id="viewer-main"):
            yield Canvas("reading…", id="viewer-picture")
            yield DetailsText(id="viewer-text")
        yield MessageLine(id="message")
        yield FooterLine(id="footer")

    def on_mount(self) -> None:
        """Read the first."""
        self.query_one(MessageLine).display = False
        self.query_one(FooterLine).show(footer("viewer"))
        self._read()

    @property
    def place(self) -> int:
        """Which of the images is shown."""
        return self._place

    @property
    def path(self) -> Path | None:
        """Its file, None until it is read."""
        return self._path

    @property
    def view(self) -> Viewport | None:
        """What of it is seen, None until it is read."""
        return self._view

    def say(self, *wordings: str, tone: Tone = "bright") -> None:
        """Say a sentence under the image; nothing takes no room."""
        line = self.query_one(MessageLine)
        line.display = bool(wordings and wordings[0])
        line.show(*wordings, tone=tone)

    # Reading

    def _read(self) -> None:
        self._path = self._then = None
        self._rough_name = ""
        self.run_worker(once_begun(self._look, self._place), group="picture", exclusive=True)

    async def _look(self, place: int) -> None:
        try:
            known = self._ahead.get(place) or await self._fetch(place)
        except (MetadataError, LibraryError, OSError) as fault:
            self._path = self._image = self._view = self._then = None
            self.say("")
            self.query_one(Canvas).show_hint(str(fault))
            self._show_caption()
            return
        path, self._known, image = known
        self._path, self._image = path, image
        self._view = self._whole(image)
        self._ahead = {place: known}
        self.say("")
        self._draw()
        if self.has_class("-told"):
            self._tell()
        if self._then is not None:
            self._with_file(self._then)
        neighbour = place + self._step
        near = self._images.ahead and 0 <= neighbour < len(self._images)
        if near and image.width * image.height <= _KEPT_PIXELS:
            try:
                self._ahead[neighbour] = await self._file(neighbour, lambda share: None)
            except (MetadataError, LibraryError, OSError):
                return  # it is said when its turn comes

    async def _fetch(self, place: int) -> _Read:
        """The whole image; what there is of it sooner is shown until it is here."""
        rough = asyncio.create_task(self._show_rough(place))
        try:
            return await self._file(place, lambda share: self.say(f"Bringing the whole image… {share:.0%}"))
        finally:
            rough.cancel()

    async def _show_rough(self, place: int) -> None:
        with contextlib.suppress(LibraryError):
            side = _FINE * max(self.query_one(Canvas).preview_box())
            if (found := await self._images.rough(place, side)) is not None:
                self._path, self._known, self._rough_name = None, None, found[0]
                self._image = found[1]
                self._view = self._whole(found[1])
                self._draw()

    async def _file(self, place: int, progress: Callable[[float], object]) -> _Read:
        path, known = await self._images.file(place, progress)
        return path, known, await asyncio.to_thread(read_pixels, path)

    def _tell(self) -> None:
        if self._path is not None:
            self.run_worker(
                once_begun(self._tell_of, self._path, self._known), group="details", exclusive=True
            )

    async def _tell_of(self, path: Path, known: Told | None) -> None:
        told = await asyncio.to_thread(tell, path, known)
        if path == self._path:
            self.query_one(DetailsText).show(told)

    # Showing

    def _whole(self, image: Image.Image) -> Viewport:
        width, height = self.query_one(Canvas).preview_box()
        return Viewport(image.width, image.height, max(1, width), max(1, height))

    def on_canvas_box_changed(self, message: Canvas.BoxChanged) -> None:
        """There is more room, or less."""
        message.stop()
        if self._view is not None:
            self._see(self._view.in_pane(message.width, message.height))

    def _see(self, view: Viewport) -> None:
        if view != self._view:
            self._view = view
            self._draw()

    def _draw(self) -> None:
        if self._image is None or self._view is None:
            return
        part = self._image
        if not self._view.whole:
            part = part.crop(self._view.box())
            if self._view.scale > 1:  # its pixels are what is to be seen
                size = (
                    max(1, round(part.width * self._view.scale)),
                    max(1, round(part.height * self._view.scale)),
                )
                part = part.resize(size, Image.Resampling.NEAREST)
        self.query_one(Canvas).show_image(part)
        self._show_caption()

    def _show_caption(self) -> None:
        marked = self._marking is not None and self._marking.is_marked(self._place)
        facts = [
            self._path.name if self._path is not None else self._rough_name,
            "✓ marked" if marked else "",
            f"{self._place + 1:,} of {len(self._images):,}",
        ]
        if self._path is not None and self._image is not None and self._view is not None:
            facts += [
                f"{self._image.width} × {self._image.height}",
                "" if self._view.whole else f"{100 * self._view.scale:.0f} %",
            ]
        self.query_one(Caption).show(facts, accent=marked)

    def terminal_answered(self) -> None:
        """The terminal has drawn the last picture."""
        self.query_one(Canvas).terminal_answered()

    # Keys

    def action_go(self, places: int) -> None:
        """On to a neighbour."""
        place = max(0, min(self._place + places, len(self._images) - 1))
        if place != self._place:
            self._step = 1 if place > self._place else -1
            self._place = place
            self.say("")
            self._read()
            self._show_caption()

    def action_zoom(self, steps: int) -> None:
        """Closer, or farther away."""
        if self._view is not None:
            self._see(self._view.zoomed(steps))

    def action_whole(self) -> None:
        """All of it."""
        if self._view is not None:
            self._see(msgspec.structs.replace(self._view, zoom=1.0, x=0.5, y=0.5))

    def action_pixels(self) -> None:
        """Its pixels."""
        if self._view is not None:
            self._see(self._view.pixel_by_pixel())

    def action_pan(self, right: int, down: int) -> None:
        """Over the image; on one that is wholly seen, on to a neighbour."""
        if self._view is not None and not self._view.whole:
            self._see(self._view.moved(right, down))
        elif right:
            self.action_go(right)

    def action_mark(self) -> None:
        """Mark it, or take the mark away."""
        if self._marking is None:
            self.say("Images can be marked in the library.")
        else:
            self._marking.toggle(self._place)
            self._show_caption()

    def action_details(self) -> None:
        """How it was made."""
        self.toggle_class("-told")
        if self.has_class("-told"):
            self._tell()

    def action_inspect(self) -> None:
        """Look into the run that made it."""
        self._with_file(self._inspect)

    def _inspect(self, path: Path) -> None:
        self.say("Opening the run…")
        self.app.inspecting.open(str(path.resolve()))

    def action_vary(self) -> None:
        """Go on from it."""
        self._with_file(lambda path: self.app.varying.open(path, self.say))

    def _with_file(self, deed: Callable[[Path], object]) -> None:
        """Do it with the file that is shown, once that is read."""
        self._then = deed if self._path is None else None
        if self._path is not None:
            deed(self._path)

    def action_back(self) -> None:
        """Back to where it was opened from."""
        self.dismiss(self._place)

    async def on_footer_line_pressed(self, message: FooterLine.Pressed) -> None:
        """A key of the footer was clicked."""
        await self.app.action_do(message.name)
