"""Half blocks over what is shown: whatever stands there, a terminal then shows what a whole line would."""

from __future__ import annotations

import numpy as np
import pyte
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui.term.cells import RESET, CellLine, cell_lines
from tui.term.palette import Depth

COLUMNS = 12
codes = st.lists(st.tuples(st.integers(16, 19), st.integers(16, 19)), min_size=COLUMNS, max_size=COLUMNS)
depths = st.sampled_from(["truecolor", "256"])


def line_of(cells: list[tuple[int, int]], depth: Depth) -> CellLine:
    return cell_lines(np.array(cells, np.uint32).T, depth)[0]


def pixels(text: str) -> list[tuple[str, str]]:
    """The colours of the upper and the lower half of each cell, as a terminal draws them."""
    screen = pyte.Screen(COLUMNS, 1)
    pyte.Stream(screen).feed(text)
    cells = [screen.buffer[0][x] for x in range(COLUMNS)]
    halves = {" ": "bb", "█": "ff", "▄": "bf", "▀": "fb"}
    return [tuple(cell.fg if half == "f" else cell.bg for half in halves[cell.data]) for cell in cells]  # type: ignore[misc]


def colour(code: int, depth: Depth) -> str:
    return f"{code:06x}" if depth == "truecolor" else pyte.graphics.FG_BG_256[code]


@settings(max_examples=150)
@given(codes, depths)
def test_a_whole_line_shows_its_pixels(cells: list[tuple[int, int]], depth: Depth) -> None:
    wanted = [(colour(upper, depth), colour(lower, depth)) for upper, lower in cells]
    assert pixels(line_of(cells, depth).whole()) == wanted


@settings(max_examples=150)
@given(codes, codes, depths, depths)
def test_only_what_is_new_is_written(
    before: list[tuple[int, int]], after: list[tuple[int, int]], depth: Depth, other: Depth
) -> None:
    shown, line = line_of(before, other), line_of(after, depth)
    first, last, text = line.over(shown)
    both = f"{shown.whole()}\x1b[1;{first + 1}H{text}"
    assert pixels(both) == pixels(line.whole())
    if depth == other:
        new = [place for place in range(COLUMNS) if before[place] != after[place]]
        assert (first, last) == ((new[0], new[-1] + 1) if new else (0, 0))
        assert bool(text) == bool(new)


@pytest.mark.parametrize(
    ("cells", "wanted"),
    [
        ([(16, 16)] * 3, "\x1b[48;5;16m   "),
        ([(16, 17)] * 2, "\x1b[38;5;17;48;5;16m▄▄"),
        ([(16, 17), (17, 16)], "\x1b[38;5;17;48;5;16m▄▀"),
        ([(16, 17), (17, 17)], "\x1b[38;5;17;48;5;16m▄█"),
        ([(16, 17), (17, 18)], "\x1b[38;5;17;48;5;16m▄\x1b[48;5;18m▀"),
        ([(16, 17), (18, 16)], "\x1b[38;5;17;48;5;16m▄\x1b[38;5;18m▀"),
    ],
)
def test_colours_that_are_set_are_used(cells: list[tuple[int, int]], wanted: str) -> None:
    assert line_of(cells, "256").whole() == wanted + RESET


def test_what_is_shown_is_passed_over() -> None:
    shown = line_of([(16, 16)] * 6, "256")
    cells = [(16, 16), (17, 17), (16, 16), (17, 17), (16, 16), (16, 16)]
    assert line_of(cells, "256").over(shown) == (1, 4, f"\x1b[48;5;17m \x1b[C {RESET}")
