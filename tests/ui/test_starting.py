"""Image to image in the studio: the folded settings, the init image, its files and its size, and what comes back."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from textual import events

from sdcore.engine import messages as m
from sdcore.library.inputs import keep_input
from sdcore.library.outputs import save_image
from sdcore.spec.recipe import Recipe
from tests.ui.conftest import MakeApp, settle
from tests.ui.fake_engine import FakeEngine
from tests.ui.recorded_run import RecordedRun
from tests.ui.test_inspector import inspecting
from tui.app import SdtuiApp
from tui.widgets.caption import Caption
from tui.widgets.parameter_lines import FOLD
from tui.widgets.status import FooterLine, MessageLine

SIZE = (120, 40)
RESTING = ["init image", "hires", "variation", "clip skip", "emphasis", "noise", "rescale", "vae"]


def labels(app: SdtuiApp) -> list[str]:
    """What the lines of the pane begin with."""
    return [line[2:14].strip() for line in app.studio.parameters.text.splitlines() if line[2:14].strip()]


def caption(app: SdtuiApp) -> str:
    line = app.studio.query_one("#start", Caption)
    return " · ".join(line.facts) if line.display else ""


def generated(engine: FakeEngine) -> Recipe:
    return engine.commands(m.Generate)[-1].recipe


def made(folder: Path, size: tuple[int, int] = (128, 128), **fields: object) -> Path:
    """An image that the app finds among the recent ones."""
    recipe = Recipe(prompt="a boat", seed=5, width=size[0], height=size[1], **fields)  # type: ignore[arg-type]
    return save_image(Image.new("RGB", size, (200, 80, 40)), recipe, folder=folder / "outputs")


async def test_the_rest_of_the_settings_is_folded_away(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await settle(app, pilot)
        always = ["model", "size", "steps", "guidance", "sampler", "schedule", "seed", "batch", "count"]
        assert labels(app) == [*always, "more"]
        assert "init image, hires …" in app.studio.parameters.text
        await pilot.press("f8")
        assert labels(app) == [*always, *RESTING, "fewer"]
        assert app.studio.parameters.has_focus
        await pilot.press("f8")
        assert labels(app) == [*always, "more"]


async def test_the_fold_opens_by_keys_and_by_the_mouse(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await settle(app, pilot)
        await pilot.press("tab", "tab", "up")
        assert app.studio.parameters.row == FOLD
        await pilot.press("enter")
        assert app.studio.parameters.unfolded
        await pilot.press("x", "5", "backspace", "delete")  # nothing to be typed or erased
        await pilot.press("enter")
        assert not app.studio.parameters.unfolded
        await settle(app, pilot)
        await pilot.click("#parameters", offset=(5, 9))
        assert app.studio.parameters.unfolded


async def test_what_is_not_at_rest_is_seen_when_folded(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await settle(app, pilot)
        await pilot.press("f8")
        panel = app.studio.parameters
        panel.go_to("hires")
        await pilot.press("2")
        panel.go_to("rescale")
        await pilot.press("0", ".", "7", "f8")
        assert labels(app)[9:] == ["hires", "steps", "strength", "upscaler", "rescale", "more"]
        assert "→ 256 × 256" in panel.text
        panel.go_to("prompt")
        await pilot.press("ctrl+g")
        recipe = generated(engine)
        assert (recipe.hires_scale, recipe.guidance_rescale, recipe.hires_steps) == (2.0, 0.7, 0)
        panel.go_to("hires")
        await pilot.press("delete")
        assert "hires" in labels(app)  # it stays while the cursor is on it
        assert "upscaler" not in labels(app)
        await pilot.press("up")
        assert "hires" not in labels(app)


async def test_the_named_choices_have_lists(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await settle(app, pilot)
        app.studio.parameters.set_texts({"hires": "2"})
        picks = (("noise", "philox", "gpu"), ("upscaler", "lan", "Lanczos"), ("emphasis", "comfy", "ComfyUI"))
        for row, typed, value in picks:
            app.studio.parameters.go_to(row)
            await pilot.press("enter")
            await settle(app, pilot)
            await pilot.press(*typed, "enter")
            await settle(app, pilot)
            assert app.studio.parameters.texts[row] == value


async def test_a_small_pane_scrolls_to_the_cursor(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(app, pilot)
        app.studio.parameters.set_texts({"hires": "2", "variation": "0.1"})
        await pilot.press("f8")
        await pilot.pause()
        panel = app.studio.parameters
        assert panel.size.height < len(panel.text.splitlines())
        assert app.studio.prompt.size.height >= 1
        panel.go_to("vae")
        await settle(app, pilot)
        assert panel.scroll_offset.y > 0
        place = [line[:5].strip("▸ ") for line in panel.text.splitlines()].index("vae")
        assert 0 <= place - panel.scroll_offset.y < panel.size.height
        await pilot.press("down")
        await settle(app, pilot)
        await pilot.click("#parameters", offset=(5, panel.size.height - 1))
        assert not panel.unfolded  # the fold's line is the last


async def test_only_the_lines_that_change_are_drawn(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await settle(app, pilot)
        await pilot.press("tab", "tab", "down", "down")
        await pilot.pause()
        panel, drawn = app.studio.parameters, []
        render = panel.render_line
        monkeypatch.setattr(panel, "render_line", lambda y: drawn.append(y) or render(y))
        await pilot.press("4")
        await pilot.pause()
        assert set(drawn) == {2}
        await pilot.press("down")
        await pilot.pause()
        assert set(drawn) == {2, 3}


async def test_the_shown_image_is_started_from(
    make_app: MakeApp, engine: FakeEngine, private_home: Path
) -> None:
    path = made(private_home)
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await settle(app, pilot)
        await pilot.press("f9")
        assert "no image yet to start from" in app.studio.query_one(MessageLine).text
        await pilot.press("f6", "f9")
        await settle(app, pilot)
        # the first of the recent images was looked at when the strip took the focus
        assert caption(app) == "from 00001-5-a-boat.png · strength 0.75"
        assert labels(app)[9:] == ["init image", "strength", "mask", "more"]
        app.studio.parameters.go_to("strength")
        await pilot.press("0", ".", "4", "enter")
        recipe = generated(engine)
        assert (recipe.init_image, recipe.strength) == (str(path), 0.4)
        assert caption(app) == "from 00001-5-a-boat.png · strength 0.4"
        await pilot.press("f12")
        await settle(app, pilot)
        assert caption(app) == ""
        await pilot.press("ctrl+g")
        assert (generated(engine).init_image, generated(engine).strength) == ("", 0.75)


async def test_the_init_image_is_shown_and_put_away(
    make_app: MakeApp, engine: FakeEngine, private_home: Path
) -> None:
    made(private_home)
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await settle(app, pilot)
        await pilot.press("ctrl+t")
        assert "no init image" in app.studio.query_one(MessageLine).text
        await pilot.press("f6", "f9", "escape")
        await settle(app, pilot)
        mask = Image.new("L", (128, 128))
        mask.paste(255, (0, 0, 64, 128))
        app.studio.parameters.set_texts({"mask": keep_input(mask)})
        await settle(app, pilot)
        await pilot.press("ctrl+t")
        await settle(app, pilot)
        assert caption(app) == "init image 00001-5-a-boat.png · 128 × 128 · masked"
        canvas = app.studio.gallery.canvas
        assert canvas is not None
        assert canvas.image is not None
        assert canvas.image.getpixel((100, 5)) == (200, 80, 40)
        assert canvas.image.getpixel((5, 5)) != (200, 80, 40)
        await pilot.press("ctrl+t")
        await settle(app, pilot)
        assert caption(app) == "from 00001-5-a-boat.png · strength 0.75 · masked"
        assert canvas.image is None or canvas.image.getpixel((5, 5)) == (200, 80, 40)
        await pilot.press("ctrl+t")
        await settle(app, pilot)
        await pilot.press("ctrl+g")  # what is made is shown again
        await settle(app, pilot)
        assert not app.studio.starting.shown
        await pilot.press("ctrl+t")
        await settle(app, pilot)
        assert app.studio.starting.shown
        await pilot.press("f12")
        await settle(app, pilot)
        assert not app.studio.starting.shown
        assert canvas.image is None  # nothing was made yet


async def test_the_size_is_told_and_taken(make_app: MakeApp, engine: FakeEngine, tmp_path: Path) -> None:
    Image.new("RGB", (643, 479)).save(tmp_path / "wide.png")
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await settle(app, pilot)
        app.studio.parameters.set_texts({"init image": str(tmp_path / "wide.png")})
        await settle(app, pilot)
        assert "will be resized from 643 × 479" in app.studio.parameters.text
        app.studio.parameters.go_to("init image")
        await pilot.pause()
        assert "take its size" in app.studio.query_one(FooterLine).labels
        app.studio.parameters.go_to("vae")
        await settle(app, pilot)
        assert app.studio.query_one(FooterLine).labels[:2] == ["choose", "the model's own"]
        assert "take its size" not in app.studio.query_one(FooterLine).labels
        app.studio.parameters.go_to("init image")
        await pilot.press("ctrl+f")
        await settle(app, pilot)
        assert app.studio.parameters.texts["size"] == "640 × 480"
        assert "will be resized from 643 × 479" in app.studio.parameters.text
        await pilot.press("delete", "ctrl+f")
        await settle(app, pilot)
        assert "no init image" in app.studio.query_one(MessageLine).text


async def test_a_typed_path_is_completed_checked_and_kept(
    make_app: MakeApp, engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (128, 128)).save(tmp_path / "light house.png")
    monkeypatch.setenv("HOME", str(tmp_path))
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await settle(app, pilot)
        await pilot.press("f8")
        panel = app.studio.parameters
        panel.go_to("init image")
        await pilot.press(*"~/li")
        await settle(app, pilot)
        assert "~/li▏ght house.png" in panel.text
        assert "no image" not in panel.text  # half a path is no fault
        await pilot.press("right")
        assert panel.texts["init image"] == "~/light house.png"
        await pilot.press("enter")
        await settle(app, pilot)
        assert app.screen is app.studio
        assert panel.recipe.init_image == str(tmp_path / "light house.png")
        await pilot.press("backspace", "backspace", "enter")
        await settle(app, pilot)
        assert panel.texts["init image"] == "~/light house.p"
        assert "There is no image" in " ".join(panel.text.split())
        await pilot.press("ctrl+g")
        assert engine.commands(m.Generate) == []
        assert panel.row == "init image"


async def test_a_path_is_pasted(make_app: MakeApp, tmp_path: Path) -> None:
    Image.new("RGB", (128, 128)).save(tmp_path / "light house.png")
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await settle(app, pilot)
        app.studio.parameters.go_to("init image")
        app.studio.parameters.post_message(events.Paste(f"'{tmp_path}/light house.png'\n"))
        await pilot.pause()
        await pilot.press("tab")
        await settle(app, pilot)
        assert app.studio.parameters.recipe.init_image == str(tmp_path / "light house.png")


async def test_recall_brings_everything_back(
    make_app: MakeApp, engine: FakeEngine, private_home: Path
) -> None:
    start = keep_input(Image.new("RGB", (128, 128), "blue"))
    first = made(private_home, init_image=start, strength=0.45, hires_scale=2.0, hires_steps=9, hires_strength=0.35,
                 hires_upscaler="Lanczos", variation_seed=4, variation_strength=0.2, clip_skip=2, emphasis="no norm",
                 rng="gpu", guidance_rescale=0.5)  # fmt: skip
    made(private_home, init_image=start, mask_image=keep_input(Image.new("L", (128, 128), 255)), mask_blur=9)
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await settle(app, pilot)
        await pilot.press("f6", "enter")
        await settle(app, pilot)
        await pilot.press("enter")  # what changes is listed first
        await settle(app, pilot)
        await pilot.press("ctrl+g")
        assert (generated(engine).mask_blur, generated(engine).init_image) == (9, start)
        assert generated(engine).mask_image.startswith("input:")
        await pilot.press("f6", "right", "enter")
        await settle(app, pilot)
        await pilot.press("enter")  # what changes is listed first
        await settle(app, pilot)
        await pilot.press("ctrl+g")
        from sdcore.library.metadata import read_image

        assert generated(engine) == read_image(first).recipe()
        assert generated(engine).variation_strength == 0.2
        assert caption(app).startswith("from kept copy")


async def test_help_tells_what_the_row_is_for(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await settle(app, pilot)
        app.studio.parameters.go_to("variation")
        assert app.studio.parameters.about.startswith("Variation: How far the first noise")


async def test_the_inspector_sends_its_image(make_app: MakeApp, engine: FakeEngine) -> None:
    run = RecordedRun()
    async with inspecting(make_app, engine, run) as (app, _, pilot):
        await pilot.press("f9")
        await settle(pilot.app, pilot)
        assert app.screen is app.studio
        assert app.studio.parameters.recipe.init_image == run.info.images[0]


async def test_a_run_without_an_image_has_none_to_start_from(make_app: MakeApp, engine: FakeEngine) -> None:
    async with inspecting(make_app, engine, RecordedRun(recorded=5, images=())) as (app, screen, pilot):
        await pilot.press("f9")
        assert app.screen is screen
        assert "no finished image" in screen.query_one(MessageLine).text
