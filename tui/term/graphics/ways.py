"""Which way pictures are drawn: what the settings ask for, or the best that the terminal is known to have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal
from weakref import WeakSet

from tui.term.capabilities import Capabilities
from tui.term.graphics.kitty import Numbers

if TYPE_CHECKING:
    from textual.app import App
    from textual.widget import Widget

Way = Literal["kitty", "iterm", "sixel", "quadrants", "halfblocks"]

TITLES: Final[dict[Way, str]] = {
    "kitty": "Kitty graphics, real pixels",
    "iterm": "inline images, real pixels",
    "sixel": "Sixel, real pixels for finished images",
    "quadrants": "quadrants, four pixels a cell in two colours",
    "halfblocks": "half blocks, two pixels a cell",
}
"""What a person reads, by way; the best comes first."""

IN_CELLS: Final[tuple[Way, ...]] = ("quadrants", "halfblocks")
"""What every terminal with colours can show."""


def possible(found: Capabilities) -> list[Way]:
    """The ways that the terminal is known to have, the best first."""
    # sixel is drawn where the cursor is, so we must know how many cells it covers
    pixels: list[tuple[Way, bool]] = [
        ("kitty", found.kitty and (not found.multiplexer or found.passthrough)),
        ("iterm", found.inline),
        ("sixel", found.sixel and found.cell is not None),
    ]
    return [way for way, known in pixels if known] + list(IN_CELLS)


def best(found: Capabilities) -> Way:
    """The way that suits most: real pixels where there are some, else half blocks, which keep the colours."""
    ways = possible(found)
    return "halfblocks" if ways[0] in IN_CELLS else ways[0]


class Pictures:
    """The way in which pictures are drawn now. `wanted` is the setting: a way, or "auto"."""

    def __init__(self, wanted: str = "auto") -> None:
        self.found = Capabilities()
        self.numbers = Numbers()
        self.laid_over: WeakSet[Widget] = WeakSet()
        """The widgets whose picture does not live in cells (see `tui.term.graphics.overlay`)."""
        self._chosen: Way | None = None
        self.want(wanted)

    @property
    def way(self) -> Way:
        """How pictures are drawn."""
        return self._chosen or best(self.found)

    @property
    def tmux(self) -> bool:
        """Whether what is not text must be wrapped to reach the terminal behind tmux."""
        return self.found.multiplexer == "tmux"

    def know(self, found: Capabilities) -> None:
        """The terminal has answered."""
        self.found = found

    def want(self, wanted: str) -> None:
        """Another setting: a way, or "auto"."""
        self._chosen = next((way for way in TITLES if way == wanted), None)

    def note(self, widget: Widget, *, over: bool) -> None:
        """Whether the picture of `widget` lies over its cells now."""
        if over:
            self.laid_over.add(widget)
        else:
            self.laid_over.discard(widget)

    def go_on(self) -> Way:
        """Go on to the next way that the terminal has."""
        ways = possible(self.found)
        self._chosen = ways[(ways.index(self.way) + 1) % len(ways)] if self.way in ways else ways[0]
        return self._chosen


_PLAIN: Final = Pictures("halfblocks")


def pictures_of(app: App[Any]) -> Pictures:
    """The app's choice; half blocks for an app that has none, or no terminal."""
    found = getattr(app, "pictures", None)
    return found if isinstance(found, Pictures) and not app.is_headless else _PLAIN
