"""The library of the engine's machine, seen from another one: the engine's own librarian answers, over no line."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from textual.pilot import Pilot
from textual.screen import Screen

from sdcore.engine import messages as m
from sdcore.engine.far_files import FarFiles
from sdcore.library import config, marks, searches
from sdcore.library.outputs import save_image
from sdcore.spec.recipe import Recipe
from tests.library_files import index_folder, write_image
from tests.ui.conftest import MakeApp, settle, until
from tests.ui.fake_engine import FakeEngine
from tests.ui.far_box import FarBox
from tui.app import SdtuiApp
from tui.line.far_thumbs import Copies, Key
from tui.screens.compare.screen import Compare
from tui.screens.library.screen import LibraryScreen
from tui.screens.library.viewer import Viewer
from tui.screens.lists.ask import Ask
from tui.screens.lists.chooser import Chooser
from tui.screens.variations.screen import Variations
from tui.widgets.image_details import DetailsText
from tui.widgets.line_input import LineInput
from tui.widgets.status import MessageLine

DAY = 86_400
MARCH = 1_772_800_000
COUNT = 2500


@pytest.fixture
def box(engine: FakeEngine, private_home: Path) -> Iterator[FarBox]:
    far = FarBox(engine)
    yield far
    far.close()


@pytest.fixture
def pictures(private_home: Path) -> list[Path]:
    """Thirty images over there, the newest first, in the index."""
    made = []
    for place in range(30):
        prompt = "lighthouse, storm" if place % 3 == 0 else f"house number {place}"
        path = private_home / "outputs" / "2026-03-14" / f"{30 - place:05d}.png"
        write_image(path, changed=MARCH - place * DAY, prompt=prompt, seed=100 + place, steps=20 + place,
                    sampler="Euler", model="tiny", width=64, height=64)  # fmt: skip
        made.append(path)
    index_folder(private_home / "outputs")
    return made


@asynccontextmanager
async def library(app: SdtuiApp) -> AsyncIterator[tuple[Pilot[None], LibraryScreen]]:
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(app, pilot)
        await pilot.press("alt+i")
        await settle(app, pilot)
        assert isinstance(app.screen, LibraryScreen)
        await until(lambda: app.screen.results.total)  # type: ignore[attr-defined]
        await settle(app, pilot)
        yield pilot, app.screen


async def keys(app: SdtuiApp, pilot: Pilot[None], *names: str) -> None:
    await pilot.press(*names)
    await settle(app, pilot)


async def opened(app: SdtuiApp, pilot: Pilot[None], kind: type[Screen[Any]]) -> None:
    await until(lambda: isinstance(app.screen, kind) and app.screen.is_current and app.screen.focused)
    await settle(app, pilot)


def said(screen: LibraryScreen) -> str:
    return screen.query_one(MessageLine).text


async def test_the_images_of_the_other_machine(make_app: MakeApp, box: FarBox, pictures: list[Path]) -> None:
    app = make_app(far=True)
    async with library(app) as (pilot, screen):
        assert (len(screen.results), screen.results.total) == (30, 30)
        await until(lambda: screen.row is not None and not screen.grid.awaits_thumbs)
        assert screen.row is not None
        assert screen.row.path == str(pictures[0])
        details = screen.query_one(DetailsText)
        await until(lambda: details.told is not None and details.told.facts.steps == 20)
        assert details.told is not None
        assert details.told.path == str(pictures[0])
        await keys(app, pilot, "slash", *"light")
        await until(lambda: len(screen.results) == 10)
        await keys(app, pilot, "ctrl+u", *"steps:>48 -light")
        await until(lambda: len(screen.results) == 1 and screen.row is not None)
        assert screen.row.seed == 129
        await keys(app, pilot, "escape", "escape")
        assert app.screen is app.studio
        assert box.asked["WatchLibrary"] > 0
        assert not engine_commands(app, m.GetFile)


def engine_commands(app: SdtuiApp, kind: type[m.Command]) -> list[m.Command]:
    return app.line._engine.commands(kind)  # type: ignore[union-attr, attr-defined]


async def test_stars_tags_and_the_trash(make_app: MakeApp, box: FarBox, pictures: list[Path]) -> None:
    app = make_app(far=True)
    async with library(app) as (pilot, screen):
        await keys(app, pilot, "space", "space", "s")
        await until(lambda: said(screen) == "2 images have a star.")
        assert {mark.path for mark in marks.read()} == {str(path) for path in pictures[:2]}
        await keys(app, pilot, "escape", "home", "t")
        await opened(app, pilot, Ask)
        await keys(app, pilot, *"keep", "enter")
        await until(lambda: "is tagged keep" in said(screen))
        await keys(app, pilot, "d")
        await until(lambda: len(screen.results) == 29)
        assert not pictures[0].exists()
        await keys(app, pilot, "u")
        await until(lambda: len(screen.results) == 30)
        assert pictures[0].exists()


async def test_keys_do_not_wait_for_the_line_and_none_is_lost(
    make_app: MakeApp, box: FarBox, pictures: list[Path], engine: FakeEngine
) -> None:
    app = make_app(far=True)
    async with library(app) as (pilot, screen):
        held: list[m.AnyCommand] = []

        def later(command: m.AnyCommand) -> Iterable[m.AnyEvent]:
            held.append(command)
            return ()

        engine.answer = later  # a line that is slow
        await pilot.press("s", "l", "s", "l", "l")
        assert screen.grid.cursor == 3
        assert not list(marks.read())
        engine.answer = box.answer
        for command in held:
            box.answer(command)
        await until(lambda: {mark.path for mark in marks.read()} == {str(path) for path in pictures[:2]})
        await settle(app, pilot)


async def test_saved_searches_are_those_of_the_other_machine(
    make_app: MakeApp, box: FarBox, pictures: list[Path]
) -> None:
    app = make_app(far=True)
    async with library(app) as (pilot, screen):
        await keys(app, pilot, "slash", *"steps:>22", "enter", "b")
        await opened(app, pilot, Chooser)
        await keys(app, pilot, "enter")
        await opened(app, pilot, Ask)
        await keys(app, pilot, *"many steps", "enter")
        await until(searches.read)
        assert searches.read() == {"many steps": "steps:>22"}
        await until(lambda: app.screen is screen)
        await keys(app, pilot, "b")
        await opened(app, pilot, Chooser)
        await keys(app, pilot, *"forget", "enter", "enter")
        await until(lambda: not searches.read())


async def test_the_whole_image_comes_when_it_is_looked_at(
    make_app: MakeApp, box: FarBox, pictures: list[Path], private_home: Path
) -> None:
    app = make_app(far=True)
    async with library(app) as (pilot, screen):
        await keys(app, pilot, "l", "enter")
        viewer = app.screen
        assert isinstance(viewer, Viewer)
        await until(lambda: viewer.path is not None)
        assert viewer.path is not None
        assert viewer.path.is_relative_to(private_home / "cache")
        assert viewer.path.read_bytes() == pictures[1].read_bytes()
        await keys(app, pilot, "i")
        text = viewer.query_one(DetailsText)
        await until(lambda: text.told is not None)
        assert text.told is not None
        assert text.told.path == str(pictures[1])  # what it is called over there
        await keys(app, pilot, "escape")
        assert screen.grid.cursor == 1


async def test_an_image_that_is_gone_meanwhile(make_app: MakeApp, box: FarBox, pictures: list[Path]) -> None:
    app = make_app(far=True)
    async with library(app) as (pilot, _):
        pictures[1].unlink()
        await keys(app, pilot, "l", "enter")
        viewer = app.screen
        assert isinstance(viewer, Viewer)
        assert viewer.path is None
        await keys(app, pilot, "left")
        await until(lambda: viewer.path is not None)


async def test_back_to_the_studio(make_app: MakeApp, box: FarBox, pictures: list[Path]) -> None:
    app = make_app(far=True)
    async with library(app) as (pilot, screen):
        await keys(app, pilot, "l", "r")
        await opened(app, pilot, Chooser)
        await keys(app, pilot, *"the seed", "enter")
        await until(lambda: app.studio.parameters.texts["seed"] == "101" or app.screen is not screen)
        while app.screen is not app.studio:
            await keys(app, pilot, "enter")
        assert app.studio.parameters.texts["seed"] == "101"
        assert box.asked.get("BringFile") is None  # what it says is enough
        await keys(app, pilot, "alt+i")
        await until(lambda: isinstance(app.screen, LibraryScreen) and app.screen.row is not None)
        await keys(app, pilot, "f9")
        await until(lambda: app.screen is app.studio)
        taken = Path(app.studio.parameters.recipe.init_image)
        assert taken.read_bytes() == pictures[0].read_bytes()


async def test_comparing_varying_exporting(
    make_app: MakeApp, box: FarBox, pictures: list[Path], tmp_path: Path
) -> None:
    app = make_app(far=True)
    async with library(app) as (pilot, screen):
        await keys(app, pilot, "space", "l", "f5")
        await until(lambda: isinstance(app.screen, Compare))
        await keys(app, pilot, "escape")
        await keys(app, pilot, "alt+v")
        await until(lambda: isinstance(app.screen, Variations))
        await keys(app, pilot, "escape", "escape", "home", "e")
        await opened(app, pilot, Chooser)
        await keys(app, pilot, *"jpeg, with its", "enter")
        await opened(app, pilot, Ask)
        app.screen.query_one(LineInput).value = str(tmp_path / "here")
        await keys(app, pilot, "enter")
        await until(lambda: "exported" in said(screen))
        assert [path.suffix for path in (tmp_path / "here").iterdir()] == [".jpg"]


async def test_one_image_of_many_is_made_over_there(
    make_app: MakeApp, box: FarBox, pictures: list[Path], private_home: Path
) -> None:
    app = make_app(far=True)
    async with library(app) as (pilot, screen):
        await keys(app, pilot, "a", "m")
        await until(lambda: "sheet-of-30" in said(screen))
        (sheet,) = private_home.glob("outputs/*/*sheet-of-30*.png")
        with Image.open(sheet) as image:
            assert image.width > 4 * 64
        assert box.asked.get("BringFile") is None


async def test_a_thumbnail_is_asked_for_once_however_slow_the_disk(
    make_app: MakeApp, box: FarBox, pictures: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    keep = Copies.keep

    def slow(copies: Copies, key: Key, data: bytes) -> None:
        time.sleep(0.02)
        keep(copies, key, data)

    monkeypatch.setattr(Copies, "keep", slow)
    app = make_app(far=True)
    async with library(app) as (_, screen):
        await until(lambda: screen.row is not None and not screen.grid.awaits_thumbs)
        asked = [path for command in engine_commands(app, m.GetThumbs) for path in command.paths]  # type: ignore[attr-defined]
        assert sorted(asked) == sorted(set(asked))


async def test_the_recent_images_are_copies_of_those_of_the_other_machine(
    make_app: MakeApp, engine: FakeEngine, box: FarBox, private_home: Path
) -> None:
    ours = save_image(Image.new("RGB", (8, 8)), Recipe(prompt="here"), folder=private_home / "outputs")
    copies = [
        FarFiles("box").keep(f"/srv/pictures/{name}", ours.read_bytes())
        for name in ("2026-03-14/00002-5-b.png", "2026-03-14/00001-5-a.png", "2026-03-13/00007-5-c.png")
    ]
    app = make_app(far=True)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(app, pilot)
        recent = app.studio.gallery.recent
        assert recent is not None
        assert list(recent.paths) == copies
        await keys(app, pilot, "f6")
        await pilot.press("f2")
        (inspected,) = engine.commands(m.OpenTrace)
        asked = FarFiles("box").translated(inspected)
        assert asked == m.OpenTrace(
            request=inspected.request, source="/srv/pictures/2026-03-14/00002-5-b.png"
        )


async def test_names_are_those_of_the_other_machine(
    make_app: MakeApp, box: FarBox, pictures: list[Path]
) -> None:
    app = make_app(far=True)
    async with library(app) as (pilot, _):
        await keys(app, pilot, "y")
        await opened(app, pilot, Chooser)
        await keys(app, pilot, *"scp", "enter")
        assert app.clipboard == f"scp box:{pictures[0]} ."
        await pilot.press("f2")
        (inspected,) = engine_commands(app, m.OpenTrace)
        assert inspected.source == str(pictures[0])  # type: ignore[attr-defined]


async def test_folders_are_those_of_the_other_machine(
    make_app: MakeApp, box: FarBox, pictures: list[Path], tmp_path: Path
) -> None:
    app = make_app(far=True)
    folder = tmp_path / "my A1111"
    folder.mkdir()
    async with library(app) as (pilot, screen):
        await keys(app, pilot, "ctrl+o")
        await opened(app, pilot, Chooser)
        await keys(app, pilot, "enter")
        await opened(app, pilot, Ask)
        asked = app.screen
        app.screen.query_one(LineInput).value = str(folder / "none")
        await keys(app, pilot, "enter")
        await until(lambda: "There is no folder" in asked.complaint)  # type: ignore[attr-defined]
        app.screen.query_one(LineInput).value = str(folder)
        await keys(app, pilot, "enter")
        await until(lambda: "appear as they are read" in said(screen))
        assert config.load()[0].library_folders == (str(folder),)
        await keys(app, pilot, "ctrl+o")
        await opened(app, pilot, Chooser)
        await keys(app, pilot, *"take out", "enter")
        await until(lambda: "no longer shown" in said(screen))
        assert config.load()[0].library_folders == ()


async def test_a_line_that_breaks_and_stands_again(
    make_app: MakeApp, box: FarBox, pictures: list[Path], engine: FakeEngine
) -> None:
    app = make_app(far=True)
    async with library(app) as (pilot, screen):
        answer = engine.answer
        engine.answer = lambda command: ()
        engine.tell(m.LineLost(message="The line to box broke; what is being made goes on there."))
        await until(lambda: app.library.trouble)
        screen._look_for_news()
        await until(lambda: said(screen))
        assert "The line to box broke" in said(screen)
        assert len(screen.results) == 30  # what was known stays
        await pilot.press("l")  # what is asked now is answered by nobody
        await pilot.pause()
        pictures[0].unlink()
        index = screen.results
        engine.answer = answer
        asked = box.asked["FindImages"]
        engine.tell(m.LineBack())
        await until(lambda: not app.library.trouble)
        screen._look_for_news()
        await until(lambda: box.asked["FindImages"] > asked)
        await settle(app, pilot)
        assert said(screen) == ""
        assert screen.results is index
        assert screen.grid.cursor == 1


async def test_who_asks_when_the_line_breaks_is_told(
    make_app: MakeApp, box: FarBox, pictures: list[Path], engine: FakeEngine
) -> None:
    app = make_app(far=True)
    async with library(app) as (pilot, screen):
        engine.answer = lambda command: (
            [m.LineLost(message="The line to box broke.")]
            if isinstance(command, m.MarkImages)
            else box.answer(command)
        )
        await keys(app, pilot, "s")
        await until(lambda: said(screen) == "The line to box broke.")
        assert not list(marks.read())


async def test_only_a_part_of_many_images_comes(make_app: MakeApp, box: FarBox, private_home: Path) -> None:
    folder = private_home / "outputs" / "many"
    first = write_image(folder / "00000.png", changed=MARCH, prompt="house", seed=1)
    for place in range(1, COUNT):
        os.link(first, folder / f"{place:05d}.png")
    index_folder(private_home / "outputs")
    app = make_app(far=True)
    async with library(app) as (pilot, screen):
        results = screen.results
        assert len(results) == COUNT
        assert not results.complete
        assert 0 in results.ids
        await keys(app, pilot, "end")
        await until(lambda: screen.row is not None)
        assert screen.here == results.ids[COUNT - 1] != 0
        await keys(app, pilot, "v", "home")
        await until(lambda: len(screen.marks) == COUNT)
        assert results.complete
        await keys(app, pilot, "s")
        await until(lambda: "at most 2,000 images" in said(screen))
        assert box.sent["ImagesFound"] < 40_000


async def test_a_screen_full_is_few_bytes(make_app: MakeApp, box: FarBox, pictures: list[Path]) -> None:
    app = make_app(far=True)
    async with library(app) as (_, screen):
        await until(lambda: screen.row is not None and not screen.grid.awaits_thumbs)
        assert sum(box.sent.values()) < 60_000
        assert sum(box.asked[name] for name in ("FindImages", "GetImages", "GetThumbs")) < 10_000


async def test_thumbnails_come_from_the_cache_the_next_time(
    make_app: MakeApp, box: FarBox, pictures: list[Path], engine: FakeEngine
) -> None:
    app = make_app(far=True)
    async with library(app) as (_, screen):
        await until(lambda: screen.row is not None and not screen.grid.awaits_thumbs)
        await until(lambda: box.sent.get("ThumbMade"))
        await settle(app, _)
    before = box.sent["ThumbMade"]
    app = make_app(FakeEngine(), far=True)
    app.line._open_engine = lambda: engine
    engine._events = asyncio.Queue()
    async with library(app) as (_, screen):
        await until(lambda: screen.row is not None and not screen.grid.awaits_thumbs)
        assert box.sent["ThumbMade"] == before
