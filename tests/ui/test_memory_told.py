"""What the studio says of memory: what the settings need, and what a run gives up."""

from __future__ import annotations

from sdcore.engine import messages as m
from sdcore.spec.recipe import Recipe
from tests.ui.conftest import MakeApp, settle
from tests.ui.fake_engine import FakeEngine
from tui.app import SdtuiApp
from tui.widgets.head import HeadLine
from tui.widgets.status import MessageLine

GIB = 1 << 30


def head(app: SdtuiApp) -> str:
    return app.studio.query_one(HeadLine).text


def answer(engine: FakeEngine, needed: float) -> m.SchedulePlanned:
    asked = engine.commands(m.PlanSchedule)[-1]
    return m.SchedulePlanned(
        request=asked.request,
        timesteps=(1.0,),
        sigmas=(1.0, 0.0),
        memory_needed=round(needed * GIB),
        memory_total=24 * GIB,
    )


async def test_what_the_settings_need_is_told_where_it_matters(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        for needed, said in ((0.2, ""), (9.1, "needs 9.1 of 24 GB"), (30.0, "needs 30.0 of 24 GB")):
            engine.tell(answer(engine, needed))
            await settle(app, pilot)
            assert ("needs" in head(app)) == bool(said)
            assert said in head(app)
        line = app.studio.query_one(HeadLine).render()
        alarm = next(span for span in line.spans if line.plain[span.start : span.end] == said)
        assert str(alarm.style) == "$alert"


async def test_a_loaded_model_and_another_size_are_weighed_anew(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        before = len(engine.commands(m.PlanSchedule))
        engine.tell(
            m.ModelLoaded(model="tiny", family="SD1", device="cpu", dtype="float32", seconds=1.0, parameters=1,
                          native_size=128, model_hash="0123456789")
        )  # fmt: skip
        await settle(app, pilot)
        assert len(engine.commands(m.PlanSchedule)) == before + 1
        app.studio.parameters.set_texts({"size": "256x256"})
        await settle(app, pilot)
        assert engine.commands(m.PlanSchedule)[-1].recipe.width == 256


async def test_what_a_run_gives_up_is_a_quiet_sentence(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        engine.tell(
            m.JobQueued(job="a", position=0, recipe=Recipe()),
            m.JobStarted(job="a", recipe=Recipe(), timesteps=(1.0,), sigmas=(1.0, 0.0)),
            m.JobNotice(job="a", message="Memory is short: [b]images[/b] are decoded one by one."),
        )
        await settle(app, pilot)
        line = app.studio.query_one(MessageLine)
        assert (line.text, line.tone) == ("Memory is short: [b]images[/b] are decoded one by one.", "quiet")
