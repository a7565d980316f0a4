"""The colours: a quiet room around the image, one accent, one alert, three brightnesses of text.

Our own themes, dark and light, name colours of the 256 of an indexed terminal, so that a plain SSH session sees what
truecolor sees. Textual's themes lend their background, their text and their accent; the rest is mixed from these, until
everything can be read.
"""

from __future__ import annotations

from typing import Final

from textual.color import Color
from textual.theme import BUILTIN_THEMES, Theme

OWN: Final = "sdtui"
_LEAST: Final = {
    "bright": 10.0,
    "normal": 7.0,
    "dim": 4.5,
    "accent": 4.5,
    "alert": 4.5,
    "warm": 7.0,
    "warmer": 7.0,
}
"""What text must stand out by against the background: the ratio of WCAG 2.2, which asks for 4.5 at least."""
_LINE: Final = 1.7
"""The same for lines between things."""
_MIXTURES: Final = 50


def _theme(name: str, *, background: str, raised: str, line: str, dim: str, normal: str, bright: str, accent: str,
           alert: str, warm: str, warmer: str, selection: str, dark: bool = True) -> Theme:  # fmt: skip
    return Theme(
        name=name,
        primary=accent,
        secondary=accent,
        accent=accent,
        warning=alert,
        error=alert,
        success=accent,
        foreground=normal,
        background=background,
        surface=background,
        panel=background,
        dark=dark,
        variables={
            "bright": bright,
            "warm": warm,
            "warmer": warmer,
            "normal": normal,
            "dim": dim,
            "line": line,
            "raised": raised,
            "alert": alert,
            "border": line,
            "border-blurred": line,
            "scrollbar": line,
            "scrollbar-hover": dim,
            "scrollbar-active": accent,
            "scrollbar-background": background,
            "scrollbar-background-hover": background,
            "scrollbar-background-active": background,
            "scrollbar-corner-color": background,
            "input-cursor-background": accent,
            "input-cursor-foreground": background,
            "input-selection-background": selection,
            "block-cursor-background": raised,
            "block-cursor-foreground": bright,
            "block-cursor-text-style": "none",
            "block-hover-background": raised,
        },
    )


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

THEME: Final = _theme(
    OWN, background=BACKGROUND, raised=RAISED, line=LINE, dim=DIM, normal=NORMAL, bright=BRIGHT, accent=ACCENT,
    alert=ALERT, warm=WARM, warmer=WARMER, selection="#5f5f5f",
)  # fmt: skip
"""The theme of the app."""

LIGHT: Final = _theme(
    "sdtui-light", background="#eeeeee", raised="#d0d0d0", line="#a8a8a8", dim="#626262", normal="#444444",
    bright="#121212", accent="#875f00", alert="#af0000", warm="#303030", warmer="#5f5f00", selection="#afd7ff",
    dark=False,
)  # fmt: skip
"""The same room by day."""

_FEW: Final = {
    True: _theme(
        f"{OWN}-16", background=BACKGROUND, raised=RAISED, line="#555555", dim="#555555", normal="#c0c0c0",
        bright=BRIGHT, accent="#ffff00", alert=ALERT, warm=WARM, warmer=WARMER, selection="#5f5f5f",
    ),
    False: _theme(
        f"{OWN}-light-16", background="#ffffff", raised="#c0c0c0", line="#808080", dim="#808080", normal="#000000",
        bright="#000000", accent="#800080", alert="#800000", warm="#000000", warmer="#808000", selection="#00ffff",
        dark=False,
    ),
}  # fmt: skip
"""Where there are 16 colours, dark and light: muted ones would all become the same grey."""


def _adapted(theme: Theme) -> Theme:
    """A theme of Textual's in our terms."""
    background = Color.parse(theme.background or ("#121212" if theme.dark else "#eeeeee"))
    away = Color.parse("#ffffff" if theme.dark else "#000000")
    foreground = Color.parse(theme.foreground or ("#e0e0e0" if theme.dark else "#1f1f1f"))
    accent = Color.parse(theme.accent or theme.primary)
    alert = Color.parse(theme.error or theme.warning or ALERT)
    found = {
        "bright": foreground,
        "normal": background.blend(foreground, 0.8),
        "dim": background.blend(foreground, 0.5),
        "accent": accent,
        "alert": alert,
        "warm": foreground.blend(accent, 0.25),
        "warmer": foreground.blend(accent, 0.6),
    }
    return _theme(
        theme.name,
        background=background.hex6,
        raised=background.blend(foreground, 0.12).hex6,
        line=_stand_out(background.blend(foreground, 0.2), background, away, _LINE),
        selection=background.blend(accent, 0.35).hex6,
        dark=theme.dark,
        **{name: _stand_out(color, background, away, _LEAST[name]) for name, color in found.items()},
    )


def _stand_out(color: Color, background: Color, away: Color, least: float) -> str:
    """`color`, moved towards `away` as little as makes it stand out from the background."""
    mixed = (color.blend(away, step / _MIXTURES) for step in range(_MIXTURES + 1))
    return next((one for one in mixed if contrast(one, background) >= least), away).hex6


def contrast(one: Color, other: Color) -> float:
    """How one colour stands out from the other, 1 (not at all) to 21 (source: WCAG 2.2, "contrast ratio")."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: Color) -> float:
    shares = (part / 255 for part in color.rgb)
    red, green, blue = (
        share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def theme_for(color_system: str | None, name: str = OWN) -> Theme:
    """The theme called `name` for a colour system as rich names it; a name that nobody knows is our own."""
    own = {theme.name: theme for theme in (THEME, LIGHT)}
    theme = own.get(name) or BUILTIN_THEMES.get(name, THEME)
    if color_system == "standard":
        return _FEW[theme.dark]
    return theme if theme.name in own else _adapted(theme)
