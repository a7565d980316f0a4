"""Pixels to terminal colours: quantising to what a terminal has, and the SGR codes that name it.

A *code* is an int: 0xRRGGBB for truecolor, the palette index for 256 and 16 colours. numpy is imported when
the first pixel is quantised, so that the app's first paint does not wait for it.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final, Literal

from rich.color import Color, ColorType
from rich.color_triplet import ColorTriplet

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Bytes = npt.NDArray[np.uint8]
    Codes = npt.NDArray[np.uint32]

Depth = Literal["truecolor", "256", "standard"]
"""As rich names colour systems; "standard" is 16 colours."""

LIVE_BITS: Final = 5
"""Bits a channel of a live frame: neighbours become equal more often, and equal neighbours cost no bytes."""

# The 16 colours of xterm. Terminals differ here, and nothing tells us how.
_STANDARD: Final = (
    (0, 0, 0), (205, 0, 0), (0, 205, 0), (205, 205, 0),
    (0, 0, 238), (205, 0, 205), (0, 205, 205), (229, 229, 229),
    (127, 127, 127), (255, 0, 0), (0, 255, 0), (255, 255, 0),
    (92, 92, 255), (255, 0, 255), (0, 255, 255), (255, 255, 255),
)  # fmt: skip
_CUBE_LEVELS: Final = (0, 95, 135, 175, 215, 255)

_ROUGHNESS: Final[dict[Depth, float]] = {"256": 0.1, "standard": 0.05}
"""See `mixtures`: 16 colours are so few that what they mix to is worth more unrest."""


def depth_of(color_system: str | None) -> Depth:
    """The depth for what `rich.console.Console.color_system` says; truecolor where it says nothing."""
    return (
        "256"
        if color_system == "256"
        else "standard"
        if color_system in ("standard", "windows")
        else "truecolor"
    )


def quantise(pixels: Bytes, depth: Depth, bits: int = 8) -> Codes:
    """Colour codes (h, w) for `pixels` (h, w, 3) uint8.

    `bits` (1..8) a channel are kept in truecolor. Of 256 and 16 colours two are mixed (see `tui.term.mixing`); for a
    low quality, of fewer than `LIVE_BITS` bits, the nearest is taken, which costs a third of the bytes.
    """
    from tui.term.mixing import LEVELS, bins, thresholds

    if depth == "truecolor":
        return _packed(_rounding(bits)[pixels])
    binned = bins()[pixels]
    place = (binned[..., 0] << 10) | (binned[..., 1] << 5) | binned[..., 2]
    first, second, share = _mixtures(depth)
    limits = thresholds(*pixels.shape[:2]) if bits >= LIVE_BITS else LEVELS // 2
    return _chosen(share[place] > limits, second[place], first[place])


def warm_up(depth: Depth) -> None:
    """Import numpy and make the tables of `depth`: a tenth of a second that is best spent on a thread."""
    import numpy as np

    quantise(np.zeros((2, 1, 3), np.uint8), depth)


def _packed(rgb: Bytes) -> Codes:
    """0xRRGGBB of each of the last axis' triples."""
    import numpy as np

    return (rgb @ np.array((1 << 16, 1 << 8, 1), np.uint32)).astype(np.uint32)


@cache
def _rounding(bits: int) -> Bytes:
    """For each of 256 values the nearest of the 2**bits that are kept, spread over 0..255."""
    import numpy as np

    top = (1 << bits) - 1
    kept = (np.arange(256) * top + 127) // 255
    return (kept * 255 // top).astype(np.uint8)


def _chosen(mask: npt.NDArray[np.bool_], yes: npt.NDArray[np.uint16], no: npt.NDArray[np.uint16]) -> Codes:
    import numpy as np

    return np.where(mask, yes, no).astype(np.uint32)


@cache
def _mixtures(depth: Depth) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint16], npt.NDArray[np.uint16]]:
    """For each colour of the lattice two palette indices, and how much there is of the second (see `mixtures`)."""
    import numpy as np

    from tui.term.mixing import mixtures

    offset, palette = (16, _colours_256()) if depth == "256" else (0, _STANDARD)
    table = mixtures(np.array(palette), _ROUGHNESS[depth])
    first, second = table[:, 0] + np.uint16(offset), table[:, 1] + np.uint16(offset)
    return first, second, np.ascontiguousarray(table[:, 2])


def _colours_256() -> list[tuple[int, int, int]]:
    """The colours 16..255 of the xterm palette: a 6x6x6 cube, then 24 greys."""
    cube = [(r, g, b) for r in _CUBE_LEVELS for g in _CUBE_LEVELS for b in _CUBE_LEVELS]
    return cube + [(grey, grey, grey) for grey in range(8, 248, 10)]


class SgrCodes(dict[int, str]):
    """SGR parameters by colour code, made when first asked for: `codes[0xFF8800] == "38;2;255;136;0"`."""

    def __init__(self, depth: Depth, foreground: bool) -> None:
        super().__init__()
        self._depth = depth
        self._foreground = foreground

    def __missing__(self, code: int) -> str:
        plane = 38 if self._foreground else 48
        if self._depth == "truecolor":
            text = f"{plane};2;{code >> 16};{code >> 8 & 255};{code & 255}"
        elif self._depth == "256":
            text = f"{plane};5;{code}"
        else:
            text = str(plane - 8 + code if code < 8 else plane + 44 + code)
        self[code] = text
        return text


@cache
def sgr_codes(depth: Depth) -> tuple[SgrCodes, SgrCodes]:
    """Foreground and background codes of a depth, shared by everything that draws."""
    return SgrCodes(depth, True), SgrCodes(depth, False)


def rich_colors(codes: Codes, depth: Depth) -> list[Color]:
    """The rich colours that `codes` (n) stand for."""
    if depth != "truecolor":
        return [Color.from_ansi(code) for code in codes.tolist()]
    # tuple.__new__: a quarter of the time of Color.from_rgb, which formats a name that nobody reads
    new, kind = tuple.__new__, ColorType.TRUECOLOR
    channels = zip((codes >> 16).tolist(), (codes >> 8 & 255).tolist(), (codes & 255).tolist(), strict=True)
    return [new(Color, ("", kind, None, new(ColorTriplet, rgb))) for rgb in channels]
