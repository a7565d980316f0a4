"""The colours: a neutral dark room around the image, one accent, one alert, three brightnesses of text.

Every colour is one of the 256 of an indexed terminal, so that a plain SSH session sees what truecolor sees.
"""

from __future__ import annotations

from typing import Final

from textual.theme import Theme

BACKGROUND: Final = "#121212"
RAISED: Final = "#262626"
LINE: Final = "#444444"
BRIGHT: Final = "#eeeeee"
NORMAL: Final = "#b2b2b2"
DIM: Final = "#808080"
ACCENT: Final = "#d7af5f"
WARM: Final = "#ffffd7"
WARMER: Final = "#d7d787"
ALERT: Final = "#ff875f"


def _theme(name: str, *, line: str, dim: str, normal: str, accent: str, alert: str) -> Theme:
    return Theme(
        name=name,
        primary=accent,
        secondary=accent,
        accent=accent,
        warning=alert,
        error=alert,
        success=accent,
        foreground=normal,
        background=BACKGROUND,
        surface=BACKGROUND,
        panel=BACKGROUND,
        dark=True,
        variables={
            "bright": BRIGHT,
            "warm": WARM,
            "warmer": WARMER,
            "normal": normal,
            "dim": dim,
            "line": line,
            "raised": RAISED,
            "alert": alert,
            "border": line,
            "border-blurred": line,
            "scrollbar": line,
            "scrollbar-hover": dim,
            "scrollbar-active": accent,
            "scrollbar-background": BACKGROUND,
            "scrollbar-background-hover": BACKGROUND,
            "scrollbar-background-active": BACKGROUND,
            "scrollbar-corner-color": BACKGROUND,
            "input-cursor-background": accent,
            "input-cursor-foreground": BACKGROUND,
            "input-selection-background": "#5f5f5f",
            "block-cursor-background": RAISED,
            "block-cursor-foreground": BRIGHT,
            "block-cursor-text-style": "none",
            "block-hover-background": RAISED,
        },
    )


THEME: Final = _theme("sdtui", line=LINE, dim=DIM, normal=NORMAL, accent=ACCENT, alert=ALERT)
"""The theme of the app."""

THEME_16: Final = _theme(
    "sdtui-16", line="#555555", dim="#555555", normal="#c0c0c0", accent="#ffff00", alert=ALERT
)
"""The same where there are 16 colours: the muted ones above would all become the same grey."""


def theme_for(color_system: str | None) -> Theme:
    """The theme for a colour system as rich names it."""
    return THEME_16 if color_system == "standard" else THEME
