"""A newcomer is told what to do: what F1 says of every screen, and what stands where nothing is yet."""

from __future__ import annotations

import importlib
import pkgutil

from textual.screen import Screen

import tui.screens
from sdcore.library.outputs import save_image
from sdcore.spec.recipe import Recipe
from tests.ui.conftest import MakeApp, settle
from tests.ui.test_snapshots import picture
from tui.actions.base import key_words
from tui.actions.remap import remap
from tui.screens.help import HelpScreen, help_text
from tui.screens.lists.chooser import Choice, Chooser, Narrowing
from tui.screens.studio.gallery import HINT, welcome
from tui.screens.studio.screen import Studio
from tui.widgets.parameters import Parameters


def screens() -> list[type[Screen[object]]]:
    """Every screen that there is, but for the help, the studio, whose parts speak for themselves, and what is no screen
    by itself."""
    for module in pkgutil.walk_packages(tui.screens.__path__, "tui.screens."):
        importlib.import_module(module.name)

    def below(parent: type[Screen[object]]) -> list[type[Screen[object]]]:
        return [each for child in parent.__subclasses__() for each in (child, *below(child))]

    own = {each for each in below(Screen) if each.__module__.startswith("tui.screens.")}
    return sorted(own - {HelpScreen, Narrowing, *Studio.__mro__}, key=lambda each: each.__name__)


def test_every_screen_says_what_it_is_for_in_two_sentences_or_more() -> None:
    abouts = {
        screen.__name__: getattr(screen, "HELP", "") or getattr(screen, "about", "") for screen in screens()
    }
    assert len(abouts) > 10
    silent = {name for name, about in abouts.items() if not isinstance(about, property) and ". " not in about}
    assert silent == set()


async def test_f1_explains_the_part_under_the_cursor(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(app, pilot)
        parts = (app.studio.prompt, app.studio.negative, app.studio.parameters, app.studio.query_one("#steps"),
                 app.studio.gallery.recent)  # fmt: skip
        said = set()
        for part in parts:
            assert part is not None
            part.focus()
            await pilot.press("f1")
            await pilot.pause()
            shown = app.screen.query_one("#help Static").render()
            said.add(str(shown).split("\n\nMake\n")[0][:60])
            await pilot.press("f1")
            await pilot.pause()
        assert len(said) == len(parts)
        app.studio.query_one(Parameters).focus()
        await app.push_screen(Chooser("list", [Choice("a", "a")]))
        await pilot.press("f1")
        assert isinstance(app.screen, HelpScreen)
        assert help_text(Chooser.HELP).plain.startswith("A list to take one thing from.")
        await pilot.press("escape")
        assert isinstance(app.screen, Chooser)


async def test_the_first_time_three_sentences_say_how_to_begin(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(app, pilot)
        assert app.studio.gallery.canvas is not None
        assert str(app.studio.gallery.canvas.render()) == welcome()
        assert welcome().count("\n\n") == 2
        assert "press Enter" in welcome()
        assert "Alt+M" in welcome()
        assert app.studio.prompt.text


async def test_later_they_are_gone(make_app: MakeApp) -> None:
    app = make_app()
    save_image(picture(16), Recipe(prompt="x"), folder=app.studio.outputs)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(app, pilot)
        assert app.studio.gallery.canvas is not None
        assert str(app.studio.gallery.canvas.render()) == HINT


def test_the_sentences_name_the_keys_that_are_set() -> None:
    try:
        remap({"generate": ("ctrl+g",)})
        assert "press Ctrl+G" in welcome()
    finally:
        remap({})
    assert [key_words(key) for key in ("ctrl+j", "shift+tab", "f1", "escape", "alt+m")] == [
        "Ctrl+J", "Shift+Tab", "F1", "Escape", "Alt+M",
    ]  # fmt: skip
