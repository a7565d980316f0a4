"""The picture: the live preview while a run samples, the finished image after it, a quiet hint before."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final

from PIL import Image
from rich.segment import Segment
from rich.style import Style
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.worker import get_current_worker

from tui.term.frames import depth_for, frame_codes, frame_strips
from tui.term.pacing import Quality
from tui.term.palette import Depth, warm_up
from tui.term.pixels import fit, segment_lines
from tui.widgets.paced import Paced

if TYPE_CHECKING:
    from tui.term.palette import Bytes

UNREADABLE: Final = "This image cannot be read."


class Canvas(Paced):
    """Shows one picture as large as the pane allows, in half blocks, its aspect kept, centred.

    A cell is one pixel wide and two high. The last picture is kept and drawn again when the pane changes.
    """

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    Canvas { width: 1fr; height: 1fr; color: $text-muted; content-align: center middle; text-align: center; }
    """
    FPS = 10.0
    COVERED_FPS = 2.0  # under a dialog each line is taken apart and tinted: tens of milliseconds a frame
    PLAIN: ClassVar[bool] = False
    """Draw live frames as plain segments, as on a Textual whose Strip we do not know."""

    class BoxChanged(Message):
        """The pane has room for `width` x `height` pixels now."""

        def __init__(self, width: int, height: int) -> None:
            super().__init__()
            self.width = width
            self.height = height

    class _Rendered(Message):
        """A thread rendered picture number `serial` for a pane of `size`; None if it cannot be decoded."""

        def __init__(self, serial: int, size: Size, strips: list[Strip] | None) -> None:
            super().__init__()
            self.serial = serial
            self.size = size
            self.strips = strips

    def __init__(self, hint: str = "", *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._hint = hint
        self._image: Image.Image | None = None
        self._frame: Image.Image | None = None
        self._undrawn = False
        self._strips: list[Strip] | None = None
        self._serial = 0

    # -- what is shown ---------------------------------------------------------------------------------------

    @property
    def image(self) -> Image.Image | None:
        """The finished image that is shown; None while a live frame or the hint is."""
        return self._image

    def show_frame(self, width: int, height: int, rgb: bytes) -> None:
        """Show a live frame of `width * height * 3` RGB bytes, as soon as the terminal can take it.

        Of frames that come faster the newest is kept. Raises ValueError if the bytes do not fit the size.
        """
        self._frame = Image.frombytes("RGB", (width, height), rgb)
        self._image = None
        self._serial += 1
        self._undrawn = True
        self.draw_when_possible()

    def show_image(self, image: Image.Image) -> None:
        """Show a finished image. It is resized on a thread; until then what was shown stays."""
        self._frame = None
        self._undrawn = False
        self._image = image
        self._render_image()

    def show_hint(self, hint: str) -> None:
        """Show no picture but one quiet sentence (plain text)."""
        self._frame = self._image = self._strips = None
        self._undrawn = False
        self._serial += 1
        self._hint = hint
        self.refresh()

    def preview_box(self) -> tuple[int, int]:
        """The pane's size (width, height) in pixels: what the engine should fit its previews into."""
        return self.size.width, self.size.height * 2

    # -- live frames -----------------------------------------------------------------------------------------

    @property
    def picture_waits(self) -> bool:
        """Whether the newest live frame is not drawn yet."""
        return self._undrawn

    def draw_picture(self) -> None:
        """Draw the frame: all of it on the event loop, since it takes less than a hand-over to a thread."""
        if self._frame is None or not self.size:
            return
        import numpy as np

        self._undrawn = False
        columns, rows = fit(*self._frame.size, *self.size)
        pixels: Bytes = np.asarray(_resized(self._frame, columns, rows, self.pacer.quality))
        if self.app.no_color:
            luma = (pixels @ np.array((0.299, 0.587, 0.114), np.float32)).astype(np.uint8)
            pixels = luma[..., None].repeat(3, -1)
        depth = self._depth()
        codes = frame_codes(pixels, depth, self.pacer.quality.bits)
        left = (self.size.width - columns) // 2
        style = self.visual_style.rich_style
        before, after = Segment(" " * left, style), Segment(" " * (self.size.width - columns - left), style)
        self._strips = self._padded(frame_strips(codes, depth, before, after, plain=self.PLAIN))
        self.refresh()

    # -- the finished image ----------------------------------------------------------------------------------

    def _render_image(self) -> None:
        self._serial += 1
        if self._image is None or not self.size:
            return
        image, serial, size = self._image, self._serial, self.size
        depth, style, console = self._depth(), self.visual_style.rich_style, self.app.console

        def render() -> None:
            strips: list[Strip] | None = None
            # Pillow decodes here at last, and on a damaged file raises nearly anything
            with suppress(Exception):
                columns, rows = fit(*image.size, *size)
                lines = segment_lines(image, columns, rows, depth)
                strips = [_centred(line, columns, size.width, style) for line in lines]
                for strip in strips:
                    # fills the strip's cache here rather than on the event loop
                    strip.render(console)
            if not get_current_worker().is_cancelled:
                self.post_message(self._Rendered(serial, size, strips))

        self.run_worker(render, thread=True, exclusive=True, group="canvas", exit_on_error=False)

    def on_canvas__rendered(self, message: _Rendered) -> None:
        """Take a picture from the thread, unless something newer is shown or wanted."""
        message.stop()
        if message.serial != self._serial or message.size != self.size:
            return
        if message.strips is None:
            self.show_hint(UNREADABLE)
        else:
            self._strips = self._padded(message.strips)
            self.refresh()

    # -- drawing ---------------------------------------------------------------------------------------------

    def _depth(self) -> Depth:
        return depth_for(self.app)

    def _padded(self, strips: list[Strip]) -> list[Strip]:
        """`strips` with blank lines above and below, as many as the pane is high."""
        blank = Strip.blank(self.size.width, self.visual_style.rich_style)
        above = (self.size.height - len(strips)) // 2
        return [blank] * above + strips + [blank] * (self.size.height - len(strips) - above)

    def _recentred(self, strips: list[Strip]) -> list[Strip]:
        """`strips` of another size of the pane, cut or padded about its middle: shown until the redraw."""
        style, (width, height) = self.visual_style.rich_style, self.size
        spare = max(0, len(strips) - height) // 2
        lines = []
        for strip in strips[spare : spare + height]:
            left = (width - strip.cell_length) // 2
            line = strip.crop(-left, width - left) if left < 0 else strip
            lines.append(_centred(list(line), line.cell_length, width, style))
        return self._padded(lines)

    def on_mount(self) -> None:
        """Have the tables of the first frame made while nobody waits for them."""
        self.set_timer(0.1, self._warm_up)

    def _warm_up(self) -> None:
        self.run_worker(partial(warm_up, self._depth()), thread=True, group="warm-up", exit_on_error=False)

    def on_resize(self) -> None:
        """Draw what is shown for the new size, and say how large previews should be."""
        if self._strips is not None:
            self._strips = self._recentred(self._strips)
        if self._frame is not None:
            self.draw_picture()
        else:
            self._render_image()
        self.post_message(self.BoxChanged(*self.preview_box()))

    def render(self) -> Content:
        """The hint, where there is no picture."""
        return Content("" if self._frame or self._image else self._hint)

    def render_line(self, y: int) -> Strip:
        """A line for Textual's own way of drawing, which a border or padding needs."""
        if self._strips is not None and y < len(self._strips):
            return self._strips[y]
        return super().render_line(y)

    def render_lines(self, crop: Region) -> list[Strip]:
        """The lines inside `crop`, past Textual's styling, which would take every finished line apart."""
        strips = self._strips
        if not strips or self.gutter or (strips[0].cell_length, len(strips)) != self.size:
            return super().render_lines(crop)
        lines = strips[crop.y : crop.bottom]
        if crop.width < self.size.width:
            lines = [line.crop(crop.x, crop.right) for line in lines]
        return lines


def _resized(frame: Image.Image, columns: int, rows: int, quality: Quality) -> Image.Image:
    """`frame` as `columns` x `2 * rows` pixels; at a lower quality, neighbours in a row share a colour."""
    full = (columns, 2 * rows)
    coarse = (max(1, columns // quality.columns_a_pixel), 2 * rows)
    if frame.size != coarse:
        frame = frame.resize(coarse, Image.Resampling.BICUBIC)
    return frame if coarse == full else frame.resize(full, Image.Resampling.NEAREST)


def _centred(line: list[Segment], columns: int, width: int, style: Style) -> Strip:
    """A strip of `width` cells with `line` (`columns` cells) in its middle."""
    left = (width - columns) // 2
    padded = [Segment(" " * left, style), *line, Segment(" " * (width - columns - left), style)]
    return Strip([segment for segment in padded if segment.text], width)
