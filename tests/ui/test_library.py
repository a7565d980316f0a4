"""The library as a person uses it: find, mark, sort out, bring back."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from PIL import Image
from textual.geometry import Region
from textual.pilot import Pilot

from sdcore.engine import messages as m
from sdcore.library import config, marks, searches
from sdcore.library.index import schema
from sdcore.library.index.scanning import stamp_of
from sdcore.library.index.store import Store
from sdcore.library.metadata import read_image, read_pixels
from sdcore.spec.sanitise import REPLACEMENT
from tests.library_files import index_folder, write_image
from tests.ui.conftest import MakeApp, settle
from tests.ui.fake_engine import FakeEngine
from tui.app import SdtuiApp
from tui.screens.compare.screen import Compare
from tui.screens.library.screen import LibraryScreen
from tui.screens.library.viewer import Files, Viewer
from tui.screens.lists.ask import Ask
from tui.screens.lists.chooser import Chooser
from tui.screens.variations.screen import Variations
from tui.screens.variations.varying import Varying
from tui.widgets.image_details import DetailsText
from tui.widgets.line_input import LineInput
from tui.widgets.status import FooterLine, MessageLine

DAY = 86_400
MARCH = 1_772_800_000
SUBJECTS = (
    "lighthouse, storm",
    "red house",
    "blue boat",
    "old castle",
    "green hill",
    "street at night",
    "[/x] bridge",
)


@pytest.fixture
def pictures(private_home: Path) -> list[Path]:
    """Seven images, the newest first, in the index."""
    folder = private_home / "outputs" / "2026-03-14"
    made = []
    for place, prompt in enumerate(SUBJECTS):
        path = (
            folder
            / f"{len(SUBJECTS) - place:05d}-{prompt.split(',')[0].replace(' ', '-').replace('/', '_')}.png"
        )
        write_image(path, changed=MARCH - place * DAY, prompt=prompt, seed=100 + place, steps=20 + place,
                    sampler="Euler", model="tiny", width=64, height=64)  # fmt: skip
        made.append(path)
    index_folder(private_home / "outputs")
    return made


@asynccontextmanager
async def library(
    app: SdtuiApp, size: tuple[int, int] = (120, 40)
) -> AsyncIterator[tuple[Pilot[None], LibraryScreen]]:
    async with app.run_test(size=size) as pilot:
        await settle(app, pilot)
        await pilot.press("alt+i")
        await settle(app, pilot)
        assert isinstance(app.screen, LibraryScreen)
        yield pilot, app.screen


async def keys(app: SdtuiApp, pilot: Pilot[None], *names: str) -> None:
    await pilot.press(*names)
    await settle(app, pilot)


async def answer(app: SdtuiApp, pilot: Pilot[None], text: str) -> None:
    """Put a text in place of what is in the line, and press Enter."""
    app.screen.query_one(LineInput).value = text
    await keys(app, pilot, "enter")


def said(screen: LibraryScreen) -> str:
    return screen.query_one(MessageLine).text


def under_cursor(screen: LibraryScreen) -> str:
    assert screen.row is not None
    return screen.row.prompt


async def test_the_images_are_there_the_newest_first(make_app: MakeApp, pictures: list[Path]) -> None:
    app = make_app()
    async with library(app) as (pilot, screen):
        assert len(screen.results) == 7
        assert under_cursor(screen) == SUBJECTS[0]
        told = screen.query_one(DetailsText).told
        assert told is not None
        assert told.facts.seed == 100
        await keys(app, pilot, "l", "right")
        assert under_cursor(screen) == SUBJECTS[2]
        await keys(app, pilot, "G")
        assert under_cursor(screen) == SUBJECTS[-1]
        await keys(app, pilot, "g", "j", "k", "end", "home")
        assert under_cursor(screen) == SUBJECTS[0]
        await keys(app, pilot, "escape")
        assert app.screen is app.studio


async def test_searching_as_one_types(make_app: MakeApp, pictures: list[Path]) -> None:
    app = make_app()
    async with library(app) as (pilot, screen):
        await keys(app, pilot, "slash", *"light")
        assert [screen.results.row(0) and under_cursor(screen), len(screen.results)] == [SUBJECTS[0], 1]
        assert screen.query_one(FooterLine).labels[0] == "all images"
        await keys(app, pilot, "ctrl+u", *"steps:>23")
        assert len(screen.results) == 3
        await keys(app, pilot, "ctrl+u", *"steps:many")
        assert "is not a number" in said(screen)
        await keys(app, pilot, "enter")
        assert screen.focused is screen.grid
        assert screen.grid.hint.startswith("Nothing fits")
        await keys(app, pilot, "escape")
        assert (len(screen.results), screen.line.value) == (7, "")


async def test_only_the_newest_search_counts(make_app: MakeApp, pictures: list[Path]) -> None:
    app = make_app()
    async with library(app) as (_, screen):
        index = app.library.catalogue.index  # type: ignore[attr-defined]
        first, go_on = threading.Event(), threading.Event()
        ids = index.ids

        def slow(text: str = "") -> object:
            if text == "boat":
                first.set()
                go_on.wait(5)
            return ids(text)

        index.ids = slow  # type: ignore[method-assign, assignment]
        older = asyncio.create_task(screen.results.search("boat"))
        await asyncio.to_thread(first.wait, 5)
        assert (await screen.results.search("castle"))[0]
        go_on.set()
        assert not (await older)[0]
        assert screen.results.text == "castle"


async def test_only_what_changes_in_view_is_drawn_again(make_app: MakeApp, pictures: list[Path]) -> None:
    app = make_app()
    async with library(app) as (_, screen):
        grid, row = screen.grid, screen.row
        assert row is not None
        line = grid.render_line(1)
        grid.rows_came()
        assert not grid.picture_waits
        assert grid.render_line(1) is line
        screen.results.change([msgspec.structs.replace(row, star=True)])
        grid.end_pause()
        grid.pacer.sent(asked=False)
        grid.rows_came()
        assert grid.picture_waits
        grid.draw_picture()
        assert grid.render_line(1) is not line


async def test_words_of_others_are_shown_as_they_are(make_app: MakeApp, private_home: Path) -> None:
    nasty = "\x1b[31mred\x1b[0m [bold]\x9b"
    write_image(private_home / "outputs" / "a" / "[red]x.png", prompt=nasty, changed=MARCH)
    index_folder(private_home / "outputs")
    app = make_app()
    async with library(app) as (_, screen):
        text = screen.query_one(DetailsText).children[0]
        shown = "\n".join(line.text for line in text.render_lines(Region(0, 0, *text.size)))
        assert f"{REPLACEMENT}[31mred{REPLACEMENT}[0m [bold]{REPLACEMENT}" in shown
        assert "[red]x.png" in shown


async def test_marks_and_ranges(make_app: MakeApp, pictures: list[Path]) -> None:
    app = make_app()
    async with library(app) as (pilot, screen):
        await keys(app, pilot, "space", "space")
        assert len(screen.marks) == 2
        assert screen.grid.cursor == 2
        await keys(app, pilot, "l", "v", "l", "l")
        assert len(screen.marks) == 5
        await keys(app, pilot, "h")
        assert len(screen.marks) == 4
        await keys(app, pilot, "v", "g")
        assert len(screen.marks) == 4
        await keys(app, pilot, "slash", *"red", "enter")
        assert len(screen.marks) == 1, "only what is found can be marked"
        await keys(app, pilot, "a")
        assert len(screen.marks) == 0
        await keys(app, pilot, "escape")
        await keys(app, pilot, "a")
        assert len(screen.marks) == 7
        await keys(app, pilot, "escape", "home", "shift+right", "shift+right")
        assert len(screen.marks) == 3


async def test_stars_and_tags(make_app: MakeApp, pictures: list[Path]) -> None:
    app = make_app()
    async with library(app) as (pilot, screen):
        await keys(app, pilot, "space", "space", "s")
        kept = {Path(mark.path).name: mark.star for mark in marks.read()}
        assert kept == {pictures[0].name: True, pictures[1].name: True}
        assert said(screen) == "2 images have a star."
        row = screen.results.row(0)
        assert row is not None
        assert row.star
        await keys(app, pilot, "s", "escape", "home", "t")
        assert isinstance(app.screen, Ask)
        await keys(app, pilot, *"keep, sea", "enter")
        assert [mark.tags for mark in marks.read()] == [("keep", "sea")]
        await keys(app, pilot, "t", *"-sea", "enter")
        assert [mark.tags for mark in marks.read()] == [("keep",)]


async def test_throwing_away_and_back(make_app: MakeApp, pictures: list[Path]) -> None:
    app = make_app()
    async with library(app) as (pilot, screen):
        await keys(app, pilot, "l", "space", "space", "d")
        assert [path.exists() for path in pictures[:3]] == [True, False, False]
        assert len(screen.results) == 5
        assert "u brings them back" in said(screen)
        assert under_cursor(screen) == SUBJECTS[3]
        await keys(app, pilot, "u")
        assert all(path.exists() for path in pictures)
        assert len(screen.results) == 7
        await keys(app, pilot, "u")
        assert said(screen).startswith("Nothing was thrown away")


async def test_copying(make_app: MakeApp, pictures: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_CONNECTION", "10.0.0.2 50000 192.168.7.5 2222")
    app = make_app()
    async with library(app) as (pilot, _):
        await keys(app, pilot, "y")
        assert isinstance(app.screen, Chooser)
        await keys(app, pilot, *"seed", "enter")
        assert app.clipboard == "100"
        await keys(app, pilot, "y", *"scp", "enter")
        assert app.clipboard.startswith("scp -P 2222 ")
        assert f"@192.168.7.5:{pictures[0]}" in app.clipboard


async def test_back_to_the_studio(make_app: MakeApp, pictures: list[Path]) -> None:
    app = make_app()
    async with library(app) as (pilot, screen):
        await keys(app, pilot, "l", "r", *"the seed", "enter")
        while app.screen is not app.studio and not isinstance(app.screen, LibraryScreen):
            await keys(app, pilot, "enter")
        assert app.screen is app.studio
        assert app.studio.parameters.texts["seed"] == "101"
        await keys(app, pilot, "alt+i")
        await keys(app, pilot, "f9")
        assert app.screen is app.studio
        assert app.studio.parameters.recipe.init_image == str(pictures[0])
        assert not screen.is_attached


async def test_variations_of_an_image_and_back(
    make_app: MakeApp, pictures: list[Path], engine: FakeEngine
) -> None:
    app = make_app()
    async with library(app) as (pilot, screen):
        await keys(app, pilot, "end", "alt+v")
        assert isinstance(app.screen, Variations)
        assert engine.commands(m.Generate)[0].recipe.prompt == "[/x] bridge"
        await keys(app, pilot, "escape")
        assert app.screen is screen
        await keys(app, pilot, "enter")
        await keys(app, pilot, "alt+v")
        assert isinstance(app.screen, Variations)
        await keys(app, pilot, "escape")
        assert isinstance(app.screen, Viewer)
        Image.new("RGB", (8, 8)).save(pictures[-1])
        app.varying = Varying(app)
        await keys(app, pilot, "alt+v")
        assert "cannot be varied" in app.screen.query_one(MessageLine).text


async def test_what_is_asked_of_an_image_is_done_when_it_is_read(
    make_app: MakeApp, pictures: list[Path], engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app()
    async with library(app) as (pilot, _screen):
        await keys(app, pilot, "enter")
        viewer = app.screen
        assert isinstance(viewer, Viewer)
        held = threading.Event()
        monkeypatch.setattr(
            "tui.screens.library.viewer.read_pixels", lambda path: held.wait(10) and read_pixels(path)
        )
        viewer._ahead.clear()
        await pilot.press("right_square_bracket", "alt+v")
        assert app.screen is viewer
        assert viewer.path is None
        held.set()
        await settle(app, pilot)
        assert isinstance(app.screen, Variations)
        assert engine.commands(m.Generate)[0].recipe.prompt == SUBJECTS[1]


async def test_comparing_two(make_app: MakeApp, pictures: list[Path]) -> None:
    app = make_app()
    async with library(app) as (pilot, screen):
        await keys(app, pilot, "f5")
        assert said(screen).startswith("Mark another image")
        await keys(app, pilot, "space", "l", "f5")
        assert isinstance(app.screen, Compare)
        assert app.screen.pair == (pictures[2], pictures[0])
        await keys(app, pilot, "escape")
        assert app.screen is screen


async def test_one_image_of_many(make_app: MakeApp, pictures: list[Path], private_home: Path) -> None:
    app = make_app()
    async with library(app) as (pilot, screen):
        await keys(app, pilot, "a", "m")
        assert "sheet-of-7" in said(screen)
        (sheet,) = private_home.glob("outputs/*/*sheet-of-7*.png")
        with Image.open(sheet) as image:
            assert image.width > 3 * 64


@pytest.mark.parametrize(("typed", "told"), [("jpeg, with its", True), ("png, without", False)])
async def test_exporting(
    make_app: MakeApp, pictures: list[Path], tmp_path: Path, typed: str, told: bool
) -> None:
    app = make_app()
    async with library(app) as (pilot, screen):
        target = tmp_path / "given away"
        await keys(app, pilot, "space", "space", "e")
        await keys(app, pilot, *typed, "enter")
        assert isinstance(app.screen, Ask)
        await answer(app, pilot, str(pictures[0]))
        assert "is a file" in app.screen.complaint
        await answer(app, pilot, str(target))
        exported = sorted(target.iterdir())
        assert [path.stem for path in exported] == sorted(path.stem for path in pictures[:2])
        assert (read_image(exported[0]).prompt is not None) == told
        assert said(screen).startswith("exported 2 images")


async def test_saved_searches(make_app: MakeApp, pictures: list[Path]) -> None:
    app = make_app()
    async with library(app) as (pilot, screen):
        await keys(app, pilot, "slash", *"steps:>22", "enter", "b", "enter", *"many steps", "enter")
        assert searches.read() == {"many steps": "steps:>22"}
        await keys(app, pilot, "escape")
        assert len(screen.results) == 7
        await keys(app, pilot, "b", *"many", "enter")
        assert (screen.line.value, len(screen.results)) == ("steps:>22", 4)
        await keys(app, pilot, "b", *"forget", "enter", "enter")
        assert searches.read() == {}


async def test_folders_are_added_and_taken_out(
    make_app: MakeApp, pictures: list[Path], tmp_path: Path
) -> None:
    app = make_app()
    folder = tmp_path / "my A1111"
    folder.mkdir()
    async with library(app) as (pilot, screen):
        await keys(app, pilot, "ctrl+o", "enter")
        await answer(app, pilot, str(folder / "none"))
        assert isinstance(app.screen, Ask)
        assert "There is no folder" in app.screen.complaint
        await answer(app, pilot, str(folder))
        assert config.load()[0].library_folders == (str(folder),)
        await keys(app, pilot, "ctrl+o", *"take out", "enter")
        assert config.load()[0].library_folders == ()
        assert "no longer shown" in said(screen)


async def test_new_images_appear_and_the_cursor_stays(
    make_app: MakeApp, pictures: list[Path], private_home: Path
) -> None:
    app = make_app()
    async with library(app) as (pilot, screen):
        await keys(app, pilot, "l")
        write_image(private_home / "outputs" / "new.png", prompt="new", changed=MARCH + DAY)
        index_folder(private_home / "outputs")
        screen._look_for_news()
        await settle(app, pilot)
        assert (len(screen.results), screen.grid.cursor) == (8, 2)
        assert under_cursor(screen) == SUBJECTS[1]


async def test_an_empty_library_says_what_to_do(make_app: MakeApp) -> None:
    app = make_app()
    async with library(app) as (pilot, screen):
        screen._look_for_news()
        await settle(app, pilot)
        assert "^O adds a folder" in screen.grid.hint
        assert screen.query_one(FooterLine).labels[:2] == ["add a folder", "back"]
        for key in ("s", "t", "d", "space", "v", "a", "enter", "r", "f9", "f5", "m", "e", "y", "l", "j", "G"):
            await keys(app, pilot, key)
            assert app.screen is screen, key


async def test_the_viewer(make_app: MakeApp, pictures: list[Path]) -> None:
    app = make_app()
    async with library(app) as (pilot, screen):
        await keys(app, pilot, "l", "enter")
        viewer = app.screen
        assert isinstance(viewer, Viewer)
        assert viewer.path == pictures[1]
        await keys(app, pilot, "right_square_bracket", "space")
        assert viewer.path == pictures[2]
        await keys(app, pilot, "plus", "plus", "j")
        assert viewer.view is not None
        assert viewer.view.zoom == pytest.approx(2.25)
        assert viewer.view.y > 0.5
        await keys(app, pilot, "0", "i")
        assert viewer.view.whole
        told = viewer.query_one(DetailsText).told
        assert told is not None
        assert told.facts.prompt == SUBJECTS[2]
        await keys(app, pilot, "escape")
        assert app.screen is screen
        assert screen.grid.cursor == 2
        assert len(screen.marks) == 1


async def test_the_viewer_says_what_is_gone(make_app: MakeApp, pictures: list[Path]) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(app, pilot)
        pictures[1].unlink()
        pictures[2].write_bytes(b"\x89PNG\r\n\x1a\n")
        await app.push_screen(Viewer(Files(pictures[:3]), 0))
        await settle(app, pilot)
        await keys(app, pilot, "l")
        assert isinstance(app.screen, Viewer)
        assert app.screen.path is None
        await keys(app, pilot, "l", "plus", "space", "escape")
        assert app.screen is app.studio


async def test_the_keeper_starts_with_the_studio_and_ends_with_the_app(
    engine: FakeEngine, tmp_path: Path
) -> None:
    from tui.drafts import Draft

    told: list[str] = []

    class Keeper:
        def close(self) -> None:
            told.append("closed")

    def start() -> Keeper:
        told.append("started")
        return Keeper()

    app = SdtuiApp(lambda: engine, draft=Draft(), outputs=tmp_path, start_keeper=start)
    async with app.run_test() as pilot:
        await settle(app, pilot)
        assert told == ["started"]
    assert told == ["started", "closed"]


def test_the_index_is_where_the_screen_looks(pictures: list[Path]) -> None:
    store = Store(schema.open_to_write(schema.index_file()))
    assert store.stamps(str(pictures[0].parent))[pictures[0].name] == stamp_of(pictures[0])
    store.close()
