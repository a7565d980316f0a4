"""The studio as a person uses it, on an engine that does what the test says."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path

import pytest
from PIL import Image
from textual import events

from sdcore.engine import messages as m
from sdcore.library.history import PromptHistory
from sdcore.library.outputs import save_image
from sdcore.spec.recipe import FIRST_PROMPT, FIRST_SEED, MAX_BATCH, MAX_SEED, Recipe
from tests.ui.conftest import MakeApp, settle
from tests.ui.fake_engine import FakeEngine
from tui import drafts
from tui.app import SdtuiApp
from tui.drafts import Draft
from tui.screens.lists.chooser import ChoiceList
from tui.widgets.head import HeadLine
from tui.widgets.plot import SchedulePlot
from tui.widgets.progress import ProgressLine
from tui.widgets.sigma_table import SigmaTable
from tui.widgets.status import FooterLine, MessageLine

SIZE = (120, 40)


def message(app: SdtuiApp) -> MessageLine:
    return app.studio.query_one(MessageLine)


def head(app: SdtuiApp) -> str:
    return app.studio.query_one(HeadLine).text


def progress(app: SdtuiApp) -> str:
    return app.studio.query_one(ProgressLine).text


def generated(engine: FakeEngine) -> list[Recipe]:
    return [command.recipe for command in engine.commands(m.Generate)]


async def test_the_first_prompt_is_ready_to_be_made(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        assert app.studio.prompt.has_focus
        await pilot.press("enter")
        assert generated(engine) == [
            Recipe(prompt=FIRST_PROMPT, seed=FIRST_SEED, sampler="LMS", steps=30, guidance_scale=7.5,
                   width=128, height=128)
        ]  # fmt: skip
        assert engine.commands(m.LoadModel) == [m.LoadModel(model="tiny")]


async def test_typing_lines_and_a_negative_prompt(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app(draft=Draft(prompt=""))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press(*"a [/b] cat", "ctrl+j", *"at night", "tab", *"rain", "enter")
        assert generated(engine)[0].prompt == "a [/b] cat\nat night"
        assert generated(engine)[0].negative_prompt == "rain"


async def test_a_paste_keeps_its_lines_and_shows_its_controls(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app(draft=Draft(prompt=""))
    async with app.run_test(size=SIZE) as pilot:
        app.studio.prompt.post_message(events.Paste("one\r\ntwo\x1b[31m\nthree"))
        await pilot.pause()
        assert app.studio.prompt.text == "one\ntwo\ufffd[31m\nthree"


async def test_tokens_are_counted_and_chunks_are_told(make_app: MakeApp) -> None:
    app = make_app(draft=Draft(prompt="a"))
    async with app.run_test(size=SIZE) as pilot:
        await app.studio.ready.wait()
        await settle(app, pilot)
        prompt = app.studio.prompt
        assert str(prompt.border_subtitle).endswith("of 75")
        prompt.show_tokens(82, 2)
        await pilot.pause()
        assert str(prompt.border_subtitle) == "82 of 150 tokens · 2 chunks"


async def test_enter_while_one_runs_queues_the_next(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        engine.ready()
        await pilot.press("enter")
        engine.start(engine.commands(m.Generate)[0])
        await pilot.pause()
        await pilot.press("x", "enter", "y", "enter")
        await pilot.pause()
        assert [recipe.prompt[-2:] for recipe in generated(engine)] == ["nt", "tx", "xy"]
        assert head(app) == "tiny · cpu float32 · 2 queued"
        assert "queue" in app.studio.query_one(FooterLine).labels
        assert app.studio.prompt.has_focus


async def test_a_run_moves_table_plot_and_progress(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await app.studio.ready.wait()
        engine.ready()
        await pilot.press("enter")
        job = engine.commands(m.Generate)[0]
        engine.start(job)
        engine.progress(job.job, 0, job.recipe, seconds=0.02)
        engine.progress(job.job, 4, job.recipe, passes=4, seconds=0.02)
        engine.tell(m.JobPreview(job=job.job, index=4, image=0, width=2, height=2, rgb=bytes(12)))
        table = app.studio.query_one(SigmaTable)
        while table.step != 4:  # progress is drawn a few times a second
            await pilot.pause(0.02)
        assert (table.step, table.row_count) == (4, 31)
        assert "".join(segment.text for segment in table.render_line(5)).split() == [
            "▸",
            "4",
            "861",
            "6.836",
            "20",
        ]
        assert progress(app) == "5/30 · 50 it/s · 0.5 s left"
        assert app.studio.gallery.canvas is not None
        assert app.studio.gallery.canvas._frame is not None


async def test_escape_among_the_recent_images_goes_back_and_stops_nothing(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await app.studio.ready.wait()
        engine.ready()
        await pilot.press("enter", "f6")
        engine.start(engine.commands(m.Generate)[0])
        await settle(app, pilot)
        assert "back" in app.studio.query_one(FooterLine).labels
        await pilot.press("escape")
        assert engine.commands(m.Cancel) == []
        assert app.studio.prompt.has_focus
        assert "stop" in app.studio.query_one(FooterLine).labels
        await pilot.press("escape")
        assert [command.job for command in engine.commands(m.Cancel)] == [engine.commands(m.Generate)[0].job]


async def test_a_finished_image_is_shown_kept_and_named(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await app.studio.ready.wait()
        engine.ready()
        await pilot.press("enter")
        job = engine.commands(m.Generate)[0]
        engine.start(job)
        path = finish(engine, job)
        await pilot.pause()
        await settle(app, pilot)
        await pilot.pause()
        assert app.studio.gallery.canvas is not None
        assert app.studio.gallery.canvas.image is not None
        assert app.studio.gallery.recent is not None
        assert list(app.studio.gallery.recent.paths) == [path]
        assert path.name in message(app).text
        assert progress(app) == "seed 1632 · 1.2 s · 31 it/s · 128 × 128"
        assert app.studio.query_one(SigmaTable).step is None


def finish(engine: FakeEngine, job: m.Generate, cancelled_at: int | None = None) -> Path:
    image = Image.new("RGB", (job.recipe.width, job.recipe.height), (200, 80, 40))
    path = save_image(image, job.recipe)
    saved = m.SavedImage(path=str(path), recipe=job.recipe, width=image.width, height=image.height)
    engine.tell(
        m.JobFinished(
            job=job.job, images=(saved,), seconds=1.24, steps_per_second=31.0, cancelled_at=cancelled_at
        )
    )
    return path


@pytest.mark.parametrize("key", ["escape", "ctrl+c"])
async def test_a_run_is_interrupted(make_app: MakeApp, engine: FakeEngine, key: str) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        engine.ready()
        await pilot.press("enter")
        job = engine.commands(m.Generate)[0]
        engine.start(job)
        await pilot.pause()
        await pilot.press(key)
        assert engine.commands(m.Cancel) == [m.Cancel(job=job.job)]
        engine.tell(m.JobCancelled(job=job.job, index=3))
        await pilot.pause()
        assert message(app).text == "Stopped after 3 of 30 steps; nothing was saved."
        assert not app.studio.view.book.busy
        assert app.studio.prompt.text == FIRST_PROMPT


async def test_what_is_held_keeps_nothing_busy(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        engine.ready()
        await pilot.press("enter", "enter")
        await settle(app, pilot)
        first, second = (command.job for command in engine.commands(m.Generate))
        book = app.studio.view.book
        engine.tell(m.QueueState(order=(first, second), seconds=(None, None), held={first: ""}))
        await pilot.pause()
        assert book.busy
        engine.tell(m.QueueState(order=(first, second), seconds=(None, None), held={first: "", second: ""}))
        await pilot.pause()
        assert not book.busy
        assert len(book.waiting) == 2
        engine.tell(m.QueueState(order=(first, second), seconds=(None, None), held={}))
        await pilot.pause()
        assert book.busy


async def test_the_image_so_far_can_be_kept(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("ctrl+s")
        assert engine.commands(m.Cancel) == []
        await pilot.press("enter")
        job = engine.commands(m.Generate)[0]
        engine.start(job)
        await pilot.pause()
        await pilot.press("ctrl+s")
        assert engine.commands(m.Cancel) == [m.Cancel(job=job.job, keep=True)]
        finish(engine, job, cancelled_at=11)
        await pilot.pause()
        assert message(app).text.startswith("saved as it was after step 12 ")


async def test_seeds(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        assert "random" not in app.studio.parameters.text
        await pilot.press("enter", "ctrl+g")
        assert "↻ random" in app.studio.parameters.text
        await pilot.press("enter", "ctrl+n", "ctrl+l", "enter", "enter", "ctrl+n")
        assert "⚿ locked" in app.studio.parameters.text
        seeds = [recipe.seed for recipe in generated(engine)]
        assert seeds[0] == seeds[1] == FIRST_SEED
        assert len({*seeds[1:4]}) == 3  # Enter and ^N draw new ones
        assert seeds[3] == seeds[4] == seeds[5]  # locked
        assert seeds[6] != seeds[5]  # asked for
        assert app.studio.parameters.texts["seed"] == str(seeds[6])


async def test_what_is_refused_leaves_the_seed_of_the_last_image(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("enter")
        app.studio.parameters.set_texts({"steps": "0"})
        await pilot.press("enter", "ctrl+n")
        assert app.studio.parameters.texts["seed"] == str(FIRST_SEED)
        app.studio.parameters.set_texts({"steps": "30"})
        await pilot.press("ctrl+g")
        assert [recipe.seed for recipe in generated(engine)] == [FIRST_SEED, FIRST_SEED]
        app.studio.parameters.set_texts({"seed": "no number"})
        await pilot.press("ctrl+n")
        assert len(generated(engine)) == 3


async def test_a_typed_seed_is_locked(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("tab", "tab", *["up"] * 4, "4", "2", "enter", "enter")
        assert [recipe.seed for recipe in generated(engine)] == [42, 42]


async def test_enter_queues_as_many_as_the_panes_count(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await settle(app, pilot)
        app.studio.parameters.go_to("count")
        await pilot.press("3", "enter")
        assert [recipe.seed for recipe in generated(engine)] == [FIRST_SEED, FIRST_SEED + 1, FIRST_SEED + 2]
        assert app.studio.parameters.texts["seed"] == str(FIRST_SEED)
        app.studio.parameters.set_texts({"batch": "4", "count": "2"})
        await pilot.pause()
        assert "2  8 images" in app.studio.parameters.text
        await pilot.press("ctrl+g")
        assert [(one.seed, one.batch_size) for one in generated(engine)[3:]] == [
            (FIRST_SEED, 4), (FIRST_SEED + 4, 4)
        ]  # fmt: skip
        app.studio.parameters.set_texts({"batch": "1", "variation": "0.2", "variation seed": "7"})
        await pilot.press("ctrl+g")
        assert [(one.seed, one.variation_seed) for one in generated(engine)[5:]] == [
            (FIRST_SEED, 7), (FIRST_SEED, 8)
        ]  # fmt: skip


async def test_the_count_belongs_to_no_image(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await settle(app, pilot)
        app.studio.parameters.set_texts({"count": "5"})
        app.studio.parameters.set_recipe(Recipe(steps=7))
        assert app.studio.parameters.texts["count"] == "5"
        assert app.studio.drafting.read().rows["count"] == "5"
        await pilot.press("alt+e")
        await pilot.pause()
        assert len(engine.commands(m.RunForever)) == 1
        assert not generated(engine)
        app.studio.parameters.go_to("count")
        await pilot.press("plus")
        assert app.studio.parameters.count == 6
        await pilot.press("delete")
        assert app.studio.parameters.count == 1


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ({"count": "0"}, "Type how many to queue, from 1 to 100."),
        ({"count": "101"}, "Type how many to queue, from 1 to 100."),
        ({"count": ""}, "Type how many to queue, from 1 to 100."),
        ({"count": "2", "seed": str(MAX_SEED - MAX_BATCH)}, "Seed must be"),
    ],
)
async def test_a_count_that_cannot_be_is_refused(
    make_app: MakeApp, engine: FakeEngine, texts: dict[str, str], said: str
) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        app.studio.parameters.set_texts(texts)
        await pilot.press("enter")
        assert said in message(app).text
        assert not generated(engine)


async def test_history_is_walked_and_kept(make_app: MakeApp, engine: FakeEngine) -> None:
    PromptHistory().add(Recipe(prompt="the oldest"))
    PromptHistory().add(Recipe(prompt="the newest"))
    app = make_app(draft=Draft(prompt="being written"))
    async with app.run_test(size=SIZE) as pilot:
        await app.studio.ready.wait()
        prompt = app.studio.prompt
        seen = []
        for key in ("up", "up", "up", "down", "down", "down"):
            await pilot.press(key)
            seen.append(prompt.text)
        assert seen == [
            "the newest",
            "the oldest",
            "the oldest",
            "the newest",
            "being written",
            "being written",
        ]
        await pilot.press("enter")
        await settle(app, pilot)
        assert [entry.prompt for entry in PromptHistory().entries] == [
            "the oldest",
            "the newest",
            "being written",
        ]
        await pilot.press("ctrl+r", *"old", "enter")
        await pilot.pause()
        assert prompt.text == "the oldest"


async def test_up_inside_a_long_prompt_moves_the_cursor(make_app: MakeApp) -> None:
    PromptHistory().add(Recipe(prompt="another"))
    app = make_app(draft=Draft(prompt="word " * 30))
    async with app.run_test(size=SIZE) as pilot:
        await app.studio.ready.wait()
        await pilot.press("up")
        assert app.studio.prompt.text == "word " * 30


async def test_parameters_are_checked_as_they_are_typed(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("tab", "tab", "down", "1", "0", "0")
        panel = app.studio.parameters
        assert panel.row == "size"
        assert "multiple of 8: 96 or 104" in " ".join(panel.text.split())
        await pilot.press("enter")
        assert generated(engine) == []
        assert "multiple of 8" in message(app).text
        assert panel.texts["size"].replace(" ", "") in ("100", "100×100")
        await pilot.press("9", "6", "x", "6", "4", "enter")
        assert (generated(engine)[0].width, generated(engine)[0].height) == (96, 64)


async def test_plus_minus_and_rows(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("tab", "tab", "down", "down", "+", "right", "minus")
        await pilot.press("down", "minus", "down", "right", "down", "right", "down", "down", "+")
        texts = app.studio.parameters.texts
        assert {name: texts[name] for name in ("steps", "guidance", "sampler", "schedule", "batch")} == {
            "steps": "31", "guidance": "7", "sampler": "Euler", "schedule": "Karras", "batch": "2",
        }  # fmt: skip


async def test_nothing_that_was_typed_is_lost(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("tab", "tab", "down", "down", *"9999", "tab", "shift+tab")
        assert app.studio.parameters.texts["steps"] == "9999"
        await pilot.press("backspace", "enter")
        assert generated(engine)[0].steps == 999


async def test_a_schedule_that_the_sampler_cannot_follow_is_told(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        panel = app.studio.parameters
        panel.set_texts({"sampler": "DDIM", "schedule": "Karras"})
        await pilot.pause()
        assert "DDIM cannot follow the Karras schedule" in " ".join(panel.text.split())


async def test_the_chooser_shows_what_samplers_do(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("tab", "tab", *["down"] * 4, "enter")
        await pilot.pause()
        await pilot.press(*"unip", "enter")
        await pilot.pause()
        assert app.studio.parameters.texts["sampler"] == "UniPC"


async def test_the_plan_follows_the_settings(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await settle(app, pilot)
        before = len(engine.commands(m.PlanSchedule))
        await pilot.press("tab", "tab", "down", "down", "1", "2")
        await settle(app, pilot)
        plans = engine.commands(m.PlanSchedule)
        assert len(plans) == before + 1  # "1" alone was not worth a question
        assert plans[-1].recipe.steps == 12
        engine.plan(12)
        await pilot.pause()
        assert app.studio.query_one(SigmaTable).row_count == 13
        assert len(app.studio.query_one(SchedulePlot)._sigmas) == 13


async def test_the_times_of_a_run_stay_until_its_schedule_goes(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await settle(app, pilot)
        engine.ready()
        await pilot.press("enter")
        job = engine.commands(m.Generate)[0]
        engine.start(job)
        engine.progress(job.job, 29, job.recipe, passes=30)
        finish(engine, job)
        await settle(app, pilot)
        table = app.studio.query_one(SigmaTable)

        def times() -> list[str]:
            return [table.render_line(y).text.split()[-1] for y in range(1, 4)]

        assert times() == ["32", "32", "32"]
        app.studio.planning.ask()  # as after another guidance scale
        engine.plan(30)
        await settle(app, pilot)
        assert times() == ["32", "32", "32"]
        engine.plan(12)
        await settle(app, pilot)
        assert "32" not in times()


async def test_an_old_plan_is_not_taken(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        engine.tell(m.SchedulePlanned(request=-1, timesteps=(1.0,), sigmas=(1.0, 0.0)))
        await pilot.pause()
        assert app.studio.query_one(SigmaTable).row_count == 0


async def test_while_the_engine_starts_enter_queues(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        engine.tell(m.EngineStarting(stage="torch", fraction=0.3))
        await pilot.pause()
        assert progress(app) == "starting torch"
        await pilot.press("enter")
        assert head(app) == "tiny · engine starting · 1 queued"
        engine.ready()
        engine.tell(m.ModelLoading(model="tiny", stage="unet", fraction=0.5))
        await pilot.pause()
        assert progress(app) == "unet · loading tiny"


async def test_a_failed_job_says_why_and_loses_nothing(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        engine.ready()
        await pilot.press("enter")
        job = engine.commands(m.Generate)[0]
        engine.start(job)
        engine.tell(m.JobFailed(job=job.job, message="There is no space [/left] on the disk\x1b[2J."))
        await pilot.pause()
        assert message(app).text == "There is no space [/left] on the disk\ufffd[2J."
        assert message(app).tone == "alert"
        assert app.studio.prompt.text == FIRST_PROMPT
        await pilot.press("enter")
        assert len(generated(engine)) == 2


async def test_what_was_wrong_with_a_prompt_is_said_until_it_is_changed(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    wrong = "There is no LoRA called 'inkk'; did you mean ink?"
    app = make_app(draft=Draft(prompt="<lora:inkk:1>"))
    async with app.run_test(size=SIZE) as pilot:
        engine.ready()
        await pilot.press("enter")
        engine.tell(m.JobFailed(job=engine.commands(m.Generate)[-1].job, message=wrong))
        await pilot.pause()
        assert message(app).text == wrong
        await pilot.press("left")
        assert message(app).text == wrong
        await pilot.press("x")
        assert message(app).text == ""
        await pilot.press("enter", "y")  # the next prompt is being typed
        engine.tell(m.JobFailed(job=engine.commands(m.Generate)[-1].job, message=wrong))
        await pilot.pause()
        await pilot.press("z")
        assert message(app).text == wrong


async def test_what_is_wrong_with_a_row_is_said_until_it_is_changed(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        app.studio.parameters.set_texts({"steps": ""})
        await pilot.press("enter")
        assert message(app).tone == "alert"
        await pilot.press("5")
        assert message(app).text == ""


async def test_a_model_that_cannot_be_loaded(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        engine.tell(m.ModelFailed(model="nope", message="There is no model called nope; try tiny."))
        await pilot.pause()
        assert message(app).text == "There is no model called nope; try tiny."
        await pilot.press("x")
        assert message(app).text == "There is no model called nope; try tiny."
        engine.tell(m.ModelLoading(model="nope", stage="unet", fraction=0.5))
        await pilot.pause()
        assert message(app).text == ""


async def test_a_dead_engine_is_started_again_by_enter(make_app: MakeApp, engine: FakeEngine) -> None:
    second = FakeEngine()
    app = make_app(engine, second)
    async with app.run_test(size=SIZE) as pilot:
        engine.ready()
        await pilot.press("enter", "enter")
        engine.tell(m.EngineFailed(message="The engine died."))
        await pilot.pause()
        assert message(app).text.startswith("The engine died. Press Enter")
        assert "2 unfinished images wait for it" in message(app).text
        assert head(app).endswith("engine stopped")
        await pilot.press("enter")
        await pilot.pause()
        assert second.connected
        assert len(second.commands(m.Generate)) == 3  # the two that no engine has acknowledged, too
        second.ready()
        await pilot.pause()
        assert head(app) == "tiny · cpu float32 · 1 queued"


async def test_an_engine_that_cannot_be_reached(make_app: MakeApp) -> None:
    app = make_app(FakeEngine(unreachable="The engine could not be started."))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        assert message(app).text == "The engine could not be started. Press Enter to try again."
        assert app.studio.prompt.has_focus


async def test_the_editor_brings_the_prompt_back(
    make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "editor"
    script.write_text("#!/bin/sh\nprintf ' and more\\nlines' >> \"$1\"\n")
    script.chmod(0o755)
    monkeypatch.setenv("VISUAL", str(script))
    app = make_app(draft=Draft(prompt="a cat"))
    async with app.run_test(size=SIZE) as pilot:
        monkeypatch.setattr(app, "suspend", nullcontext)
        await pilot.press("f4")
        assert app.studio.prompt.text == "a cat and more\nlines"


@pytest.mark.parametrize("command", ["/nowhere/editor", "false", "'unclosed"])
async def test_an_editor_that_fails_leaves_the_prompt(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("VISUAL", command)
    app = make_app(draft=Draft(prompt="a cat"))
    async with app.run_test(size=SIZE) as pilot:
        monkeypatch.setattr(app, "suspend", nullcontext)
        await pilot.press("f4")
        assert app.studio.prompt.text == "a cat"
        assert message(app).tone == "alert"


async def test_what_was_typed_is_there_the_next_time(make_app: MakeApp) -> None:
    app = make_app(draft=Draft(prompt=""))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press(*"half a xq", "tab", "tab", "down", "down", *"0", "ctrl+l")
        await pilot.press("ctrl+q")
    drafts.save(app.draft)
    kept = drafts.load()
    assert (kept.prompt, kept.rows["steps"], kept.seed_locked) == ("half a xq", "0", True)
    again = make_app(FakeEngine(), draft=kept)
    async with again.run_test(size=SIZE):
        assert again.studio.prompt.text == "half a xq"
        assert again.studio.drafting.read() == kept


def test_a_spoilt_draft_is_the_first_one(private_home: Path) -> None:
    state = private_home / "state"
    state.mkdir(parents=True)
    (state / "draft.json").write_bytes(b"\xff{")
    assert drafts.load() == Draft()


async def test_an_older_image_is_looked_at_and_its_recipe_used(make_app: MakeApp, engine: FakeEngine) -> None:
    recipe = Recipe(
        prompt="an old boat", negative_prompt="rain", seed=7, steps=12, sampler="Euler", width=96, height=64
    )
    save_image(Image.new("RGB", (96, 64)), recipe)
    save_image(Image.new("RGB", (96, 64)), Recipe(prompt="newer", seed=8))
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await app.studio.ready.wait()
        await pilot.press("f6", "right")
        await settle(app, pilot)
        assert "seed 7 · Euler 12" in message(app).text
        await pilot.press("enter")
        await settle(app, pilot)
        await pilot.press("enter")  # what changes is listed first
        await settle(app, pilot)
        await pilot.press("enter")
        assert generated(engine) == [recipe]


async def test_quitting_with_work_left_asks(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("enter", "ctrl+q")
        await pilot.pause()
        await pilot.press("escape")
        await pilot.pause()
        assert app.screen is app.studio
        await pilot.press("ctrl+q")
        await pilot.pause()
        await pilot.press("down", "enter")
        await pilot.pause()
    assert engine.commands(m.Shutdown) == [m.Shutdown(when_idle=False)]
    assert not engine.commands(m.RemoveJobs)
    assert engine.closed


async def test_leaving_what_has_no_end_says_so(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await settle(app, pilot)
        engine.tell(m.QueueState(forever=Recipe()))
        await settle(app, pilot)
        await pilot.press("ctrl+q")
        await pilot.pause()
        options = app.screen.query_one(ChoiceList)
        assert "until it is told to end" in str(options.get_option_at_index(1).prompt)
        await pilot.press("enter")
        await pilot.pause()
    assert engine.commands(m.Shutdown) == [m.Shutdown(when_idle=True)]


async def test_quitting_may_drop_what_is_left(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("enter", "ctrl+q")
        await pilot.pause()
        await pilot.press("down", "down", "enter")
        await pilot.pause()
    (job,) = engine.commands(m.Generate)
    assert engine.commands(m.RemoveJobs) == [m.RemoveJobs(jobs=(job.job,))]
    assert engine.commands(m.Shutdown) == [m.Shutdown(when_idle=False)]


async def test_quitting_with_nothing_but_held_jobs_asks_nothing(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await app.studio.ready.wait()
        engine.tell(m.JobQueued(job="a", position=0, recipe=Recipe()))
        engine.tell(m.QueueState(order=("a",), seconds=(None,), held={"a": ""}))
        await settle(app, pilot)
        await pilot.press("ctrl+q")
    assert engine.commands(m.Shutdown) == [m.Shutdown(when_idle=True)]


async def test_images_without_end_are_asked_about(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await app.studio.ready.wait()
        engine.tell(m.QueueState(forever=Recipe()))
        await settle(app, pilot)
        await pilot.press("ctrl+q")
        await pilot.pause()
        assert app.screen is not app.studio
        await pilot.press("down", "down", "enter")
        await pilot.pause()
    assert engine.commands(m.RunForever) == [m.RunForever()]


async def test_a_step_that_hangs_is_ended_by_force(make_app: MakeApp, engine: FakeEngine) -> None:
    other = FakeEngine()
    app = make_app(engine, other)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("enter")
        engine.start(engine.commands(m.Generate)[0])
        engine.tell(
            m.JobStalled(job=engine.commands(m.Generate)[0].job, seconds=61.0, message="Step 1 hangs.")
        )
        await settle(app, pilot)
        assert "Step 1 hangs. ⌥o does that." in app.studio.query_one(MessageLine).text
        await pilot.press("alt+o")
        await pilot.pause()
        await pilot.press("down", "enter")
        await settle(app, pilot)
        assert engine.commands(m.Shutdown) == [m.Shutdown(by_force=True)]
        engine.tell(m.EngineFailed(message="The engine was ended by force.", died=True))
        await settle(app, pilot)
        assert other.connected


async def test_quitting_with_nothing_left_ends_the_engine_when_idle(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("ctrl+q")
    assert engine.commands(m.Shutdown) == [m.Shutdown(when_idle=True)]
    assert app.return_code == 0


async def test_help_opens_and_closes(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("f1")
        assert app.screen is not app.studio
        await pilot.press("f1")
        assert app.screen is app.studio


async def test_steps_fold_behind_a_key_on_a_small_screen(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        right, middle = app.studio.query_one("#right"), app.studio.query_one("#middle")
        assert (right.display, middle.display) == (False, True)
        await pilot.press("f3")
        assert (right.display, middle.display) == (True, False)
        await pilot.press("f3")
        assert (right.display, middle.display) == (False, True)


def test_no_torch_is_imported(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys, tui.app; print([n for n in ('torch', 'numpy', 'PIL', 'tokenizers') if n in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert found.stdout.strip() == "[]"


async def test_the_row_in_focus_is_marked_at_once(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(app, pilot)
        for keys, marked in ((("tab", "tab"), True), (("shift+tab",), False)):
            await pilot.press(*keys)
            await settle(app, pilot)
            assert any("▸" in strip.text for strip in app.screen._compositor.render_strips()) is marked
