"""Whatever is drawn, in whatever order: a terminal that is sent the differences shows what a frame shows."""

from __future__ import annotations

import pyte
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

from tui.term.frames import LiveStrip
from tui.term.sparing import ScreenCopy

COLUMNS, ROWS = 24, 4
CONSOLE = Console(force_terminal=True, color_system="truecolor", width=COLUMNS, legacy_windows=False)
STYLES = [Style(color=name, bgcolor="black") for name in ("red", "green", "blue")]

words = st.lists(
    st.tuples(st.text("ab █日é", min_size=1, max_size=6), st.sampled_from(STYLES)), min_size=1, max_size=6
)


def strip_of(parts: list[tuple[str, Style]], width: int, live: bool) -> Strip:
    strip = Strip([Segment(text, style) for text, style in parts]).adjust_cell_length(width, STYLES[0])
    return LiveStrip(strip.render(CONSOLE), width, lambda: list(strip)) if live else strip


def chops(lines: dict[int, list[tuple[int, Strip]]]) -> ChopsUpdate:
    """An update of some lines, each of parts that lie side by side from a column on."""
    parts = [dict(lines.get(y, [])) for y in range(ROWS)]
    ends = [[x + strip.cell_length for x, strip in one.items()] for one in parts]
    spans = [(y, min(one), max(ends[y])) for y, one in enumerate(parts) if one]
    return ChopsUpdate(parts, spans, ends)


@st.composite
def frames(draw: st.DrawFn) -> ChopsUpdate:
    lines = {}
    for y in draw(st.sets(st.integers(0, ROWS - 1), min_size=1)):
        cut = draw(st.integers(1, COLUMNS - 1))
        left = strip_of(draw(words), cut, draw(st.booleans()))
        right = strip_of(draw(words), COLUMNS - cut, draw(st.booleans()))
        lines[y] = draw(st.sampled_from([[(0, left)], [(cut, right)], [(0, left), (cut, right)]]))
    return chops(lines)


@settings(max_examples=150, deadline=None)
@given(st.lists(frames(), min_size=1, max_size=8))
def test_the_same_is_shown(updates: list[ChopsUpdate]) -> None:
    copy = ScreenCopy()
    spared, whole = pyte.Screen(COLUMNS, ROWS), pyte.Screen(COLUMNS, ROWS)
    for update in updates:
        pyte.Stream(whole).feed(update.render_segments(CONSOLE))
        less = copy.sparing(update)
        assert less is not None
        pyte.Stream(spared).feed(less.render_segments(CONSOLE))  # type: ignore[union-attr]
        assert spared.buffer == whole.buffer


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
