"""The canvas in a running app: frames, images, hints, resizing and what is laid over it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.color import Color
from textual.app import App, ComposeResult
from textual.containers import Horizontal
from textual.pilot import Pilot
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.term.frames import LiveStrip
from tui.term.pacing import CURSOR_POSITION_REQUEST, Pacer, Purse
from tui.widgets.canvas import UNREADABLE, Canvas

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


class Dialog(ModalScreen[None]):
    """A box of 10x3 in the middle of the screen."""

    CSS = "Dialog { align: center middle; } Dialog > Static { width: 10; height: 3; }"

    def compose(self) -> ComposeResult:
        yield Static("a dialog")


class Host(App[None]):
    """A canvas beside something else."""

    CSS = "Static { width: 10; }"

    def __init__(self) -> None:
        super().__init__()
        self.boxes: list[tuple[int, int]] = []

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Static("left")
            yield Canvas("Type a prompt.")

    @property
    def canvas(self) -> Canvas:
        return self.query_one(Canvas)

    def on_canvas_box_changed(self, message: Canvas.BoxChanged) -> None:
        self.boxes.append((message.width, message.height))


def solid(colour: tuple[int, int, int], size: tuple[int, int] = (8, 8)) -> bytes:
    return bytes(colour) * (size[0] * size[1])


def noise(width: int, height: int) -> bytes:
    return np.random.default_rng(7).integers(0, 256, (height, width, 3), dtype=np.uint8).tobytes()


def cells(app: App[None]) -> list[list[tuple[str, Color | None, Color | None]]]:
    """(character, foreground, background) of every cell of the screen; a space has no foreground."""
    lines = []
    for strip in app.screen._compositor.render_strips():
        row = []
        for text, style, _ in strip:
            for character in text:
                front = style.color if style and character != " " else None
                row.append((character, front, style.bgcolor if style else None))
        lines.append(row)
    return lines


def background(app: App[None], x: int, y: int) -> tuple[int, ...]:
    colour = cells(app)[y][x][2]
    assert colour is not None
    return tuple(colour.get_truecolor())


async def until(pilot: Pilot[None], condition: Callable[[], bool]) -> None:
    """Let the app run until `condition` holds."""
    async with asyncio.timeout(10):
        while not condition():
            await pilot.pause(0.01)


async def test_a_hint_before_there_is_a_picture() -> None:
    app = Host()
    async with app.run_test(size=(50, 12)) as pilot:
        await pilot.pause()
        assert "Type a prompt." in "".join(cell[0] for cell in cells(app)[5])
        assert app.canvas.preview_box() == (40, 24)
        assert app.boxes == [(40, 24)]


async def test_a_frame_is_centred_and_as_large_as_the_pane_allows() -> None:
    app = Host()
    async with app.run_test(size=(50, 12)) as pilot:
        app.canvas.show_frame(8, 8, solid(RED))
        await pilot.pause()
        # 24 pixels high, so 24 columns wide, in the middle of 40 columns that begin at 10
        assert background(app, 18, 0) == background(app, 41, 11) == RED
        assert background(app, 17, 0) != RED
        assert background(app, 42, 11) != RED


async def test_a_frame_with_too_few_bytes_is_refused() -> None:
    app = Host()
    async with app.run_test(size=(50, 12)):
        with pytest.raises(ValueError, match="not enough image data"):
            app.canvas.show_frame(8, 8, b"\0" * 10)


async def test_the_newest_of_many_frames_is_shown() -> None:
    app = Host()
    async with app.run_test(size=(50, 12)) as pilot:
        now = [0.0]
        app.canvas.pacer = Pacer(clock=lambda: now[0])
        for colour in (RED, GREEN, BLUE):
            app.canvas.show_frame(8, 8, solid(colour))
        await pilot.pause()
        assert background(app, 30, 6) == RED
        now[0] = 1.0
        await until(pilot, lambda: background(app, 30, 6) != RED)
        assert background(app, 30, 6) == BLUE


async def test_a_finished_image_replaces_the_frames() -> None:
    app = Host()
    async with app.run_test(size=(50, 12)) as pilot:
        app.canvas.show_frame(8, 8, solid(RED))
        app.canvas.show_frame(8, 8, solid(BLUE))
        app.canvas.show_image(Image.new("RGB", (64, 64), GREEN))
        await until(pilot, lambda: background(app, 30, 6) == GREEN)
        await pilot.pause(0.15)
        assert background(app, 30, 6) == GREEN
        assert app.canvas.image is not None


async def test_a_frame_replaces_an_image_that_is_still_being_made() -> None:
    app = Host()
    async with app.run_test(size=(50, 12)) as pilot:
        app.canvas.show_image(Image.new("RGB", (2000, 2000), GREEN))
        app.canvas.show_frame(8, 8, solid(RED))
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert background(app, 30, 6) == RED
        assert app.canvas.image is None


async def test_a_damaged_image_says_so(tmp_path: Path) -> None:
    path = tmp_path / "cut.png"
    Image.new("RGB", (64, 64), GREEN).save(path)
    path.write_bytes(path.read_bytes()[:-40])
    app = Host()
    async with app.run_test(size=(50, 12)) as pilot:
        app.canvas.show_image(Image.open(path))
        await until(pilot, lambda: UNREADABLE in "".join(cell[0] for cell in cells(app)[5]))


async def test_the_hint_comes_back() -> None:
    app = Host()
    async with app.run_test(size=(50, 12)) as pilot:
        app.canvas.show_frame(8, 8, solid(RED))
        await pilot.pause()
        app.canvas.show_hint("[/nothing] here")
        await pilot.pause()
        assert "[/nothing] here" in "".join(cell[0] for cell in cells(app)[5])


@pytest.mark.parametrize("live", [True, False])
async def test_resizing_draws_again(live: bool) -> None:
    app = Host()
    async with app.run_test(size=(50, 12)) as pilot:
        if live:
            app.canvas.show_frame(8, 8, solid(RED))
        else:
            app.canvas.show_image(Image.new("RGB", (8, 8), RED))
        for size in ((90, 30), (20, 4), (60, 20)):
            await pilot.resize_terminal(*size)
            await app.workers.wait_for_complete()
            await pilot.pause()
            width, height = size
            middle = 10 + (width - 10) // 2
            assert [len(row) for row in cells(app)] == [width] * height
            assert background(app, middle, 0) == background(app, middle, height - 1) == RED
        assert app.boxes[-1] == (50, 40)


async def drawn(
    plain: bool, act: Callable[[Host, Pilot[None]], object], monkeypatch: pytest.MonkeyPatch
) -> list[object]:
    monkeypatch.setattr(Canvas, "PLAIN", plain)
    app = Host()
    async with app.run_test(size=(60, 20), notifications=True) as pilot:
        app.canvas.show_frame(16, 16, noise(16, 16))
        await pilot.pause()
        await act(app, pilot)  # type: ignore[misc]
        await pilot.pause()
        return [cells(app), app.export_screenshot().split("<style>")[1].count("fill")]


async def nothing(_app: Host, _pilot: Pilot[None]) -> None:
    """Leave the canvas bare."""


async def dialog(app: Host, _pilot: Pilot[None]) -> None:
    await app.push_screen(Dialog())


async def toast(app: Host, pilot: Pilot[None]) -> None:
    app.notify("saved")
    await pilot.pause(0.05)


@pytest.mark.parametrize("act", [nothing, dialog, toast])
async def test_both_paths_show_the_same(
    act: Callable[[Host, Pilot[None]], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    live = await drawn(False, act, monkeypatch)
    assert live == await drawn(True, act, monkeypatch)


async def test_the_command_palette_lies_over_a_live_frame() -> None:
    app = Host()
    async with app.run_test(size=(60, 20)) as pilot:
        app.canvas.show_frame(8, 8, solid(RED))
        await pilot.press("ctrl+p")
        await pilot.pause()
        app.canvas.show_frame(8, 8, solid(BLUE))
        await until(pilot, lambda: background(app, 35, 0)[2] > background(app, 35, 0)[0])
        assert "<svg" in app.export_screenshot()


async def test_a_border_takes_the_plain_path() -> None:
    app = Host()
    async with app.run_test(size=(50, 12)) as pilot:
        app.canvas.styles.border = ("round", "white")
        await pilot.pause()
        app.canvas.show_frame(8, 8, solid(RED))
        await pilot.pause()
        assert cells(app)[0][10][0] == "╭"
        assert background(app, 30, 6) == RED


async def test_a_bare_frame_is_never_taken_apart() -> None:
    app = Host()
    async with app.run_test(size=(50, 12)) as pilot:
        app.canvas.show_frame(16, 16, noise(16, 16))
        await pilot.pause()
        strips = app.canvas._strips
        assert strips is not None
        live = [strip for strip in strips if isinstance(strip, LiveStrip)]
        assert len(live) == 12
        app.canvas.refresh()
        update = app.screen._compositor.render_update(full=True)
        assert "▄" in update.render_segments(app.console)  # type: ignore[union-attr]
        assert all(strip._made is None for strip in live)


async def test_frames_go_on_under_a_dialog() -> None:
    app = Host()
    async with app.run_test(size=(60, 20)) as pilot:
        app.canvas.show_frame(8, 8, solid(RED))
        await app.push_screen(Dialog())
        await pilot.pause()
        before = background(app, 35, 1)
        app.canvas.show_frame(8, 8, solid(BLUE))
        await until(pilot, lambda: background(app, 35, 1) != before)
        assert background(app, 35, 1)[2] > background(app, 35, 1)[0]


async def test_the_next_frame_waits_for_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Host()
    async with app.run_test(size=(50, 12)) as pilot:
        written: list[str] = []
        assert app._driver is not None
        monkeypatch.setattr(app._driver, "write", written.append)
        monkeypatch.setattr(type(app), "is_headless", False)
        app.console._color_system = None
        app.canvas.pacer = Pacer(timeout=600)
        app.canvas.show_frame(8, 8, solid(RED))
        await until(pilot, lambda: CURSOR_POSITION_REQUEST in written)
        app.canvas.show_frame(8, 8, solid(BLUE))
        await pilot.pause(0.2)
        assert background(app, 30, 6) == RED
        app.canvas.terminal_answered()
        await pilot.pause()
        assert background(app, 30, 6) == BLUE
        monkeypatch.setattr(type(app), "is_headless", True)


async def test_no_colour_means_greys() -> None:
    app = Host()
    async with app.run_test(size=(50, 12)) as pilot:
        app.no_color = True
        app.canvas.show_frame(16, 16, noise(16, 16))
        await pilot.pause()
        red, green, blue = background(app, 30, 6)
        assert red == green == blue


async def test_where_bytes_are_dear_an_image_is_coarse_until_the_line_rests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = Host()
    app.low_bandwidth = True  # type: ignore[attr-defined]
    app.purse = Purse()  # type: ignore[attr-defined]
    image = Image.frombytes("RGB", (64, 64), noise(64, 64))
    monkeypatch.setattr("tui.term.pacing.REST", 0.3)
    async with app.run_test(size=(50, 12)) as pilot:

        def colours() -> int:
            return len({cell[2] for line in cells(app) for cell in line[10:]})

        app.purse.spend(1)  # type: ignore[attr-defined]
        app.canvas.show_image(image)
        await until(pilot, lambda: colours() > 5)
        coarse = colours()
        await until(pilot, lambda: not app.canvas.picture_waits and colours() > 2 * coarse)
        assert app.canvas.image is image


async def test_cells_that_are_nearly_right_stay_as_they_are() -> None:
    app = Host()
    async with app.run_test(size=(50, 12)) as pilot:
        app.canvas.show_frame(8, 8, solid((100, 100, 100)))
        await pilot.pause()
        before = background(app, 30, 6)
        app.canvas.show_frame(8, 8, solid((106, 100, 95)))
        await pilot.pause(0.2)
        assert background(app, 30, 6) == before
        app.canvas.show_frame(8, 8, solid((140, 100, 95)))
        await until(pilot, lambda: background(app, 30, 6) != before)
