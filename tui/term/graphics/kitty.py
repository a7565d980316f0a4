"""Kitty graphics in cells: an image is sent under a number, and letters that stand for its parts are drawn.

The letters (U+10EEEE, the row and the column as diacritics, the number as their colour) are text, so they can be
cropped, overlaid and scrolled like any other, and a multiplexer moves them with its panes
(https://sw.kovidgoyal.net/kitty/graphics-protocol/#unicode-placeholders).
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from rich.color import Color
from rich.segment import Segment
from rich.style import Style

from tui.term.frames import blank_ansi, live_strip
from tui.term.palette import Depth, sgr_codes
from tui.term.passthrough import through_tmux

if TYPE_CHECKING:
    from textual.strip import Strip

PLACEHOLDER: Final = "\U0010eeee"
CHUNK: Final = 4096
"""Characters of base64 in one escape sequence: what the protocol allows."""

# The letters that count: combining marks above (class 230) of Unicode 6.0 that never fuse with others, in order.
_RANGES: Final = """
305 30D-30E 310 312 33D-33F 346 34A-34C 350-352 357 35B 363-36F 483-487 592-595 597-599 59C-5A1 5A8-5A9 5AB-5AC 5AF
5C4 610-617 657-65B 65D-65E 6D6-6DC 6DF-6E2 6E4 6E7-6E8 6EB-6EC 730 732-733 735-736 73A 73D 73F-741 743 745 747
749-74A 7EB-7F1 7F3 816-819 81B-823 825-827 829-82D 951 953-954 F82-F83 F86-F87 135D-135F 17DD 193A 1A17 1A75-1A7C
1B6B 1B6D-1B73 1CD0-1CD2 1CDA-1CDB 1CE0 1DC0-1DC1 1DC3-1DC9 1DCB-1DCC 1DD1-1DE6 1DFE 20D0-20D1 20D4-20D7 20DB-20DC
20E1 20E7 20E9 20F0 2CEF-2CF1 2DE0-2DFF A66F A67C-A67D A6F0-A6F1 A8E0-A8F1 AAB0 AAB2-AAB3 AAB7-AAB8 AABE-AABF AAC1
FE20-FE26 10A0F 10A38 1D185-1D189 1D1AA-1D1AD 1D242-1D244
"""


def _letters() -> Iterator[str]:
    for part in _RANGES.split():
        first, _, last = part.partition("-")
        yield from map(chr, range(int(first, 16), int(last or first, 16) + 1))


DIACRITICS: Final = tuple(_letters())
"""The letter for each number of a row or a column; an image has at most so many of either."""

_FIRST_INDEXED, _INDEXED = 16, 240
_NUMBERS: Final = 1 << 24


class Numbers:
    """Image numbers. They are colours, so where there are 256 of these there are few numbers; they begin anywhere, so
    that two programs in one terminal rarely take the same."""

    def __init__(self, start: int | None = None) -> None:
        self._next = int.from_bytes(os.urandom(3)) if start is None else start

    def take(self, depth: Depth) -> int:
        """A number that was not used lately, and that the colours of `depth` can express."""
        self._next += 1
        if depth != "truecolor":
            return _FIRST_INDEXED + self._next % _INDEXED
        # above the indexed numbers, and never 0
        return 256 + self._next % (_NUMBERS - 256)


def _command(control: str, payload: str, tmux: bool) -> str:
    sequence = f"\x1b_G{control};{payload}\x1b\\" if payload else f"\x1b_G{control}\x1b\\"
    return through_tmux(sequence) if tmux else sequence


def transmission(number: int, png: bytes, columns: int, rows: int, *, tmux: bool) -> list[str]:
    """The escape sequences that send a PNG to be drawn in `columns` x `rows` cells; text may go between them."""
    text = base64.b64encode(png).decode()
    chunks = [text[start : start + CHUNK] for start in range(0, len(text), CHUNK)] or [""]
    control = f"a=T,U=1,q=2,f=100,i={number},c={columns},r={rows},m="
    last = len(chunks) - 1
    return [
        _command((control if not place else "q=2,m=") + str(int(place < last)), chunk, tmux)
        for place, chunk in enumerate(chunks)
    ]


def broken_off(*, tmux: bool) -> str:
    """Ends a transmission of which only a part was sent; what comes next would be taken for more of it."""
    return _command("q=2,m=0", "", tmux)


def deletion(number: int, *, tmux: bool) -> str:
    """Has the terminal forget an image."""
    return _command(f"a=d,d=I,q=2,i={number}", "", tmux)


def direct(png: bytes, columns: int, rows: int) -> str:
    """Draws a PNG at the cursor, in cells that remember nothing of it: for a picture that is printed."""
    text = base64.b64encode(png).decode()
    chunks = [text[start : start + CHUNK] for start in range(0, len(text), CHUNK)]
    last = len(chunks) - 1
    return "".join(
        _command(
            (f"a=T,q=2,f=100,c={columns},r={rows},m=" if not place else "q=2,m=") + str(int(place < last)),
            chunk,
            tmux=False,
        )
        for place, chunk in enumerate(chunks)
    )


def _colour(number: int, depth: Depth) -> tuple[str, Color]:
    """The SGR parameters and rich's colour that say the number."""
    if depth == "truecolor":
        return sgr_codes(depth)[0][number], Color.from_rgb(number >> 16, number >> 8 & 255, number & 255)
    code = max(_FIRST_INDEXED, min(number, 255))
    return sgr_codes("256")[0][code], Color.from_ansi(code)


def placeholder_lines(number: int, columns: int, rows: int, depth: Depth) -> list[str]:
    """The image as lines of letters, each finished; `columns` and `rows` are at most 297."""
    sgr, _ = _colour(number, depth)
    # uncut, the first letter of a line says where it is and the others follow
    rest = f"{PLACEHOLDER * (columns - 1)}\x1b[0m"
    return [f"\x1b[{sgr}m{PLACEHOLDER}{DIACRITICS[row]}{DIACRITICS[0]}{rest}" for row in range(rows)]


def placeholder_strips(
    number: int, columns: int, rows: int, depth: Depth, left: Segment, right: Segment
) -> list[Strip]:
    """The same with `left` and `right` (spaces) around it, to be cut and laid over at will."""
    before, after = blank_ansi(left, depth), blank_ansi(right, depth)
    # no background of its own: the picture may be transparent
    style = Style.from_color(_colour(number, depth)[1])
    width = len(left.text) + columns + len(right.text)

    def segments_for(row: int) -> Callable[[], list[Segment]]:
        def make() -> list[Segment]:
            # a letter says row and column, for the line may be cut anywhere
            letters = "".join(PLACEHOLDER + DIACRITICS[row] + DIACRITICS[column] for column in range(columns))
            return [segment for segment in (left, Segment(letters, style), right) if segment.text]

        return make

    return [
        live_strip(f"{before}{line}{after}", width, segments_for(row))
        for row, line in enumerate(placeholder_lines(number, columns, rows, depth))
    ]
