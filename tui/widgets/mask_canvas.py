"""The image under its mask, with a cursor that paints: keys and the mouse move the same brush."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PIL import Image
from rich.segment import Segment
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.worker import get_current_worker

from tui.mask_pixels import (
    base_pixels,
    brush_marks,
    draw_marks,
    grey,
    rectangle_marks,
    under_hatch,
    under_tint,
)
from tui.masking import BRUSHES, Box, Mask
from tui.term.frames import depth_for, frame_codes, frame_strips
from tui.term.palette import LIVE_BITS
from tui.term.pixels import fit
from tui.widgets.paced import Paced

if TYPE_CHECKING:
    from tui.term.palette import Bytes

_BITS: Final = 6
_FEW_BITS: Final = LIVE_BITS - 1
"""With few colours the nearest are taken and none mixed: a hatched mask could not be told from a mixture."""
_LEFT, _RIGHT = 1, 3
_FIRST_BRUSH: Final = 10
"""A tenth of the image's shorter side is a brush to begin with."""


class MaskCanvas(Paced):
    """Shows `image` (RGB) as large as the pane allows, the accent colour over what `mask` has. `kept` is the box of
    the image that the recipe uses. The cursor is a cell; what changes is drawn by lines, never the whole."""

    ALLOW_SELECT = False

    class Changed(Message):
        """The mask, the brush or the rectangle is another now."""

    class _Resized(Message):
        """A thread made the image and the mask fit for a pane of `columns` x `rows` cells."""

        def __init__(self, serial: int, base: Bytes, cover: Bytes) -> None:
            super().__init__()
            self.serial = serial
            self.base = base
            self.cover = cover

    def __init__(self, image: Image.Image, mask: Mask, kept: Box, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.mask = mask
        self.erasing = False
        self._image = image
        self._kept = kept
        self._place: tuple[float, float] = (0.5, 0.5)
        self._corner: tuple[float, float] | None = None
        tenth = min(mask.size) / _FIRST_BRUSH
        self._brush = min(range(len(BRUSHES)), key=lambda place: abs(BRUSHES[place] - tenth))
        self._base: Bytes | None = None
        self._masked: Bytes | None = None
        self._strips: list[Strip] = []
        self._stale: tuple[int, int] | None = None
        self._marked: tuple[int, int] = (0, 0)
        self._serial = 0
        self._stroke: tuple[bool, tuple[float, float]] | None = None

    # What is asked

    @property
    def grid(self) -> tuple[int, int]:
        """Columns and rows of cells that the image takes."""
        return fit(*self._image.size, self.size.width, self.size.height)

    @property
    def cursor(self) -> tuple[int, int]:
        """The cell under the cursor: column and row, from the image's upper left corner."""
        columns, rows = self.grid
        return min(columns - 1, int(self._place[0] * columns)), min(rows - 1, int(self._place[1] * rows))

    @property
    def brush(self) -> int:
        """The brush's diameter in pixels of the mask: never less than a cell, for it would not be seen."""
        return max(BRUSHES[self._brush], BRUSHES[self._least])

    @property
    def in_rectangle(self) -> bool:
        """Whether one corner of a rectangle is set."""
        return self._corner is not None

    @property
    def share(self) -> float:
        """How much of the image is masked, 0 to 1."""
        return float(self._masked.mean()) / 255 if self._masked is not None else 0.0

    @property
    def _least(self) -> int:
        cell = self.mask.size[0] / self.grid[0]
        return next((place for place, size in enumerate(BRUSHES) if size >= cell), len(BRUSHES) - 1)

    # What is done

    def move(self, columns: int, rows: int) -> None:
        """Move the cursor by cells."""
        column, row = self.cursor
        self._go_to(column + columns, row + rows)

    def paint(self) -> None:
        """A dab of the brush, or the rectangle."""
        if self.in_rectangle:
            self._fill()
        else:
            point = self._point(self.cursor)
            self._draw_line(point, point, not self.erasing)
            self._finish()

    def rectangle(self) -> None:
        """Set one corner; at the second, fill what is between."""
        if self.in_rectangle:
            self._fill()
        else:
            self._corner = self._place
            self._mark()

    def leave_rectangle(self) -> None:
        """Give the rectangle up."""
        self._corner = None
        self._mark()

    def resize_brush(self, places: int) -> None:
        """The next larger or smaller brush."""
        least = self._least
        self._brush = max(least, min(max(self._brush, least) + places, len(BRUSHES) - 1))
        self._mark()

    def touched(self, box: Box | None) -> None:
        """The mask changed inside `box`: have that drawn."""
        if box is not None and self._base is not None:
            self._cover_again(box)
        self.post_message(self.Changed())

    def _go_to(self, column: int, row: int) -> None:
        columns, rows = self.grid
        column, row = max(0, min(column, columns - 1)), max(0, min(row, rows - 1))
        self._place = (column + 0.5) / columns, (row + 0.5) / rows
        self._mark()

    def _point(self, cell: tuple[int, int]) -> tuple[float, float]:
        """The middle of a cell, in pixels of the mask."""
        columns, rows = self.grid
        width, height = self.mask.size
        return (cell[0] + 0.5) * width / columns, (cell[1] + 0.5) * height / rows

    def _cells(self) -> tuple[int, int, int, int]:
        """The rectangle between corner and cursor, in cells: left, top, right, bottom, the last two included."""
        columns, rows = self.grid
        column, row = self.cursor
        x, y = self._corner or self._place
        other, line = min(columns - 1, int(x * columns)), min(rows - 1, int(y * rows))
        return min(column, other), min(row, line), max(column, other), max(row, line)

    def _fill(self) -> None:
        columns, rows = self.grid
        width, height = self.mask.size
        left, top, right, bottom = self._cells()
        box = (round(left * width / columns), round(top * height / rows),
               round((right + 1) * width / columns), round((bottom + 1) * height / rows))  # fmt: skip
        self._corner = None
        self.touched(self.mask.rectangle(box, not self.erasing))
        self._mark()
        self._finish()

    def _draw_line(self, start: tuple[float, float], end: tuple[float, float], on: bool) -> None:
        if self._base is not None:
            self.touched(self.mask.line(start, end, self.brush, on))

    def _finish(self) -> None:
        self.mask.finish()
        self.post_message(self.Changed())

    # The mouse

    def _cell_at(self, event: events.MouseEvent) -> tuple[int, int]:
        columns, rows = self.grid
        return int(event.x) - (self.size.width - columns) // 2, int(event.y) - (self.size.height - rows) // 2

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Begin to paint, or with the right button to erase."""
        if event.button not in (_LEFT, _RIGHT):
            return
        event.stop()
        self._go_to(*self._cell_at(event))
        if self.in_rectangle:
            self._fill()
            return
        point = self._point(self.cursor)
        on = not self.erasing and event.button == _LEFT
        self._stroke = on, point
        self.capture_mouse()
        self._draw_line(point, point, on)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Go on with the stroke; the corner of a rectangle follows."""
        if self._stroke is None and not self.in_rectangle:
            return
        event.stop()
        self._go_to(*self._cell_at(event))
        if self._stroke is not None:
            on, before = self._stroke
            point = self._point(self.cursor)
            if point != before:
                self._stroke = on, point
                self._draw_line(before, point, on)

    def on_mouse_up(self, event: events.MouseUp) -> None:
        """The stroke is done."""
        if self._stroke is not None:
            event.stop()
            self._stroke = None
            self.release_mouse()
            self._finish()

    # Drawing

    def notify_style_update(self) -> None:
        """Take up the colours of a new theme."""
        super().notify_style_update()
        if self.is_mounted and self._strips:
            self._strips = []
            self._grow_stale(0, self.grid[1])

    def on_resize(self) -> None:
        """Have image and mask brought to the new size, on a thread."""
        self._serial += 1
        self._base = self._masked = None
        if not self.size:
            return
        serial, (columns, rows) = self._serial, self.grid

        def make() -> None:
            import numpy as np

            base = base_pixels(self._image, self._kept, columns, rows)
            cover = np.array(self.mask.shrunk((columns, 2 * rows)))
            if not get_current_worker().is_cancelled:
                self.post_message(self._Resized(serial, base, cover))

        self.run_worker(make, thread=True, exclusive=True, group="mask", exit_on_error=False)

    def on_mask_canvas__resized(self, message: _Resized) -> None:
        """Draw all of it."""
        message.stop()
        if message.serial != self._serial:
            return
        self._base, self._masked = message.base, message.cover
        self._strips = []
        self._stale = (0, self.grid[1])
        self._marked = self._mark_rows()
        self.draw_when_possible()
        self.post_message(self.Changed())

    def _cover_again(self, box: Box) -> None:
        """Bring the part of the mask inside `box` (pixels) to the pane's size."""
        import numpy as np

        assert self._masked is not None
        (columns, rows), (width, height) = self.grid, self.mask.size
        left, right = box[0] * columns // width, min(columns, -(-box[2] * columns // width))
        top, bottom = box[1] * 2 * rows // height, min(2 * rows, -(-box[3] * 2 * rows // height))
        source = (left * width / columns, top * height / (2 * rows), right * width / columns,
                  bottom * height / (2 * rows))  # fmt: skip
        part = self.mask.shrunk((right - left, bottom - top), source)
        self._masked[top:bottom, left:right] = np.asarray(part)
        self._grow_stale(top // 2, -(-bottom // 2))

    def _mark(self) -> None:
        """Cursor, brush or rectangle are elsewhere: draw the lines where they were and where they are."""
        before, self._marked = self._marked, self._mark_rows()
        for rows in (before, self._marked):
            self._grow_stale(*rows)
        self.post_message(self.Changed())

    def _mark_rows(self) -> tuple[int, int]:
        columns, rows = self.grid
        if self.in_rectangle:
            _, top, _, bottom = self._cells()
            return top, bottom + 1
        reach = int(self.brush / 2 * columns / self.mask.size[0] / 2) + 2
        row = self.cursor[1]
        return max(0, row - reach), min(rows, row + reach + 1)

    def _grow_stale(self, first: int, last: int) -> None:
        if self._stale is not None:
            first, last = min(first, self._stale[0]), max(last, self._stale[1])
        self._stale = first, last
        self.draw_when_possible()

    @property
    def picture_waits(self) -> bool:
        """Whether lines of the image are other ones than those on the screen."""
        return self._stale is not None and self._base is not None

    def draw_picture(self) -> None:
        """Draw those lines."""
        assert self._stale is not None
        first, last = self._stale
        self._stale = None
        self._draw(first, last)

    def _draw(self, first: int, last: int) -> None:
        """Make the lines `first` to `last` (not included) of the image anew."""
        assert self._base is not None
        assert self._masked is not None
        columns, rows = self.grid
        depth, top = depth_for(self.app), 2 * first
        base, cover = self._base[top : 2 * last], self._masked[top : 2 * last]
        tints = depth == "truecolor" and not self.app.no_color
        pixels = under_tint(base, cover) if tints else under_hatch(base, cover, top)
        if self.in_rectangle:
            draw_marks(pixels, rectangle_marks(cover.shape, top, self._cells()))
        else:
            radius = self.brush / 2 * columns / self.mask.size[0]
            draw_marks(pixels, brush_marks(cover.shape, top, self.cursor, radius))
        pixels = grey(pixels) if self.app.no_color else pixels
        style = self.visual_style.rich_style
        spare = self.size.width - columns
        before, after = Segment(" " * (spare // 2), style), Segment(" " * (spare - spare // 2), style)
        strips = frame_strips(
            frame_codes(pixels, depth, _BITS if depth == "truecolor" else _FEW_BITS), depth, before, after
        )
        above = (self.size.height - rows) // 2
        if not self._strips:
            self._strips = [Strip.blank(self.size.width, style)] * self.size.height
            self.refresh()
        self._strips[above + first : above + last] = strips
        self.refresh(Region(0, above + first, self.size.width, last - first))

    def finished(self, begin: int, end: int) -> list[Strip]:
        """The lines of image and mask."""
        return self._strips[begin:end]
