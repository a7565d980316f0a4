"""The inspector as a person uses it, on a run that was never sampled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import msgspec
import numpy as np
import pytest
from rich.console import Console
from rich.segment import Segment
from textual.pilot import Pilot
from textual.strip import Strip

from sdcore.engine import messages as m
from sdcore.spec.lineage import Parent
from sdcore.spec.recipe import Recipe
from sdcore.spec.views import Picture
from tests.ui.conftest import MakeApp, settle
from tests.ui.fake_engine import FakeEngine
from tests.ui.recorded_run import FILE, SIDE, RecordedRun
from tui.app import SdtuiApp
from tui.screens.inspector.attention import AttentionTab, lit
from tui.screens.inspector.fork import EXACT, INEXACT, ForkForm
from tui.screens.inspector.inspecting import source_of
from tui.screens.inspector.latents import channel_lines
from tui.screens.inspector.schedule import ScheduleTab, ScheduleTable
from tui.screens.inspector.screen import Inspector
from tui.term.frames import LiveStrip, frame_strips, joined
from tui.traces import step_key
from tui.widgets.bar_plot import BarPlot, bar_heights
from tui.widgets.head import HeadLine
from tui.widgets.notes import Notes
from tui.widgets.overlay_plot import OverlayPlot
from tui.widgets.parameters import Parameters
from tui.widgets.picture_grid import Panel, PictureGrid, arrange
from tui.widgets.scrubber import Scrubber
from tui.widgets.status import FooterLine, MessageLine
from tui.widgets.token_list import TokenList
from tui.widgets.token_table import TokenTable

SIZE = (120, 40)


@asynccontextmanager
async def inspecting(
    make_app: MakeApp, engine: FakeEngine, run: RecordedRun, size: tuple[int, int] = SIZE
) -> AsyncIterator[tuple[SdtuiApp, Inspector, Pilot[None]]]:
    """The app with the inspector open on `run`."""
    engine.answer = run.answer
    app = make_app()
    async with app.run_test(size=size) as pilot:
        await settle(app, pilot)
        engine.ready()
        app.inspecting.open(f"{FILE}.png")
        await settle(app, pilot)
        assert isinstance(app.screen, Inspector)
        yield app, app.screen, pilot


def said(screen: Inspector) -> str:
    return screen.query_one(MessageLine).text


def notes(screen: Inspector) -> str:
    return screen.tab.query_one(Notes).text


def grid(screen: Inspector) -> PictureGrid:
    return screen.tab.query_one(PictureGrid)


async def test_opening_stepping_and_leaving(make_app: MakeApp, engine: FakeEngine) -> None:
    async with inspecting(make_app, engine, RecordedRun()) as (app, screen, pilot):
        assert engine.commands(m.OpenTrace)[0].source == f"{FILE}.png"
        assert screen.place.step == 29
        assert screen.query_one(Scrubber).text == "k 29/30 · t   0 · σ  0.029 ·  33 ms"
        await pilot.press("left", "left", "right")
        assert screen.place.step == 28
        await pilot.press("home", "left")
        assert screen.place.step == 0
        await pilot.press("end", "right")
        assert screen.place.step == 29
        await pilot.press("escape")
        assert app.screen is app.studio


async def test_a_run_that_cannot_be_opened_is_told_and_nothing_is_lost(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await settle(app, pilot)
        await pilot.press(*" now")
        typed = app.studio.prompt.text
        app.inspecting.open(f"{FILE}.png")
        request = engine.commands(m.OpenTrace)[0].request
        engine.tell(
            m.TraceFailed(request=request, message="This image has no trace; make it again with F2 in mind.")
        )
        await settle(app, pilot)
        assert app.screen is app.studio
        message = app.studio.query_one(MessageLine)
        assert (message.text, message.tone) == (
            "This image has no trace; make it again with F2 in mind.",
            "alert",
        )
        assert app.studio.prompt.text == typed


async def test_f2_opens_the_running_job(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await settle(app, pilot)
        await pilot.press("f2")
        await pilot.pause()
        assert app.studio.query_one(MessageLine).text.startswith("There is no run yet")
        await pilot.press("enter")
        job = engine.commands(m.Generate)[0]
        engine.start(job)
        await pilot.pause()
        await pilot.press("f2")
        assert engine.commands(m.OpenTrace)[0].source == job.job


def test_what_is_looked_at_goes_before_what_runs(tmp_path) -> None:  # type: ignore[no-untyped-def]
    old, new = tmp_path / "old.png", tmp_path / "new.png"
    assert source_of("job", old, old) == str(old)
    assert source_of("job", None, new) == "job"
    assert source_of(None, None, new) == str(new)
    assert source_of(None, None, None) is None


async def test_a_run_that_goes_on_grows(make_app: MakeApp, engine: FakeEngine) -> None:
    run = RecordedRun(recorded=5, images=())
    engine.answer = run.answer
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await settle(app, pilot)
        await pilot.press("enter")
        job = engine.commands(m.Generate)[0]
        engine.start(job)
        await pilot.pause()
        await pilot.press("f2")
        await settle(app, pilot)
        screen = app.screen
        assert isinstance(screen, Inspector)
        assert screen.place.step == 4
        await pilot.press("right")
        assert screen.place.step == 4
        engine.progress(job.job, 7, job.recipe, passes=4, seconds=0.05)
        await pilot.pause()
        assert (screen.place.step, screen.place.info.recorded, len(screen.place.info.seconds)) == (4, 8, 8)
        assert "8 recorded" in screen.query_one(Scrubber).text
        await pilot.press("end")
        assert screen.place.step == 7
        run.info = msgspec.structs.replace(RecordedRun().info, images=(f"{FILE}.png",))
        engine.tell(m.JobFinished(job=job.job, images=(), seconds=1.0, steps_per_second=30.0))
        await settle(app, pilot)
        assert screen.place.info.recorded == 30
        assert screen.place.step == 7
        assert "00001-1632-a-house" in screen.query_one(HeadLine).text


async def test_events_that_come_before_the_widgets_and_after_leaving(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    run = RecordedRun(recorded=5)
    async with inspecting(make_app, engine, run) as (app, _screen, pilot):
        fresh = Inspector(app.inspecting, run.info)
        progress = m.JobProgress(job="job", index=6, total=30, timestep=1.0, sigma=1.0, seconds=(0.1, 0.1))
        fresh.progressed(progress)
        fresh.update(run.info)
        fresh.say("Nothing is lost.")
        fresh.terminal_answered()
        fresh.planned(m.SchedulePlanned(request=-1))
        fresh.view_came(step_key(fresh.place))
        run.held.add("step")
        await pilot.press("home", "escape")
        engine.tell(*run.release(), progress, m.EngineFailed(message="It is gone."))
        await settle(app, pilot)
        assert app.screen is app.studio


async def test_nothing_is_asked_before_a_step_is_recorded(make_app: MakeApp, engine: FakeEngine) -> None:
    run = RecordedRun(recorded=0)
    async with inspecting(make_app, engine, run) as (_, screen, pilot):
        await pilot.press(*"12345", "left", "right", "space", "f")
        assert run.questions == []
        assert said(screen) == "A fork leaves a run after one of its steps; go to one first."


async def test_steps_are_fetched_once_and_ahead(make_app: MakeApp, engine: FakeEngine) -> None:
    run = RecordedRun()
    async with inspecting(make_app, engine, run) as (app, _screen, pilot):
        await pilot.press("home")
        await settle(app, pilot)
        for _ in range(4):
            await pilot.press("right")
            await pilot.pause()
        assert {5, 6} <= set(run.asked("step"))  # the next two, before they are wanted
        await pilot.press("left", "left", "right")
        await settle(app, pilot)
        assert len(run.asked("step")) == len(set(run.asked("step")))


async def test_a_stale_answer_does_not_show(make_app: MakeApp, engine: FakeEngine) -> None:
    run = RecordedRun()
    async with inspecting(make_app, engine, run) as (app, screen, pilot):
        shown = grid(screen).panels
        run.held.add("step")
        await pilot.press("home", "right", "right", "right", "end")
        await settle(app, pilot)
        engine.tell(*run.release())
        await settle(app, pilot)
        assert screen.place.step == 29
        assert grid(screen).panels == shown


async def test_playing_stops_by_itself_and_by_its_key(make_app: MakeApp, engine: FakeEngine) -> None:
    async with inspecting(make_app, engine, RecordedRun(Recipe(prompt="a house", steps=4))) as (
        _,
        screen,
        pilot,
    ):
        await pilot.press("space")
        assert screen.place.step == 0
        async with asyncio.timeout(20):
            while screen.place.step < 3 or screen._player is not None:
                await pilot.pause(0.05)
        await pilot.press("left", "space", "space")
        assert screen._player is None


async def test_playing_waits_for_what_is_to_be_seen(make_app: MakeApp, engine: FakeEngine) -> None:
    run = RecordedRun()
    async with inspecting(make_app, engine, run) as (_, screen, pilot):
        run.held.add("step")
        await pilot.press("space")
        for _ in range(3):
            screen._play_on()
        assert screen.place.step == 0


# The tabs


async def test_tabs_are_reached_by_digits_and_by_tab(make_app: MakeApp, engine: FakeEngine) -> None:
    async with inspecting(make_app, engine, RecordedRun()) as (app, screen, pilot):
        for key, name in zip(
            "123456", ("Text", "Schedule", "Latents", "Steps", "Guidance", "Attention"), strict=True
        ):
            await pilot.press(key)
            assert name == screen.tab.NAME
            assert {"back", "help", "commands"} <= set(screen.query_one(FooterLine).labels)
        await pilot.press("tab")
        assert screen.tab.NAME == "Text"
        await pilot.press("shift+tab", "f1")
        await pilot.pause()
        assert app.screen is not screen  # the help of this tab
        await pilot.press("escape", "ctrl+p", *"contact", "enter")
        await settle(app, pilot)
        assert screen.tab.NAME == "Steps"


async def test_the_text_tab_tells_kinds_apart_and_folds_padding(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    run = RecordedRun(Recipe(prompt="a [/b] house"), left_out="and\x1b[31m a tree")
    async with inspecting(make_app, engine, run) as (_, screen, pilot):
        await pilot.press("1")
        await settle(pilot.app, pilot)
        table = screen.query_one("#prompt-tokens", TokenTable)
        lines = [table.render_line(y).text.strip() for y in range(10)]
        assert lines[1].split()[:4] == ["0", "49406", "⊢", "<|startoftext|>"]
        assert lines[3].split()[:3] == ["2", "334", "[/b]"]
        assert lines[4].split()[-4:] == ["word", "1", "27.96", "20.17"]
        assert lines[5].split()[2] == "⊣"
        assert lines[6].startswith("5–76 49407 · padding × 72")
        assert lines[8] == "✕ not shown: and\ufffd[31m a tree"
        assert table.border_subtitle == "3 of 75"
        assert "prompt embeddings (1, 77, 768)" in notes(screen)
        assert "positional embedding" in notes(screen)
        await pilot.press("e")
        await settle(pilot.app, pilot)
        assert len(table.rows) == 77
        await pilot.press("pagedown")
        await pilot.pause()
        assert table.scroll_offset.y == 10


async def test_without_guidance_there_is_no_negative_prompt_and_no_plot(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    run = RecordedRun(Recipe(prompt="a house", guidance_scale=1.0))
    async with inspecting(make_app, engine, run) as (app, screen, pilot):
        await pilot.press("1")
        await settle(pilot.app, pilot)
        assert (
            "nothing is unconditional" in screen.query_one("#negative-tokens", TokenTable).render_line(0).text
        )
        await pilot.press("5")
        await settle(app, pilot)
        assert grid(screen).hint.startswith("This run has no guidance")
        assert not screen.query_one("#guidance-plots").display


async def test_the_schedule_is_overlaid_by_each_other(make_app: MakeApp, engine: FakeEngine) -> None:
    async with inspecting(make_app, engine, RecordedRun()) as (app, screen, pilot):
        await pilot.press("2")
        await settle(app, pilot)
        asked = [command for command in engine.commands(m.PlanSchedule) if command.request < 0]
        assert [command.recipe.schedule for command in asked] == [
            "Karras",
            "exponential",
            "beta",
            "SGM uniform",
        ]
        assert {command.recipe.steps for command in asked} == {30}
        tab, plot = screen.query_one(ScheduleTab), screen.query_one(OverlayPlot)
        seen = []
        for _ in range(4):
            seen.append((tab.overlaid, plot.overlaid))
            await pilot.press("down")
        assert [name for name, _ in seen] == [command.recipe.schedule for command in asked]
        assert len({sigmas for _, sigmas in seen}) == 4
        assert tab.overlaid == "Karras"
        assert "30 passes join 31 levels of noise" in notes(screen)
        assert "init_noise_sigma 14.61" in notes(screen)
        table = screen.query_one(ScheduleTable)
        assert table.row_count == 31
        assert table.step == 29
        assert table.render_line(0).text.split() == ["k", "t", "σ", "Δσ", "ᾱ", "SNR", "ms"]


async def test_a_schedule_that_cannot_be_planned_says_why(make_app: MakeApp, engine: FakeEngine) -> None:
    run = RecordedRun()
    async with inspecting(make_app, engine, run) as (app, screen, pilot):
        engine.answer = lambda command: (
            [m.SchedulePlanned(request=command.request, problem="Too few steps.")]
            if isinstance(command, m.PlanSchedule) else run.answer(command)
        )  # fmt: skip
        await pilot.press("2")
        await settle(app, pilot)
        assert "Too few steps." in notes(screen)


async def test_the_noise_lies_left_of_the_first_latents(make_app: MakeApp, engine: FakeEngine) -> None:
    run = RecordedRun()
    async with inspecting(make_app, engine, run) as (app, screen, pilot):
        await pilot.press("3", "home")
        await settle(app, pilot)
        assert screen.place.step == -2
        assert [panel.title for panel in grid(screen).panels] == [f"channel {index}" for index in range(4)]
        assert "before it is scaled" in notes(screen)
        assert screen.query_one(Scrubber).text == "initial noise"
        await pilot.press("right")
        await settle(app, pilot)
        assert "times init_noise_sigma, 14.61" in notes(screen)
        assert "4 × 16 × 16 = 1,024 numbers stand for 3 × 128 × 128 = 49,152: 48 times fewer." in notes(
            screen
        )
        assert {"noise", "scaled noise"} <= {question.what for question in run.questions}
        await pilot.press("4")
        assert screen.place.step == 0


def test_a_channel_says_what_there_is_room_for() -> None:
    run = RecordedRun(channels=16)
    (event,) = run.answer(m.GetView(request=-1, trace="trace-1", what="latents", step=3))
    channel = event.view.channels[0]  # type: ignore[union-attr]
    assert channel_lines(channel, 9) == ["−0.12", "± 1.00"]
    for width in (16, 20, 34, 60):
        lines = channel_lines(channel, width)
        assert all(len(line) <= width for line in lines)
        assert "−3.10" in " ".join(lines)
    assert any("█" in line for line in channel_lines(channel, 34))


async def test_a_step_is_decoded_on_request_and_cheap_again_elsewhere(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    run = RecordedRun()
    async with inspecting(make_app, engine, run) as (app, screen, pilot):
        run.held.add("decoded step")
        await pilot.press("left", "d")
        await settle(app, pilot)
        assert notes(screen).startswith("asking…")
        assert grid(screen).panels[0].picture.width == SIDE
        engine.tell(*run.release())
        await settle(app, pilot)
        assert grid(screen).panels[0].picture.width == 8 * SIDE
        assert [panel.title for panel in grid(screen).panels] == ["latents", "predicted noise", "x0 estimate"]
        await pilot.press("left")
        await settle(app, pilot)
        assert grid(screen).panels[0].picture.width == SIDE
        assert run.asked("decoded step") == [28]


@pytest.mark.parametrize(("size", "steps"), [((80, 24), (*range(0, 29, 4), 29)), ((200, 60), range(30))])
async def test_the_contact_sheet_has_as_many_steps_as_there_is_room_for(
    make_app: MakeApp, engine: FakeEngine, size: tuple[int, int], steps: Sequence[int]
) -> None:
    run = RecordedRun()
    async with inspecting(make_app, engine, run, size) as (app, screen, pilot):
        await pilot.press("c")
        await settle(app, pilot)
        panels = grid(screen).panels
        assert [panel.title for panel in panels] == [f"k {step}" for step in steps]
        assert [panel.marked for panel in panels] == [step == 29 for step in steps]
        assert panels[-1].picture == step_picture(run, 29)
        await pilot.press("c")
        await settle(app, pilot)
        assert len(grid(screen).panels) == 3


def step_picture(run: RecordedRun, step: int) -> Picture:
    (event,) = run.answer(m.GetView(request=-1, trace="trace-1", what="step", step=step))
    return event.view.denoised  # type: ignore[union-attr]


async def test_what_the_engine_cannot_show_is_said_in_its_place(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    run = RecordedRun()
    run.broken["latents"] = "The trace has lost this step; make the image again."
    async with inspecting(make_app, engine, run) as (app, screen, pilot):
        await pilot.press("3")
        await settle(app, pilot)
        assert grid(screen).hint == "The trace has lost this step; make the image again."


async def test_guidance_shows_its_numbers_over_the_run(make_app: MakeApp, engine: FakeEngine) -> None:
    async with inspecting(make_app, engine, RecordedRun()) as (app, screen, pilot):
        await pilot.press("5", "home")
        await settle(app, pilot)
        norms = screen.query_one("#norms", BarPlot)
        assert norms.border_subtitle == "5.5 at k 0"
        assert norms.render_line(0).text.strip() == "5.5 at the most, 1.56 at the least"
        assert str(screen.query_one("#angles", BarPlot).border_subtitle).endswith("° at k 0")
        assert "Guidance 7.5" in notes(screen)
        assert grid(screen).panels[0].title == "pull at k 0"


async def test_attention_is_asked_only_there_and_for_the_newest_word(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    run = RecordedRun()
    async with inspecting(make_app, engine, run) as (app, screen, pilot):
        await pilot.press("left", "right", "1", "2", "3", "5")
        assert run.asked("attention") == []
        run.held.add("attention")
        await pilot.press("6")
        await settle(app, pilot)
        assert notes(screen).startswith("asking…")
        await pilot.press("down", "down", "down")
        engine.tell(*run.release())
        await settle(app, pilot)
        positions = [question.position for question in run.questions if question.what == "attention"]
        assert positions == [1, 4]
        chosen = screen.query_one(TokenList).chosen
        assert chosen is not None
        assert (chosen.position, chosen.text) == (4, "japanese")
        assert [panel.title for panel in grid(screen).panels] == [
            "attention at k 29",
            "x0 at k 29, lit by it",
        ]
        await pilot.press("a")
        await settle(app, pilot)
        assert run.questions[-1].whole_run
        assert screen.query_one(AttentionTab).whole_run
        assert grid(screen).panels[0].title == "attention over the whole run"


async def test_the_images_of_a_batch(make_app: MakeApp, engine: FakeEngine) -> None:
    run = RecordedRun(Recipe(prompt="a house", batch_size=2))
    async with inspecting(make_app, engine, run) as (app, screen, pilot):
        await pilot.press("b")
        await settle(app, pilot)
        assert screen.query_one(Scrubber).text.endswith("image 2 of 2")
        assert run.questions[-1].image == 1
        await pilot.press("b")
        assert screen.place.image == 0


async def test_the_lineage_is_in_the_head(make_app: MakeApp, engine: FakeEngine) -> None:
    run = RecordedRun(parent=Parent(image="00000-1632-a-house.png", step=7))
    async with inspecting(make_app, engine, run) as (_, screen, _pilot):
        assert screen.query_one(HeadLine).text.endswith(
            "00001-1632-a-house · forked after step 7 of 00000-1632-a-house"
        )


async def test_the_trace_is_written(make_app: MakeApp, engine: FakeEngine) -> None:
    async with inspecting(make_app, engine, RecordedRun()) as (_, screen, pilot):
        await pilot.press("w")
        await settle(pilot.app, pilot)
        assert engine.commands(m.SaveTrace)[0].trace == "trace-1"
        assert said(screen) == f"wrote {FILE}.trace.safetensors"


async def test_an_engine_that_dies_is_told_and_the_views_stay(make_app: MakeApp, engine: FakeEngine) -> None:
    async with inspecting(make_app, engine, RecordedRun()) as (_, screen, pilot):
        engine.tell(m.EngineFailed(message="The engine ran out of memory."))
        await settle(pilot.app, pilot)
        assert said(screen) == "The engine ran out of memory."
        assert len(grid(screen).panels) == 3


# Forks


async def test_a_fork_with_nothing_changed(make_app: MakeApp, engine: FakeEngine) -> None:
    run = RecordedRun()
    async with inspecting(make_app, engine, run) as (app, _screen, pilot):
        await pilot.press("home", *["right"] * 11, "f")
        await pilot.pause()
        form = app.screen
        assert isinstance(form, ForkForm)
        assert form.query_one("#fork").border_title == "fork after step 11 of 30"
        assert form.query_one(Notes).text == EXACT
        await pilot.press("enter")
        await settle(app, pilot)
        assert app.screen is app.studio
        (job,) = engine.commands(m.Generate)
        assert (job.recipe, job.fork) == (run.recipe, m.ForkPoint(source="trace-1", step=11))
        assert list(app.studio.view.book.waiting) == [job.job]
        engine.start(job)
        await pilot.pause()
        assert app.studio.view.book.running is not None


async def test_a_fork_with_other_settings(make_app: MakeApp, engine: FakeEngine) -> None:
    async with inspecting(make_app, engine, RecordedRun(Recipe(prompt="a house"))) as (app, _, pilot):
        await pilot.press("home", "f")
        await pilot.press(*" at night", "tab", *"rain", "tab", *"3", "down", "right")
        await pilot.pause()
        assert app.screen.query_one(Notes).text == INEXACT
        await pilot.press("down", "down", *"77", "enter")
        await settle(app, pilot)
        (job,) = engine.commands(m.Generate)
        assert job.recipe == Recipe(prompt="a house at night", negative_prompt="rain", guidance_scale=3.0,
                                    sampler="Euler", seed=77)  # fmt: skip


async def test_a_bad_value_is_told_where_it_was_typed(make_app: MakeApp, engine: FakeEngine) -> None:
    async with inspecting(make_app, engine, RecordedRun()) as (app, screen, pilot):
        await pilot.press("home", "f", "tab", "tab", *"999", "enter")
        await pilot.pause()
        form = app.screen
        assert isinstance(form, ForkForm)
        assert "Guidance scale must be 0 to 100, not 999." in form.query_one(Parameters).text
        assert engine.commands(m.Generate) == []
        await pilot.press("escape")
        assert app.screen is screen


async def test_the_last_step_leaves_nothing_to_fork(make_app: MakeApp, engine: FakeEngine) -> None:
    async with inspecting(make_app, engine, RecordedRun()) as (app, screen, pilot):
        await pilot.press("f")
        await pilot.pause()
        assert app.screen is screen
        assert said(screen).startswith("Step 29 is the last one")


# Pictures and bars


def test_panels_are_arranged_for_the_largest_pictures() -> None:
    picture = Picture(width=16, height=16, rgb=bytes(768))
    panels = [Panel(str(index), picture) for index in range(4)]
    wide, tall = arrange(panels, 120, 20), arrange(panels, 40, 30)
    assert wide is not None
    assert tall is not None
    assert (wide.columns, tall.columns) == (4, 2)
    for layout, width in ((wide, 120), (tall, 40)):
        assert layout.columns * layout.width + 2 * (layout.columns - 1) <= width
    assert arrange(panels, 6, 2) is None


def test_bars_are_as_high_as_their_values() -> None:
    assert bar_heights((1.0, 2.0, 4.0), 3, 6, 8) == [2, 2, 4, 4, 8, 8]
    assert bar_heights((1.0, 2.0), 4, 4, 8) == [4, 8, 0, 0]
    assert bar_heights(tuple(range(100)), 100, 10, 99) == [9, 19, 29, 39, 49, 59, 69, 79, 89, 99]
    assert bar_heights((0.0001, 4.0), 2, 2, 8) == [1, 8]


def test_a_picture_is_lit_where_attention_was() -> None:
    white = Picture(width=2, height=1, rgb=bytes([200] * 6))
    heat = Picture(width=2, height=1, rgb=bytes([255] * 3 + [0] * 3))
    assert list(lit(white, heat).rgb) == [200] * 3 + [24] * 3


def test_pictures_side_by_side_stay_finished_strings() -> None:
    blank, console = Segment(""), Console(color_system="truecolor", force_terminal=True)
    codes = [np.full((2, 3), colour, np.uint32) for colour in (0xFF0000, 0x00FF00)]
    left, right = (frame_strips(code, "truecolor", blank, blank)[0] for code in codes)
    both = joined([left, Strip([Segment("  ")], 2), right], console)
    assert isinstance(both, LiveStrip)
    assert both.cell_length == 8
    assert both.render(console) == f"{left.render(console)}  {right.render(console)}"
    assert both.crop(2, 6).text == "    "
    plain = [Strip([Segment(text)], 1) for text in "ab"]
    assert not isinstance(joined(plain, console), LiveStrip)
    assert joined(plain, console).text == "ab"
