"""The app and its terminal: the way pictures are drawn, the title, the bell, and copying."""

from __future__ import annotations

import base64

import pytest
from textual.app import ComposeResult
from textual.pilot import Pilot
from textual.screen import ModalScreen
from textual.widgets import Static

from sdcore.engine import messages as m
from sdcore.library import config
from sdcore.spec.recipe import Recipe
from tests.terminal.graphics import KittyStore, inline_images
from tests.ui.conftest import MakeApp, settle
from tests.unit.test_graphics import smooth
from tui.app import SdtuiApp
from tui.term.capabilities import Capabilities
from tui.term.graphics.kitty import PLACEHOLDER

SIZE = (120, 40)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Everything that is written past Textual's frames; the app takes itself to be in a terminal."""
    from textual.drivers.headless_driver import HeadlessDriver

    texts: list[str] = []
    monkeypatch.setattr(HeadlessDriver, "write", lambda self, text: texts.append(text))
    monkeypatch.setattr(HeadlessDriver, "flush", lambda self: None)
    monkeypatch.setattr(SdtuiApp, "is_headless", property(lambda self: False))
    return texts


async def show(app: SdtuiApp, pilot: Pilot[None], found: Capabilities) -> None:
    """A finished picture on the canvas of a terminal that can do so much."""
    await settle(app, pilot)
    app.at_terminal.known(found)
    canvas = app.studio.gallery.canvas
    assert canvas is not None
    canvas.show_image(smooth(64, 48))
    await settle(app, pilot)
    for _ in range(20):
        await pilot.pause(0.02)
        canvas.terminal_answered()


class Dialog(ModalScreen[None]):
    """Covers the middle."""

    DEFAULT_CSS = "Dialog { align: center middle; background: $background 60%; } Static { width: 20; }"

    def compose(self) -> ComposeResult:
        yield Static("in front")


def lines_of(app: SdtuiApp) -> str:
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


async def test_a_kitty_picture_is_sent_and_stands_in_cells(make_app: MakeApp, written: list[str]) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await show(app, pilot, Capabilities(kitty=True, truecolor=True))
        store = KittyStore("".join(written).encode())
        assert not store.errors
        assert [one.image.size for one in store.images.values()] == [(64, 48)]
        assert PLACEHOLDER in lines_of(app)
        await app.push_screen(Dialog())
        await pilot.pause()
        assert PLACEHOLDER not in "".join(
            strip.text for strip in app.studio._compositor.render_strips()
        )  # tinted it would be another image
        app.pop_screen()
        await pilot.pause()
        assert PLACEHOLDER in lines_of(app)


async def test_the_key_goes_through_the_ways_and_says_which(make_app: MakeApp, written: list[str]) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await show(app, pilot, Capabilities(kitty=True))
        await pilot.press("alt+g")
        await settle(app, pilot)
        assert "quadrants" in lines_of(app)
        await settle(app, pilot)
        assert PLACEHOLDER not in lines_of(app)
        assert not KittyStore("".join(written).encode()).images
        await pilot.press("alt+g")
        await settle(app, pilot)
        assert "half blocks" in lines_of(app)


async def test_an_inline_picture_lies_over_blank_cells_and_never_over_a_dialog(
    make_app: MakeApp, written: list[str]
) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await show(app, pilot, Capabilities(inline=True))
        drawn = inline_images("".join(written).encode())
        assert drawn
        canvas = app.studio.gallery.canvas
        assert canvas is not None
        assert canvas.region.contains(drawn[-1].column - 1, drawn[-1].row - 1)
        written.clear()
        app.studio.view.say("Something else on the screen changes.")
        await settle(app, pilot)
        assert not inline_images("".join(written).encode())
        await app.push_screen(Dialog())
        await settle(app, pilot)
        canvas.refresh()
        await settle(app, pilot)
        assert not inline_images("".join(written).encode())
        app.pop_screen()
        await settle(app, pilot)
        assert inline_images("".join(written).encode())


async def test_the_setting_is_heard_at_once(make_app: MakeApp, written: list[str]) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await settle(app, pilot)
        assert await app.preferences.change({"pictures": "quadrants"}) == ""
        await pilot.pause()
        assert app.pictures.way == "quadrants"
        assert "pictures" in config.SETTINGS


def finished(job: str) -> m.JobFinished:
    return m.JobFinished(job=job, images=(), seconds=1.0, steps_per_second=1.0)


@pytest.mark.parametrize(("focus", "least", "rings"), [(False, 0.001, 1), (True, 0.001, 0), (False, 1000.0, 0),
                                                       (False, 0.0, 0)])  # fmt: skip
async def test_the_bell_after_a_long_run(
    make_app: MakeApp, written: list[str], focus: bool, least: float, rings: int
) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await settle(app, pilot)
        await app.preferences.change({"bell_seconds": least})
        app.app_focus = focus
        job = app.studio.view.book.add(Recipe(prompt="a"))
        view = app.studio.view
        for event in (
            m.JobStarted(job=job, recipe=Recipe(prompt="a"), timesteps=(2.0, 1.0), sigmas=(2.0, 1.0, 0.0)),
            m.JobProgress(job=job, index=0, total=2, timestep=2.0, sigma=2.0, seconds=(0.1,)),
            finished(job),
        ):
            view.handle(event)
            app.at_terminal.handle(event)
            await pilot.pause(0.01)
        text = "".join(written)
        assert text.count("\x1b]9;") == rings
        assert text.count("The images are ready.") == rings
        assert "\x1b]2;1/2 sdtui\x1b\\" in text
        assert text.rindex("\x1b]2;sdtui\x1b\\") > text.rindex("1/2 sdtui")


async def test_what_is_copied_goes_to_the_terminal(make_app: MakeApp, written: list[str]) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await settle(app, pilot)
        app.copy_to_clipboard("a red house")
        assert f"\x1b]52;c;{base64.b64encode(b'a red house').decode()}\x07" in written
        written.clear()
        app.copy_to_clipboard("x" * 100_000)
        assert not any("]52;" in text for text in written)
        assert len(app.clipboard) == 100_000


async def test_colours_that_become_known_late_are_used(make_app: MakeApp, written: list[str]) -> None:
    from tui.term.colour import HINT, UNKNOWN, Decision

    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await settle(app, pilot)
        app.at_terminal._decision = Decision("256", UNKNOWN, HINT)
        app.console._color_system = None
        app.at_terminal.known(Capabilities(truecolor=True))
        assert app.console.color_system == "truecolor"
