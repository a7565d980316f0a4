"""Pixels to terminal colours: quantising to what a terminal has, and the SGR codes that name it.

A *code* is an int: 0xRRGGBB for truecolor, the palette index for 256 and 16 colours. numpy is imported when
the first pixel is quantised, so that the app's first paint does not wait for it.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal

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

# How far ordered dithering moves a channel of the 16 colours, peak to peak. 256 colours look cleaner without,
# and cost half the bytes.
_DITHER: Final = 90.0
_BAYER: Final = ((0, 8, 2, 10), (12, 4, 14, 6), (3, 11, 1, 9), (15, 7, 13, 5))

_CHROMA_WEIGHT: Final[dict[Depth, float]] = {"256": 2.5, "standard": 1.0}
_RGB_TO_LMS: Final = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
_LMS_TO_OKLAB: Final = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)


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

    `bits` (1..8) a channel are kept in truecolor; 16 colours are dithered with a 4x4 ordered pattern.
    """
    import numpy as np

    if depth == "truecolor":
        return _packed(_rounding(bits)[pixels])
    if depth == "standard":
        height, width = pixels.shape[:2]
        pattern = (np.array(_BAYER, np.float32) - 7.5) * (_DITHER / 16)
        tiled = np.tile(pattern, (height // 4 + 1, width // 4 + 1))[:height, :width, None]
        pixels = np.clip(pixels + tiled, 0, 255).astype(np.uint8)
    cells = (pixels >> 3).astype(np.uint16)
    codes: Codes = _nearest(depth)[(cells[..., 0] << 10) | (cells[..., 1] << 5) | cells[..., 2]]
    return codes


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


def _lattice() -> npt.NDArray[np.int32]:
    """The colours (32768, 3) with 5 bits a channel, spread so that black and white are among them."""
    import numpy as np

    axis = np.arange(32) * 255 // 31
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3).astype(np.int32)


@cache
def _nearest(depth: Depth) -> Codes:
    """Palette index for each lattice point: the nearest in Oklab, chroma weighted as the palette needs it.

    By plain RGB distance muted browns and blues become one of the 24 greys.
    """
    import numpy as np

    first, palette = (16, _colours_256()) if depth == "256" else (0, _STANDARD)
    chroma = _CHROMA_WEIGHT[depth]
    weights = np.array((1.0, chroma, chroma), np.float32)
    points, colours = _oklab(_lattice()) * weights, _oklab(np.array(palette)) * weights
    # |p - q|^2 without its |p|^2, which is the same for every q
    distance = (colours**2).sum(-1) - 2 * points @ colours.T
    return (first + distance.argmin(-1)).astype(np.uint32)


def _colours_256() -> list[tuple[int, int, int]]:
    """The colours 16..255 of the xterm palette: a 6x6x6 cube, then 24 greys."""
    cube = [(r, g, b) for r in _CUBE_LEVELS for g in _CUBE_LEVELS for b in _CUBE_LEVELS]
    return cube + [(grey, grey, grey) for grey in range(8, 248, 10)]


def _oklab(rgb: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Oklab of sRGB values (n, 3) in 0..255; the matrices are those of bottosson.github.io/posts/oklab."""
    import numpy as np

    value = rgb / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    lms = np.cbrt(linear @ np.array(_RGB_TO_LMS).T)
    return (lms @ np.array(_LMS_TO_OKLAB).T).astype(np.float32)


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
