"""Drawing a mask with keys and with the mouse, keeping it, and leaving without it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from textual.pilot import Pilot

from sdcore.engine import messages as m
from sdcore.library.inputs import input_path, keep_input, read_input
from sdcore.library.outputs import save_image
from sdcore.library.paths import inputs_dir
from sdcore.spec.recipe import Recipe
from tests.ui.conftest import MakeApp, settle
from tests.ui.fake_engine import FakeEngine
from tui.app import SdtuiApp
from tui.screens.lists.chooser import Chooser
from tui.screens.mask import MaskScreen
from tui.widgets.caption import Caption
from tui.widgets.mask_canvas import MaskCanvas
from tui.widgets.status import FooterLine, MessageLine

SIZE = (80, 27)
"""The image takes 48 x 24 cells of the pane, 16 cells from its left edge."""
LEFT = 16

Press = Callable[..., Awaitable[None]]


@pytest.fixture
def image(private_home: Path) -> Path:
    """An image that the app finds among the recent ones: 96 pixels square, so that a cell is 2 x 4 of them."""
    recipe = Recipe(prompt="a boat", seed=5, width=96, height=96)
    return save_image(Image.new("RGB", (96, 96), (60, 80, 200)), recipe, folder=private_home / "outputs")


async def open_mask(app: SdtuiApp, pilot: Pilot[None]) -> MaskScreen:
    """Open the mask of the newest image."""
    await settle(app, pilot)
    app.studio.parameters.set_texts({"size": "96 × 96"})
    await pilot.press("f6")
    await settle(app, pilot)
    await pilot.press("f10")
    await settle(app, pilot)
    assert isinstance(app.screen, MaskScreen)
    return app.screen


def painted(screen: MaskScreen) -> np.ndarray:
    return np.asarray(screen.query_one(MaskCanvas).mask.image) == 255


def facts(screen: MaskScreen) -> tuple[str, ...]:
    return screen.query_one(Caption).facts


async def test_without_an_image_there_is_nothing_to_mask(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await settle(app, pilot)
        await pilot.press("f10")
        assert "no image yet" in app.studio.query_one(MessageLine).text
        assert app.screen is app.studio


async def test_a_mask_is_painted_kept_and_used(make_app: MakeApp, engine: FakeEngine, image: Path) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        screen = await open_mask(app, pilot)
        assert facts(screen) == ("mask of 00001-5-a-boat.png", "paint", "brush 8 px", "nothing masked")
        assert {"paint", "rectangle", "erase", "keep"} <= set(screen.query_one(FooterLine).labels)
        assert screen.query_one(MaskCanvas).cursor == (24, 12)
        await pilot.press("h", "left", "K", "right_square_bracket", "space")
        assert screen.query_one(MaskCanvas).cursor == (22, 4)
        assert painted(screen)[18, 45]
        assert 80 < painted(screen).sum() < 150  # a disc of 12 pixels
        assert facts(screen)[2:] == ("brush 12 px", "1 % masked")
        await pilot.press("enter")
        await settle(app, pilot)
        assert app.screen is app.studio
        name = app.studio.parameters.texts["mask"]
        assert input_path(name).stat().st_mode & 0o777 == 0o600
        kept = read_input(name)
        assert (kept.mode, kept.size) == ("L", (96, 96))
        assert {value for _, value in kept.getcolors()} == {0, 255}
        await pilot.press("ctrl+g")
        recipe = engine.commands(m.Generate)[-1].recipe
        assert (recipe.init_image, recipe.mask_image) == (str(image), name)
        # and it is there to be painted on
        screen = await open_mask(app, pilot)
        assert painted(screen)[18, 45]
        await pilot.press("c", "enter")
        await settle(app, pilot)
        assert app.studio.parameters.texts["mask"] == ""


async def test_rectangles(make_app: MakeApp, image: Path) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        screen = await open_mask(app, pilot)
        await pilot.press("r", "H", "J")
        assert facts(screen)[2] == "rectangle"
        assert not painted(screen).any()
        await pilot.press("r")
        # cells 16 to 24 across and 12 to 20 down, the last ones included
        rows, columns = np.nonzero(painted(screen))
        assert (columns.min(), columns.max(), rows.min(), rows.max()) == (32, 49, 48, 83)
        assert painted(screen).sum() == 18 * 36
        await pilot.press("x", "r", "l", "l", "space")
        assert facts(screen)[1] == "erase"
        assert painted(screen).sum() == 18 * 36 - 6 * 4
        await pilot.press("r", "escape")
        assert isinstance(app.screen, MaskScreen)
        assert not screen.query_one(MaskCanvas).in_rectangle


async def test_strokes_are_undone_and_done_again(make_app: MakeApp, image: Path) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        screen = await open_mask(app, pilot)
        sums = []
        for key in ("space", "i", "u", "u", "U", "ctrl+y", "c", "ctrl+z"):
            await pilot.press(key)
            sums.append(int(painted(screen).sum()))
        dab = sums[0]
        assert dab > 0
        assert sums == [dab, 96 * 96 - dab, dab, 0, dab, 96 * 96 - dab, 0, 96 * 96 - dab]


async def test_the_mouse_paints_and_erases(make_app: MakeApp, image: Path) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        screen = await open_mask(app, pilot)
        await pilot.mouse_down("#masked", offset=(LEFT + 10, 5))
        for x in (14, 22, 30):
            await pilot.hover("#masked", offset=(LEFT + x, 5))
        await pilot.mouse_up("#masked", offset=(LEFT + 30, 5))
        await pilot.pause()
        row = painted(screen)[22]
        assert row[21:62].all()  # no gap between the cells that the mouse was seen at
        assert not row[:15].any()
        assert not row[68:].any()
        await pilot.mouse_down("#masked", offset=(LEFT + 20, 5), button=3)
        await pilot.mouse_up("#masked", offset=(LEFT + 20, 5))
        await pilot.pause()
        assert not painted(screen)[22, 41]
        assert painted(screen)[22, 30]
        await pilot.press("u")
        assert painted(screen)[22, 41]  # a stroke each
        await pilot.press("u")
        assert not painted(screen).any()
        await pilot.hover("#masked", offset=(LEFT + 3, 3))
        assert not painted(screen).any()


async def test_a_click_is_the_second_corner(make_app: MakeApp, image: Path) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        screen = await open_mask(app, pilot)
        await pilot.press("r")
        await pilot.click("#masked", offset=(LEFT + 25, 13))
        assert painted(screen).sum() == 4 * 8


async def test_leaving_asks_when_something_was_painted(make_app: MakeApp, image: Path) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await open_mask(app, pilot)
        await pilot.press("escape")
        await settle(app, pilot)
        assert app.screen is app.studio
        await open_mask(app, pilot)
        await pilot.press("space", "escape")
        await settle(app, pilot)
        assert isinstance(app.screen, Chooser)
        await pilot.press("escape")
        await settle(app, pilot)
        assert isinstance(app.screen, MaskScreen)
        assert painted(app.screen).any()
        await pilot.press("escape")
        await settle(app, pilot)
        await pilot.press("down", "enter")
        await settle(app, pilot)
        assert app.screen is app.studio
        assert app.studio.parameters.texts["mask"] == ""


async def test_a_mask_that_cannot_be_written_is_not_lost(
    make_app: MakeApp, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        screen = await open_mask(app, pilot)
        monkeypatch.setattr("sdcore.library.inputs.write_atomically", full)
        await pilot.press("space", "enter")
        await settle(app, pilot)
        assert app.screen is screen
        assert "No space left" in screen.query_one(MessageLine).text
        assert list(inputs_dir().iterdir()) == []
        monkeypatch.undo()
        assert painted(screen).any()


async def test_a_move_draws_the_lines_around_the_brush_alone(
    make_app: MakeApp, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        screen = await open_mask(app, pilot)
        await settle(app, pilot)
        canvas = screen.query_one(MaskCanvas)
        before = list(canvas._strips)
        await pilot.press("down", "space")
        await settle(app, pilot)
        changed = [
            y for y, (old, new) in enumerate(zip(before, canvas._strips, strict=True)) if old is not new
        ]
        assert changed
        assert changed == list(range(changed[0], changed[-1] + 1))
        assert len(changed) <= 8
        assert 13 in changed


async def test_the_mask_survives_another_size_of_the_terminal(make_app: MakeApp, image: Path) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        screen = await open_mask(app, pilot)
        await pilot.press("H", "space")
        before = painted(screen).copy()
        await pilot.resize_terminal(120, 40)
        await settle(app, pilot)
        canvas = screen.query_one(MaskCanvas)
        assert (painted(screen) == before).all()
        assert canvas.grid == (74, 37)
        assert canvas.cursor == (int(16.5 / 48 * 74), int(12.5 / 24 * 37))
        assert canvas.share == pytest.approx(before.mean(), abs=0.002)


@pytest.mark.parametrize("depth", ["truecolor", "256", "standard"])
async def test_the_mask_is_seen_in_every_depth(
    make_app: MakeApp, image: Path, monkeypatch: pytest.MonkeyPatch, depth: str
) -> None:
    monkeypatch.setattr("tui.widgets.mask_canvas.depth_for", lambda app: depth)
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        canvas = (await open_mask(app, pilot)).query_one(MaskCanvas)
        plain = [strip.text + str(list(strip)) for strip in canvas._strips]
        await pilot.press("i")
        await settle(app, pilot)
        assert all(strip.text + str(list(strip)) != before
                   for strip, before in zip(canvas._strips, plain, strict=True))  # fmt: skip


def test_a_mask_of_another_size_is_brought_to_the_image(private_home: Path) -> None:
    from tui.screens.studio.starting import _open_mask

    start = keep_input(Image.new("RGB", (96, 96)))
    _, mask = _open_mask(start, keep_input(Image.new("L", (48, 48), 255)))
    assert mask.size == (96, 96)
    assert np.asarray(mask.image).all()
