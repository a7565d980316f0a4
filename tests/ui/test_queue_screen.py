"""The queue's screen on an engine that says what a test has it say."""

from __future__ import annotations

import time

import msgspec
import pytest
from textual.pilot import Pilot

from sdcore.engine import messages as m
from sdcore.spec.recipe import Recipe
from tests.ui.conftest import MakeApp, settle
from tests.ui.fake_engine import FakeEngine, sigmas, timesteps
from tui.app import SdtuiApp
from tui.screens.queue.queueing import QueueBook
from tui.screens.queue.screen import QueueScreen
from tui.widgets.caption import Caption
from tui.widgets.notes import Notes
from tui.widgets.queue_list import Line, QueueList, lines_of
from tui.widgets.status import FooterLine, MessageLine

RECIPE = Recipe(prompt="a red house in the snow", steps=30, width=256, height=192, seed=7)
TULIPS = msgspec.structs.replace(RECIPE, prompt="a hill of tulips under a wide sky")
NOON = time.mktime((2026, 3, 14, 12, 0, 0, 0, 0, -1))


@pytest.fixture(autouse=True)
def clock_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.screens.queue.screen.clock_time", lambda: NOON)


def queued(job: str, **changes: object) -> m.JobQueued:
    return m.JobQueued(job=job, position=0, recipe=msgspec.structs.replace(RECIPE, **changes))


def some(engine: FakeEngine) -> None:
    """One that runs, four that wait, two that failed, one that is made."""
    engine.ready()
    engine.tell(
        m.JobKept(job="old", recipe=RECIPE, message="The GPU's memory is full: choose a smaller size."),
        queued("z", prompt="a lighthouse by night"),
        m.JobFinished(job="z", images=(m.SavedImage(path="/o/00001-7-a.png", recipe=RECIPE, width=256, height=192),),
                      seconds=12.0, steps_per_second=3.0),
        queued("run", prompt=TULIPS.prompt),
        m.JobStarted(job="run", recipe=TULIPS, timesteps=timesteps(30), sigmas=sigmas(30)),
        m.JobProgress(job="run", index=11, total=30, timestep=500.0, sigma=3.0, seconds=(0.5,)),
        queued("a"),
        m.JobQueued(job="b", position=1, recipe=msgspec.structs.replace(RECIPE, guidance_scale=9.0, batch_size=4),
                    label="guidance 9", group="g"),
        queued("c", prompt="ein Häuschen 家 [bold]x[/] \x1b[2J"),
        queued("d", prompt=""),
        m.QueueState(order=("a", "b", "c", "d"), seconds=(45.0, 125.0, None, 3.0), held={"c": ""}),
    )  # fmt: skip


async def opened(app: SdtuiApp, pilot: Pilot[None], engine: FakeEngine) -> QueueScreen:
    some(engine)
    await settle(app, pilot)
    await pilot.press("alt+q")
    await settle(app, pilot)
    assert isinstance(app.screen, QueueScreen)
    return app.screen


def lines(screen: QueueScreen) -> list[str]:
    return [line.strip() for line in screen.query_one(QueueList).texts]


def at(screen: QueueScreen) -> str:
    item = screen.query_one(QueueList).item
    return item.job if item is not None else ""


async def go(screen: QueueScreen, pilot: Pilot[None], job: str) -> None:
    await pilot.press("g")
    while at(screen) != job:
        before = at(screen)
        await pilot.press("j")
        assert at(screen) != before


async def test_everything_is_there_in_its_order(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(app, pilot, engine)
        shown = lines(screen)
        titles = [line for line in shown if line.split(" · ")[0] in ("making", "waiting", "failed", "made")]
        assert titles == ["making", "waiting · 4", "failed", "made"]
        assert "12/30 · 9.0 s left" in shown[1]
        assert shown[3].startswith("a red house in the snow")
        assert shown[3].endswith("256 × 192     30 steps    45 s  12:00")
        assert shown[4].startswith("guidance 9 · a red house")
        assert shown[4].endswith("30 steps ×4    2:05  12:02")
        assert shown[5].startswith("‖ ein Häuschen 家 [bold]x[/] �[2J")
        assert shown[5].endswith("held")
        assert shown[6].startswith("(no prompt)")
        assert shown[6].endswith("3.0 s  12:03")
        assert "memory is full" in shown[8]
        assert shown[10].endswith("12 s")
        facts = screen.query_one("#queue-summary", Caption).facts
        assert facts == ("4 to be made", "3:02 in all", "done at 12:03", "1 held", "1 failed")


async def test_what_is_under_the_cursor_is_said_in_full(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(app, pilot, engine)
        await go(screen, pilot, "old")
        assert "a red house in the snow" in screen.query_one("#queue-about", Notes).text
        assert "choose a smaller size" in screen.query_one("#queue-reason", Notes).text


async def test_jobs_are_moved_held_and_removed(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(app, pilot, engine)
        await go(screen, pilot, "d")
        await pilot.press("K", "shift+up")
        assert engine.commands(m.MoveJob) == [m.MoveJob(job="d", to=2), m.MoveJob(job="d", to=1)]
        assert at(screen) == "d"
        await pilot.press("t", "J")
        assert engine.commands(m.MoveJob)[2:] == [m.MoveJob(job="d", to=0), m.MoveJob(job="d", to=1)]
        await pilot.press("space")
        await go(screen, pilot, "c")
        await pilot.press("space")
        await go(screen, pilot, "run")
        await pilot.press("space", "K", "d")
        assert engine.commands(m.HoldJobs) == [
            m.HoldJobs(jobs=("d",)), m.HoldJobs(jobs=("c",), held=False), m.HoldJobs(jobs=("run",)),
        ]  # fmt: skip
        assert engine.commands(m.RemoveJobs) == [m.RemoveJobs(jobs=("run",))]
        assert len(engine.commands(m.MoveJob)) == 4


async def test_a_held_job_goes_back_to_those_that_wait(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(app, pilot, engine)
        engine.tell(
            queued("run"),
            m.QueueState(order=("run", "a", "b", "c", "d"), seconds=(None,) * 5, held={"run": "", "c": ""}),
        )
        await settle(app, pilot)
        assert lines(screen)[0] == "waiting · 5"
        assert lines(screen)[1].startswith("‖ a red house")
        assert app.studio.view.book.running is None


async def test_a_failed_job_is_tried_again_and_others_are_made_once_more(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(app, pilot, engine)
        await go(screen, pilot, "old")
        await pilot.press("r")
        assert engine.commands(m.RetryJobs) == [m.RetryJobs(jobs=("old",))]
        await go(screen, pilot, "z")
        await pilot.press("r")
        (another,) = engine.commands(m.Generate)
        assert another.recipe == msgspec.structs.replace(
            another.recipe, prompt="a lighthouse by night", seed=another.recipe.seed
        )
        assert another.job not in ("z", "old")


async def test_a_waiting_job_is_edited_in_the_studio(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(app, pilot, engine)
        before = app.studio.drafting.read()
        await go(screen, pilot, "b")
        await pilot.press("enter")
        await settle(app, pilot)
        assert app.screen is app.studio
        assert app.studio.prompt.text == RECIPE.prompt
        assert app.studio.prompt.border_title == "prompt of a job that waits"
        assert app.studio.drafting.read() == before  # that is what the next start finds
        app.studio.prompt.load_text("a blue house")
        await pilot.press("enter")
        await settle(app, pilot)
        (edit,) = engine.commands(m.EditJob)
        assert edit.job == "b"
        changed = msgspec.structs.replace(RECIPE, prompt="a blue house", guidance_scale=9.0, batch_size=4)
        assert edit.recipe == changed
        assert engine.commands(m.HoldJobs) == [m.HoldJobs(jobs=("b",)), m.HoldJobs(jobs=("b",), held=False)]
        assert not engine.commands(m.Generate)
        assert app.studio.drafting.read() == before
        assert app.studio.prompt.border_title != "prompt of a job that waits"
        assert_back(app, "b", "The job is changed;")
        await pilot.press("escape", "enter")
        assert len(engine.commands(m.Generate)) == 1


async def test_an_edit_may_be_left(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(app, pilot, engine)
        before = app.studio.drafting.read()
        await go(screen, pilot, "c")  # held already, and held it stays
        await pilot.press("e")
        await settle(app, pilot)
        await pilot.press("escape")
        await settle(app, pilot)
        assert not engine.commands(m.EditJob)
        assert not engine.commands(m.HoldJobs)
        assert not engine.commands(m.Cancel)
        assert app.studio.drafting.read() == before
        assert_back(app, "c", "The job is as it was;")
        await pilot.press("up", "escape", "alt+q")
        await settle(app, pilot)
        assert isinstance(app.screen, QueueScreen)
        assert "The job is as it was" not in app.screen.query_one(MessageLine).text  # said once


async def test_the_footer_names_what_can_be_done_with_the_job(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(app, pilot)
        await pilot.press("alt+q")
        await settle(app, pilot)
        assert isinstance(app.screen, QueueScreen)
        assert footer_of(app)[:2] == ["without end", "back"]
        empty = app.screen.query_one(QueueList)
        shown = " ".join(empty.render_line(y).text.strip() for y in range(5))
        assert shown.strip().endswith("⌥e makes one after another.")
        some(engine)
        await settle(app, pilot)
        await go(app.screen, pilot, "a")
        assert footer_of(app)[:2] == ["edit", "hold"]
        await go(app.screen, pilot, "old")
        assert footer_of(app)[:2] == ["use its recipe", "again"]
        await go(app.screen, pilot, "a")
        await pilot.press("enter")
        await settle(app, pilot)
        assert footer_of(app)[:2] == ["put it back", "leave it as it was"]
        await pilot.press("escape", "escape")
        await settle(app, pilot)
        assert app.screen is app.studio
        assert "put it back" not in footer_of(app)


def footer_of(app: SdtuiApp) -> list[str]:
    return app.screen.query_one(FooterLine).labels


async def test_a_thousand_jobs_at_once_are_shown_once(
    make_app: MakeApp, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[float] = []

    def look(book: QueueBook, now: float) -> list[Line]:
        looks.append(now)
        return lines_of(book, now)

    monkeypatch.setattr("tui.screens.queue.screen.lines_of", look)
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(app, pilot, engine)
        before = len(looks)
        engine.tell(*(queued(f"n{number}") for number in range(1000)))
        await settle(app, pilot)
        assert len(screen.query_one(QueueList).texts) > 1000
        assert 0 < len(looks) - before < 100


def test_a_line_of_facts_ends_with_a_fact() -> None:
    notes = Notes()
    notes.show(" · ".join(f"fact {number}" for number in range(40)))
    for width in range(20, 80):
        lines = notes._lines(width)
        assert len(lines) > 1
        assert not any(line.strip("\u00a0 ").endswith("·") or line.startswith("·") for line in lines)


async def test_another_job_is_edited_without_a_return(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(app, pilot, engine)
        before = app.studio.drafting.read()
        await go(screen, pilot, "b")
        await pilot.press("enter", "alt+q")
        await settle(app, pilot)
        assert isinstance(app.screen, QueueScreen)
        await go(app.screen, pilot, "c")
        await pilot.press("enter")
        await settle(app, pilot)
        assert app.screen is app.studio
        assert app.queueing.editing.job == "c"
        await pilot.press("escape")
        await settle(app, pilot)
        assert_back(app, "c", "The job is as it was;")
        assert app.studio.drafting.read() == before


def assert_back(app: SdtuiApp, job: str, said: str) -> None:
    """The queue is looked at, the cursor on that job."""
    assert isinstance(app.screen, QueueScreen)
    item = app.screen.query_one(QueueList).item
    assert item is not None
    assert item.job == job
    assert app.screen.query_one(MessageLine).text.startswith(said)


async def test_a_recipe_that_failed_comes_to_the_studio(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(app, pilot, engine)
        await go(screen, pilot, "old")
        await pilot.press("enter")
        await settle(app, pilot)
        assert app.studio.read()[0] == RECIPE
        await pilot.press("enter")
        assert not engine.commands(m.EditJob)
        assert len(engine.commands(m.Generate)) == 1


async def test_the_queue_is_paused_cleared_and_made_endless(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(app, pilot, engine)
        await pilot.press("p")
        await settle(app, pilot)
        assert engine.commands(m.PauseQueue) == [m.PauseQueue()]
        engine.tell(m.QueueState(order=("a",), seconds=(1.0,), paused=True, forever=RECIPE))
        await settle(app, pilot)
        assert screen.query_one("#queue-summary", Caption).facts[0] == "paused"
        assert "without end" in screen.query_one("#queue-summary", Caption).facts
        assert "paused · without end" in app.studio.query_one("#head").text  # type: ignore[attr-defined]
        await pilot.press("p", "alt+e")
        await settle(app, pilot)
        assert engine.commands(m.PauseQueue)[1] == m.PauseQueue(paused=False)
        assert engine.commands(m.RunForever) == [m.RunForever()]
        engine.tell(m.QueueState())
        await settle(app, pilot)
        await pilot.press("escape", "alt+e")
        await settle(app, pilot)
        endless = engine.commands(m.RunForever)[1].recipe
        assert endless == app.studio.read()[0]
        await pilot.press("alt+q")
        await settle(app, pilot)
        await pilot.press("c")
        await settle(app, pilot)
        await pilot.press("enter")
        await settle(app, pilot)
        assert engine.commands(m.RemoveJobs) == [m.RemoveJobs(jobs=("a", "b", "c", "d"))]


async def test_an_empty_queue_says_what_to_do(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        engine.ready()
        await settle(app, pilot)
        await pilot.press("alt+q")
        await settle(app, pilot)
        for key in ("enter", "space", "K", "r", "d", "j", "G"):
            await pilot.press(key)
        assert isinstance(app.screen, QueueScreen)
        assert app.screen.query_one("#queue-summary", Caption).facts == ("nothing to be made",)
        assert not [one for one in engine.sent if isinstance(one, m.HoldJobs | m.MoveJob | m.RemoveJobs)]
        await pilot.press("escape")
        assert app.screen is app.studio


async def test_a_thousand_jobs_are_a_screenful(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(app, pilot, engine)
        names = [f"j{index}" for index in range(1000)]
        engine.tell(*(queued(name, prompt=name) for name in names))
        engine.tell(m.QueueState(order=tuple(names), seconds=(1.0,) * 1000))
        await settle(app, pilot)
        await pilot.press("G", "g", "pagedown")
        assert at(screen).startswith("j")
        assert len(lines_of(app.queueing.book, NOON)) > 1000


async def test_a_step_that_hangs_is_said_here_and_in_the_studio(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(app, pilot, engine)
        await go(screen, pilot, "run")
        engine.tell(m.JobStalled(job="run", seconds=61.0, message="Step 13 has taken 61 s: wait."))
        await settle(app, pilot)
        assert screen.query_one("#queue-reason", Notes).text == "Step 13 has taken 61 s: wait."
        assert app.studio.query_one("#message", MessageLine).text.startswith("Step 13 has taken 61 s: wait.")


async def test_a_dead_engine_empties_the_list_until_the_next_one_fills_it(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(app, pilot, engine)
        engine.tell(m.EngineFailed(message="The engine stopped."))
        await settle(app, pilot)
        assert lines(screen)[0] == "made"


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (200, 60)])
def test_how_it_looks(
    size: tuple[int, int], make_app: MakeApp, engine: FakeEngine, snap_compare: object
) -> None:
    app = make_app()

    async def before(pilot: Pilot[None]) -> None:
        screen = await opened(app, pilot, engine)
        await go(screen, pilot, "b")

    assert snap_compare(app, terminal_size=size, run_before=before)  # type: ignore[operator]
