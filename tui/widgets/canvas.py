"""The picture: the live preview while a run samples, the finished image after it, a quiet hint before."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from functools import partial
from typing import ClassVar, Final

from PIL import Image
from rich.segment import Segment
from rich.style import Style
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.worker import get_current_worker

from tui.term.frames import depth_for
from tui.term.graphics import overlay
from tui.term.graphics.kitty import broken_off, deletion
from tui.term.graphics.ways import pictures_of
from tui.term.pacing import QUALITIES, Quality, is_spare, purse_of
from tui.term.palette import warm_up
from tui.widgets.drawing import FINE, MODEST, Drawing, Means, Pane, draw
from tui.widgets.paced import Paced

UNREADABLE: Final = "This image cannot be read."

_FIRST_BATCH: Final = 1 << 16
_LARGEST_BATCH: Final = 1 << 19
_SLOW_BATCH: Final = 1 << 12
"""Characters of an image that are sent at once: keys wait behind them. Twice as many each time, while all is well."""
_SETTLED: Final = 1.5
"""Seconds after which the first screen has been drawn, mostly."""
_BAND: Final = 4
"""Lines of cells that are refined at once."""


class Canvas(Paced):
    """Shows one picture as large as the pane allows, its aspect kept, centred, in the way that the app has chosen.

    Where that is half blocks, a cell is one pixel wide and two high. The last picture is kept and drawn again when the
    pane changes.
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
        """A thread drew picture number `serial` for a pane of `size`; None if it cannot be decoded."""

        def __init__(
            self, serial: int, size: Size, drawing: Drawing | None, coarse: bool, refines: bool
        ) -> None:
            super().__init__()
            self.serial = serial
            self.size = size
            self.drawing = drawing
            self.coarse = coarse
            self.refines = refines

    def __init__(self, hint: str = "", *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._hint = hint
        self._image: Image.Image | None = None
        self._frame: Image.Image | None = None
        self._undrawn = False
        self._strips: list[Strip] | None = None
        self._drawing: Drawing | None = None
        self._coming: Drawing | None = None
        self._pieces: deque[str] = deque()
        self._batch = _FIRST_BATCH
        self._coarse = False
        """Whether the coming image is to be refined once it is shown."""
        self._refined: int | None = None
        """The lines that are refined already, while the coming image refines the one that is shown."""
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
        self._stop_sending()
        self._take_away(self._drawing)
        self._drawing = None
        self.refresh()

    def preview_box(self) -> tuple[int, int]:
        """The pane's size (width, height) in pixels: what the engine should fit its previews into."""
        return self.size.width, self.size.height * 2

    def draw_again(self) -> None:
        """Draw what is shown anew: colours are others, or the way of drawing."""
        if self._strips is not None:
            self._undrawn = self._frame is not None
            self.draw_when_possible()
            self._render_image()

    # -- live frames -----------------------------------------------------------------------------------------

    @property
    def picture_waits(self) -> bool:
        """Whether the newest live frame is not drawn yet, or an image is still to be sent."""
        return self._undrawn or self._coming is not None

    @property
    def refines(self) -> bool:
        """Whether what waits refines an image that is shown."""
        return self._refined is not None

    def draw_picture(self) -> None:
        """Draw the frame: all of it on the event loop, since it takes less than a hand-over to a thread. Or send a
        part of an image that is larger."""
        if not self._undrawn:
            self._send_more()
        elif self._frame is not None and self.size:
            self._undrawn = False
            self._stop_sending()
            drawing = draw(self._frame, self._pane(), self._means(), self.pacer.quality, live=True)
            self._write("".join(drawing.pieces))
            self._show(drawing)

    # -- the finished image ----------------------------------------------------------------------------------

    def _render_image(self, *, refines: bool = False) -> None:
        self._serial += 1
        self._stop_sending()
        if self._image is None or not self.size:
            return
        image, serial, size = self._image, self._serial, self.size
        quality = self._last_quality() if refines else self._first_quality()
        drawn = partial(draw, image, self._pane(), self._means(), quality)

        def render() -> None:
            drawing: Drawing | None = None
            # Pillow decodes here at last, and on a damaged file raises nearly anything
            with suppress(Exception):
                drawing = drawn()
            if not get_current_worker().is_cancelled:
                coarse = quality.bits < MODEST.bits
                self.post_message(self._Rendered(serial, size, drawing, coarse, refines))

        self.run_worker(render, thread=True, exclusive=True, group="canvas", exit_on_error=False)

    def on_canvas__rendered(self, message: _Rendered) -> None:
        """Take a picture from the thread, unless something newer is shown or wanted."""
        message.stop()
        if message.serial != self._serial or message.size != self.size:
            return
        if message.drawing is None:
            self.show_hint(UNREADABLE)
        elif message.drawing.pieces or message.coarse or message.refines:
            self._coming = message.drawing
            self._pieces = deque(message.drawing.pieces)
            self._batch = _FIRST_BATCH
            self._coarse = message.coarse
            self._refined = 0 if message.refines else None
            self.draw_when_possible()
        else:
            self._show(message.drawing)

    def _first_quality(self) -> Quality:
        """What a finished image looks like at first: as live frames do where bytes are dear or the line is slow."""
        self.pacer.spare = is_spare(self.app)
        return self.pacer.quality if self.pacer.quality.bits < QUALITIES[0].bits else FINE

    def _last_quality(self) -> Quality:
        """What it looks like in the end."""
        return MODEST if is_spare(self.app) else FINE

    def _refine(self, serial: int) -> None:
        """Refine the image that is shown, once the line is at rest."""
        if serial != self._serial or self._image is None:
            return
        if (unrest := purse_of(self.app).unrest) > 0:
            self.set_timer(unrest, partial(self._refine, serial))
        else:
            self._render_image(refines=True)

    # -- what goes to the terminal past the cells ------------------------------------------------------------

    def _send_more(self) -> None:
        """Send as much of the coming image as the line takes at once; after the last of it, show it."""
        if self._coming is None:
            return
        slow = self.pacer.quality != QUALITIES[0]
        parts, length, most = [], 0, _SLOW_BATCH if slow else self._batch
        while self._pieces and length < most:
            parts.append(self._pieces.popleft())
            length += len(parts[-1])
        self._batch = min(2 * self._batch, _LARGEST_BATCH)
        self._write("".join(parts))
        if self._pieces or self._refine_band(self._coming):
            self.call_after_refresh(self.draw_when_possible)
        else:
            drawing, self._coming = self._coming, None
            self._refined = None
            self._show(drawing)
            if self._coarse:
                self._refine(self._serial)

    def _refine_band(self, coming: Drawing) -> bool:
        """Show the next lines of cells of an image that refines the one shown; false if there are none."""
        if self._refined is None or self._strips is None or coming.number is not None or coming.overlay:
            return False
        begin, strips = self._refined, self._padded(list(coming.strips))
        self._refined = end = begin + _BAND
        self._strips[begin:end] = strips[begin:end]
        self.refresh(Region(0, begin, self.size.width, _BAND))
        return end < len(strips)

    def _stop_sending(self) -> None:
        if self._coming is not None:
            if self._pieces and len(self._pieces) < len(self._coming.pieces):
                self._write(broken_off(tmux=pictures_of(self.app).tmux))
            self._take_away(self._coming)
            self._coming = self._refined = None
            self._pieces.clear()

    def _show(self, drawing: Drawing) -> None:
        before, self._drawing = self._drawing, drawing
        self._strips = self._padded(list(drawing.strips))
        pictures_of(self.app).note(self, over=bool(drawing.overlay))
        if before is not None and drawing.replaces(before):
            self.lay_over()
        else:
            self.refresh()
        # only when no cell shows it any more
        self.call_after_refresh(self._take_away, before)

    def _take_away(self, drawing: Drawing | None) -> None:
        """Have the terminal forget an image."""
        if drawing is not None and drawing.number is not None:
            self._write(deletion(drawing.number, tmux=pictures_of(self.app).tmux))

    def lay_over(self) -> None:
        """Write the picture that does not live in cells over the cells, unless something lies over these."""
        if self._drawing is not None and self._drawing.overlay and overlay.is_bare(self):
            x, y = self._drawing.offset
            self._write(overlay.placed(self._drawing.overlay, self.region.x + x, self.region.y + y))
            if (screen_copy := getattr(self.app, "screen_copy", None)) is not None:
                screen_copy.forget_region(self.region)

    def _write(self, text: str) -> None:
        driver = self.app._driver
        if text and driver is not None and not self.app.is_headless:
            purse_of(self.app).spend(len(text))
            driver.write(text)

    @property
    def is_covered(self) -> bool:
        """Whether another screen lies over this one, through which it may be seen."""
        return self.is_attached and self.screen is not self.app.screen

    def _drawn(self) -> list[Strip] | None:
        """The lines that can be drawn now: under a dialog those that may be tinted."""
        if self._drawing is not None and self._drawing.substitute is not None and self.is_covered:
            strips = self._padded(list(self._drawing.substitute()))
            return strips if self._strips is not None and len(strips) == len(self._strips) else self._strips
        return self._strips

    # -- drawing ---------------------------------------------------------------------------------------------

    def _pane(self) -> Pane:
        style, depth = self.visual_style.rich_style, depth_for(self.app)
        return Pane(self.size.width, self.size.height, style, depth, plain=self.PLAIN, grey=self.app.no_color)

    def _means(self) -> Means:
        pictures = pictures_of(self.app)
        before = self._drawing.shown if self._drawing is not None else None
        return Means(pictures.way, pictures.numbers, pictures.tmux, pictures.found.cell, before)

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
        self.set_timer(_SETTLED, self.measure_line)

    def _warm_up(self) -> None:
        self.run_worker(
            partial(warm_up, depth_for(self.app)), thread=True, group="warm-up", exit_on_error=False
        )

    def notify_style_update(self) -> None:
        """Take up the colours of a new theme."""
        super().notify_style_update()
        if self.is_mounted:
            self.draw_again()

    def on_unmount(self) -> None:
        """Leave no image behind in the terminal."""
        super().on_unmount()
        self._stop_sending()
        self._take_away(self._drawing)

    def on_resize(self) -> None:
        """Draw what is shown for the new size, and say how large previews should be."""
        if self._strips is not None:
            self._strips = self._recentred(self._strips)
        if self._frame is not None:
            self._undrawn = True
            self.draw_picture()
        else:
            self._render_image()
        self.post_message(self.BoxChanged(*self.preview_box()))

    def render(self) -> Content:
        """The hint, where there is no picture."""
        return Content("" if self._frame or self._image else self._hint)

    def finished(self, begin: int, end: int) -> list[Strip] | None:
        """The lines of the picture."""
        strips = self._drawn()
        return strips[begin:end] if strips is not None else None


def _centred(line: list[Segment], columns: int, width: int, style: Style) -> Strip:
    """A strip of `width` cells with `line` (`columns` cells) in its middle."""
    left = (width - columns) // 2
    padded = [Segment(" " * left, style), *line, Segment(" " * (width - columns - left), style)]
    return Strip([segment for segment in padded if segment.text], width)
