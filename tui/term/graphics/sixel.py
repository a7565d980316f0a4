"""Sixel: an image in bands of six rows, colour by colour, from a palette of its own (DEC STD 070)."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from PIL import Image

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

COLOURS: Final = 256
"""What every terminal that knows sixel can show at once."""

BAND: Final = 6
"""Rows that are drawn at a time."""
_FIRST: Final = 63
"""The letter of a column in which nothing is set."""
_LONG: Final = 4
"""From so many equal columns on, a count is shorter than the letters."""


def sixels(image: Image.Image, colours: int = COLOURS) -> str:
    """`image` (RGB) at its own size in pixels, drawn at the cursor; `colours` is at most 256."""
    import numpy as np

    indexed = image.quantize(colours, method=Image.Quantize.MEDIANCUT)
    palette = np.array(indexed.getpalette(), np.uint16).reshape(-1, 3)
    pixels = np.asarray(indexed)
    used = np.unique(pixels)
    percents = (palette[used] * 100 + 127) // 255
    names = "".join(
        f"#{code};2;{red};{green};{blue}"
        for code, (red, green, blue) in zip(used.tolist(), percents.tolist(), strict=True)
    )
    bands = "-".join(_band(pixels[top : top + BAND]) for top in range(0, pixels.shape[0], BAND))
    # the second parameter leaves what no column sets as it is
    return f'\x1bP0;1q"1;1;{image.width};{image.height}{names}{bands}\x1b\\'


def _band(rows: npt.NDArray[np.uint8]) -> str:
    """Six rows (or fewer, the last) of palette indices: for each colour in it a line of letters, what repeats as a
    count, without the empty columns at its end."""
    import numpy as np

    codes = np.unique(rows)
    letters = np.full((codes.size, rows.shape[1]), _FIRST, np.uint8)
    for place, row in enumerate(np.searchsorted(codes, rows)):
        letters[row, np.arange(row.size)] += 1 << place
    starts = np.ones(letters.shape, bool)
    starts[:, 1:] = letters[:, 1:] != letters[:, :-1]
    places = np.flatnonzero(starts)
    runs = zip(letters.ravel()[places].tolist(), np.diff(places, append=letters.size).tolist(), strict=True)
    lines = []
    ends = (letters[:, -1:] == _FIRST).ravel().tolist()
    for code, count, ends_empty in zip(codes.tolist(), starts.sum(1).tolist(), ends, strict=True):
        line = [_counted(value, length) for value, length in islice(runs, count)]
        if ends_empty:
            line.pop()
        lines.append(f"#{code}{''.join(line)}")
    return "$".join(lines)


def _counted(value: int, length: int) -> str:
    return f"!{length}{chr(value)}" if length >= _LONG else chr(value) * length
