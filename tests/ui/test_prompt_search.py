"""The prompt history, searched."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from sdcore.library.history import PromptHistory
from sdcore.spec.recipe import Recipe
from tests.ui.conftest import MakeApp, settle
from tui.drafts import Draft
from tui.screens.lists.chooser import ChoiceList
from tui.screens.lists.prompt_search import MOST_SHOWN, PromptSearch

SIZE = (120, 40)
Compare = Callable[..., bool]

USED = (
    Recipe(prompt="a red boat, blue sea", negative_prompt="people", steps=12, sampler="Heun", seed=5),
    Recipe(prompt="a lighthouse at night,\nstorm, [bold red]not markup[/bold red]"),
    Recipe(
        prompt="Highly detailed small japanese house, radiant light, detailed and intricate environment",
        negative_prompt="blurry, lowres",
        width=256,
        guidance_scale=5.0,
    ),
    Recipe(prompt="a boathouse \x1b[31m in the fog, " + "very " * 40 + "quiet"),
)


def remember(*recipes: Recipe) -> None:
    history = PromptHistory()
    for recipe in recipes:
        history.add(recipe)


async def opened(app: object, pilot: Pilot[None], *keys: str) -> PromptSearch:
    await settle(app, pilot)
    await pilot.press("ctrl+r", *keys)
    await settle(app, pilot)
    screen = pilot.app.screen
    assert isinstance(screen, PromptSearch)
    return screen


def lines(screen: PromptSearch) -> list[str]:
    options = screen.query_one(ChoiceList)
    return [str(options.get_option_at_index(index).prompt) for index in range(options.option_count)]


async def test_newest_first_and_narrowed_by_a_few_letters(make_app: MakeApp) -> None:
    remember(*USED)
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        screen = await opened(app, pilot)
        assert [line[:10] for line in lines(screen)] == [
            "a boathous",
            "Highly det",
            "a lighthou",
            "a red boat",
        ]
        assert "\x1b" not in lines(screen)[0]
        await pilot.press(*"jpnhouse")
        await settle(app, pilot)
        assert [line[:10] for line in lines(screen)] == ["Highly det"]
        assert "1 of 4" in str(screen.query_one("#prompt-search").border_title)
        await pilot.press(*["backspace"] * 8, *"boat")
        await settle(app, pilot)
        assert [line[:10] for line in lines(screen)] == ["a boathous", "a red boat"]
        await pilot.press(*"zz")
        await settle(app, pilot)
        assert lines(screen) == ["No prompt has these words; backspace takes letters back."]
        await pilot.press("enter", "escape")
        assert app.screen is app.studio


async def test_all_of_a_prompt_is_shown_with_what_is_known(make_app: MakeApp) -> None:
    remember(*USED)
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        screen = await opened(app, pilot, *"red boat")
        told = str(screen.query_one("#prompt-whole", Static).content)
        assert told == "a red boat, blue sea\nnot: people\nsteps 12 · sampler Heun"


async def test_enter_takes_the_prompt_alone_even_before_the_search_is_over(make_app: MakeApp) -> None:
    remember(*USED)
    app = make_app(draft=Draft(prompt="x", negative_prompt="mine"))
    async with app.run_test(size=SIZE) as pilot:
        await settle(app, pilot)
        await pilot.press("ctrl+r", *"red boat", "enter")
        await settle(app, pilot)
        assert (app.studio.prompt.text, app.studio.negative.text) == ("a red boat, blue sea", "mine")
        assert app.studio.parameters.texts["steps"] == "30"
        await pilot.press("ctrl+z")
        assert app.studio.prompt.text == "x"


async def test_ctrl_o_takes_all_of_it_but_the_seed(make_app: MakeApp) -> None:
    remember(*USED)
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await opened(app, pilot, *"red boat")
        await pilot.press("ctrl+o")
        await settle(app, pilot)
        recipe, faults = app.studio.read()
        assert faults == {}
        assert (recipe.negative_prompt, recipe.steps, recipe.sampler) == ("people", 12, "Heun")
        assert recipe.seed == 1632


async def test_of_very_many_the_closest_are_listed(make_app: MakeApp) -> None:
    remember(*(Recipe(prompt=f"prompt number {number}") for number in range(MOST_SHOWN + 50)))
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        screen = await opened(app, pilot)
        assert len(lines(screen)) == MOST_SHOWN
        await pilot.press(*"number 7")
        await settle(app, pilot)
        assert "7" in lines(screen)[0]


async def test_nothing_was_used_yet(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        screen = await opened(app, pilot, "ctrl+o")
        assert lines(screen) == ["No prompt yet: every one that an image is made from is kept here."]


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_looks(snap_compare: Compare, make_app: MakeApp, size: tuple[int, int]) -> None:
    remember(*USED)

    async def run(pilot: Pilot[None]) -> None:
        await opened(pilot.app, pilot, *"hou li")

    assert snap_compare(make_app(), terminal_size=size, run_before=run)
