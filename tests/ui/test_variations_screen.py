"""Variations: neighbours are made and shown, one is picked, the way back is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from textual.pilot import Pilot

from sdcore.engine import messages as m
from sdcore.library.outputs import save_image
from sdcore.spec.recipe import Recipe, Turn
from tests.ui.conftest import MakeApp, settle
from tests.ui.fake_engine import FakeEngine
from tests.ui.test_snapshots import picture
from tui.app import SdtuiApp
from tui.screens.variations.screen import Variations
from tui.screens.variations.tree import NEIGHBOURS, before, varied
from tui.widgets.picture_grid import PictureGrid
from tui.widgets.status import MessageLine

SIZE = (120, 40)
Compare = Callable[..., bool]
RECIPE = Recipe(prompt="a boat", seed=5, steps=4)


@pytest.fixture
def image(private_home: Path) -> Path:
    return save_image(picture(64), RECIPE, folder=private_home / "outputs")


async def opened(app: SdtuiApp, pilot: Pilot[None], image: Path) -> Variations:
    await settle(app, pilot)
    app.varying.open(image)
    await settle(app, pilot)
    assert isinstance(app.screen, Variations)
    return app.screen


def asked(engine: FakeEngine) -> list[m.Generate]:
    return engine.commands(m.Generate)


async def make(engine: FakeEngine, app: SdtuiApp, pilot: Pilot[None], job: m.Generate, home: Path) -> Path:
    """What an engine says when it makes a job."""
    shade = 25 * (len(list(home.glob("outputs/*/*.png"))) % 10)
    path = save_image(
        Image.new("RGB", (64, 64), (shade, 80, 255 - shade)), job.recipe, folder=home / "outputs",
        varied_from=job.origin.varied_from,
    )  # fmt: skip
    engine.start(job)
    engine.progress(job.job, 1, job.recipe)
    engine.tell(m.JobPreview(job=job.job, index=1, image=0, width=8, height=8, rgb=bytes([shade]) * 192))
    saved = m.SavedImage(path=str(path), recipe=job.recipe, width=64, height=64)
    engine.tell(m.JobFinished(job=job.job, images=(saved,), seconds=1.0, steps_per_second=4.0))
    await settle(app, pilot)
    return path


def titles(screen: Variations) -> list[str]:
    return [panel.title for panel in screen.query_one(PictureGrid).panels]


def message(screen: Variations) -> str:
    return screen.query_one(MessageLine).text


def test_a_chain_of_variations_is_one_recipe_and_can_be_walked_back() -> None:
    first = varied(RECIPE, 7, 0.2)
    second = varied(first, 8, 0.1)
    assert (first.variation_seed, first.variation_strength, first.earlier_variations) == (7, 0.2, ())
    assert second.earlier_variations == (Turn(7, 0.2),)
    assert before(second) == first
    assert before(first) == RECIPE
    assert before(RECIPE) is None


async def test_eight_neighbours_are_asked_for_and_come_live(
    make_app: MakeApp, engine: FakeEngine, image: Path, private_home: Path
) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        screen = await opened(app, pilot, image)
        jobs = asked(engine)
        assert len(jobs) == NEIGHBOURS
        assert {job.recipe.variation_strength for job in jobs} == {0.2}
        assert len({job.recipe.variation_seed for job in jobs}) == NEIGHBOURS
        assert {before(job.recipe) for job in jobs} == {RECIPE}
        assert {job.origin.varied_from for job in jobs} == {image.name}
        assert len({job.group for job in jobs}) == 1
        assert titles(screen)[:2] == ["▸ this image", "  1  waits"]
        engine.start(jobs[0])
        engine.progress(jobs[0].job, 1, jobs[0].recipe)
        engine.tell(m.JobPreview(job=jobs[0].job, index=1, image=0, width=8, height=8, rgb=bytes(192)))
        await settle(app, pilot)
        assert titles(screen)[1] == "  1  2/4"
        assert screen.shown[1].picture is not None
        await make(engine, app, pilot, jobs[0], private_home)
        assert titles(screen)[1] == "  1"
        await pilot.press("right")
        assert f"variation seed {jobs[0].recipe.variation_seed}" in screen.trail
        assert screen.shown[1].picture is not None
        assert screen.shown[1].picture.width == 64


async def test_pick_one_go_on_and_walk_back(
    make_app: MakeApp, engine: FakeEngine, image: Path, private_home: Path
) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        screen = await opened(app, pilot, image)
        await pilot.press("right", "enter")
        assert "not made yet" in message(screen)
        first = asked(engine)
        child = await make(engine, app, pilot, first[0], private_home)
        await pilot.press("minus", "enter")
        await settle(app, pilot)
        assert screen.node.path == child
        second = asked(engine)[NEIGHBOURS:]
        assert len(second) == NEIGHBOURS
        assert {command.job for command in engine.commands(m.Cancel)} == {job.job for job in first[1:]}
        recipe = second[0].recipe
        assert recipe.earlier_variations == (Turn(first[0].recipe.variation_seed, 0.2),)
        assert recipe.variation_strength == 0.15
        assert second[0].origin.varied_from == child.name
        assert screen.trail.startswith("seed 5 ▸ 1 ±0.2")
        await pilot.press("backspace")
        assert screen.node.path == image
        assert screen.at.path == child
        assert titles(screen)[1].startswith("▸ 1 ↳")
        await pilot.press("backspace")
        assert "begins" in message(screen)
        await pilot.press("enter")
        await settle(app, pilot)
        assert len(asked(engine)) == 2 * NEIGHBOURS  # its neighbours are there already
        await pilot.press("escape")
        assert app.screen is app.studio
        again = await opened(app, pilot, child)
        assert again.node is screen.node


async def test_after_a_restart_the_way_back_is_read_from_the_images(
    make_app: MakeApp, engine: FakeEngine, image: Path, private_home: Path
) -> None:
    child = save_image(
        picture(64), varied(RECIPE, 7, 0.2), folder=private_home / "outputs", varied_from=image.name
    )
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        screen = await opened(app, pilot, child)
        await pilot.press("backspace")
        await settle(app, pilot)
        assert (screen.node.path, screen.node.state) == (image, "made")
        assert screen.at.path == child
        assert len(asked(engine)) == NEIGHBOURS


async def test_a_parent_that_is_gone_is_made_again(
    make_app: MakeApp, engine: FakeEngine, image: Path, private_home: Path
) -> None:
    child = save_image(
        picture(64), varied(RECIPE, 7, 0.2), folder=private_home / "outputs", varied_from=image.name
    )
    image.unlink()
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        screen = await opened(app, pilot, child)
        await pilot.press("backspace")
        await settle(app, pilot)
        job = asked(engine)[-1]
        assert job.recipe == RECIPE
        assert (screen.node.path, screen.node.state) == (None, "waiting")
        await pilot.press("r")
        assert "not there yet" in message(screen)
        path = await make(engine, app, pilot, job, private_home)
        assert (screen.node.path, screen.node.state) == (path, "made")


async def test_strength_has_bounds_and_fine_steps(make_app: MakeApp, image: Path) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        screen = await opened(app, pilot, image)
        await pilot.press(*["minus"] * 3)
        assert app.varying.strength == 0.08
        await pilot.press(*["minus"] * 9)
        assert app.varying.strength == 0.02
        await pilot.press(*["plus"] * 40)
        assert app.varying.strength == 1.0
        assert "±1" in screen.trail


async def test_others_failures_and_cancels(make_app: MakeApp, engine: FakeEngine, image: Path) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        screen = await opened(app, pilot, image)
        jobs = asked(engine)
        engine.tell(m.JobFailed(job=jobs[0].job, message="No memory; make it smaller."))
        engine.tell(m.JobCancelled(job=jobs[1].job, index=0))
        await settle(app, pilot)
        assert [title.split("  ")[-1] for title in titles(screen)[1:4]] == ["failed", "not made", "waits"]
        assert message(screen) == "No memory; make it smaller."
        await pilot.press("r")
        await settle(app, pilot)
        assert len(asked(engine)) == 2 * NEIGHBOURS
        assert [title.split("  ")[-1] for title in titles(screen)[1:]] == ["waits"] * NEIGHBOURS


async def test_one_alone_and_its_recipe_in_the_studio(
    make_app: MakeApp, engine: FakeEngine, image: Path, private_home: Path
) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        screen = await opened(app, pilot, image)
        await make(engine, app, pilot, asked(engine)[2], private_home)
        await pilot.press("right", "right", "right", "space")
        assert len(titles(screen)) == 1
        await pilot.press("escape")
        assert len(titles(screen)) == 1 + NEIGHBOURS
        await pilot.press("ctrl+o")
        await settle(app, pilot)
        await pilot.press("enter")  # having seen what changes
        await settle(app, pilot)
        assert app.screen is app.studio
        recipe, faults = app.studio.read()
        assert faults == {}
        assert recipe == asked(engine)[2].recipe


async def test_an_image_that_says_nothing_cannot_be_varied(make_app: MakeApp, tmp_path: Path) -> None:
    path = tmp_path / "plain.png"
    Image.new("RGB", (8, 8)).save(path)
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await settle(app, pilot)
        await pilot.press("alt+v")
        assert "Enter makes one" in app.studio.query_one(MessageLine).text
        app.varying.open(path)
        await settle(app, pilot)
        assert app.screen is app.studio
        assert "cannot be varied" in app.studio.query_one(MessageLine).text


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_looks(
    snap_compare: Compare, make_app: MakeApp, engine: FakeEngine, image: Path, private_home: Path,
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("tui.screens.variations.varying.secrets.randbelow", lambda most: 4_000_000_000)

    async def run(pilot: Pilot[None]) -> None:
        app: SdtuiApp = pilot.app  # type: ignore[assignment]
        await opened(app, pilot, image)
        jobs = asked(engine)
        for job in jobs[:4]:
            await make(engine, app, pilot, job, private_home)
        engine.start(jobs[4])
        engine.progress(jobs[4].job, 1, jobs[4].recipe)
        engine.tell(
            m.JobPreview(job=jobs[4].job, index=1, image=0, width=16, height=16, rgb=picture(16).tobytes())
        )
        await pilot.press("right", "right")
        await settle(app, pilot)

    assert snap_compare(make_app(), terminal_size=size, run_before=run)
