"""Pictures that lie over the cells: they are written after the frame, and again whenever their cells were drawn.

What is drawn over such a picture stays; so nothing is written while anything lies over the widget, and what the dialog
covers are the widget's cells, which the dialog's frame has drawn anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.errors import NoWidget

if TYPE_CHECKING:
    from textual.geometry import Region
    from textual.widget import Widget


def placed(overlay: str, column: int, row: int) -> str:
    """`overlay` written with the cursor at a cell (from 0), which then returns to where it was."""
    return f"\x1b7\x1b[{row + 1};{column + 1}H{overlay}\x1b8"


def is_bare(widget: Widget) -> bool:
    """Whether the whole of `widget` is seen: on the screen in front, with nothing over its edges or middle."""
    screen, region = widget.app.screen, widget.region
    if widget.screen is not screen or not region or not screen.region.contains_region(region):
        return False
    columns = (region.x, region.x + region.width // 2, region.right - 1)
    rows = (region.y, region.y + region.height // 2, region.bottom - 1)
    try:
        return all(screen.get_widget_at(x, y)[0] is widget for x in columns for y in rows)
    except NoWidget:
        return False


def was_drawn(update: object, region: Region) -> bool:
    """Whether a frame of Textual's drew any cell of `region`."""
    if isinstance(update, LayoutUpdate):
        return update.region.overlaps(region)
    if isinstance(update, ChopsUpdate):
        return any(_meets(span, region) for span in update.spans)
    return False


def _meets(span: Any, region: Region) -> bool:
    y, begin, end = span
    return region.y <= y < region.bottom and begin < region.right and end > region.x
