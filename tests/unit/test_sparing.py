"""Whatever is drawn, in whatever order: a terminal that is sent the differences shows what a frame shows."""

from __future__ import annotations

import numpy as np
import pyte
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

from tui.term.frames import LiveStrip, frame_strips
from tui.term.sparing import ScreenCopy

COLUMNS, ROWS = 24, 4
CONSOLE = Console(force_terminal=True, color_system="truecolor", width=COLUMNS, legacy_windows=False)
STYLES = [
    *(Style(color=name, bgcolor="black") for name in ("red", "green", "blue")),
    *(Style.parse(text) for text in ("#102030 on #000000", "#405060 on #000000", "#405060 on #203040")),
    Style.parse("bold #405060 on #203040"),
]

words = st.lists(
    st.tuples(st.text("ab █日é", min_size=1, max_size=6), st.sampled_from(STYLES)), min_size=1, max_size=6
)


def picture_of(parts: list[tuple[str, Style]], width: int) -> Strip:
    """Half blocks with margins, with few colours, which are shown again here and there."""
    colours = [ord(character) % 3 * 0x203040 for text, _ in parts for character in text]
    codes = np.resize(np.array(colours, np.uint32), (2, width))
    before, after = Segment(" " * (width // 4), parts[0][1]), Segment(" " * (width // 5), parts[-1][1])
    codes = codes[:, : width - len(before.text) - len(after.text)]
    return frame_strips(codes, "truecolor", before, after)[0]


def strip_of(parts: list[tuple[str, Style]], width: int, live: bool) -> Strip:
    strip = Strip([Segment(text, style) for text, style in parts]).adjust_cell_length(width, STYLES[0])
    return LiveStrip(strip.render(CONSOLE), width, lambda: list(strip)) if live else strip


def chops(lines: dict[int, list[tuple[int, Strip]]]) -> ChopsUpdate:
    """An update of some lines, each of parts that lie side by side from a column on."""
    parts = [dict(lines.get(y, [])) for y in range(ROWS)]
    ends = [[x + strip.cell_length for x, strip in one.items()] for one in parts]
    spans = [(y, min(one), max(ends[y])) for y, one in enumerate(parts) if one]
    return ChopsUpdate(parts, spans, ends)


def strips(width: int) -> st.SearchStrategy[Strip]:
    """Of characters, or of half blocks."""
    return st.one_of(
        st.builds(strip_of, words, st.just(width), st.booleans()),
        st.builds(picture_of, words, st.just(width)),
    )


@st.composite
def frames(draw: st.DrawFn) -> ChopsUpdate:
    lines = {}
    for y in draw(st.sets(st.integers(0, ROWS - 1), min_size=1)):
        cut = draw(st.integers(1, COLUMNS - 1))
        left = draw(strips(cut))
        right = draw(strips(COLUMNS - cut))
        lines[y] = draw(st.sampled_from([[(0, left)], [(cut, right)], [(0, left), (cut, right)]]))
    return chops(lines)


def seen(screen: pyte.Screen) -> list[tuple[object, ...]]:
    """What a person sees of each cell: of half blocks the colours above and below, whatever the character."""
    found: list[tuple[object, ...]] = []
    for y in range(ROWS):
        for x in range(COLUMNS):
            cell = screen.buffer[y][x]
            colours = {"f": cell.fg, "b": cell.bg}
            halves = {" ": "bb", "█": "ff", "▄": "bf", "▀": "fb"}.get(cell.data)
            if halves is None:
                found.append((cell.data, cell.fg, cell.bg, cell.bold))
            else:
                found.append(tuple(colours[half] for half in halves))
    return found


@st.composite
def repeated(draw: st.DrawFn) -> list[ChopsUpdate]:
    """Of a few strips that come again and again, the very same ones, as of widgets that keep theirs."""
    cuts = draw(st.lists(st.integers(1, COLUMNS - 1), min_size=1, max_size=3))
    halves = [[(0, draw(strips(cut))), (cut, draw(strips(COLUMNS - cut)))] for cut in cuts]
    parts = st.sampled_from([chosen for pair in halves for chosen in (pair[:1], pair[1:], pair)])
    return [chops({0: one}) for one in draw(st.lists(parts, min_size=1, max_size=8))]


@settings(max_examples=250)
@given(st.one_of(st.lists(frames(), min_size=1, max_size=8), repeated()))
def test_the_same_is_shown(updates: list[ChopsUpdate]) -> None:
    copy = ScreenCopy()
    spared, whole = pyte.Screen(COLUMNS, ROWS), pyte.Screen(COLUMNS, ROWS)
    for update in updates:
        pyte.Stream(whole).feed(update.render_segments(CONSOLE))
        less = copy.sparing(update)
        assert less is not None
        pyte.Stream(spared).feed(less.render_segments(CONSOLE))  # type: ignore[union-attr]
        assert seen(spared) == seen(whole)


def drawn(copy: ScreenCopy, update: ChopsUpdate | LayoutUpdate) -> str:
    return copy.sparing(update).render_segments(CONSOLE)  # type: ignore[union-attr]


def a_line(*texts: str) -> ChopsUpdate:
    return chops(
        {0: [(0, strip_of([(text, STYLES[i % 3]) for i, text in enumerate(texts)], COLUMNS, False))]}
    )


def test_nothing_is_written_twice() -> None:
    copy = ScreenCopy()
    assert drawn(copy, a_line("one ", "two ", "three")) != ""
    assert drawn(copy, a_line("one ", "two ", "three")) == ""
    changed = drawn(copy, a_line("one ", "2wo ", "three"))
    assert "2wo" in changed
    assert "one" not in changed
    assert "three" not in changed


def test_a_whole_frame_is_written_whole_and_known_then() -> None:
    copy = ScreenCopy()
    strip = strip_of([("one", STYLES[0])], COLUMNS, False)
    assert "one" in drawn(copy, LayoutUpdate([[strip]], Region(0, 0, COLUMNS, 1)))
    assert "one" in drawn(copy, LayoutUpdate([[strip]], Region(0, 0, COLUMNS, 1)))
    assert drawn(copy, chops({0: [(0, strip)]})) == ""


def test_what_is_forgotten_is_written_again() -> None:
    copy = ScreenCopy()
    drawn(copy, a_line("one"))
    copy.forget_region(Region(3, 0, 2, 1))
    assert "one" in drawn(copy, a_line("one"))
    copy.forget()
    assert "one" in drawn(copy, a_line("one"))


def test_colours_that_go_on_are_not_set_again() -> None:
    copy = ScreenCopy()
    text = drawn(
        copy, chops({y: [(0, strip_of([("one", STYLES[3]), ("two", STYLES[4])], 6, False))] for y in (0, 1)})
    )
    assert text.count("\x1b[0m") == 1
    assert text.count("48;2;") == 1
    assert text.count("38;2;") == 4


def test_the_bytes_of_an_update_are_told() -> None:
    told: list[int] = []
    copy = ScreenCopy(told.append)
    text = drawn(copy, a_line("é", "two"))
    assert told == [len(text.encode())]
    drawn(copy, a_line("é", "two"))
    assert sum(told) == len(text.encode())
