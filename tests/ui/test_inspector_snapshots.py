"""How the inspector looks: every tab in the smallest terminal, those with more to show in a usual one as well."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from textual.pilot import Pilot

from sdcore.spec.lineage import Parent
from sdcore.spec.recipe import Recipe
from tests.ui.conftest import MakeApp, settle
from tests.ui.fake_engine import FakeEngine
from tests.ui.recorded_run import FILE, RecordedRun
from tui.screens.inspector.screen import Inspector

Compare = Callable[..., bool]
KEYS = {
    "text": "1",
    "schedule": "2",
    "latents": "3",
    "steps": "4",
    "guidance": "5",
    "attention": "6",
    "sheet": "c",
}
STEP = 22


def stage(engine: FakeEngine, run: RecordedRun, *keys: str) -> Callable[[Pilot[None]], object]:
    """Open the inspector at `STEP` and press `keys`."""
    engine.answer = run.answer

    async def show(pilot: Pilot[None]) -> None:
        app = pilot.app
        await settle(app, pilot)
        engine.ready()
        app.inspecting.open(f"{FILE}.png")  # type: ignore[attr-defined]
        await settle(app, pilot)
        assert isinstance(app.screen, Inspector)
        app.screen.go(STEP)
        for key in keys:
            await pilot.press(key)
            await settle(app, pilot)

    return show


@pytest.mark.parametrize(
    ("size", "tab"),
    [((80, 24), tab) for tab in KEYS]
    + [((120, 40), tab) for tab in ("text", "schedule", "latents", "guidance")],
    ids=lambda value: value if isinstance(value, str) else f"{value[0]}x{value[1]}",
)
def test_tab(
    snap_compare: Compare, make_app: MakeApp, engine: FakeEngine, size: tuple[int, int], tab: str
) -> None:
    run = RecordedRun(parent=Parent(image="00000-1632-a-house.png", step=7))
    assert snap_compare(make_app(), terminal_size=size, run_before=stage(engine, run, KEYS[tab]))


def test_sixteen_channels_of_a_run_under_way(
    snap_compare: Compare, make_app: MakeApp, engine: FakeEngine
) -> None:
    run = RecordedRun(channels=16, recorded=24, images=())
    assert snap_compare(make_app(), terminal_size=(80, 24), run_before=stage(engine, run, "3"))


def test_words_left_out_and_all_padding(snap_compare: Compare, make_app: MakeApp, engine: FakeEngine) -> None:
    words = " ".join(f"word{index}" for index in range(75))
    run = RecordedRun(
        Recipe(prompt=words, guidance_scale=1.0), left_out="and a lighthouse far away in the rain"
    )
    keys = ("1", "e", *["pagedown"] * 7)
    assert snap_compare(make_app(), terminal_size=(80, 24), run_before=stage(engine, run, *keys))


def test_fork_by_another_sampler(snap_compare: Compare, make_app: MakeApp, engine: FakeEngine) -> None:
    keys = ("f", "tab", "tab", "down", "right", "up", *"999", "enter")
    assert snap_compare(make_app(), terminal_size=(80, 24), run_before=stage(engine, RecordedRun(), *keys))
