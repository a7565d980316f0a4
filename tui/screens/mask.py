"""Drawing a mask: what is painted over is made anew, the rest of the image stays."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from PIL import Image
from textual.app import ComposeResult
from textual.screen import Screen

from sdcore.library.inputs import InputError, keep_input
from tui.actions import Group, Scope, bindings, footer
from tui.masking import Mask, covered
from tui.once_begun import once_begun
from tui.screens.lists.chooser import Choice, Chooser
from tui.widgets.caption import Caption
from tui.widgets.mask_canvas import MaskCanvas
from tui.widgets.status import FooterLine, MessageLine

if TYPE_CHECKING:
    from tui.app import SdtuiApp

_HOW: Final = (
    "Paint what is to be made anew: space or the mouse. [ and ] change the brush, x erases, i inverts, u takes back.",
    "Paint what is to be made anew. [ ] brush, x erases, i inverts, u takes back.",
)
_LEAVING: Final = [
    Choice("keep", "Keep the mask", "The next image is repainted where it is."),
    Choice("leave", "Leave without it", "What was painted is lost."),
    Choice("stay", "Stay", "Nothing changes."),
]


class MaskScreen(Screen[str | None], inherit_bindings=False):
    """Returns the name of the kept mask, an empty one where nothing is masked, None when left without a change.

    `image` (RGB) is called `name`; what of it does not fit `wanted`, the size of the recipe, is shown darkly.
    """

    BINDINGS = bindings("mask")
    CSS_PATH = "mask.tcss"
    HELP = (
        "A mask says what is repainted. Arrows or h j k l move the cursor, with shift by eight cells. Space dabs with "
        "the brush, r sets the corners of a rectangle. With a mouse, drag to paint and use the right button to erase. "
        "What is dark at the edges does not fit the size of the image that will be made."
    )
    GROUP: Group = "Mask"
    SCOPE: Scope = "mask"
    app: SdtuiApp

    def __init__(self, name: str, image: Image.Image, mask: Mask, wanted: tuple[int, int]) -> None:
        super().__init__()
        self._name = name
        self._canvas = MaskCanvas(image, mask, covered(image.size, wanted), id="masked")
        self._keeping = False

    def compose(self) -> ComposeResult:
        """The image with a line over it."""
        yield Caption(id="mask-facts")
        yield self._canvas
        yield MessageLine(id="message")
        yield FooterLine(id="footer")

    def on_mount(self) -> None:
        """Say how it is done."""
        self.query_one(FooterLine).show(footer("mask"))
        self.query_one(MessageLine).show(*_HOW)

    def terminal_answered(self) -> None:
        """The terminal has drawn what was written last."""
        self._canvas.terminal_answered()

    def on_mask_canvas_changed(self, message: MaskCanvas.Changed) -> None:
        """Say what the brush does now, and how much is masked."""
        message.stop()
        canvas = self._canvas
        does = "erase" if canvas.erasing else "paint"
        tool = "rectangle" if canvas.in_rectangle else f"brush {canvas.brush} px"
        share = canvas.share
        masked = "nothing masked" if not share else f"{max(share * 100, 1):.0f} % masked"
        self.query_one(Caption).show((f"mask of {self._name}", does, tool, masked), accent=True)

    # Keys

    def action_move(self, columns: int, rows: int) -> None:
        """Move the cursor."""
        self._canvas.move(columns, rows)

    def action_paint(self) -> None:
        """A dab, or the rectangle."""
        self._canvas.paint()

    def action_rectangle(self) -> None:
        """A corner of a rectangle."""
        self._canvas.rectangle()

    def action_erase(self) -> None:
        """Paint from now on, or erase."""
        self._canvas.erasing = not self._canvas.erasing
        self._canvas.touched(None)

    def action_brush(self, places: int) -> None:
        """Another brush."""
        self._canvas.resize_brush(places)

    def action_invert(self) -> None:
        """Mask what was not masked."""
        self._canvas.touched(self._mask.invert())

    def action_clear(self) -> None:
        """Mask nothing."""
        self._canvas.touched(self._mask.clear())

    def action_undo(self) -> None:
        """Take the last stroke back."""
        self._canvas.touched(self._mask.undo())

    def action_redo(self) -> None:
        """Do it again."""
        self._canvas.touched(self._mask.redo())

    def action_keep(self) -> None:
        """Keep the mask and go back to the studio."""
        if not self._keeping:
            self._keeping = True
            self.run_worker(once_begun(self._keep), group="keep")

    async def _keep(self) -> None:
        try:
            kept = await asyncio.to_thread(lambda: "" if self._mask.empty else keep_input(self._mask.image))
        except InputError as fault:
            self._keeping = False
            self.query_one(MessageLine).show(str(fault), tone="alert")
        else:
            self.dismiss(kept)

    def action_leave(self) -> None:
        """Give the rectangle up, or go back to the studio."""
        if self._canvas.in_rectangle:
            self._canvas.leave_rectangle()
        elif self._mask.changed:
            self.run_worker(once_begun(self._ask), group="ask", exclusive=True)
        else:
            self.dismiss(None)

    async def _ask(self) -> None:
        answer = await self.app.push_screen_wait(Chooser("leave the mask", _LEAVING))
        if answer == "keep":
            self.action_keep()
        elif answer == "leave":
            self.dismiss(None)

    async def on_footer_line_pressed(self, message: FooterLine.Pressed) -> None:
        """A key of the footer was clicked."""
        await self.app.action_do(message.name)

    @property
    def _mask(self) -> Mask:
        return self._canvas.mask
