"""Two images side by side: words, parameters, pixels, and the step at which their runs part."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from textual.app import ComposeResult
from textual.screen import Screen

from sdcore.library.metadata import MetadataError
from sdcore.spec.views import CompareView
from tui.actions import Group, Scope, bindings, footer
from tui.once_begun import once_begun
from tui.screens.compare import comparison
from tui.screens.compare.comparison import Comparison, Side
from tui.screens.studio.screen import Studio
from tui.widgets.bar_plot import BarPlot
from tui.widgets.canvas import Canvas
from tui.widgets.caption import Caption
from tui.widgets.differences import Differences
from tui.widgets.head import HeadLine
from tui.widgets.notes import Notes
from tui.widgets.panes import Column, Row
from tui.widgets.status import FooterLine, MessageLine, Tone

if TYPE_CHECKING:
    from tui.app import SdtuiApp
    from tui.screens.compare.comparing import Comparing

Way = Literal["pair", "older", "newer", "map"]
"""What is seen: both images, one of them in full size, or where they differ."""

READING: Final = "reading…"
ASKING: Final = "asking…"
SAME_PIXELS: Final = "The images are the same, pixel by pixel."
_PAGE: Final = 5
_SIDES: Final[tuple[Way, ...]] = ("older", "newer")
_SAME_STEPS: Final = "The latents of both runs are the same at every step."
_DIFFERENT_SEEDS: Final = "The images have different seeds: their latents cannot be laid side by side."


class Compare(Screen[None], inherit_bindings=False):
    """Two of the recent images, the older on the left; ← and → change the one that the person did not look at."""

    BINDINGS = bindings("compare")
    CSS_PATH = "compare.tcss"
    AUTO_FOCUS = ""
    HORIZONTAL_BREAKPOINTS = Studio.HORIZONTAL_BREAKPOINTS
    VERTICAL_BREAKPOINTS = Studio.VERTICAL_BREAKPOINTS
    SCOPE: Scope = "compare"
    GROUP: Group = "Compare"
    HELP = (
        "Two recent images, the older on the left. The image that was looked at stays; ← and → lay another one beside "
        "it, first of all the newest. − is a word that the older prompt had, + one that the newer has. "
        "The bars say how far apart the latents of both runs are at each step, where the engine still has the runs."
    )
    app: SdtuiApp

    def __init__(self, door: Comparing, paths: tuple[Path, ...], stays: Path, other: Path) -> None:
        super().__init__()
        self._door = door
        self._stays = stays
        self._others = [path for path in paths if path != stays]
        self._place = self._others.index(other)
        self._order = {path: place for place, path in enumerate(paths)}
        self._way: Way = "pair"
        self._kept: Side | None = None
        self.comparison: Comparison | None = None

    def compose(self) -> ComposeResult:
        """Pictures above, what differs below."""
        yield HeadLine("compare", id="head")
        with Row(id="pair"):
            with Column():
                yield Caption(id="older-caption")
                yield Canvas(READING, id="older")
            with Column(id="newer-side"):
                yield Caption(id="newer-caption")
                yield Canvas(READING, id="newer")
        with Column(id="single"):
            yield Caption(id="single-caption")
            yield Canvas(READING, id="single-picture")
        with Row(id="facts"):
            yield Differences(id="differences")
            with Column(id="parting"):
                yield BarPlot("divergence per step", lambda value: f"{value:.3g}", id="divergence")
                yield Notes(hyphens=True, id="apart")
        yield MessageLine(id="message")
        yield FooterLine(id="footer")

    def on_mount(self) -> None:
        """Read the first two."""
        self.query_one("#apart").border_title = "divergence per step"
        self.query_one(FooterLine).show(footer("compare"))
        self._arrange()
        self._read()

    @property
    def pair(self) -> tuple[Path, Path]:
        """The older path, then the newer."""
        older, newer = sorted((self._stays, self._others[self._place]), key=lambda path: -self._order[path])
        return older, newer

    @property
    def way(self) -> Way:
        """What is seen."""
        return self._way

    def say(self, *wordings: str, tone: Tone = "bright") -> None:
        """Say a sentence in the message line, in the longest wording that fits."""
        self.query_one(MessageLine).show(*wordings, tone=tone)

    # Reading

    def _read(self) -> None:
        which = f"other image {self._place + 1} of {len(self._others)}"
        self.query_one(HeadLine).show(("older left, newer right", which))
        self.run_worker(once_begun(self._compare, *self.pair), group="compare", exclusive=True)

    async def _compare(self, older: Path, newer: Path) -> None:
        sides = []
        for path in (older, newer):
            kept = self._kept
            if kept is not None and kept.path == path:
                sides.append(kept)
                continue
            try:
                sides.append(await asyncio.to_thread(comparison.read, path))
            except (MetadataError, OSError) as fault:
                self._unreadable(str(fault))
                return
        self._kept = next(side for side in sides if side.path == self._stays)
        found = await asyncio.to_thread(comparison.compare, *sides)
        sources = [await asyncio.to_thread(path.resolve) for path in (older, newer)]
        # from here on without a pause: an answer about the images before must not come between
        self.comparison = found
        self.say("")
        self._show(found)
        self.no_divergence(ASKING)
        self._door.ask(*sources)

    def _unreadable(self, message: str) -> None:
        """What was shown belongs to other images; nothing of it stays."""
        self.comparison = None
        self._door.forget()
        for canvas in self.query(Canvas):
            canvas.show_hint(message)
        for caption in self.query(Caption):
            caption.show(())
        self.query_one(Differences).show(None)
        self.no_divergence("")
        self.say(message, tone="alert")

    # Showing

    def _show(self, found: Comparison) -> None:
        for name, side, image in zip(_SIDES, found.sides, found.shown, strict=True):
            self.query_one(f"#{name}-caption", Caption).show(side.facts, movable=side.path != self._stays)
            self.query_one(f"#{name}", Canvas).show_image(image)
        self.query_one(Differences).show(found)
        self._show_single()

    def _show_single(self) -> None:
        found, canvas, caption = self.comparison, self.query_one("#single-picture", Canvas), self._caption
        if found is None or self._way == "pair":
            return
        if self._way in _SIDES:
            place = _SIDES.index(self._way)
            side = found.sides[place]
            caption.show((side.facts[0], self._way, *side.facts[1:]), movable=side.path != self._stays)
            canvas.show_image(found.shown[place])
        elif found.pixels is None or found.heat is None:
            caption.show(("difference",))
            canvas.show_hint(found.unlike)
        elif not found.pixels.strongest:
            caption.show(("difference",))
            canvas.show_hint(SAME_PIXELS)
        else:
            caption.show(comparison.pixels_facts(found.pixels))
            canvas.show_image(found.heat)

    @property
    def _caption(self) -> Caption:
        return self.query_one("#single-caption", Caption)

    def compared(self, view: CompareView) -> None:
        """The engine has laid the runs side by side."""
        if view.divergence and self.comparison is not None and self.comparison.seeds_differ:
            # images of a batch: the runs are told apart by their first image alone
            self.no_divergence(_DIFFERENT_SEEDS)
            return
        step = comparison.parting_step(view.divergence)
        if step is None:
            self.no_divergence(view.apart or _SAME_STEPS)
            return
        plot = self.query_one(BarPlot)
        plot.show(view.divergence, len(view.divergence), step + 1)
        plot.border_subtitle = f"step {step} parts them most"
        self._show_plot(there=True)

    def no_divergence(self, message: str) -> None:
        """Why there is no plot."""
        self.query_one("#apart", Notes).show(message)
        self._show_plot(there=False)

    def _show_plot(self, *, there: bool) -> None:
        self.query_one(BarPlot).display = there
        self.query_one("#apart").display = not there

    def _arrange(self) -> None:
        for name, ways in (("#pair", ("pair",)), ("#facts", ("pair",)), ("#single", (*_SIDES, "map"))):
            self.query_one(name).display = self._way in ways

    # Keys

    def _see(self, way: Way) -> None:
        self._way = way
        self._arrange()
        self._show_single()

    def action_move(self, places: int) -> None:
        """Lay another recent image beside the one that stays."""
        place = max(0, min(self._place + places, len(self._others) - 1))
        if place != self._place:
            self._place = place
            self._read()

    def action_flip(self) -> None:
        """One image in full size, then the other in its place."""
        self._see("newer" if self._way == "older" else "older")

    def action_map(self) -> None:
        """Where the images differ, or both again."""
        self._see("pair" if self._way == "map" else "map")

    def action_scroll(self, lines: int) -> None:
        """Scroll what differs."""
        self.query_one(Differences).scroll_relative(y=lines, animate=False)

    def action_page(self, pages: int) -> None:
        """Scroll what differs by a page."""
        self.action_scroll(pages * _PAGE)

    def action_back(self) -> None:
        """From one picture to both, from there to the studio."""
        if self._way == "pair":
            self.dismiss(None)
        else:
            self._see("pair")

    async def on_footer_line_pressed(self, message: FooterLine.Pressed) -> None:
        """A key of the footer was clicked."""
        await self.app.action_do(message.name)
