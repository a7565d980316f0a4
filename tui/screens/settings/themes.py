"""The list of themes, each shown while the cursor is on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.widgets import OptionList

from sdcore.library.config import THEMES
from tui.screens.lists.chooser import Choice, Chooser
from tui.theme import theme_for

if TYPE_CHECKING:
    from tui.app import SdtuiApp


class ThemeChooser(Chooser, inherit_bindings=False):
    """Returns the theme taken, None when closed; the app is then in the theme that was looked at last."""

    CSS_PATH = "themes.tcss"
    app: SdtuiApp

    def __init__(self, present: str) -> None:
        super().__init__("theme", [Choice(name, _line(name)) for name in THEMES], present=present)

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Show it."""
        event.stop()
        if event.option.id is not None:
            self.app.preferences.show_theme(THEMES[int(event.option.id)])


def _line(name: str) -> str:
    return f"{name:<22} {'dark' if theme_for(None, name).dark else 'light'}"
