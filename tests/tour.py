"""The README's tour, as something that can be followed: what is pressed, what is seen, and the pictures of it.

A row of one of its tables says on the left what to press, keys as `<kbd>⏎</kbd>` and typed text as code, and on the
right what one sees: what is printed bold there stands on the screen. A picture shows how it looks after the row above
it. `sdtui` among what is typed opens the app.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from tui.actions import ACTIONS
from tui.actions.base import key_label

README: Final = Path(__file__).resolve().parents[1] / "README.md"
OPEN: Final = "sdtui"
"""What a person types in a shell to begin."""

_ROW: Final = re.compile(
    r"\| (?P<left>(?:<kbd>|`).*?) \| (?P<right>.*) \||!\[.*\]\(screenshots/(?P<picture>.*)\.svg\)"
)
_PRESSED: Final = re.compile(r"<kbd>(?P<key>[^<]+)</kbd>|`(?P<text>[^`]+)`")
_SEEN: Final = re.compile(r"\*\*(.+?)\*\*")
_BY_LABEL: Final = {key_label(key): key for action in ACTIONS for key in action.keys}
_SENT: Final = {
    "enter": "\r", "escape": "\x1b", "tab": "\t", "backspace": "\x7f", "space": " ", "plus": "+", "slash": "/",
    "up": "\x1b[A", "down": "\x1b[B", "right": "\x1b[C", "left": "\x1b[D", "home": "\x1b[H", "end": "\x1b[F",
    "f1": "\x1bOP", "f2": "\x1bOQ", "f3": "\x1bOR", "f4": "\x1bOS", "f5": "\x1b[15~", "f6": "\x1b[17~",
}  # fmt: skip
"""What a terminal sends for the keys that are not one letter."""


class Press(msgspec.Struct, frozen=True):
    """A key by Textual's name, or ("") the text that is typed."""

    key: str
    text: str = ""

    @property
    def sent(self) -> str:
        """What a terminal sends for it."""
        modifier, _, letter = self.key.rpartition("+")
        if modifier == "ctrl":
            return chr(ord(letter) - 96)
        if modifier == "alt":
            return f"\x1b{letter}"
        return self.text or (self.key if len(self.key) == 1 else _SENT[self.key])

    @property
    def opens(self) -> bool:
        """Whether it is typed in a shell, and opens the app."""
        return self.text == OPEN


class Row(msgspec.Struct, frozen=True):
    """One row of the tour, or ("") a picture of how it looks after the one before."""

    presses: tuple[Press, ...] = ()
    sees: tuple[str, ...] = ()
    picture: str = ""


def tour() -> Iterator[Row]:
    """The rows of the README's tour in their order. Raises KeyError for a key that no action has."""
    section = README.read_text().split("\n## A tour\n")[1].split("\n## ")[0]
    for row in _ROW.finditer(section):
        if row["picture"]:
            yield Row(picture=row["picture"])
        else:
            presses = [Press(_BY_LABEL[one["key"]] if one["key"] else "", one["text"] or "")
                       for one in _PRESSED.finditer(row["left"])]  # fmt: skip
            yield Row(tuple(presses), tuple(_SEEN.findall(row["right"])))
