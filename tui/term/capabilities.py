"""What a terminal can show, made out from its answers, and from its name where it cannot be asked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

Multiplexer = Literal["tmux", "screen", ""]

_LARGEST_CELL: Final = 256
"""Pixels; a terminal that claims larger cells is not believed."""


@dataclass(frozen=True, slots=True)
class Brand:
    """What cannot be asked: `placeholders` are Kitty images that live in cells, `inline` is iTerm2's OSC 1337,
    `sixel` is certain although the terminal does not say so."""

    truecolor: bool = True
    placeholders: bool = False
    inline: bool = False
    sixel: bool = False


BRANDS: Final[dict[str, Brand]] = {
    "kitty": Brand(placeholders=True),
    "ghostty": Brand(placeholders=True),
    "wezterm": Brand(inline=True),  # answers the graphics query, but knows no placeholders
    "iterm2": Brand(inline=True, sixel=True),
    "mintty": Brand(inline=True),
    "konsole": Brand(inline=True),
    "vscode": Brand(inline=True),
    "tabby": Brand(inline=True),
    "rio": Brand(inline=True),
    "foot": Brand(),
    "contour": Brand(),
    "alacritty": Brand(),
    "xterm.js": Brand(),
    "windows terminal": Brand(),
    "vte": Brand(),
    "xterm": Brand(truecolor=False),
    "apple terminal": Brand(truecolor=False),
    "linux": Brand(truecolor=False),
}
"""By the name that XTVERSION gives, in small letters; an unknown terminal is taken at its word alone."""

_UNKNOWN: Final = Brand(truecolor=False)

_TERMS: Final = {
    "xterm-kitty": "kitty",
    "xterm-ghostty": "ghostty",
    "ghostty": "ghostty",
    "wezterm": "wezterm",
    "alacritty": "alacritty",
    "foot": "foot",
    "contour": "contour",
    "rio": "rio",
    "iterm2": "iterm2",
    "mintty": "mintty",
    "linux": "linux",
}
"""Brands by TERM, which may go on after a "-"."""

# Variables that only such a terminal sets, what they begin with ("" for anything), and the brand.
_MARKS: Final = (
    ("KITTY_WINDOW_ID", "", "kitty"),
    ("WEZTERM_PANE", "", "wezterm"),
    ("ALACRITTY_WINDOW_ID", "", "alacritty"),
    ("WT_SESSION", "", "windows terminal"),
    ("KONSOLE_VERSION", "", "konsole"),
    ("TERM_PROGRAM", "iTerm", "iterm2"),
    ("TERM_PROGRAM", "WezTerm", "wezterm"),
    ("TERM_PROGRAM", "ghostty", "ghostty"),
    ("TERM_PROGRAM", "vscode", "vscode"),
    ("TERM_PROGRAM", "Hyper", "xterm.js"),
    ("TERM_PROGRAM", "Tabby", "tabby"),
    ("TERM_PROGRAM", "mintty", "mintty"),
    ("TERM_PROGRAM", "rio", "rio"),
    ("TERM_PROGRAM", "Apple_Terminal", "apple terminal"),
    ("LC_TERMINAL", "iTerm2", "iterm2"),
    ("VTE_VERSION", "", "vte"),
)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the terminal is and can do. `answered` says whether it was heard at all.

    `truecolor` is None where nobody knows. `kitty` means Kitty images in cells, which work inside tmux. `cell` is the
    size of a cell in pixels. `passthrough` says whether a multiplexer lets images through to the terminal behind it.
    """

    answered: bool = False
    name: str = ""
    version: str = ""
    truecolor: bool | None = None
    kitty: bool = False
    inline: bool = False
    sixel: bool = False
    synchronized: bool = False
    cell: tuple[int, int] | None = None
    multiplexer: Multiplexer = ""
    passthrough: bool = False

    @property
    def title(self) -> str:
        """The terminal's name and version, fit to be shown; "" where it is not known."""
        return f"{self.name} {self.version}".strip()


# XTGETTCAP knows the name RGB, or the colour 1, 2, 3 that was set reads back as such
_RGB: Final = re.compile(r"\x1bP1(?:\+r524742|\$r[0-9:;]*48[:;]2[:;]+1[:;]2[:;]3(?:[:;][0-9:;]*)?m)")
_VERSION: Final = re.compile(r"\x1bP>\|([ -~]{1,64})\x1b")
_NAMED: Final = re.compile(r"([A-Za-z][\w.-]*(?: [A-Za-z][\w.-]*)*)(?:[ (]v?([0-9][\w.+-]*)\)?)?", re.ASCII)
_GRAPHICS: Final = re.compile(r"\x1b_G[^;]*i=31[^;]*;OK\x1b")
_ATTRIBUTES: Final = re.compile(r"\x1b\[\?([0-9;]*)c")
_CELL: Final = re.compile(r"\x1b\[6;([0-9]+);([0-9]+)t")
_SYNCHRONIZED: Final = re.compile(r"\x1b\[\?2026;([0-9])\$y")
_SIXEL: Final = "4"


def multiplexer(environ: Mapping[str, str]) -> Multiplexer:
    """Which multiplexer stands between us and the terminal, as far as the environment says."""
    term = environ.get("TERM", "")
    if environ.get("TMUX") or term.startswith("tmux"):
        return "tmux"
    return "screen" if term.startswith("screen") else ""


def is_last(reply: str) -> bool:
    """Whether this is the answer to the question that is asked last (DA1)."""
    return _ATTRIBUTES.fullmatch(reply) is not None


def understand(replies: Iterable[str], environ: Mapping[str, str]) -> Capabilities:
    """What these answers, and the environment, say of the terminal. Answers are believed within bounds only."""
    answers = list(replies)
    text = "".join(answers)
    between = multiplexer(environ)
    names = [_named(found[1]) for found in _VERSION.finditer(text)]
    if any(name == "tmux" for name, _ in names):
        between = "tmux"
    outer = [one for one in names if one[0] not in ("tmux", "screen")]
    name, version = outer[-1] if outer else (known_by(environ)[0] if not between else "", "")
    brand = BRANDS.get(name, _UNKNOWN)
    attributes = [found[1].split(";") for found in _ATTRIBUTES.finditer(text)]
    # of several the first is the multiplexer's own, which must draw what we send
    sixel = bool(attributes) and _SIXEL in attributes[0][1:]
    graphics = _GRAPHICS.search(text) is not None
    passthrough = between == "tmux" and (bool(outer) or graphics or len(attributes) > 1)
    return Capabilities(
        answered=bool(answers),
        name=name,
        version=version,
        truecolor=_truecolor(text, brand, between, answered=bool(attributes)),
        kitty=graphics and brand.placeholders,
        inline=brand.inline and not between,
        sixel=sixel or (brand.sixel and not between),
        synchronized=any(found[1] in "12" for found in _SYNCHRONIZED.finditer(text)),
        cell=_cell(text),
        multiplexer=between,
        passthrough=passthrough,
    )


def _truecolor(text: str, brand: Brand, between: Multiplexer, *, answered: bool) -> bool | None:
    if between:
        return None  # a multiplexer decides by its own settings, whatever the terminal behind it has
    if brand.truecolor or _RGB.search(text) is not None:
        return True
    return False if answered else None


def _named(text: str) -> tuple[str, str]:
    found = _NAMED.fullmatch(text)
    return (found[1].lower(), found[2] or "") if found else ("", "")


def known_by(environ: Mapping[str, str]) -> tuple[str, str]:
    """The terminal's brand as the environment tells it, and what tells it; ("", "") where nothing does."""
    if multiplexer(environ):
        return "", ""  # such variables are those of the terminal that the multiplexer was started in
    term = environ.get("TERM", "").lower()
    for name, brand in _TERMS.items():
        if term == name or term.startswith(f"{name}-"):
            return brand, f"TERM={term}"
    for variable, begins, brand in _MARKS:
        value = environ.get(variable, "")
        if value and value.startswith(begins):
            return brand, f"{variable}={value}" if begins else variable
    return "", ""


def _cell(text: str) -> tuple[int, int] | None:
    sizes = [(int(found[2]), int(found[1])) for found in _CELL.finditer(text)]
    return next((size for size in reversed(sizes) if all(1 < side <= _LARGEST_CELL for side in size)), None)
