"""Wildcard files, edited in the app."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from sdcore.library import wildcard_files as files
from sdcore.library.trash import contents
from sdcore.library.wildcard_files import WildcardError
from sdcore.library.wildcards import MAX_BYTES, Wildcards
from tests.ui.conftest import MakeApp, settle
from tui.app import SdtuiApp
from tui.drafts import Draft
from tui.screens.named.wildcards import WildcardEditor, WildcardList

SIZE = (120, 40)
Compare = Callable[..., bool]


@pytest.fixture
def folder(private_home: Path) -> Path:
    folder = Wildcards().folder
    (folder / "animals").mkdir()
    (folder / "colours.txt").write_text("# warm ones first\nred\n2::orange\n\nblue\n")
    (folder / "animals" / "birds.txt").write_text("gull\n\x1b[31mtern\n")
    return folder


async def opened(app: SdtuiApp, pilot: Pilot[None]) -> WildcardList:
    await settle(app, pilot)
    await pilot.press("alt+w")
    await settle(app, pilot)
    assert isinstance(app.screen, WildcardList)
    return app.screen


def test_files_are_made_renamed_and_thrown_away(folder: Path) -> None:
    files.create("animals/cats")
    assert files.read_text("animals/cats") == files.FIRST_TEXT
    assert (folder / "animals" / "cats.txt").stat().st_mode & 0o777 == 0o600
    files.write_text("animals/cats", "tabby\n")
    files.rename("animals/cats", "cats")
    assert set(Wildcards().files()) == {"animals/birds", "cats", "colours"}
    files.remove("cats")
    assert set(Wildcards().files()) == {"animals/birds", "colours"}
    assert [Path(one.origin).name for thrown in contents() for one in thrown.moved] == ["cats.txt"]


@pytest.mark.parametrize("name", ["", "..", "../x", "/etc/x", ".hidden", "a//b", "a\nb", "a\0"])
def test_names_that_lead_elsewhere_are_refused(folder: Path, name: str) -> None:
    for action in (files.read_text, files.create, files.remove, lambda name: files.rename("colours", name)):
        with pytest.raises(WildcardError):
            action(name)
    assert (folder / "colours.txt").is_file()


def test_what_cannot_be_shown_whole_is_not_opened(folder: Path) -> None:
    (folder / "big.txt").write_bytes(b"x" * (MAX_BYTES + 1))
    (folder / "latin.txt").write_bytes(b"caf\xe9\n")
    for name, said in (("big", "too large"), ("latin", "UTF-8"), ("none", "could not be read")):
        with pytest.raises(WildcardError, match=said):
            files.read_text(name)
    with pytest.raises(WildcardError, match="already"):
        files.rename("colours", "latin")
    with pytest.raises(WildcardError, match="already"):
        files.create("colours")


async def test_the_list_tells_and_writes_into_the_prompt(make_app: MakeApp, folder: Path) -> None:
    app = make_app(draft=Draft(prompt="a"))
    async with app.run_test(size=SIZE) as pilot:
        screen = await opened(app, pilot)
        assert screen.names == ["animals/birds", "colours"]
        await pilot.press("down")
        assert str(screen.query_one("#named-look", Static).content) == "red\n2::orange\nblue"
        await pilot.press("enter")
        await settle(app, pilot)
        assert app.studio.prompt.text == "a __colours__"


async def test_a_file_is_edited_and_saved(make_app: MakeApp, folder: Path) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        screen = await opened(app, pilot)
        await pilot.press("down", "ctrl+e")
        await settle(app, pilot)
        assert isinstance(app.screen, WildcardEditor)
        await pilot.press(*"green", "enter", *"pink", "ctrl+s")
        await settle(app, pilot)
        assert app.screen.said == "saved"
        assert (
            folder / "colours.txt"
        ).read_text() == "# warm ones first\nred\n2::orange\n\nblue\ngreen\npink"
        await pilot.press("escape")
        await settle(app, pilot)
        assert app.screen is screen
        assert "pink" in str(screen.query_one("#named-look", Static).content)


async def test_what_is_not_saved_is_asked_for(make_app: MakeApp, folder: Path) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        screen = await opened(app, pilot)
        before = (folder / "colours.txt").read_text()
        await pilot.press("down", "ctrl+e")
        await settle(app, pilot)
        await pilot.press("x", "escape", "escape")
        await settle(app, pilot)
        assert isinstance(app.screen, WildcardEditor)
        await pilot.press("escape", "down", "enter")
        await settle(app, pilot)
        assert app.screen is screen
        assert (folder / "colours.txt").read_text() == before


async def test_new_renamed_deleted(make_app: MakeApp, folder: Path) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        screen = await opened(app, pilot)
        await pilot.press("ctrl+n", *"../x", "enter")
        await settle(app, pilot)
        assert "letters" in app.screen.complaint  # type: ignore[attr-defined]
        await pilot.press(*["backspace"] * 4, *"moods", "enter")
        await settle(app, pilot)
        assert isinstance(app.screen, WildcardEditor)
        await pilot.press(*"calm", "ctrl+s", "escape")
        await settle(app, pilot)
        assert screen.at == "moods"
        await pilot.press("ctrl+r", *"s", "enter")
        await settle(app, pilot)
        assert set(Wildcards().files()) == {"animals/birds", "colours", "moodss"}
        await pilot.press("delete", "enter")
        await settle(app, pilot)
        assert screen.said == "moodss is in the trash."
        assert screen.names == ["animals/birds", "colours"]


async def test_control_characters_are_told(make_app: MakeApp, folder: Path) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await opened(app, pilot)
        await pilot.press("ctrl+e")
        await settle(app, pilot)
        assert isinstance(app.screen, WildcardEditor)
        assert "Control characters" in app.screen.said
        await pilot.press("escape")
        await settle(app, pilot)
        assert (folder / "animals" / "birds.txt").read_text() == "gull\n\x1b[31mtern\n"


@pytest.mark.parametrize("editor", [False, True], ids=["list", "editor"])
def test_looks(snap_compare: Compare, make_app: MakeApp, folder: Path, editor: bool) -> None:
    async def run(pilot: Pilot[None]) -> None:
        await opened(pilot.app, pilot)  # type: ignore[arg-type]
        await pilot.press("down", *(["ctrl+e"] if editor else []))
        await settle(pilot.app, pilot)

    assert snap_compare(make_app(draft=Draft(prompt="a cat")), terminal_size=(80, 24), run_before=run)
