"""Other keys for actions, as a person sets them in the settings: what can be had, and why the rest cannot."""

from __future__ import annotations

import string
from collections.abc import Mapping
from typing import Final

from textual.keys import Keys, _character_to_key

from tui.actions.base import KEYMAP, Action, Scope, key_label
from tui.actions.registry import ACTIONS, BY_NAME

COLLIDING: Final = {
    "ctrl+h": "backspace",
    "ctrl+i": "tab",
    "ctrl+m": "enter",
    "ctrl+left_square_bracket": "escape",
    "ctrl+a": "",
    "ctrl+b": "",
}
"""Keys that plain terminals do not tell from others, or that screen and tmux take for themselves."""

_TYPING: Final[frozenset[Scope]] = frozenset(
    {
        "app",
        "studio",
        "prompt",
        "completion",
        "editor",
        "list",
        "history",
        "models",
        "folder",
        "line",
        "ask",
        "settings",
    }
)
"""Where letters are typed: into a prompt, or to narrow a list."""
_TOGETHER: Final[tuple[frozenset[Scope], ...]] = (
    frozenset({"studio", "prompt", "completion", "editor", "parameters", "recent", "steps"}),
    frozenset({"fork", "prompt", "editor"}),
    frozenset({"list", "history", "models", "folder", "settings"}),
    frozenset({"library", "ask", "line"}),
)
"""Scopes whose keys work side by side, besides those of one group; those of the app work everywhere."""
_MODIFIERS: Final = ("ctrl", "alt", "shift")
_TYPED: Final = frozenset(_character_to_key(character) for character in string.punctuation + " ")
_ALL: Final = frozenset(key.value for key in Keys if "<" not in key.value)
_NAMED: Final = frozenset(key for key in _ALL if "+" not in key) | _TYPED

Keymap = dict[str, tuple[str, ...]]


def key_named(text: str) -> str | None:
    """Textual's name of a key as people write it ("Ctrl+G", "?", "F5"), None where there is no such key."""
    if text in _ALL:
        return text
    *modifiers, last = [text] if len(text) == 1 else text.strip().split("+")
    modifiers = [modifier.lower() for modifier in modifiers]
    if not set(modifiers) <= set(_MODIFIERS) or len(set(modifiers)) < len(modifiers):
        return None
    if len(last) == 1:
        if not last.isprintable() or last == "\ufffd":
            return None
        last = last.lower() if "ctrl" in modifiers else last
        if "shift" in modifiers and "ctrl" not in modifiers:
            modifiers.remove("shift")  # a terminal sends the capital
            last = last.upper()
        last = _character_to_key(last)
    elif last.lower() in _NAMED:
        last = last.lower()
    else:
        return None
    return "+".join([*(modifier for modifier in _MODIFIERS if modifier in modifiers), last])


def remapping(wanted: Mapping[str, object]) -> tuple[Keymap, dict[str, str]]:
    """The keys that can be had of those wanted, by action; and for each action that keeps its own a sentence why."""
    keymap: Keymap = {}
    faults: dict[str, str] = {}
    for name, value in wanted.items():
        found = _keys(name, value)
        if isinstance(found, str):
            faults[name] = found
        else:
            keymap[name] = found
    while (clash := _first_clash(keymap)) is not None:
        name, key, other = clash
        faults[name] = f"{key_label(key)} is taken by “{other.title}”"
        del keymap[name]  # its own keys are back, and may be in the way of another
    return keymap, faults


def fault_of_key(name: str, key: str, keymap: Keymap) -> str:
    """Why the action called `name` cannot have `key` beside what is set otherwise, "" where it can."""
    found = _keys(name, key)
    if isinstance(found, str):
        return found
    other = _clash(name, found[0], keymap)
    return "" if other is None else f"{key_label(key)} is taken by “{other.title}”"


def remap(keymap: Keymap) -> None:
    """Have every key that is shown be the one that is set. Textual is told by `App.set_keymap`."""
    KEYMAP.clear()
    KEYMAP.update(keymap)


def _keys(name: str, value: object) -> tuple[str, ...] | str:
    """The keys by their names, or why they cannot be had."""
    if name not in BY_NAME:
        return "there is no such action"
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple) or not texts or not all(isinstance(text, str) for text in texts):
        return "a key or a list of keys is wanted"
    keys = []
    for text in texts:
        key = key_named(text)
        if key is None:
            return f"there is no key {text!r}"
        if key in COLLIDING:
            other = COLLIDING[key]
            return (f"{key_label(key)} is {key_label(other)} in plain terminals" if other
                    else f"{key_label(key)} is taken by screen and tmux")  # fmt: skip
        if _is_typed(key) and BY_NAME[name].scope in _TYPING:
            return f"{key_label(key)} is typed there; take one with Ctrl or Alt, or a function key"
        keys.append(key)
    return tuple(dict.fromkeys(keys))


def _is_typed(key: str) -> bool:
    return key in _TYPED or len(key) == 1


def _first_clash(keymap: Keymap) -> tuple[str, str, Action] | None:
    """The last action that was given a key which means something else already."""
    for name in reversed(keymap):
        for key in (key for key in keymap[name] if key not in BY_NAME[name].keys):
            if (other := _clash(name, key, keymap)) is not None:
                return name, key, other
    return None


def _clash(name: str, key: str, keymap: Keymap) -> Action | None:
    """What `key` means besides the action called `name`, where both work."""
    own = BY_NAME[name]
    return next((other for other in ACTIONS if other.name != name and key in keymap.get(other.name, other.keys)
                 and _meet(own, other)), None)  # fmt: skip


def _meet(one: Action, other: Action) -> bool:
    scopes = {one.scope, other.scope}
    return (len(scopes) == 1 or "app" in scopes or one.group == other.group
            or any(scopes <= together for together in _TOGETHER))  # fmt: skip
