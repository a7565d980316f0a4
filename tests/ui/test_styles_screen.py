"""Styles in the studio: chosen, seen before they are used, made, edited, and kept with the image."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from sdcore.engine import messages as m
from sdcore.library.styles import Styles
from sdcore.spec.styles import Style
from tests.ui.conftest import MakeApp, settle
from tests.ui.fake_engine import FakeEngine
from tui import drafts
from tui.app import SdtuiApp
from tui.drafts import Draft
from tui.screens.named.styles import StyleForm, StyleList
from tui.screens.studio.styling import StyleLine

SIZE = (120, 40)
Compare = Callable[..., bool]
OIL = Style("oil painting", "oil painting of {prompt}, thick paint", "photograph")
NIGHT = Style("night", "at night, moonlight")
HOSTILE = Style("[bold]x[/bold]", "\x1b[31m [red]", "")


@pytest.fixture
def styles(private_home: Path) -> Styles:
    styles = Styles()
    for style in (OIL, NIGHT, HOSTILE):
        styles.put(style)
    return styles


async def opened(app: SdtuiApp, pilot: Pilot[None]) -> StyleList:
    await settle(app, pilot)
    await pilot.press("alt+t")
    await settle(app, pilot)
    assert isinstance(app.screen, StyleList)
    return app.screen


def looked_at(screen: StyleList) -> str:
    return str(screen.query_one("#named-look", Static).content)


async def test_two_are_marked_seen_and_used(make_app: MakeApp, engine: FakeEngine, styles: Styles) -> None:
    app = make_app(draft=Draft(prompt="a cat", negative_prompt="dog"))
    async with app.run_test(size=SIZE) as pilot:
        screen = await opened(app, pilot)
        assert screen.names == ["oil painting", "night", "[bold]x[/bold]"]
        assert "oil painting of a cat, thick paint" in looked_at(screen)
        await pilot.press("space", "down", "space")
        assert looked_at(screen).splitlines() == [
            "with oil painting + night", "oil painting of a cat, thick paint, at night, moonlight",
            "not: dog, photograph",
        ]  # fmt: skip
        await pilot.press("enter")
        await settle(app, pilot)
        assert "oil painting + night" in str(app.studio.query_one(StyleLine).render())
        assert app.studio.prompt.text == "a cat"
        await pilot.press("enter")
        await settle(app, pilot)
        sent = engine.commands(m.Generate)[-1]
        assert sent.recipe.prompt == "oil painting of a cat, thick paint, at night, moonlight"
        assert sent.recipe.negative_prompt == "dog, photograph"
        assert sent.origin.styles == ("oil painting", "night")
        history = app.studio.remembering.walk.history
        assert history is not None
        assert history.entries[-1].prompt == "a cat"


async def test_enter_takes_the_one_under_the_cursor_and_no_mark_means_none(
    make_app: MakeApp, engine: FakeEngine, styles: Styles
) -> None:
    app = make_app(draft=Draft(prompt="a cat"))
    async with app.run_test(size=SIZE) as pilot:
        await opened(app, pilot)
        await pilot.press(*"nig", "enter")
        await settle(app, pilot)
        assert app.studio.styling.names == ("night",)
        await opened(app, pilot)
        await pilot.press("down", "space", "enter")
        await settle(app, pilot)
        assert app.studio.styling.names == ()
        assert not app.studio.query_one(StyleLine).display


async def test_they_are_there_again_in_the_next_run(make_app: MakeApp, styles: Styles) -> None:
    app = make_app(draft=Draft(prompt="a cat", styles=("night",)))
    async with app.run_test(size=SIZE) as pilot:
        await settle(app, pilot)
        assert app.studio.styling.present == ("night",)
        assert app.studio.drafting.read().styles == ("night",)
    assert isinstance(drafts.load(), Draft)


async def test_one_that_is_gone_is_said_and_left_out(
    make_app: MakeApp, engine: FakeEngine, styles: Styles
) -> None:
    app = make_app(draft=Draft(prompt="a cat", styles=("night", "gone")))
    async with app.run_test(size=SIZE) as pilot:
        await settle(app, pilot)
        await pilot.press("enter")
        await settle(app, pilot)
        sent = engine.commands(m.Generate)[-1]
        assert (sent.recipe.prompt, sent.origin.styles) == ("a cat, at night, moonlight", ("night",))


async def test_a_style_of_the_present_prompt(make_app: MakeApp) -> None:
    app = make_app(draft=Draft(prompt="golden light", negative_prompt="grey"))
    async with app.run_test(size=SIZE) as pilot:
        screen = await opened(app, pilot)
        assert screen.names == []
        await pilot.press("ctrl+n", *"Golden", "enter")
        await settle(app, pilot)
        assert isinstance(app.screen, StyleForm)
        await pilot.press(*" x", "enter")
        await settle(app, pilot)
        assert Styles().load()[0] == {"Golden": Style("Golden", "golden light x", "grey")}
        assert screen.at == "Golden"
        await pilot.press("ctrl+n", *"Golden", "enter")
        await settle(app, pilot)
        assert "already" in app.screen.complaint  # type: ignore[attr-defined]


async def test_edited_renamed_deleted(make_app: MakeApp, styles: Styles) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        screen = await opened(app, pilot)
        await pilot.press("ctrl+e")
        await settle(app, pilot)
        await pilot.press("tab", *", blurry", "enter")
        await settle(app, pilot)
        assert styles.load()[0]["oil painting"].negative_prompt == "photograph, blurry"
        await pilot.press("ctrl+r", *"s", "enter")
        await settle(app, pilot)
        assert list(styles.load()[0]) == ["oil paintings", "night", "[bold]x[/bold]"]
        assert screen.at == "oil paintings"
        await pilot.press("delete", "enter")
        await settle(app, pilot)
        assert list(styles.load()[0]) == ["night", "[bold]x[/bold]"]
        assert screen.said == "oil paintings is deleted."
        await pilot.press("delete", "escape")
        await settle(app, pilot)
        assert len(screen.names) == 2


async def test_a1111s_file_is_taken_and_bad_lines_told(
    make_app: MakeApp, styles: Styles, tmp_path: Path
) -> None:
    csv = tmp_path / "styles.csv"
    csv.write_text("name,prompt,negative_prompt\nsoft,soft light,\nbad\n")
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        screen = await opened(app, pilot)
        await pilot.press("ctrl+o", *str(tmp_path / "none.csv"), "enter")
        await settle(app, pilot)
        assert "could not be read" in app.screen.complaint  # type: ignore[attr-defined]
        await pilot.press(*["backspace"] * 8, *"styles.csv", "enter")
        await settle(app, pilot)
        assert screen.said == "1 style taken. Line 3 says nothing."
        assert "soft" in screen.names


async def test_a_broken_file_is_told(make_app: MakeApp, private_home: Path) -> None:
    path = private_home / "config" / "styles.toml"
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await settle(app, pilot)
        path.write_text("[styles")
        screen = await opened(app, pilot)
        assert "styles.toml could not be read" in screen.said
        await pilot.press("ctrl+n", *"a", "enter")
        await settle(app, pilot)
        await pilot.press("enter")
        await settle(app, pilot)
        assert "mend it by hand" in screen.said
        assert path.read_text() == "[styles"


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_looks(snap_compare: Compare, make_app: MakeApp, styles: Styles, size: tuple[int, int]) -> None:
    async def run(pilot: Pilot[None]) -> None:
        await opened(pilot.app, pilot)  # type: ignore[arg-type]
        await pilot.press("down", "space")
        await settle(pilot.app, pilot)

    draft = Draft(prompt="a small house by the sea", negative_prompt="people", styles=("oil painting",))
    assert snap_compare(make_app(draft=draft), terminal_size=size, run_before=run)


def test_the_line_in_the_studio(snap_compare: Compare, make_app: MakeApp, styles: Styles) -> None:
    async def run(pilot: Pilot[None]) -> None:
        await settle(pilot.app, pilot)

    draft = Draft(prompt="a small house by the sea", styles=("oil painting", "night"))
    assert snap_compare(make_app(draft=draft), terminal_size=(120, 40), run_before=run)
