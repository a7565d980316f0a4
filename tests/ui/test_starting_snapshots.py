"""How image to image looks: the settings unfolded, the file picker, and a mask being drawn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from textual.pilot import Pilot

from tests.ui.conftest import MakeApp, settle
from tests.ui.fake_engine import FakeEngine
from tests.ui.test_snapshots import Compare, picture, stage
from tui.screens.mask import MaskScreen
from tui.widgets.mask_canvas import MaskCanvas

SMALL, MIDDLE, LARGE = (80, 24), (120, 40), (200, 60)


def pressing(
    engine: FakeEngine, home: Path, *groups: str, texts: dict[str, str] | None = None
) -> Callable[[Pilot[None]], object]:
    """The studio with an image done, some rows filled, then groups of keys with a pause after each."""

    async def run(pilot: Pilot[None]) -> None:
        await stage(engine, home, "done")(pilot)  # type: ignore[misc]
        pilot.app.studio.parameters.set_texts(texts or {})  # type: ignore[attr-defined]
        for keys in groups:
            await pilot.press(*keys.split())
            await settle(pilot.app, pilot)

    return run


@pytest.fixture
def album(private_home: Path) -> Path:
    """A home with images and a folder."""
    home = Path.home()
    (home / "boats").mkdir(parents=True)
    picture(64).resize((96, 64)).save(home / "sun over a field.png")
    Image.new("RGB", (64, 64), "navy").save(home / "night.png")
    (home / "[b]ad \x1b[2J name.png").write_bytes(b"no image")
    return home


@pytest.mark.parametrize("size", [SMALL, MIDDLE, LARGE], ids=lambda size: f"{size[0]}x{size[1]}")
def test_settings_unfolded(
    snap_compare: Compare, make_app: MakeApp, engine: FakeEngine, private_home: Path, size: tuple[int, int]
) -> None:
    texts = {"size": "96 × 64", "hires": "2", "variation": "0.2"}
    run = pressing(engine, private_home, "f9", "f8", "down down 3 5", texts=texts)
    assert snap_compare(make_app(), terminal_size=size, run_before=run)


def test_what_is_set_stays_when_folded(
    snap_compare: Compare, make_app: MakeApp, engine: FakeEngine, private_home: Path, album: Path
) -> None:
    texts = {"init image": str(album / "sun over a field.png"), "rescale": "0.7", "mask": "~/nowhere.png"}
    assert snap_compare(
        make_app(), terminal_size=SMALL, run_before=pressing(engine, private_home, "ctrl+t", texts=texts)
    )


@pytest.mark.parametrize("size", [SMALL, MIDDLE], ids=lambda size: f"{size[0]}x{size[1]}")
def test_file_picker(
    snap_compare: Compare,
    make_app: MakeApp,
    engine: FakeEngine,
    private_home: Path,
    album: Path,
    size: tuple[int, int],
) -> None:
    run = pressing(engine, private_home, "f8", "tab shift+tab " + "up " * 9 + "enter", "~", "end")
    assert snap_compare(make_app(), terminal_size=size, run_before=run)


@pytest.mark.parametrize("size", [SMALL, MIDDLE, LARGE], ids=lambda size: f"{size[0]}x{size[1]}")
def test_mask(
    snap_compare: Compare, make_app: MakeApp, engine: FakeEngine, private_home: Path, size: tuple[int, int]
) -> None:
    keys = "r H J r K right_square_bracket right_square_bracket space L x"
    run = pressing(engine, private_home, "f10", keys, texts={"size": "128 × 96"})
    assert snap_compare(make_app(), terminal_size=size, run_before=run)


def test_mask_in_few_colours(
    snap_compare: Compare,
    make_app: MakeApp,
    engine: FakeEngine,
    private_home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tui.widgets.mask_canvas.depth_for", lambda app: "256")
    keys = "r H J r K right_square_bracket right_square_bracket space L r J L"

    async def run(pilot: Pilot[None]) -> None:
        await pressing(engine, private_home, "f10", keys)(pilot)  # type: ignore[misc]
        assert isinstance(pilot.app.screen, MaskScreen)
        assert pilot.app.screen.query_one(MaskCanvas).in_rectangle

    assert snap_compare(make_app(), terminal_size=SMALL, run_before=run)
