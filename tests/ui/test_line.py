"""A line to an engine elsewhere that breaks and stands again."""

from __future__ import annotations

import asyncio

import pytest

from sdcore.engine import messages as m
from sdcore.spec.recipe import Recipe
from tests.ui.conftest import MakeApp, settle
from tests.ui.fake_engine import FakeEngine
from tui.line.holding import MOST_RESTARTS
from tui.widgets.head import HeadLine
from tui.widgets.status import MessageLine


async def test_a_broken_line_loses_nothing_and_says_so(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await app.studio.ready.wait()
        engine.tell(m.JobQueued(job="old", position=0, recipe=Recipe()))
        engine.tell(m.JobStarted(job="old", recipe=Recipe(), timesteps=(1.0, 0.0), sigmas=(1.0, 0.5, 0.0)))
        engine.tell(m.LineLost(message="The line to box broke; what is being made goes on there."))
        await settle(app, pilot)
        assert "line lost" in app.studio.query_one(HeadLine).text
        assert app.studio.query_one(MessageLine).tone == "alert"
        assert app.studio.view.book.running is not None
        assert not app.studio.view.engine_dead
        await pilot.press("ctrl+e", *" at dusk")
        assert app.studio.prompt.text.endswith(" at dusk")
        engine.tell(m.LineBack())
        engine.tell(m.JobQueued(job="new", position=0, recipe=Recipe()))
        await settle(app, pilot)
        assert "line lost" not in app.studio.query_one(HeadLine).text
        assert app.studio.view.book.running is None
        assert list(app.studio.view.book.waiting) == ["new"]
        assert engine.commands(m.SetPreview)


async def test_an_engine_that_dies_is_started_again_three_times(make_app: MakeApp) -> None:
    engines = [FakeEngine() for _ in range(MOST_RESTARTS + 1)]
    app = make_app(*engines)
    async with app.run_test(size=(120, 40)) as pilot:
        await app.studio.ready.wait()
        for number, engine in enumerate(engines):
            engine.ready()
            await settle(app, pilot)
            assert engine.connected
            engine.tell(
                m.EngineFailed(message="The engine stopped unexpectedly (killed by SIGSEGV).", died=True)
            )
            await settle(app, pilot)
            again = number < MOST_RESTARTS
            said = app.studio.query_one(MessageLine).text
            assert ("being started again" in said) == again
            assert app.studio.view.engine_dead == (not again)
        assert "Press Enter" in app.studio.query_one(MessageLine).text


async def test_a_job_that_the_engine_died_over_is_sent_to_the_next(make_app: MakeApp) -> None:
    first, second = FakeEngine(), FakeEngine()
    app = make_app(first, second)
    async with app.run_test(size=(120, 40)) as pilot:
        await app.studio.ready.wait()
        first.ready()
        await pilot.press("enter")
        known = first.commands(m.Generate)[-1]
        first.tell(m.JobQueued(job=known.job, position=0, recipe=known.recipe))
        await settle(app, pilot)
        await pilot.press("enter")
        unknown = first.commands(m.Generate)[-1]
        first.tell(m.EngineFailed(message="The engine stopped unexpectedly.", died=True))
        await settle(app, pilot)
        assert [command.job for command in second.commands(m.Generate)] == [unknown.job]


async def test_an_engine_that_was_ended_stays_so(make_app: MakeApp) -> None:
    first, second = FakeEngine(), FakeEngine()
    app = make_app(first, second)
    async with app.run_test(size=(120, 40)) as pilot:
        await app.studio.ready.wait()
        first.tell(m.EngineFailed(message="The engine was stopped by request."))
        await settle(app, pilot)
        assert not second.connected
        assert app.studio.view.engine_dead


async def test_what_was_set_aside_is_told(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await app.studio.ready.wait()
        engine.ready()
        for job in ("a", "b", "c"):
            engine.tell(m.JobQueued(job=job, position=0, recipe=Recipe()))
        engine.tell(
            m.QueueState(order=("a", "b", "c"), seconds=(None,) * 3, held={"a": "It died twice.", "b": ""})
        )
        await settle(app, pilot)
        assert app.studio.query_one(MessageLine).text == "A job is held in the queue (⌥q). It died twice."
        assert "1 queued · 2 held" in app.studio.query_one(HeadLine).text


async def test_events_that_come_at_once_leave_the_keys_their_turn(
    make_app: MakeApp, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.line.holding._LONGEST_SECONDS", 0.0)
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(app, pilot)
        engine.tell(
            *(m.JobQueued(job=f"job {place}", position=place, recipe=Recipe()) for place in range(100))
        )
        turns = 0
        while len(app.studio.view.book.waiting) < 100:
            await asyncio.sleep(0)
            turns += 1
        assert turns > 50
