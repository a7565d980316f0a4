"""Choices in the studio's prompt: drawn for each image by its seed, and told."""

from __future__ import annotations

from pathlib import Path

from textual.pilot import Pilot

from sdcore.engine import messages as m
from sdcore.spec.sweep.typed import Template
from tests.ui.conftest import MakeApp, settle
from tests.ui.fake_engine import FakeEngine
from tui.app import SdtuiApp
from tui.drafts import Draft
from tui.widgets.status import MessageLine

SIZE = (120, 40)


def message(app: SdtuiApp) -> MessageLine:
    return app.studio.query_one(MessageLine)


async def ready(app: SdtuiApp, pilot: Pilot[None], engine: FakeEngine) -> None:
    await settle(app, pilot)
    engine.ready()
    await settle(app, pilot)


async def test_the_recipe_holds_what_was_drawn_and_the_job_what_was_typed(
    make_app: MakeApp, engine: FakeEngine, private_home: Path
) -> None:
    (private_home / "wildcards").mkdir(parents=True)
    (private_home / "wildcards" / "pets.txt").write_text("cat\n")
    typed = "a {red|red} __pets__, (warm:1.2) [a|b] {x}"
    app = make_app(draft=Draft(prompt=typed))
    async with app.run_test(size=SIZE) as pilot:
        await ready(app, pilot, engine)
        await pilot.press("enter")
        await settle(app, pilot)
        (job,) = engine.commands(m.Generate)
        assert job.recipe.prompt == "a red cat, (warm:1.2) [a|b] {x}"
        assert job.template == Template(prompt=typed)
        assert app.studio.prompt.text == typed
        assert message(app).text == "drawn: red · cat"
        engine.start(job)
        await settle(app, pilot)
        assert message(app).text == "drawn: red · cat"
        image = m.SavedImage(path="/a/00001.png", recipe=job.recipe, width=8, height=8)
        engine.tell(m.JobFinished(job=job.job, images=(image,), seconds=1.0, steps_per_second=1.0))
        await pilot.pause()
        assert "drawn: red · cat" in message(app).text or not app.studio.view.book.busy


async def test_of_several_each_draws_by_its_own_seed(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app(draft=Draft(prompt="{a|b|c|d|e|f} {g|h|i|j|k|l}", seed_locked=True))
    async with app.run_test(size=SIZE) as pilot:
        await ready(app, pilot, engine)
        app.studio.parameters.set_texts({"count": "6"})
        await pilot.press("enter")
        await settle(app, pilot)
        jobs = engine.commands(m.Generate)
        first = jobs[0].recipe.seed
        assert [job.recipe.seed for job in jobs] == list(range(first, first + 6))
        assert len({job.recipe.prompt for job in jobs}) > 1
        app.studio.parameters.set_texts({"count": "1", "seed": str(first + 3)})
        await pilot.press("ctrl+g")
        await settle(app, pilot)
        assert engine.commands(m.Generate)[-1].recipe == jobs[3].recipe


async def test_a_locked_seed_draws_the_same_again(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app(draft=Draft(prompt="{a|b|c|d|e|f} {g|h|i|j|k|l}", seed_locked=True))
    async with app.run_test(size=SIZE) as pilot:
        await ready(app, pilot, engine)
        await pilot.press("enter", "enter", *["ctrl+n"] * 6)
        await settle(app, pilot)
        first, second, *others = [job.recipe.prompt for job in engine.commands(m.Generate)]
        assert first == second
        assert len({first, *others}) > 2


async def test_a_plain_prompt_goes_at_once(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app(draft=Draft(prompt="a house [a|b]"))
    async with app.run_test(size=SIZE) as pilot:
        await ready(app, pilot, engine)
        app.studio.action_generate()
        (job,) = engine.commands(m.Generate)
        assert (job.recipe.prompt, job.template) == ("a house [a|b]", None)


async def test_a_wildcard_without_a_file_is_told_and_left_as_it_is(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    app = make_app(draft=Draft(prompt="a __nothing__"))
    async with app.run_test(size=SIZE) as pilot:
        await ready(app, pilot, engine)
        await pilot.press("enter")
        await settle(app, pilot)
        (job,) = engine.commands(m.Generate)
        assert job.recipe.prompt == "a __nothing__"
        assert message(app).text == "There is no wildcard file called nothing."


async def test_what_cannot_be_drawn_is_said_and_nothing_is_lost(
    make_app: MakeApp, engine: FakeEngine, private_home: Path
) -> None:
    (private_home / "wildcards").mkdir(parents=True)
    (private_home / "wildcards" / "loop.txt").write_text("__loop__")
    app = make_app(draft=Draft(prompt="__loop__"))
    async with app.run_test(size=SIZE) as pilot:
        await ready(app, pilot, engine)
        await pilot.press("enter")
        await settle(app, pilot)
        assert engine.commands(m.Generate) == []
        assert "seems to name itself" in message(app).text
        assert message(app).tone == "alert"
        assert app.studio.prompt.text == "__loop__"
