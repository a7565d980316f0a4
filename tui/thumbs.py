"""Thumbnails for the screen: made on threads, those looked at first, and the last ones kept."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.term.palette import Depth

if TYPE_CHECKING:
    from PIL.Image import Image

_THREADS: Final = 2
_KEPT_CELLS: Final = 400_000
"""Cells of finished thumbnails that are kept: about 50 MB of strings where every cell has colours of its own."""

Lines = Sequence[Strip]


class Thumb(msgspec.Struct, frozen=True):
    """A thumbnail that is wanted: of which file, in a box of `columns` x `rows` cells, in which colours. `edited` tells
    versions of one file apart."""

    path: str
    edited: float
    columns: int
    rows: int
    depth: Depth
    grain: int = 1
    """Columns that share a pixel, and half rows."""


Read = Callable[[str, tuple[int, int]], "Image | None"]
Make = Callable[[Thumb, Style], "Lines | None"]


class Thumbs:
    """Finished thumbnails by what was asked for. `came` is called on a thread whenever one was made.

    `want` says what is looked at now, the most wanted first: what was wanted before and is not begun is forgotten.
    """

    def __init__(self, make: Make, came: Callable[[], object], kept_cells: int = _KEPT_CELLS) -> None:
        self._make = make
        self._came = came
        self._kept_cells = kept_cells
        self._cells = 0
        self._done: OrderedDict[Thumb, Lines | None] = OrderedDict()
        self._wanted: list[Thumb] = []
        """The most wanted last, where it is taken from."""
        self._begun: set[Thumb] = set()
        self._style = Style.null()
        self._change = threading.Condition()
        self._closed = False
        self._threads: list[threading.Thread] = []

    @property
    def cells(self) -> int:
        """Cells of the thumbnails that are kept."""
        return self._cells

    def get(self, thumb: Thumb) -> Lines | None:
        """Its lines; None while it is not there, or where it cannot be made (`failed` tells)."""
        with self._change:
            if thumb in self._done:
                self._done.move_to_end(thumb)
            return self._done.get(thumb)

    def failed(self, thumb: Thumb) -> bool:
        """Whether it was tried and cannot be made."""
        with self._change:
            return thumb in self._done and self._done[thumb] is None

    def want(self, thumbs: Sequence[Thumb], style: Style) -> None:
        """Have these made, on a ground of this style, and nothing else."""
        with self._change:
            missing = [one for one in thumbs if one not in self._done and one not in self._begun]
            self._wanted, self._style = missing[::-1], style
            if missing and not self._threads:
                self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(_THREADS)]
                for thread in self._threads:
                    thread.start()
            self._change.notify_all()

    def close(self) -> None:
        """Make no more."""
        with self._change:
            self._closed, self._wanted = True, []
            self._change.notify_all()

    def _work(self) -> None:
        while True:
            with self._change:
                while not self._wanted and not self._closed:
                    self._change.wait()
                if self._closed:
                    return
                thumb, style = self._wanted.pop(), self._style
                self._begun.add(thumb)
            lines = None
            # decoders raise nearly anything on a damaged file, and one such file must not end the thread
            with suppress(Exception):
                lines = self._make(thumb, style)
            with self._change:
                self._begun.discard(thumb)
                self._keep(thumb, lines)
                if self._closed:
                    return
            self._came()

    def _keep(self, thumb: Thumb, lines: Lines | None) -> None:
        self._done[thumb] = lines
        self._cells += _cells(thumb, lines)
        while self._cells > self._kept_cells and len(self._done) > 1:
            self._cells -= _cells(*self._done.popitem(last=False))


def _cells(thumb: Thumb, lines: Lines | None) -> int:
    return thumb.columns * thumb.rows if lines is not None else 1


def pixels(thumb: Thumb) -> tuple[int, int]:
    """The box in pixels that the image of a thumbnail has to fill, width and height."""
    return 2 * thumb.columns, 4 * thumb.rows


def make_lines(thumb: Thumb, style: Style, read: Read | None = None) -> Lines | None:
    """The image fitted into its box as finished lines as wide as the box; None where the file cannot be read. `read`
    gives an image by its path, fitted into a box of pixels; without it the file is one of this machine."""
    import numpy as np

    from sdcore.library.thumbnails import thumbnail
    from tui.term.frames import frame_codes, frame_strips
    from tui.term.palette import LIVE_BITS
    from tui.term.pixels import fit, resize

    image = (read or thumbnail)(thumb.path, pixels(thumb))
    if image is None:
        return None
    columns, rows = fit(*image.size, thumb.columns, thumb.rows)
    pixels_of_cells = np.asarray(resize(image, columns, rows, thumb.grain))
    codes = frame_codes(pixels_of_cells, thumb.depth, LIVE_BITS if thumb.grain == 1 else LIVE_BITS - 1)
    left, above = (thumb.columns - columns) // 2, (thumb.rows - rows) // 2
    before = Segment(" " * left, style)
    after = Segment(" " * (thumb.columns - columns - left), style)
    blank = Strip.blank(thumb.columns, style)
    strips = frame_strips(codes, thumb.depth, before, after)
    return [blank] * above + strips + [blank] * (thumb.rows - rows - above)
