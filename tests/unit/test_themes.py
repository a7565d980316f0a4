"""The themes: our own, and Textual's in our terms, all of them readable."""

from __future__ import annotations

import pytest
from textual.color import Color
from textual.theme import BUILTIN_THEMES

from sdcore.library.config import THEMES
from tui.theme import LIGHT, THEME, contrast, theme_for

TEXT = ("bright", "normal", "dim", "alert", "warm", "warmer")


def test_every_theme_of_textual_is_offered_but_those_without_colours() -> None:
    assert set(THEMES[2:]) == {name for name, theme in BUILTIN_THEMES.items() if not theme.ansi}
    assert [theme_for("truecolor", name).name for name in THEMES] == list(THEMES)


@pytest.mark.parametrize("name", THEMES)
def test_everything_can_be_read(name: str) -> None:
    theme = theme_for("truecolor", name)
    background = Color.parse(theme.background or "")
    colours = {"accent": theme.accent or "", **{name: theme.variables[name] for name in TEXT}}
    stands_out = {name: contrast(Color.parse(colour), background) for name, colour in colours.items()}
    assert min(stands_out.values()) >= 4.5
    assert stands_out["bright"] > stands_out["normal"] > stands_out["dim"]
    raised = Color.parse(theme.variables["raised"])
    assert contrast(Color.parse(theme.variables["bright"]), raised) >= 4.5
    assert contrast(raised, background) > 1.1
    assert 1.5 < contrast(Color.parse(theme.variables["line"]), background) < stands_out["dim"]


@pytest.mark.parametrize("theme", [THEME, LIGHT], ids=lambda theme: theme.name)
def test_our_own_are_colours_of_an_indexed_terminal(theme: object) -> None:
    steps = {0, 95, 135, 175, 215, 255}
    grey = {8 + 10 * step for step in range(24)}
    for text in theme.variables.values():  # type: ignore[attr-defined]
        if text.startswith("#"):
            rgb = Color.parse(text).rgb
            assert set(rgb) <= steps or (len(set(rgb)) == 1 and rgb[0] in grey), text


def test_sixteen_colours_are_for_our_own() -> None:
    assert theme_for("standard", "nord").name == "sdtui-16"
    assert theme_for("standard", "solarized-light").name == "sdtui-light-16"


def test_an_unknown_theme_is_our_own() -> None:
    assert theme_for("truecolor", "nobody's").name == "sdtui"


def test_contrast_is_that_of_wcag() -> None:
    black, white = Color(0, 0, 0), Color(255, 255, 255)
    assert contrast(black, white) == contrast(white, black) == pytest.approx(21)
    assert contrast(Color(119, 119, 119), white) == pytest.approx(4.48, abs=0.01)
