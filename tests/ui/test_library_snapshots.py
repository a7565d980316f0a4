"""How the library and the viewer look, at three sizes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from textual.pilot import Pilot

from sdcore.library import marks
from sdcore.library.thumbnails import thumbnail
from sdcore.spec import infotext
from sdcore.spec.recipe import Recipe
from tests.library_files import index_folder
from tests.ui.conftest import MakeApp, settle
from tui.app import SdtuiApp
from tui.screens.library.screen import LibraryScreen

SIZES = [(80, 24), (120, 40), (200, 60)]
MARCH = 1_773_500_000
SnapCompare = Callable[..., bool]
SUBJECTS = ("a lighthouse in a storm", "a red house, green field", "a small boat at sea, evening light")


def picture(number: int) -> Image.Image:
    """A sun over a house over a field, in colours of its own; now and then upright or lying."""
    width, height = ((96, 96), (64, 96), (96, 64))[number % 5 % 3]
    sky = (40 + 29 * number % 120, 60 + 53 * number % 110, 110 + 17 * number % 120)
    image = Image.new("RGB", (width, height), sky)
    image.paste((50 + 31 * number % 80, 90 + 13 * number % 60, 60), (0, height * 2 // 3, width, height))
    left = 8 + 11 * number % 40
    image.paste(
        (200 - 37 * number % 140, 90 + 41 * number % 120, 80), (left, height // 3, left + 26, height * 3 // 4)
    )
    image.paste((250, 225, 160), (width - 24, 8, width - 10, 22))
    return image


@pytest.fixture
def pictures(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Forty images of A1111's, with the same names, places and times in every run; the newest first."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    folder = Path.home() / "Pictures" / "sdtui" / "2026-03-14"
    folder.mkdir(parents=True)
    made = []
    for number in range(40):
        recipe = Recipe(prompt=SUBJECTS[number % 3], negative_prompt="people" if number % 2 else "",
                        seed=1000 + number, model="dreamshaper_8")  # fmt: skip
        texts = PngInfo()
        texts.add_text("parameters", infotext.write(recipe, model_hash="879db523c3", version="1"))
        path = folder / f"{40 - number:05d}-{SUBJECTS[number % 3].split(',')[0].replace(' ', '-')}.png"
        picture(number).save(path, pnginfo=texts)
        os.utime(path, (MARCH - 600 * number,) * 2)
        made.append(path)
    marks.set_star(made[2:4], True)
    marks.add_tags(made[2:3], ["keep", "for the wall"])
    index_folder(folder)
    for path in made:
        thumbnail(path, (64, 64))  # from now on they come from the cache, whoever asks first
    return made


def at(*names: str) -> Callable[[Pilot[None]], object]:
    """Bring the app into the library, with these keys pressed."""

    async def run(pilot: Pilot[None]) -> None:
        app = pilot.app
        assert isinstance(app, SdtuiApp)
        await settle(app, pilot)
        await pilot.press("alt+i")
        await settle(app, pilot)
        for name in names:
            await pilot.press(name)
            await settle(app, pilot)
        while isinstance(app.screen, LibraryScreen) and app.screen.grid.awaits_thumbs:
            await pilot.pause(0.05)
        await settle(app, pilot)

    return run


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_library(
    snap_compare: SnapCompare, make_app: MakeApp, pictures: list[Path], size: tuple[int, int]
) -> None:
    assert snap_compare(make_app(), terminal_size=size, run_before=at("l", "l", "space", "space", "left"))


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_viewer(
    snap_compare: SnapCompare, make_app: MakeApp, pictures: list[Path], size: tuple[int, int]
) -> None:
    assert snap_compare(make_app(), terminal_size=size, run_before=at("l", "enter", "i"))


def test_search(snap_compare: SnapCompare, make_app: MakeApp, pictures: list[Path]) -> None:
    assert snap_compare(make_app(), terminal_size=(120, 40), run_before=at("slash", *"house steps:many"))


def test_empty(snap_compare: SnapCompare, make_app: MakeApp) -> None:
    assert snap_compare(make_app(), terminal_size=(80, 24), run_before=at())
