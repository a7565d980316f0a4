"""Several pictures beside and below one another, each with a title and a few lines under it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import msgspec
from PIL import Image
from rich.segment import Segment
from rich.style import Style
from textual.content import Content
from textual.strip import Strip

from sdcore.spec.views import Picture
from tui.term.frames import depth_for, frame_codes, frame_strips, joined
from tui.term.pixels import fit
from tui.widgets.paced import Paced

if TYPE_CHECKING:
    from tui.term.palette import Bytes

GAP: Final = 2
_BITS: Final = 6

Caption = Callable[[int], Sequence[str]]


def no_caption(width: int) -> Sequence[str]:
    """Nothing under the picture."""
    return ()


class Panel(msgspec.Struct, frozen=True):
    """A picture, its title, and the lines under it for a width in cells. A marked one has its title in the accent
    colour; `smooth` pictures are interpolated when they grow, others show their pixels as blocks."""

    title: str
    picture: Picture
    caption: Caption = no_caption
    marked: bool = False
    smooth: bool = True


class Layout(msgspec.Struct, frozen=True):
    """How panels are arranged: `columns` of them in a row, each a box of `width` cells whose picture takes
    `columns_each` x `rows_each` cells."""

    columns: int
    width: int
    columns_each: int
    rows_each: int
    caption_lines: int


def arrange(panels: Sequence[Panel], width: int, height: int, most_columns: int = 99) -> Layout | None:
    """The layout in `width` x `height` cells with the largest pictures; None where not even a row fits."""
    best: Layout | None = None
    first = panels[0].picture
    for columns in range(1, min(len(panels), most_columns) + 1):
        rows = -(-len(panels) // columns)
        box = (width - GAP * (columns - 1)) // columns
        if box < 4:
            break
        lines = max(len(panel.caption(box)) for panel in panels)
        left = (height + 1) // rows - 2 - lines
        if left < 1:
            continue
        each = fit(first.width, first.height, box, left)
        if best is None or each[0] * each[1] > best.columns_each * best.rows_each:
            best = Layout(columns, box, *each, lines)
    return best


class PictureGrid(Paced):
    """Draws the newest panels as soon as the terminal can take them; one quiet sentence where there are none."""

    ALLOW_SELECT = False
    FPS = COVERED_FPS = 12.0

    def __init__(self, hint: str = "", *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._undrawn = False
        self._hint = hint
        self._panels: tuple[Panel, ...] = ()
        self._strips: list[Strip] | None = None
        self._layout: Layout | None = None

    @property
    def columns(self) -> int:
        """How many panels stand beside one another; 0 before anything was drawn."""
        return self._layout.columns if self._layout is not None else 0

    @property
    def panels(self) -> tuple[Panel, ...]:
        """What is shown, or will be as soon as the terminal can take it."""
        return self._panels

    @property
    def hint(self) -> str:
        """The sentence that stands where there are no pictures."""
        return "" if self._panels else self._hint

    def show(self, *panels: Panel) -> None:
        """Show these panels; pictures are taken to be of one size."""
        if panels != self._panels:
            self._panels = panels
            self._undrawn = True
            self.draw_when_possible()

    def show_hint(self, hint: str) -> None:
        """Show no picture but a sentence (plain text)."""
        if self._panels or hint != self._hint:
            self._panels, self._strips, self._hint = (), None, hint
            self.refresh()

    @property
    def picture_waits(self) -> bool:
        """Whether the newest panels are not drawn yet."""
        return self._undrawn and bool(self._panels)

    # Drawing

    def draw_picture(self) -> None:
        self._undrawn = False
        width, height = self.size
        self._strips = None
        layout = self._layout = arrange(self._panels, width, height)
        if layout is not None:
            rows = [
                self._panels[start : start + layout.columns]
                for start in range(0, len(self._panels), layout.columns)
            ]
            lines: list[Strip] = []
            for row in rows:
                lines += [*self._row(row, layout), self._blank(width)]
            self._strips = self._centred(lines[:-1][:height])
        self.refresh()

    def _centred(self, lines: list[Strip]) -> list[Strip]:
        above = (self.size.height - len(lines)) // 2
        below = self.size.height - len(lines) - above
        blank = self._blank(self.size.width)
        return [blank] * above + lines + [blank] * below

    def _row(self, panels: Sequence[Panel], layout: Layout) -> list[Strip]:
        """The lines of one row of panels: titles, pictures, captions."""
        boxes = [self._box(panel, layout) for panel in panels]
        used = layout.columns * layout.width + (layout.columns - 1) * GAP
        # a row that is not full begins where the others do
        left = (self.size.width - used) // 2
        right = self.size.width - left - len(panels) * layout.width - (len(panels) - 1) * GAP
        gap = self._blank(GAP)
        lines = []
        for parts in zip(*boxes, strict=True):
            strips = [self._blank(left)]
            for part in parts:
                strips += [part, gap]
            lines.append(joined([*strips[:-1], self._blank(right)], self.app.console))
        return lines

    def _box(self, panel: Panel, layout: Layout) -> list[Strip]:
        """One panel as strips of the layout's width."""
        width = layout.width
        title = "$accent" if panel.marked else "$dim"
        captions = list(panel.caption(width))
        captions += [""] * (layout.caption_lines - len(captions))
        texts = [self._text(line, layout, "$normal") for line in captions]
        return [self._text(panel.title, layout, title), *self._pixels(panel, layout), *texts]

    def _pixels(self, panel: Panel, layout: Layout) -> list[Strip]:
        import numpy as np

        picture = panel.picture
        image = Image.frombytes("RGB", (picture.width, picture.height), picture.rgb)
        size = (layout.columns_each, 2 * layout.rows_each)
        if image.size != size:
            grows = size[0] > image.width
            how = Image.Resampling.BICUBIC if panel.smooth else Image.Resampling.NEAREST
            image = image.resize(size, how if grows else Image.Resampling.BOX)
        pixels: Bytes = np.asarray(image)
        if self.app.no_color:
            luma = (pixels @ np.array((0.299, 0.587, 0.114), np.float32)).astype(np.uint8)
            pixels = luma[..., None].repeat(3, -1)
        depth = depth_for(self.app)
        codes = frame_codes(pixels, depth, min(_BITS, self.pacer.quality.bits + 1))
        left = (layout.width - layout.columns_each) // 2
        style = self.visual_style.rich_style
        before = Segment(" " * left, style)
        after = Segment(" " * (layout.width - layout.columns_each - left), style)
        return frame_strips(codes, depth, before, after)

    def _text(self, text: str, layout: Layout, colour: str) -> Strip:
        """A line that begins where the picture does, left out whole where it does not fit."""
        left = (layout.width - layout.columns_each) // 2
        if left + len(text) > layout.width:
            left = max(0, layout.width - len(text))
        shown = text if len(text) <= layout.width else ""
        style = self.visual_style.rich_style + Style(color=self._colour(colour))
        return Strip([Segment((" " * left + shown).ljust(layout.width), style)], layout.width)

    def _colour(self, name: str) -> str:
        return self.app.theme_variables[name.removeprefix("$")]

    def _blank(self, width: int) -> Strip:
        return Strip.blank(max(0, width), self.visual_style.rich_style)

    def notify_style_update(self) -> None:
        """Take up the colours of a new theme."""
        super().notify_style_update()
        if self.is_mounted:
            self._undrawn = True
            self.draw_when_possible()

    def on_resize(self) -> None:
        """Draw what is shown for the new size."""
        if self._panels and self.size:
            self.draw_picture()

    def render(self) -> Content:
        """The hint, or that there is too little room."""
        return Content(
            self.hint if not self._panels or self._strips else "There is too little room for the pictures."
        )

    def finished(self, begin: int, end: int) -> list[Strip] | None:
        """The lines of the pictures."""
        return self._strips[begin:end] if self._strips is not None else None
