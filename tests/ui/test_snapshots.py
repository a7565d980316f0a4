"""How the studio looks: idle, in the middle of a run, and done, at three sizes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from textual.pilot import Pilot

from sdcore.engine import messages as m
from sdcore.library.outputs import save_image
from tests.ui.conftest import MakeApp, settle
from tests.ui.fake_engine import FakeEngine, sigmas, timesteps
from tui.screens.studio.run_view import path_wordings
from tui.widgets.status import MessageLine

SIZES = [(80, 24), (120, 40), (200, 60)]
Compare = Callable[..., bool]


def picture(size: int = 128) -> Image.Image:
    """A sun over a field, the same every time."""
    image = Image.new("RGB", (size, size))
    for y in range(size):
        for x in range(size):
            sun = (x - size / 2) ** 2 + (y - size * 0.45) ** 2 < (size * 0.28) ** 2
            ground = (60 + y // 3, 120, 60) if y > size * 0.7 else (40, 70 + y, 150)
            image.putpixel((x, y), (230, 150 - y // 2, 60) if sun else ground)
    return image


def planned(command: m.AnyCommand) -> list[m.AnyEvent]:
    """What an engine says when it is asked for a schedule."""
    if not isinstance(command, m.PlanSchedule):
        return []
    steps = command.recipe.steps
    return [m.SchedulePlanned(request=command.request, timesteps=timesteps(steps), sigmas=sigmas(steps))]


def stage(engine: FakeEngine, home: Path, moment: str) -> Callable[[Pilot[None]], object]:
    """Bring the app to a moment: "idle", "running" or "done"."""

    async def run(pilot: Pilot[None]) -> None:
        app = pilot.app
        await settle(app, pilot)
        engine.answer = planned
        engine.ready()
        await settle(app, pilot)
        if moment != "idle":
            await pilot.press("enter", "ctrl+g")
            job = engine.commands(m.Generate)[0]
            engine.start(job)
            done = 11 if moment == "running" else 30
            for index in range(done):
                engine.progress(job.job, index, job.recipe, seconds=0.030 + index / 10_000)
            small = picture(40)
            engine.tell(
                m.JobPreview(job=job.job, index=done - 1, image=0, width=40, height=40, rgb=small.tobytes())
            )
        if moment == "done":
            # a home with a name of its own would be another in every run
            path = save_image(picture(), job.recipe, folder=home / "outputs")
            day = home / "outputs" / "2026-03-14"
            path = path.rename(day.mkdir(exist_ok=True) or day / path.name)
            saved = m.SavedImage(path=str(path), recipe=job.recipe, width=128, height=128)
            engine.tell(m.JobFinished(job=job.job, images=(saved,), seconds=1.24, steps_per_second=31.0))
        await settle(app, pilot)
        if moment == "done":
            message = app.screen.query_one("#message", MessageLine)
            wordings = path_wordings(f"~/Pictures/sdtui/2026-03-14/{path.name}")
            message.show(*(f"saved {wording}" for wording in wordings), tone="bright")
            await pilot.pause()

    return run


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("moment", ["idle", "running", "done"])
def test_studio(
    snap_compare: Compare,
    make_app: MakeApp,
    engine: FakeEngine,
    private_home: Path,
    size: tuple[int, int],
    moment: str,
) -> None:
    assert snap_compare(make_app(), terminal_size=size, run_before=stage(engine, private_home, moment))


@pytest.mark.parametrize("size", SIZES[:2], ids=lambda size: f"{size[0]}x{size[1]}")
def test_steps_folded_out(
    snap_compare: Compare, make_app: MakeApp, engine: FakeEngine, private_home: Path, size: tuple[int, int]
) -> None:
    async def run(pilot: Pilot[None]) -> None:
        await stage(engine, private_home, "running")(pilot)  # type: ignore[misc]
        await pilot.press("f3")
        await settle(pilot.app, pilot)

    assert snap_compare(make_app(), terminal_size=size, run_before=run)


def test_help(snap_compare: Compare, make_app: MakeApp, engine: FakeEngine, private_home: Path) -> None:
    async def run(pilot: Pilot[None]) -> None:
        await stage(engine, private_home, "idle")(pilot)  # type: ignore[misc]
        await pilot.press("f1")
        await settle(pilot.app, pilot)

    assert snap_compare(make_app(), terminal_size=(120, 40), run_before=run)


def test_a_wrong_parameter_and_a_long_prompt(
    snap_compare: Compare, make_app: MakeApp, engine: FakeEngine, private_home: Path
) -> None:
    async def run(pilot: Pilot[None]) -> None:
        await stage(engine, private_home, "idle")(pilot)  # type: ignore[misc]
        await pilot.press(*", a red tree" * 2, "tab", "tab", "down", "1", "0", "0")
        await settle(pilot.app, pilot)
        pilot.app.screen.query_one("#prompt").show_tokens(82, 2)  # type: ignore[attr-defined]
        await settle(pilot.app, pilot)

    assert snap_compare(make_app(), terminal_size=(80, 24), run_before=run)
