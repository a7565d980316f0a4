"""The file picker: folders, a filter, hostile names, and the image under the cursor."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from textual.pilot import Pilot

from tests.ui.conftest import MakeApp, settle, until
from tui.app import SdtuiApp
from tui.drafts import Draft
from tui.screens.lists.files import FilePicker
from tui.widgets.canvas import Canvas

SIZE = (120, 40)


async def open_picker(app: SdtuiApp, pilot: Pilot[None], row: str = "init image") -> FilePicker:
    app.studio.parameters.go_to(row)
    await pilot.press("enter")
    await settle(app, pilot)
    assert isinstance(app.screen, FilePicker)
    return app.screen


def listed(picker: FilePicker) -> list[str]:
    return [entry.name for entry in picker._shown]


@pytest.fixture
def album(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with images, one in a folder, and a name that would harm a terminal."""
    home = tmp_path / "person"
    (home / "boats").mkdir(parents=True)
    for name, colour in (("red.png", "red"), ("[b] \x1b[2J.png", "blue"), ("boats/sail.jpg", "green")):
        Image.new("RGB", (64, 32), colour).save(home / name, "PNG" if name.endswith("png") else "JPEG")
    (home / "words.txt").write_text("no image")
    (home / "broken.png").write_bytes(b"no image")
    monkeypatch.setenv("HOME", str(home))
    return home


async def test_a_file_is_picked(make_app: MakeApp, album: Path) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await settle(app, pilot)
        picker = await open_picker(app, pilot)
        await pilot.press("~")
        await settle(app, pilot)
        assert listed(picker) == ["boats/", "[b] \x1b[2J.png", "broken.png", "red.png"]
        await pilot.press("enter")
        await settle(app, pilot)
        assert listed(picker) == ["sail.jpg"]
        await pilot.press("backspace")
        await settle(app, pilot)
        assert picker._highlighted is not None
        assert picker._highlighted.name == "boats/"  # where one came from
        await pilot.press(*"re")
        assert listed(picker) == ["red.png"]
        await pilot.press("backspace", "backspace", *"xx")
        assert listed(picker) == []
        await pilot.press("enter", "backspace", "backspace", *"red", "enter")
        await settle(app, pilot)
        assert app.studio.parameters.texts["init image"] == "~/red.png"
        assert "will be resized from 64 × 32" in app.studio.parameters.text


async def test_the_image_under_the_cursor_is_shown(make_app: MakeApp, album: Path) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await settle(app, pilot)
        picker = await open_picker(app, pilot)
        await pilot.press("~")
        await settle(app, pilot)
        canvas = picker.query_one(Canvas)
        for key, shown in (("end", (255, 0, 0)), ("up", None), ("up", (0, 0, 255)), ("home", None)):
            await pilot.press(key)
            await until(lambda shown=shown: (canvas.image is not None) == (shown is not None))
            assert (canvas.image.getpixel((0, 0)) if canvas.image else None) == shown
        await pilot.press("escape")
        await settle(app, pilot)
        assert app.studio.parameters.texts["init image"] == ""


async def test_it_opens_where_the_present_file_is(make_app: MakeApp, album: Path) -> None:
    app = make_app(draft=Draft(rows={**Draft().rows, "init image": str(album / "boats" / "sail.jpg")}))
    async with app.run_test(size=SIZE) as pilot:
        await settle(app, pilot)
        picker = await open_picker(app, pilot)
        assert listed(picker) == ["sail.jpg"]
        await pilot.press("escape")
        await settle(app, pilot)


async def test_a_folder_that_cannot_be_opened_is_told(make_app: MakeApp, album: Path) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await settle(app, pilot)
        picker = await open_picker(app, pilot)
        await pilot.press("~")
        await settle(app, pilot)
        (album / "boats" / "sail.jpg").unlink()
        (album / "boats").rmdir()
        await pilot.press("enter")
        await settle(app, pilot)
        assert "cannot be opened: No such file" in str(picker.query_one("#files").border_subtitle)
        assert "red.png" in listed(picker)


async def picker_for_vaes(app: SdtuiApp, pilot: Pilot[None]) -> FilePicker:
    """By the last line of the list of those that are found."""
    await settle(app, pilot)
    app.studio.parameters.go_to("vae")
    await pilot.press("enter")
    await settle(app, pilot)
    await pilot.press("down", "enter")
    await settle(app, pilot)
    assert isinstance(app.screen, FilePicker)
    return app.screen


async def test_a_vae_is_picked_among_safetensors(make_app: MakeApp, album: Path) -> None:
    (album / "vae.safetensors").write_bytes(b"x" * 2_500_000)
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        picker = await picker_for_vaes(app, pilot)
        await pilot.press("~")
        await settle(app, pilot)
        assert listed(picker) == ["boats/", "vae.safetensors"]
        assert "2.5 MB" in picker._line(picker._shown[1]).plain
        await pilot.press("end", "enter")
        await settle(app, pilot)
        assert app.studio.parameters.recipe.vae == str(album / "vae.safetensors")


async def test_a_folder_in_the_layout_of_diffusers_is_picked_as_a_whole(
    make_app: MakeApp, album: Path
) -> None:
    folder = album / "my vae"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "diffusion_pytorch_model.safetensors").write_bytes(b"x")
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        picker = await picker_for_vaes(app, pilot)
        await pilot.press("~", *"my", "enter")
        await settle(app, pilot)
        assert listed(picker) == ["this folder", "diffusion_pytorch_model.safetensors"]
        assert "in diffusers' layout" in picker._line(picker._shown[0]).plain
        await pilot.press("enter")
        await settle(app, pilot)
        assert app.studio.parameters.recipe.vae == str(folder)
