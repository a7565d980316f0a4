"""How a sweep looks: its form with a fault in it, and its grid half made, at three sizes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from sdcore.engine import messages as m
from sdcore.library.outputs import save_image
from sdcore.spec.sweep.expand import Line, Plan
from tests.ui.conftest import MakeApp, settle
from tests.ui.fake_engine import FakeEngine
from tests.ui.test_snapshots import SIZES, picture

Compare = Callable[..., bool]

GRID = Plan(
    lines=(
        Line("sampler", "LMS, Euler, DPM++ 2M, Euler a"),
        Line("steps", "10-30 (+10)"),
        Line("seed", "1, 2"),
    )
)
FAULTY = Plan(lines=(Line("sampler", "LMS, Euler a"), Line("guidance", "3-9 [4], x"), Line()))


async def form(pilot: Pilot[None], engine: FakeEngine, plan: Plan) -> None:
    app = pilot.app
    await settle(app, pilot)
    engine.ready()
    await settle(app, pilot)
    app.sweeping.plan = plan  # type: ignore[attr-defined]
    await pilot.press("alt+x")
    await settle(app, pilot)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_form(snap_compare: Compare, make_app: MakeApp, engine: FakeEngine, size: tuple[int, int]) -> None:
    async def run(pilot: Pilot[None]) -> None:
        await form(pilot, engine, FAULTY)

    assert snap_compare(make_app(), terminal_size=size, run_before=run)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_grid(
    snap_compare: Compare, make_app: MakeApp, engine: FakeEngine, private_home: Path, size: tuple[int, int]
) -> None:
    async def run(pilot: Pilot[None]) -> None:
        await form(pilot, engine, GRID)
        await pilot.press("ctrl+g")
        await settle(pilot.app, pilot)
        jobs = engine.commands(m.Generate)
        for job in jobs[:5]:
            path = str(save_image(picture(64), job.recipe, folder=private_home / "outputs"))
            image = m.SavedImage(path=path, recipe=job.recipe, width=64, height=64)
            engine.tell(m.JobFinished(job=job.job, images=(image,), seconds=1.0, steps_per_second=20.0))
        engine.tell(m.JobFailed(job=jobs[5].job, message="The memory is full; make the image smaller."))
        engine.start(jobs[6])
        engine.progress(jobs[6].job, 5, jobs[6].recipe)
        await pilot.press("right", "down")
        await settle(pilot.app, pilot)

    assert snap_compare(make_app(), terminal_size=size, run_before=run)
