"""The schedule plot: the line's shape, the present step, odd schedules and sizes."""

from __future__ import annotations

import math

import pytest
from textual.app import App, ComposeResult

from tui.widgets.plot import Curve, SchedulePlot

FALLING = [14.6 * (1 - step / 30) ** 2 for step in range(31)]


class Host(App[None]):
    """A plot of the size that the studio gives it."""

    CSS = "SchedulePlot { width: 22; height: 8; }"

    def compose(self) -> ComposeResult:
        yield SchedulePlot()

    @property
    def plot(self) -> SchedulePlot:
        return self.query_one(SchedulePlot)

    @property
    def lines(self) -> list[str]:
        return [strip.text.rstrip() for strip in self.screen._compositor.render_strips()[:8]]


def heights(bits: list[list[int]]) -> list[int]:
    """The highest dot of every braille column of dots, from the top."""
    dots = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
    tops = []
    for column in range(2 * len(bits[0])):
        rows = [
            4 * y + dot
            for y, row in enumerate(bits)
            for dot in range(4)
            if row[column // 2] & dots[column % 2][dot]
        ]
        tops.append(min(rows))
    return tops


def test_the_line_falls_from_corner_to_corner() -> None:
    tops = heights(Curve(FALLING, 22, 8).dots())
    assert tops == sorted(tops)
    assert tops[0] == 0
    assert tops[-1] == 31


def test_a_steep_line_has_no_gaps() -> None:
    bits = Curve([10.0, 10.0, 0.0, 0.0], 12, 6).dots()
    lit = [any(row[x] for row in bits) for x in range(12)]
    assert all(lit)
    assert all(any(cell for cell in row) for row in bits)


@pytest.mark.parametrize(("step", "cell"), [(0, (0, 0)), (30, (21, 7))])
def test_the_dot_stands_on_the_line(step: int, cell: tuple[int, int]) -> None:
    curve = Curve(FALLING, 22, 8)
    assert curve.cell(step) == cell
    assert curve.dots()[cell[1]][cell[0]]


def test_every_step_has_its_dot_on_the_line() -> None:
    curve = Curve(FALLING, 22, 8)
    bits = curve.dots()
    for step in range(31):
        x, y = curve.cell(step)
        assert bits[y][x]


async def test_past_dot_and_future_differ() -> None:
    app = Host()
    async with app.run_test(size=(30, 10)) as pilot:
        app.plot.set_schedule(FALLING)
        await pilot.pause()
        assert "●" not in "".join(app.lines)
        assert app.lines[0].endswith("σ 14.6")
        app.plot.set_step(10)
        await pilot.pause()
        strips = app.screen._compositor.render_strips()[:8]
        colours = {
            style.color.get_truecolor()
            for strip in strips
            for text, style, _ in strip
            if style and style.color and any(0x2800 < ord(character) <= 0x28FF for character in text)
        }
        assert len(colours) == 2
        assert "".join(app.lines).count("●") == 1
        app.plot.set_step(None)
        await pilot.pause()
        assert "●" not in "".join(app.lines)


async def test_the_step_is_bounded() -> None:
    app = Host()
    async with app.run_test(size=(30, 10)) as pilot:
        app.plot.set_schedule(FALLING)
        for step in (-5, 500):
            app.plot.set_step(step)
            await pilot.pause()
            assert "".join(app.lines).count("●") == 1


@pytest.mark.parametrize(
    "sigmas", [[], [1.0], [math.nan, math.inf], [0.0, 0.0], [-1.0, 2.0, 0.0], [1e30, 1e-30]]
)
async def test_odd_schedules_do_no_harm(sigmas: list[float]) -> None:
    app = Host()
    async with app.run_test(size=(30, 10)) as pilot:
        app.plot.set_schedule(sigmas)
        app.plot.set_step(0)
        await pilot.pause()
        assert ("●" in "".join(app.lines)) == (len([sigma for sigma in sigmas if math.isfinite(sigma)]) > 1)


async def test_a_thousand_steps_and_a_tiny_pane() -> None:
    app = Host()
    async with app.run_test(size=(30, 10)) as pilot:
        app.plot.set_schedule([float(1000 - step) for step in range(1001)])
        await pilot.pause()
        assert any(app.lines)
        app.plot.styles.width = 5
        await pilot.pause()
        assert not any(app.lines)
