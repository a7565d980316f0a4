"""Two images side by side as a person sees them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from PIL import Image
from textual.pilot import Pilot

from sdcore.engine import messages as m
from sdcore.library.outputs import save_image
from sdcore.spec.recipe import FIRST_PROMPT, Recipe
from sdcore.spec.views import CompareView
from tests.ui.conftest import MakeApp, settle
from tests.ui.fake_engine import FakeEngine
from tui.app import SdtuiApp
from tui.screens.compare.comparison import compare, first_pair, parting_step, pixels_phrase, read
from tui.screens.compare.screen import ASKING, SAME_PIXELS, Compare
from tui.widgets.bar_plot import BarPlot
from tui.widgets.canvas import Canvas
from tui.widgets.caption import Caption
from tui.widgets.differences import Differences, difference_text
from tui.widgets.notes import Notes
from tui.widgets.status import FooterLine, MessageLine

SIZES = [(80, 24), (120, 40), (200, 60)]
DAY = (0.0, 0.02, 0.05, 0.3, 0.5, 0.55, 0.6)
NO_TRACE = "No trace of 00001.png is kept: only the last runs are, and those written to disk; make it again."
SnapCompare = Callable[..., bool]


def house(wall: tuple[int, int, int], width: int = 64, height: int = 64) -> Image.Image:
    """A wall on a field; only the wall differs."""
    image = Image.new("RGB", (width, height), (90, 150, 210))
    image.paste((70, 120, 60), (0, height * 3 // 4, width, height))
    image.paste(wall, (width // 4, height // 4, width * 3 // 4, height * 3 // 4))
    return image


@pytest.fixture
def pictures(private_home: Path) -> list[Path]:
    """Three images of this session, the oldest first."""
    words = FIRST_PROMPT.replace("japanese", "blue").replace("radiant light", "moonlight")
    recipes = (
        Recipe(prompt=FIRST_PROMPT, seed=1632),
        Recipe(prompt=FIRST_PROMPT, seed=7, sampler="Euler"),
        Recipe(prompt=words, negative_prompt="people", seed=1632, guidance_scale=9.0),
    )
    walls = ((190, 120, 80), (190, 120, 80), (60, 90, 200))
    saved = [
        save_image(house(wall), recipe, folder=private_home / "outputs")
        for wall, recipe in zip(walls, recipes, strict=True)
    ]
    # a day of its own, whatever day it is
    day = private_home / "outputs" / "2026-03-14"
    day.mkdir(exist_ok=True)
    return [path.rename(day / path.name) for path in saved]


def told(view: CompareView | str) -> Callable[[m.AnyCommand], Iterable[m.AnyEvent]]:
    """An engine that answers every comparison with this view, or with this sentence."""

    def answer(command: m.AnyCommand) -> list[m.AnyEvent]:
        if not isinstance(command, m.CompareTraces):
            return []
        if isinstance(view, str):
            return [m.TraceFailed(request=command.request, message=view)]
        return [m.Compared(request=command.request, view=view)]

    return answer


def seen(divergence: tuple[float, ...] = DAY, apart: str = "") -> CompareView:
    return CompareView(prompt=(), negative_prompt=(), parameters=(), divergence=divergence, apart=apart)


@asynccontextmanager
async def comparing(
    make_app: MakeApp,
    engine: FakeEngine,
    *keys: str,
    view: CompareView | str = "",
    size: tuple[int, int] = SIZES[1],
) -> AsyncIterator[tuple[SdtuiApp, Compare, Pilot[None]]]:
    """The app after F5, and after `keys` before it."""
    if view:
        engine.answer = told(view)
    app = make_app()
    async with app.run_test(size=size) as pilot:
        await settle(app, pilot)
        engine.ready()
        await pilot.press(*keys, "f5")
        await settle(app, pilot)
        assert isinstance(app.screen, Compare)
        yield app, app.screen, pilot


def differences(screen: Compare) -> str:
    return screen.query_one(Differences).text


def apart(screen: Compare) -> str:
    notes = screen.query_one("#apart", Notes)
    return notes.text if notes.display else ""


def caption(screen: Compare, name: str) -> str:
    return " · ".join(screen.query_one(f"#{name}-caption", Caption).facts)


async def test_the_newest_is_laid_beside_the_one_before(
    make_app: MakeApp, engine: FakeEngine, pictures: list[Path]
) -> None:
    async with comparing(make_app, engine, view=seen()) as (app, screen, pilot):
        assert screen.pair == (pictures[1], pictures[2])
        assert "seed 7" in caption(screen, "older")
        assert "seed 1632" in caption(screen, "newer")
        asked = engine.commands(m.CompareTraces)[-1]
        assert (asked.first, asked.second) == (str(pictures[1].resolve()), str(pictures[2].resolve()))
        assert asked.request < 0
        await pilot.press("right")
        await settle(app, pilot)
        assert screen.pair == (pictures[0], pictures[2])
        await pilot.press("right", "home")
        await settle(app, pilot)
        assert screen.pair == (pictures[1], pictures[2])
        await pilot.press("escape")
        assert app.screen is app.studio


async def test_the_image_that_is_looked_at_stays(
    make_app: MakeApp, engine: FakeEngine, pictures: list[Path]
) -> None:
    async with comparing(make_app, engine, "f6", "right") as (app, screen, pilot):
        assert screen.pair == (pictures[1], pictures[2])
        await pilot.press("right")
        await settle(app, pilot)
        assert screen.pair == (pictures[0], pictures[1])
        assert screen.query_one("#older-caption", Caption).movable
        assert not screen.query_one("#newer-caption", Caption).movable


async def test_words_parameters_and_pixels_need_no_trace(
    make_app: MakeApp, engine: FakeEngine, pictures: list[Path]
) -> None:
    async with comparing(make_app, engine, "f6", "end", view=NO_TRACE) as (_, screen, _pilot):
        text = differences(screen)
        assert "Highly detailed small −japanese +blue house, −radiant −light +moonlight," in text.replace(
            "\n", " "
        )
        assert "negative  +people" in text
        assert "guidance scale  7.5 → 9.0" in text
        assert "seed" not in text
        assert "25.0% of pixels differ, by 130 at most" in str(screen.query_one(Differences).border_subtitle)
        assert apart(screen) == NO_TRACE
        assert not screen.query_one(BarPlot).display


async def test_the_plot_marks_the_step_that_parts_them(
    make_app: MakeApp, engine: FakeEngine, pictures: list[Path]
) -> None:
    async with comparing(make_app, engine, "f6", "end") as (_, screen, pilot):
        assert apart(screen) == ASKING
        request = engine.commands(m.CompareTraces)[-1].request
        engine.tell(m.Compared(request=request - 100, view=seen((0.0, 1.0))))
        await pilot.pause()
        assert apart(screen) == ASKING
        engine.tell(m.Compared(request=request, view=seen()))
        await pilot.pause()
        assert apart(screen) == ""
        plot = screen.query_one(BarPlot)
        assert plot.display
        assert str(plot.border_subtitle) == "step 2 parts them most"


@pytest.mark.parametrize(
    ("keys", "view", "sentence"),
    [
        (
            ("f6", "end"),
            seen((), "One of the runs has no recorded step yet."),
            "One of the runs has no recorded step",
        ),
        (("f6", "end"), seen((0.0, 0.0)), "The latents of both runs are the same"),
        ((), seen(), "The images have different seeds"),
    ],
    ids=["apart", "the same", "images of one batch"],
)
async def test_where_there_is_no_plot_a_sentence_says_why(
    make_app: MakeApp,
    engine: FakeEngine,
    pictures: list[Path],
    keys: tuple[str, ...],
    view: CompareView,
    sentence: str,
) -> None:
    async with comparing(make_app, engine, *keys, view=view) as (_, screen, _pilot):
        assert apart(screen).startswith(sentence)
        assert not screen.query_one(BarPlot).display


async def test_an_engine_that_dies_is_told(
    make_app: MakeApp, engine: FakeEngine, pictures: list[Path]
) -> None:
    async with comparing(make_app, engine) as (_, screen, pilot):
        engine.tell(m.EngineFailed(message="The engine died."))
        await pilot.pause()
        assert apart(screen) == "The engine died."
        assert "sampler" in differences(screen)


async def test_flip_shows_one_and_then_the_other_in_its_place(
    make_app: MakeApp, engine: FakeEngine, pictures: list[Path]
) -> None:
    async with comparing(make_app, engine) as (app, screen, pilot):
        canvas = screen.query_one("#single-picture", Canvas)
        assert not screen.query_one("#single").display
        shown = []
        for _ in range(3):
            await pilot.press("space")
            await settle(app, pilot)
            assert canvas.image is not None
            shown.append((screen.way, canvas.image.getpixel((32, 32))))
        wall = (190, 120, 80), (60, 90, 200)
        assert shown == [("older", wall[0]), ("newer", wall[1]), ("older", wall[0])]
        assert not screen.query_one("#facts").display
        await pilot.press("escape")
        assert screen.way == "pair"
        assert app.screen is screen


async def test_the_difference_map(make_app: MakeApp, engine: FakeEngine, pictures: list[Path]) -> None:
    async with comparing(make_app, engine) as (app, screen, pilot):
        await pilot.press("d")
        await settle(app, pilot)
        assert caption(screen, "single").startswith(
            "difference · 25.0% of the pixels · by 130 of 255 at most"
        )
        image = screen.query_one("#single-picture", Canvas).image
        assert image is not None
        assert image.getpixel((32, 32)) == (255, 255, 255)
        assert image.getpixel((2, 2)) == (0, 0, 0)
        await pilot.press("right")
        await settle(app, pilot)
        assert screen.way == "map"
        await pilot.press("d")
        assert screen.way == "pair"


async def test_images_of_two_sizes_and_images_that_are_the_same(
    make_app: MakeApp, engine: FakeEngine, pictures: list[Path], private_home: Path
) -> None:
    newest = pictures[2].with_name("00004-1-wide.png")
    house((1, 2, 3), width=96).save(newest)
    async with comparing(make_app, engine, "f6", "end") as (app, screen, pilot):
        assert "00004-1-wide.png does not say how it was made." in differences(screen)
        assert str(screen.query_one(Differences).border_subtitle) == "the sizes differ"
        await pilot.press("d")
        picture = screen.query_one("#single-picture", Canvas)
        assert str(picture.render()).startswith(
            "An image of 64 x 64 pixels and one of 96 x 64 have no difference"
        )
        await pilot.press("right", "right")
        await settle(app, pilot)
        assert screen.pair == (pictures[0], pictures[1])
        assert str(picture.render()) == SAME_PIXELS


async def test_a_file_that_is_gone_is_told_and_the_rest_goes_on(
    make_app: MakeApp, engine: FakeEngine, pictures: list[Path]
) -> None:
    async with comparing(make_app, engine) as (app, screen, pilot):
        pictures[0].unlink()
        late = engine.commands(m.CompareTraces)[-1].request
        await pilot.press("right")
        await settle(app, pilot)
        engine.tell(m.Compared(request=late, view=seen()))
        await settle(app, pilot)
        assert apart(screen) == ""
        assert not screen.query_one(BarPlot).display
        message = screen.query_one(MessageLine)
        assert (message.tone, message.text.startswith("There is no file")) == ("alert", True)
        assert differences(screen) == ""
        await pilot.press("left")
        await settle(app, pilot)
        assert screen.query_one(MessageLine).text == ""
        assert "sampler" in differences(screen)


async def test_one_image_is_not_two(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=SIZES[1]) as pilot:
        await settle(app, pilot)
        await pilot.press("f5")
        await settle(app, pilot)
        assert app.screen is app.studio
        assert app.studio.query_one(MessageLine).text.startswith("There are no two images yet")


async def test_help_and_commands_are_those_of_the_screen(
    make_app: MakeApp, engine: FakeEngine, pictures: list[Path]
) -> None:
    async with comparing(make_app, engine) as (app, screen, pilot):
        assert "flip" in screen.query_one(FooterLine).labels
        await pilot.press("ctrl+p", *"difference map", "enter")
        await settle(app, pilot)
        assert screen.way == "map"


def test_which_two_are_compared() -> None:
    new, middle, old = Path("3.png"), Path("2.png"), Path("1.png")
    assert first_pair([new, middle, old], None) == (new, middle)
    assert first_pair([new, middle, old], new) == (new, middle)
    assert first_pair([new, middle, old], old) == (old, new)
    assert first_pair([new, middle], Path("elsewhere.png")) == (new, middle)
    assert first_pair([new], None) is None


def test_the_parting_step_is_where_the_distance_grows_most() -> None:
    assert parting_step(DAY) == 2
    assert parting_step((0.0, 0.4, 0.3)) == 0
    assert parting_step((0.0, 0.0)) is None
    assert parting_step(()) is None


def test_a_few_pixels_are_not_none_and_all_but_a_few_not_all(tmp_path: Path) -> None:
    one, other = tmp_path / "1.png", tmp_path / "2.png"
    image = Image.new("RGB", (100, 100))
    image.save(one)
    for pixels, share in (
        ((0, 0, 1, 1), "less than 0.1%"),
        ((0, 1, 100, 100), "99.0%"),
        ((0, 0, 100, 100), "100.0%"),
    ):
        changed = image.copy()
        changed.paste((0, 9, 0), pixels)
        changed.save(other)
        found = compare(read(one), read(other)).pixels
        assert found is not None
        assert pixels_phrase(found) == f"{share} of pixels differ, by 9 at most"


def test_text_is_folded_around_the_changes_and_stays_harmless(tmp_path: Path) -> None:
    kept = " ".join(f"word{index}" for index in range(20))
    paths = []
    for seed, word in enumerate(("[bold]red\x1b[31m", "blue")):
        recipe = Recipe(prompt=f"{kept} {word} {kept}", seed=seed, sampler="Euler" * 20 if seed else "LMS")
        paths.append(save_image(house((1, 2, 3)), recipe, folder=tmp_path))
    found = compare(*map(read, paths))
    whole = "\n".join(part.plain for part in difference_text(found, 60))
    assert whole.count("word") == 40
    assert "\x1b" not in whole
    assert "−[" in whole
    folded = "\n".join(part.plain for part in difference_text(found, 60, 2))
    assert "prompt  … word18 word19 −[" in folded
    assert folded.splitlines()[0].endswith("+blue word0 word1 …")
    assert "seed  0 → 1" in folded
    assert "\nsampler\n  − LMS\n  + Euler" in folded  # too wide for a row


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_how_it_looks(
    snap_compare: SnapCompare,
    make_app: MakeApp,
    engine: FakeEngine,
    pictures: list[Path],
    size: tuple[int, int],
) -> None:
    engine.answer = told(seen(tuple(0.8 * (k / 30) ** 2 for k in range(31))))

    async def show(pilot: Pilot[None]) -> None:
        app = pilot.app
        await settle(app, pilot)
        engine.ready()
        await pilot.press("f6", "end", "f5")
        await settle(app, pilot)

    assert snap_compare(make_app(), terminal_size=size, run_before=show)


def test_how_the_difference_map_looks(
    snap_compare: SnapCompare, make_app: MakeApp, engine: FakeEngine, pictures: list[Path]
) -> None:
    engine.answer = told(NO_TRACE)

    async def show(pilot: Pilot[None]) -> None:
        app = pilot.app
        await settle(app, pilot)
        engine.ready()
        await pilot.press("f5", "d")
        await settle(app, pilot)

    assert snap_compare(make_app(), terminal_size=SIZES[0], run_before=show)
