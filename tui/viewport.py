"""Which part of an image is seen: zooming about the middle and moving over it."""

from __future__ import annotations

from typing import Final

import msgspec

_STEP: Final = 1.5
_LEAST_PIXELS: Final = 8
"""Pixels of the image that are always left in view, each way."""
_PAN: Final = 0.25
"""Of what is seen, how far one key moves."""


class Viewport(msgspec.Struct, frozen=True):
    """A view of an image of `width` x `height` pixels in a pane of `pane_width` x `pane_height`. `zoom` 1 is the whole
    image as large as the pane allows; `x` and `y` (0..1) are the place of the image in the middle of the pane."""

    width: int
    height: int
    pane_width: int
    pane_height: int
    zoom: float = 1.0
    x: float = 0.5
    y: float = 0.5

    @property
    def fitted(self) -> float:
        """Pixels of the pane for one of the image when all of it is seen."""
        return min(self.pane_width / self.width, self.pane_height / self.height)

    @property
    def scale(self) -> float:
        """Pixels of the pane for one of the image now."""
        return self.fitted * self.zoom

    @property
    def whole(self) -> bool:
        """Whether all of the image is seen."""
        return self.zoom <= 1.0

    def box(self) -> tuple[int, int, int, int]:
        """What is seen, in pixels of the image: left, top, right, bottom."""
        sides = []
        for size, pane, at in (
            (self.width, self.pane_width, self.x),
            (self.height, self.pane_height, self.y),
        ):
            seen = max(1, min(size, round(pane / self.scale)))
            begin = max(0, min(size - seen, round(at * size - seen / 2)))
            sides.append((begin, begin + seen))
        (left, right), (top, bottom) = sides
        return left, top, right, bottom

    def in_pane(self, width: int, height: int) -> Viewport:
        """The same in a pane of another size."""
        return msgspec.structs.replace(self, pane_width=max(1, width), pane_height=max(1, height))._held()

    def zoomed(self, steps: int) -> Viewport:
        """So many steps closer."""
        return msgspec.structs.replace(self, zoom=self.zoom * _STEP**steps)._held()

    def pixel_by_pixel(self) -> Viewport:
        """One pixel of the pane for one of the image; the whole image where it is smaller than the pane."""
        return msgspec.structs.replace(self, zoom=1 / self.fitted)._held()

    def moved(self, right: int, down: int) -> Viewport:
        """Moved by a part of what is seen, at most to the image's edge."""
        left, top, end, bottom = self.box()
        x = self.x + right * _PAN * (end - left) / self.width
        y = self.y + down * _PAN * (bottom - top) / self.height
        return msgspec.structs.replace(self, x=x, y=y)._held()

    def _held(self) -> Viewport:
        closest = min(self.pane_width, self.pane_height) / _LEAST_PIXELS / self.fitted
        zoom = max(1.0, min(self.zoom, max(1.0, closest)))
        held = msgspec.structs.replace(self, zoom=zoom)
        left, top, right, bottom = held.box()
        # beyond the edge there is nothing to see: the way back must not begin out there
        return msgspec.structs.replace(
            held,
            x=(left + right) / 2 / held.width if zoom > 1 else 0.5,
            y=(top + bottom) / 2 / held.height if zoom > 1 else 0.5,
        )
