"""The studio and the inspector with a flow model: what it cannot do is not offered, and its table is its own."""

from __future__ import annotations

import msgspec

from sdcore.engine import messages as m
from sdcore.spec.recipe import Recipe
from tests.ui.conftest import MakeApp, settle
from tests.ui.fake_engine import FakeEngine
from tests.ui.recorded_run import FILE, RecordedRun
from tui.screens.inspector.schedule import ScheduleTab
from tui.screens.inspector.screen import Inspector
from tui.screens.lists.choices import choices_for
from tui.screens.lists.chooser import Chooser
from tui.widgets.notes import Notes
from tui.widgets.sigma_table import SigmaTable

FLOW = ["Euler", "Heun", "DPM++ 2M", "UniPC"]
SIGMAS = (1.0, 0.75, 0.5, 0.25, 0.0)
TIMESTEPS = (1000.0, 750.0, 500.0, 250.0)


def loaded(family: str) -> m.ModelLoaded:
    return m.ModelLoaded(
        model="tiny", family=family, device="cpu", dtype="float32", seconds=0.4, parameters=1, native_size=64,
        model_hash="0123456789",
    )  # fmt: skip


async def test_what_the_family_cannot_do_is_told_beside_its_row_and_not_offered(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(app, pilot)
        engine.ready()
        await settle(app, pilot)
        rows = app.studio.parameters
        rows.set_texts({"sampler": "LMS", "size": "72x64"})
        assert app.studio.read()[1] == {}
        engine.tell(loaded("Flux"))
        await settle(app, pilot)
        faults = app.studio.read()[1]
        assert "LMS cannot sample Flux.1" in faults["sampler"]
        assert "multiple of 16" in faults["size"]
        rows.go_to("sampler")
        met = []
        for _ in range(5):
            await pilot.press("right")
            met.append(rows.texts["sampler"])
        assert met == [*FLOW, "Euler"]
        await pilot.press("enter")
        await settle(app, pilot)
        assert isinstance(app.screen, Chooser)
        await pilot.press("escape")
        rows.set_texts({"size": "64x64"})
        rows.go_to("size")
        await pilot.press("right")
        assert app.studio.read()[1] == {}
        rows.set_texts({"model": "another", "sampler": "LMS"})
        assert app.studio.read()[1] == {}


def test_the_lists_are_those_of_the_family() -> None:
    recipe = Recipe(sampler="Euler")
    assert [choice.value for choice in choices_for("sampler", recipe, "SD3")] == FLOW
    assert len(choices_for("sampler", recipe, "")) > len(FLOW)
    assert "Align Your Steps" not in [choice.value for choice in choices_for("schedule", recipe, "SD3")]
    assert "Align Your Steps" in [choice.value for choice in choices_for("schedule", recipe, "SD1")]


async def test_the_table_of_a_flow_run_counts_noise_as_its_share(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    run = RecordedRun(Recipe(sampler="Euler", steps=4), channels=16)
    run.info = msgspec.structs.replace(run.info, sigmas=SIGMAS, timesteps=TIMESTEPS, family="SD3")
    engine.answer = run.answer
    app = make_app()
    async with app.run_test(size=(160, 40)) as pilot:
        await settle(app, pilot)
        engine.ready()
        app.inspecting.open(f"{FILE}.png")
        await settle(app, pilot)
        assert isinstance(app.screen, Inspector)
        await pilot.press("2")
        await settle(app, pilot)
        table = app.screen.query_one(SigmaTable)
        cells = [table.render_line(row).text.replace("▸", " ").split() for row in range(6)]
        assert cells[0][:6] == ["k", "t", "σ", "Δσ", "ᾱ", "SNR"]
        assert [row[4:6] for row in cells[1:5]] == [
            ["0.0000", "0"], ["0.1000", "0.1111"], ["0.5000", "1"], ["0.9000", "9"],
        ]  # fmt: skip
        assert cells[5][-2:] == ["1.0000", "∞"]
        assert app.screen.query_one(ScheduleTab).overlaid == "Karras"


async def test_why_there_are_no_maps_of_attention_is_all_that_is_said(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    run = RecordedRun()
    run.broken["attention"] = "There are maps of UNets alone."
    engine.answer = run.answer
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(app, pilot)
        engine.ready()
        app.inspecting.open(f"{FILE}.png")
        await settle(app, pilot)
        await pilot.press("6")
        await settle(app, pilot)
        assert app.screen.query_one("#attention-notes", Notes).text == ""
