"""Live frames: what a terminal makes of the lines, and that a strip behaves as one of segments."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyte
import pytest
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.term.frames import STRIP_IS_KNOWN, LiveStrip, ansi_lines, frame_codes, frame_strips, live_strip
from tui.term.pacing import QUALITIES, Pacer
from tui.term.palette import rich_colors

BACKGROUND = Style.parse("on #102030")


def pixels(columns: int, rows: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (2 * rows, columns, 3), dtype=np.uint8)


def shown(line: str, width: int) -> list[tuple[str, str, str]]:
    """(character, foreground, background) of each cell, as the terminal emulator shows the line."""
    screen = pyte.Screen(width, 1)
    pyte.Stream(screen).feed(line)
    return [(screen.buffer[0][x].data, screen.buffer[0][x].fg, screen.buffer[0][x].bg) for x in range(width)]


def test_the_terminal_shows_the_pixels() -> None:
    frame = pixels(12, 3)
    codes = frame_codes(frame, "truecolor")
    for row, line in enumerate(ansi_lines(codes, "truecolor")):
        for x, (character, fg, bg) in enumerate(shown(line, 12)):
            upper, lower = codes[2 * row, x], codes[2 * row + 1, x]
            assert bg == f"{upper:06x}"
            assert (character, fg) == ("▄", f"{lower:06x}") or upper == lower


def test_only_changes_are_written() -> None:
    flat = np.full((2, 60, 3), 100, np.uint8)
    (line,) = ansi_lines(frame_codes(flat, "truecolor"), "truecolor")
    assert line.count("\x1b[") == 2
    assert len(line) < 60 + 30


def test_a_line_ends_reset_and_stands_alone() -> None:
    frame = np.tile(pixels(8, 1), (2, 1, 1))
    first, second = ansi_lines(frame_codes(frame, "truecolor"), "truecolor")
    assert first == second
    assert first.endswith("\x1b[0m")


@pytest.mark.parametrize(("depth", "mark"), [("256", "8;5;"), ("standard", "")])
def test_palettes_write_no_truecolor(depth: str, mark: str) -> None:
    lines = ansi_lines(frame_codes(pixels(20, 2), depth), depth)  # type: ignore[arg-type]
    assert all("8;2;" not in line and mark in line for line in lines)


@pytest.fixture(params=[False, True], ids=["live", "plain"])
def make_strips(request: pytest.FixtureRequest) -> Callable[[np.ndarray], list[Strip]]:
    def make(frame: np.ndarray) -> list[Strip]:
        left, right = Segment("   ", BACKGROUND), Segment("  ", BACKGROUND)
        return frame_strips(frame_codes(frame, "truecolor"), "truecolor", left, right, plain=request.param)

    return make


def test_strips_render_alike(make_strips: Callable[[np.ndarray], list[Strip]]) -> None:
    console = Console(color_system="truecolor", force_terminal=True)
    for strip in make_strips(pixels(12, 2)):
        assert strip.cell_length == 17
        cells = shown(strip.render(console), 17)
        again = shown(Strip(list(strip), 17).render(console), 17)
        assert cells == again
        assert cells[0][2] == cells[16][2] == "102030"


def test_cutting_gives_the_same_cells(make_strips: Callable[[np.ndarray], list[Strip]]) -> None:
    console = Console(color_system="truecolor", force_terminal=True)
    strip = make_strips(pixels(12, 1))[0]
    whole = shown(strip.render(console), 17)
    assert shown(strip.crop(5, 11).render(console), 6) == whole[5:11]
    parts = strip.divide([4, 9, 17])
    assert [part.cell_length for part in parts] == [4, 5, 8]
    assert [cell for part in parts for cell in shown(part.render(console), part.cell_length)] == whole
    joined = Strip.join([strip.crop(0, 8), strip.crop(8)])
    assert shown(joined.render(console), 17) == whole
    assert strip.text.count("▄") >= 10


def test_segments_are_made_only_when_cut() -> None:
    assert STRIP_IS_KNOWN
    made: list[int] = []

    def make() -> list[Segment]:
        made.append(1)
        return [Segment("abcd")]

    strip = live_strip("finished", 4, make)
    assert isinstance(strip, LiveStrip)
    assert bool(strip)
    assert strip.divide([4]) == [strip]
    assert strip.crop(0, 4) is strip
    assert strip.adjust_cell_length(4) is strip
    made.clear()
    assert strip.render(Console()) == "finished"
    assert not made
    assert strip.crop(1, 3).text == "bc"


def test_uncut_strips_never_make_segments() -> None:
    def make() -> list[Segment]:
        raise AssertionError("made")

    strip = live_strip("finished", 4, make)
    assert strip.divide([4])[0] is strip
    assert strip.crop(0, 4) is strip
    assert strip.cell_count == strip.cell_length == 4
    assert strip.render(Console()) == "finished"


def test_unknown_strip_takes_the_plain_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.term.frames.STRIP_IS_KNOWN", False)
    strip = live_strip("finished", 4, lambda: [Segment("abcd")])
    assert type(strip) is Strip
    assert strip.text == "abcd"


def test_padding_takes_the_depth_of_the_frame() -> None:
    left = Segment(" ", Style.from_color(None, rich_colors(np.array([0xFF0000], np.uint32), "truecolor")[0]))
    (strip,) = frame_strips(frame_codes(pixels(4, 1), "256"), "256", left, Segment(""))
    text = strip.render(Console(color_system="256"))
    assert text.startswith("\x1b[48;5;196m \x1b[0m")


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_pacing_keeps_the_rate(clock: Clock) -> None:
    pacer = Pacer(max_fps=10, clock=clock)
    assert pacer.wait() == 0
    pacer.sent(asked=True)
    pacer.answered()
    assert pacer.wait() == pytest.approx(0.1)
    clock.now += 0.1
    assert pacer.wait() == 0


def test_pacing_waits_for_the_answer(clock: Clock) -> None:
    pacer = Pacer(max_fps=10, timeout=0.5, clock=clock)
    pacer.sent(asked=True)
    clock.now += 0.3
    assert pacer.wait() == pytest.approx(0.2)
    pacer.answered()
    assert pacer.wait() == 0


def test_a_deaf_terminal_is_asked_no_more(clock: Clock) -> None:
    pacer = Pacer(max_fps=10, timeout=0.5, clock=clock)
    pacer.sent(asked=True)
    clock.now += 0.6
    assert pacer.wait() == 0
    assert not pacer.asks
    pacer.answered()
    assert pacer.asks


def frame(pacer: Pacer, clock: Clock, seconds: float) -> None:
    clock.now += max(pacer.wait(), 0)
    pacer.sent(asked=True)
    clock.now += seconds
    pacer.answered()


def test_slow_frames_lower_the_quality_and_quick_ones_raise_it(clock: Clock) -> None:
    pacer = Pacer(budget=0.12, clock=clock)
    frame(pacer, clock, 0.01)
    for _ in range(10):
        frame(pacer, clock, 0.4)
    assert pacer.quality == QUALITIES[-1]
    for _ in range(100):
        frame(pacer, clock, 0.01)
    assert pacer.quality == QUALITIES[0]


def test_a_distant_line_is_not_a_slow_one(clock: Clock) -> None:
    pacer = Pacer(budget=0.12, clock=clock)
    for _ in range(10):
        frame(pacer, clock, 0.35)
    assert pacer.quality == QUALITIES[0]


def test_a_lost_answer_from_a_terminal_that_talks_counts_as_slow(clock: Clock) -> None:
    pacer = Pacer(timeout=0.5, clock=clock)
    frame(pacer, clock, 0.01)
    pacer.sent(asked=True)
    clock.now += 0.6
    assert pacer.wait() > 0
    clock.now += 4.0
    assert pacer.wait() == 0
    assert pacer.asks
    assert pacer.quality != QUALITIES[0]
