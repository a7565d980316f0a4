"""An image under a mask as pixels of a pane, one a column and two a row, with the brush or a rectangle drawn on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from PIL import Image

from tui.masking import TINT, Box
from tui.term.pixels import resize

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from tui.term.palette import Bytes

    Marks = npt.NDArray[np.bool_]

_TINTED: Final = 0.5
_CUT_AWAY: Final = 0.35
_LUMA: Final = (0.299, 0.587, 0.114)
_BRIGHT: Final = 0xEE
_DARK: Final = 0x12


def base_pixels(image: Image.Image, kept: Box, columns: int, rows: int) -> Bytes:
    """`image` as pixels (2 * rows, columns, 3), what lies outside the box `kept` of it darkened. Takes its time."""
    import numpy as np

    bright = np.full((2 * rows, columns, 1), _CUT_AWAY, np.float32)
    left, right = (round(x * columns / image.width) for x in (kept[0], kept[2]))
    top, bottom = (round(y * 2 * rows / image.height) for y in (kept[1], kept[3]))
    bright[top:bottom, left:right] = 1.0
    return (np.asarray(resize(image, columns, rows)) * bright).astype(np.uint8)


def under_tint(base: Bytes, cover: Bytes) -> Bytes:
    """`base` (h, w, 3) greyed and tinted where `cover` (h, w) is white: it is seen on an image of any colour."""
    import numpy as np

    share = (cover.astype(np.float32) / 255)[..., None]
    tinted = (base @ _LUMA)[..., None] * (1 - _TINTED) + np.array(TINT, np.float32) * _TINTED
    return (base * (1 - share) + tinted * share).astype(np.uint8)


def under_hatch(base: Bytes, cover: Bytes, top: int) -> Bytes:
    """`base` (h, w, 3), every other pixel of the mask in the accent colour: a tint would be lost among few colours.
    `top` is the place of the first row in the whole, so that parts fit together."""
    import numpy as np

    rows, columns = np.indices(cover.shape)
    pixels = base.copy()
    pixels[((rows + top + columns) % 2 == 0) & (cover >= 128)] = TINT
    return pixels


def grey(pixels: Bytes) -> Bytes:
    """The same without colours."""
    import numpy as np

    return (pixels @ _LUMA).astype(np.uint8)[..., None].repeat(3, -1)


def brush_marks(shape: tuple[int, ...], top: int, cell: tuple[int, int], radius: float) -> Marks:
    """Where the brush's outline (`radius` in columns) and the cell under the cursor are, in an array of `shape` that
    begins at row `top` of the whole."""
    import numpy as np

    y, x = np.ogrid[top : top + shape[0], : shape[1]]
    distance = np.hypot(x - cell[0], y - 2 * cell[1] - 0.5)
    marks: Marks = (np.abs(distance - radius) < 0.5) | ((x == cell[0]) & (y // 2 == cell[1]))
    return marks


def rectangle_marks(shape: tuple[int, ...], top: int, cells: tuple[int, int, int, int]) -> Marks:
    """Where the outline of a rectangle of `cells` (left, top, right, bottom, the last two included) is."""
    import numpy as np

    left, first, right, last = cells
    y, x = np.ogrid[top : top + shape[0], : shape[1]]
    inside = (x >= left) & (x <= right) & (y >= 2 * first) & (y <= 2 * last + 1)
    core = (x > left) & (x < right) & (y > 2 * first) & (y < 2 * last + 1)
    marks: Marks = inside & ~core
    return marks


def draw_marks(pixels: Bytes, marks: Any) -> None:
    """Make the marked pixels bright where the image is dark, and dark where it is bright."""
    import numpy as np

    pixels[marks] = np.where(pixels[marks] @ _LUMA < 128, _BRIGHT, _DARK).astype(np.uint8)[:, None]
