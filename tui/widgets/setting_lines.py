"""How a setting, or the key of an action, stands in the list, and what is said of it below."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from rich.cells import cell_len, set_cell_size
from textual.content import Content

from sdcore.library.config import DEFAULTS, SETTINGS
from sdcore.library.setting import EFFECTS
from sdcore.spec.sanitise import sanitise
from tui.actions import Action, key_label
from tui.widgets.notes import unbroken

_TITLE: Final = 34
_MARK: Final = "● "
_WRONG: Final = "! "
_USUAL: Final = "the usual one"
_EMPTY: Final = "none"


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line: its name ("theme", "keys.generate"), its title, its value in words, and what is said of it."""

    name: str
    group: str
    title: str
    value: str
    changed: bool
    about: str
    default: str
    effect: str = ""
    problem: str = ""
    is_path: bool = False
    """Whether the end tells more than the beginning."""

    @property
    def words(self) -> str:
        """What a filter is looked for in."""
        return f"{self.name} {self.title} {self.value} {self.group} {self.about}".casefold()

    def content(self, width: int) -> Content:
        """The line, `width` cells long at most."""
        mark = Content.styled(_WRONG, "$alert") if self.problem else Content.styled(
            _MARK if self.changed else " " * len(_MARK), "$accent")  # fmt: skip
        title = _cut(self.title, _TITLE).ljust(_TITLE)
        room = max(8, width - _TITLE - len(_MARK))
        value = _cut(self.value[::-1], room)[::-1] if self.is_path else _cut(self.value, room)
        return (
            mark
            + Content.styled(title, "$normal")
            + Content.styled(value, "$bright" if self.changed else "$dim")
        )

    @property
    def sentences(self) -> tuple[str, ...]:
        """What is said of it, but for what is wrong."""
        return (self.about, " ".join(filter(None, (f"{unbroken('Default:')} {self.default}.", self.effect))))


def setting_line(name: str, value: Any, problem: str) -> Line:
    """The line of a setting that has this value, as TOML has it."""
    setting = SETTINGS[name]
    return Line(name=name, group=setting.group, title=setting.title, value=value_text(name, value),
                changed=value != DEFAULTS[name], about=setting.summary, default=value_text(name, DEFAULTS[name]),
                effect=EFFECTS[setting.effect], problem=problem,
                is_path=setting.kind in ("folder", "folders"))  # fmt: skip


def key_line(action: Action, keymap: Mapping[str, tuple[str, ...]], problem: str) -> Line:
    """The line of an action and its keys."""
    keys = keymap.get(action.name, action.keys)
    return Line(name=f"keys.{action.name}", group=f"Keys · {action.group}", title=action.title,
                value="  ".join(map(key_label, keys)), changed=keys != action.keys,
                about=f"{action.summary or action.title} In the file: keys.{action.name}.".replace("..", "."),
                default="  ".join(map(key_label, action.keys)), problem=problem)  # fmt: skip


def value_text(name: str, value: Any) -> str:
    """A value in words."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return ", ".join(value) or _EMPTY
    if isinstance(value, int | float):
        number = f"{value:g}" if isinstance(value, float) else str(value)
        return f"{number} {SETTINGS[name].unit}".strip()
    return str(value) or (_USUAL if SETTINGS[name].kind == "folder" else _EMPTY)


def _cut(text: str, width: int) -> str:
    text = sanitise(text, newlines=False)
    return text if cell_len(text) <= width else f"{set_cell_size(text, max(0, width - 1))}…"
