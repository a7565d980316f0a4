"""The sweep: from its form to its grid, followed while it fills, left and come back to."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest
from PIL import Image
from textual import events
from textual.pilot import Pilot

from sdcore.engine import messages as m
from sdcore.library.metadata import read_image
from sdcore.library.outputs import save_image
from sdcore.spec.recipe import Recipe
from sdcore.spec.sweep.expand import Line, Plan
from tests.ui.conftest import MakeApp, settle
from tests.ui.fake_engine import FakeEngine
from tests.ui.test_snapshots import picture
from tui.app import SdtuiApp
from tui.drafts import Draft
from tui.parameter_rows import write_rows
from tui.screens.library.viewer import Viewer
from tui.screens.lists.chooser import Chooser
from tui.screens.sweep.run import SweepRun, load
from tui.screens.sweep.screen import SweepScreen
from tui.widgets.notes import Notes
from tui.widgets.status import FooterLine, MessageLine
from tui.widgets.sweep_form import SweepForm
from tui.widgets.sweep_grid import SweepGrid

SIZE = (120, 40)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing waits for the next letter, and so nothing waits for what waits."""
    for delay in (
        "tui.screens.sweep.screen._DELAY",
        "tui.screens.sweep.screen._TELL_DELAY",
        "tui.screens.sweep.sweeping._KEEP_DELAY",
    ):
        monkeypatch.setattr(delay, 0.001)


async def open_form(app: SdtuiApp, pilot: Pilot[None], engine: FakeEngine) -> SweepScreen:
    await settle(app, pilot)
    engine.ready()
    await settle(app, pilot)
    return await go(app, pilot)


async def go(app: SdtuiApp, pilot: Pilot[None]) -> SweepScreen:
    await pilot.press("alt+x")
    await settle(app, pilot)
    assert isinstance(app.screen, SweepScreen)
    return app.screen


async def set_axis(app: SdtuiApp, pilot: Pilot[None], name: str, values: str) -> None:
    """With the cursor on an axis: choose it, and paste its values."""
    await pilot.press("enter")
    await pilot.pause()
    assert isinstance(app.screen, Chooser)
    await pilot.press(*name, "enter")
    await settle(app, pilot)
    app.post_message(events.Paste(values))
    await settle(app, pilot)


def plan(*lines: tuple[str, str], matrix: bool = False) -> Plan:
    x, y, z = (*(Line(*line) for line in lines), *[Line()] * (3 - len(lines)))
    return Plan(lines=(x, y, z), matrix=matrix)


async def begun(
    app: SdtuiApp, pilot: Pilot[None], engine: FakeEngine, *lines: tuple[str, str]
) -> list[m.Generate]:
    """A sweep that has just begun: of 2 x 2 where no axes are named."""
    app.sweeping.plan = plan(*(lines or (("steps", "5, 6"), ("guidance", "2, 4"))))
    await open_form(app, pilot, engine)
    await pilot.press("ctrl+g")
    await settle(app, pilot)
    return engine.commands(m.Generate)


def finish(engine: FakeEngine, generate: m.Generate, home: Path) -> Path:
    recipe = generate.recipe
    path = save_image(picture(32), recipe, folder=home / "outputs")
    engine.tell(
        m.JobFinished(
            job=generate.job, images=(m.SavedImage(path=str(path), recipe=recipe, width=32, height=32),),
            seconds=1.0, steps_per_second=10.0,
        )
    )  # fmt: skip
    return path


def note(app: SdtuiApp, name: str) -> str:
    return app.screen.query_one(f"#sweep-{name}", Notes).text


def states(run: SweepRun | None) -> list[str]:
    assert run is not None
    return [spot.state for spot in run.spots]


async def test_the_count_and_the_time_are_told_before_it_begins(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await open_form(app, pilot, engine)
        assert note(app, "count").startswith("Choose what changes")
        await set_axis(app, pilot, "steps", "10-30 (+10)")
        assert note(app, "count") == "3 images; how long they take is not known yet"
        assert note(app, "x-note") == "3: 10 · 20 · 30"
        app.sweeping.pace = 1000.0  # seconds a step of a megapixel
        await pilot.press(*", 40")
        await settle(app, pilot)
        assert note(app, "count") == "4 images, about 27:18"
        assert engine.commands(m.Generate) == []


async def test_what_is_wrong_is_said_under_its_axis_and_begins_nothing(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        screen = await open_form(app, pilot, engine)
        await set_axis(app, pilot, "steps", "10, x")
        shown = screen.query_one("#sweep-x-note", Notes)
        assert shown.has_class("-alert")
        assert "'x' is not a whole number" in shown.text
        await pilot.press("enter")
        await settle(app, pilot)
        assert engine.commands(m.Generate) == []
        assert screen.form_shown
        await pilot.press("backspace", "backspace", "backspace")
        await settle(app, pilot)
        assert not shown.has_class("-alert")
        assert screen.query_one(SweepForm).plan.lines[0].values == "10"


async def test_names_are_completed(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        screen = await open_form(app, pilot, engine)
        await set_axis(app, pilot, "sampler", "LMS, eul")
        await pilot.press("tab")
        await settle(app, pilot)
        assert screen.query_one(SweepForm).plan.lines[0].values == "LMS, euler"
        assert note(app, "x-note") == "2: LMS · Euler"


async def test_every_cell_is_a_job_of_one_group(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        jobs = await begun(app, pilot, engine)
        assert [job.label for job in jobs] == ["5 · 2", "6 · 2", "5 · 4", "6 · 4"]
        assert len({job.group for job in jobs}) == 1
        assert jobs[0].group
        assert [(job.recipe.steps, job.recipe.guidance_scale) for job in jobs] == [
            (5, 2),
            (6, 2),
            (5, 4),
            (6, 4),
        ]
        assert isinstance(app.screen, SweepScreen)
        assert not app.screen.form_shown


async def test_the_grid_fills_in_while_one_looks(
    make_app: MakeApp, engine: FakeEngine, private_home: Path
) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        jobs = await begun(app, pilot, engine)
        engine.start(jobs[0])
        engine.progress(jobs[0].job, 1, jobs[0].recipe)
        await settle(app, pilot)
        assert "40%" in grid_text(app)
        finish(engine, jobs[0], private_home)
        engine.tell(m.JobFailed(job=jobs[1].job, message="The memory is full."))
        await settle(app, pilot)
        assert states(app.sweeping.run) == ["done", "failed", "waiting", "waiting"]
        assert "The memory is full." in grid_text(app)
        assert "▄" in grid_text(app)
        await pilot.press("l")
        await pilot.pause()
        assert app.screen.query_one(MessageLine).text == "The memory is full."


def grid_text(app: SdtuiApp) -> str:
    grid = app.screen.query_one(SweepGrid)
    return "\n".join(grid.render_line(y).text for y in range(grid.size.height))


async def test_the_cursor_walks_cells_and_pages(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await begun(app, pilot, engine, ("steps", "1-30"), ("guidance", "1-10"), ("seed", "1, 2"))
        grid = app.screen.query_one(SweepGrid)
        await pilot.press("right", "down", "j", "l", "h", "pagedown")
        assert grid.cursor == (1, 2, 1)
        await pilot.press("G", *["down"] * 9, "]")
        assert grid.cursor == (29, 9, 1)
        await settle(app, pilot)
        assert "30" in grid_text(app).splitlines()[0]
        assert any("of 30" in fact for fact in grid.view)
        await pilot.press("g", "pageup")
        assert grid.cursor == (0, 9, 0)


async def test_a_cell_opens_in_full_size_and_its_neighbours_are_those_of_the_sweep(
    make_app: MakeApp, engine: FakeEngine, private_home: Path
) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        jobs = await begun(app, pilot, engine)
        await pilot.press("enter")
        await settle(app, pilot)
        assert app.screen.query_one(MessageLine).text == "This image is not made yet."
        paths = [finish(engine, job, private_home) for job in jobs]
        await settle(app, pilot)
        await pilot.press("enter")
        await settle(app, pilot)
        assert isinstance(app.screen, Viewer)
        assert app.screen.path == paths[0]
        await pilot.press("]")
        await settle(app, pilot)
        await pilot.press("escape")
        await settle(app, pilot)
        assert app.screen.query_one(SweepGrid).cursor == (1, 0, 0)


async def test_its_settings_are_brought_to_the_studio(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await begun(app, pilot, engine)
        await pilot.press("right", "down", "r")
        await settle(app, pilot)
        assert app.screen is app.studio
        recipe, faults = app.studio.read()
        assert faults == {}
        assert (recipe.steps, recipe.guidance_scale, recipe.seed) == (6, 4.0, 1632)


async def test_when_all_is_made_the_grid_is_saved_as_one_image(
    make_app: MakeApp, engine: FakeEngine, private_home: Path
) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        for job in await begun(app, pilot, engine):
            finish(engine, job, private_home)
        await settle(app, pilot)
        run = app.sweeping.run
        assert run is not None
        path = Path(run.saved)
        assert path.name.startswith("00005-sweep-steps-guidance")
        with Image.open(path) as grid:
            assert grid.width > 64
        facts = read_image(path)
        assert facts.prompt == app.studio.prompt.text
        assert facts.extra["X Values"] == "5, 6"
        assert f"The grid is saved as {path.name}" in app.screen.query_one(MessageLine).text
        await pilot.press("m")
        await settle(app, pilot)
        assert "00006-sweep" in run.saved


async def test_it_goes_on_unseen_and_is_found_again(
    make_app: MakeApp, engine: FakeEngine, private_home: Path
) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        jobs = await begun(app, pilot, engine)
        await pilot.press("escape")
        await settle(app, pilot)
        assert app.screen is app.studio
        finish(engine, jobs[0], private_home)
        await settle(app, pilot)
        screen = await go(app, pilot)
        assert not screen.form_shown
        assert states(app.sweeping.run) == ["done", "waiting", "waiting", "waiting"]
        assert len(engine.commands(m.Generate)) == 4


async def test_cancelling_asks_once_and_takes_out_what_waits(
    make_app: MakeApp, engine: FakeEngine, private_home: Path
) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        jobs = await begun(app, pilot, engine)
        finish(engine, jobs[0], private_home)
        await settle(app, pilot)
        await pilot.press("x", "escape")
        await settle(app, pilot)
        assert engine.commands(m.RemoveJobs) == []
        await pilot.press("x")
        await pilot.pause()
        await pilot.press("down", "enter")
        await settle(app, pilot)
        (removed,) = engine.commands(m.RemoveJobs)
        assert set(removed.jobs) == {job.job for job in jobs[1:]}
        engine.tell(*(m.JobCancelled(job=job, index=0) for job in removed.jobs))
        await settle(app, pilot)
        assert states(app.sweeping.run) == ["done", "stopped", "stopped", "stopped"]
        assert app.sweeping.run is not None
        assert app.sweeping.run.saved == ""
        await pilot.press("right", "t")
        await settle(app, pilot)
        assert [one.job for one in engine.commands(m.Generate)[4:]] == [jobs[1].job]


async def test_a_failed_cell_is_tried_again(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        jobs = await begun(app, pilot, engine)
        engine.tell(m.JobFailed(job=jobs[0].job, message="no"))
        await settle(app, pilot)
        await pilot.press("t")
        await settle(app, pilot)
        assert engine.commands(m.RetryJobs) == [m.RetryJobs(jobs=(jobs[0].job,))]
        assert states(app.sweeping.run)[0] == "waiting"


async def test_another_run_of_the_app_goes_on_with_it(
    make_app: MakeApp, engine: FakeEngine, private_home: Path
) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        jobs = await begun(app, pilot, engine)
        finish(engine, jobs[0], private_home)
        await settle(app, pilot)
    kept = load()
    assert states(kept) == ["done", "waiting", "waiting", "waiting"]
    later = FakeEngine()
    app = make_app(later)
    async with app.run_test(size=SIZE) as pilot:
        await settle(app, pilot)
        later.ready()
        await settle(app, pilot)
        assert [job.job for job in later.commands(m.Generate)] == [job.job for job in jobs[1:]]
        for job in jobs[1:]:
            finish(later, job, private_home)
        await settle(app, pilot)
        assert states(app.sweeping.run) == ["done"] * 4
        screen = await go(app, pilot)
        assert not screen.form_shown


async def test_an_engine_that_was_lost_is_asked_again(make_app: MakeApp) -> None:
    first, second = FakeEngine(), FakeEngine()
    app = make_app(first, second)
    async with app.run_test(size=SIZE) as pilot:
        jobs = await begun(app, pilot, first)
        first.start(jobs[0])
        first.tell(m.EngineFailed(message="It is gone."))
        await settle(app, pilot)
        app.sweeping.lost("It is gone.")
        assert states(app.sweeping.run) == ["waiting"] * 4
        app.open_engine()
        second.ready()
        await settle(app, pilot)
        # those that the first had not answered are asked for by the line, too: a job that is known is made once
        assert {job.job for job in second.commands(m.Generate)} == {job.job for job in jobs}


async def test_what_the_engine_tells_while_the_screen_is_left_harms_nobody(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        jobs = await begun(app, pilot, engine)
        engine.start(jobs[0])
        await settle(app, pilot)
        screen = app.screen
        assert isinstance(screen, SweepScreen)
        await pilot.press("escape")
        await settle(app, pilot)
        app.sweeping.watch(screen._changed)  # as it is while its parts go, one after another
        engine.progress(jobs[0].job, 1, jobs[0].recipe)
        await settle(app, pilot)
        screen._tell_grid()
        assert app.screen is app.studio


async def test_an_earlier_sweep_is_taken_up_though_the_line_comes_back_meanwhile(
    make_app: MakeApp, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await begun(app, pilot, engine)
        await settle(app, pilot)
    looked, go_on = threading.Event(), threading.Event()

    def slow() -> SweepRun | None:
        looked.set()
        go_on.wait(20)
        return load()

    monkeypatch.setattr("tui.screens.sweep.sweeping._load", slow)
    later = FakeEngine()
    app = make_app(later)
    async with app.run_test(size=SIZE) as pilot:
        await app.studio.ready.wait()
        later.ready()
        await asyncio.to_thread(looked.wait, 20)
        later.tell(m.LineBack())
        await pilot.pause()
        go_on.set()
        await settle(app, pilot)
        assert states(app.sweeping.run) == ["waiting"] * 4


async def test_a_damaged_file_is_no_sweep(make_app: MakeApp, engine: FakeEngine, private_home: Path) -> None:
    state = private_home / "state"
    state.mkdir(parents=True)
    for data in (b"", b"{}", b"[" * 5000, b'{"version":1}'):
        (state / "sweep.json").write_bytes(data)
        assert load() is None
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        screen = await open_form(app, pilot, engine)
        assert screen.form_shown


async def test_cells_that_cannot_be_made_say_why(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        app.sweeping.plan = plan(("sampler", "LMS, Euler a"), ("schedule", "Karras, automatic"))
        await open_form(app, pilot, engine)
        assert note(app, "count").startswith("3 images")
        assert note(app, "notes").startswith("1 of 4 cannot be made")
        await pilot.press("ctrl+g")
        await settle(app, pilot)
        assert len(engine.commands(m.Generate)) == 3
        assert "cannot follow" in grid_text(app)


async def test_the_matrix_and_the_seeds_are_turned_by_enter(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app(draft=Draft(prompt="a house | at night | in rain"))
    async with app.run_test(size=SIZE) as pilot:
        await open_form(app, pilot, engine)
        await pilot.press("down", "down", "down", "enter", "down", "enter")
        await settle(app, pilot)
        assert note(app, "count").startswith("4 images")
        await pilot.press("ctrl+g")
        await settle(app, pilot)
        jobs = engine.commands(m.Generate)
        assert [job.recipe.prompt for job in jobs] == [
            "a house", "a house, at night", "a house, in rain", "a house, at night, in rain"
        ]  # fmt: skip
        assert [job.recipe.seed for job in jobs] == [1632, 1633, 1634, 1635]


async def test_what_the_form_says_is_there_when_one_comes_back(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await open_form(app, pilot, engine)
        await set_axis(app, pilot, "prompt S/R", "house, tower")
        await pilot.press("alt+h")
        await settle(app, pilot)
        assert app.screen is app.studio
        await go(app, pilot)
        assert note(app, "x-note") == "2: house · tower"
        assert app.screen.query_one(FooterLine).labels[:2] == ["choose", "begin"]


async def test_hostile_prompts_are_only_text(make_app: MakeApp, engine: FakeEngine) -> None:
    hostile = Recipe(prompt="[/red] \x1b[31m {a|b}", seed=1)
    app = make_app(draft=Draft(prompt=hostile.prompt, rows=write_rows(hostile)))
    async with app.run_test(size=SIZE) as pilot:
        app.sweeping.plan = plan(("combinations", ""))
        await open_form(app, pilot, engine)
        assert note(app, "count").startswith("2 images")
        assert "\x1b" not in note(app, "x-note")
        await pilot.press("ctrl+g")
        await settle(app, pilot)
        assert "\x1b" not in grid_text(app)
        assert [job.template.prompt for job in engine.commands(m.Generate) if job.template] == [
            hostile.prompt
        ] * 2
