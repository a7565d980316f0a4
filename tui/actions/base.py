"""What an action is, where its key works, and how a key is written."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

Scope = Literal[
    "app",
    "studio",
    "prompt",
    "completion",
    "editor",
    "history",
    "named",
    "styles",
    "form",
    "preset",
    "file",
    "variations",
    "parameters",
    "recent",
    "steps",
    "list",
    "help",
    "inspector",
    "fork",
    "compare",
    "mask",
    "models",
    "folder",
    "library",
    "viewer",
    "line",
    "ask",
    "queue",
    "sweep",
    "settings",
    "capture",
]
"""Where a key works: in the whole app, on one of its screens, or with the focus in one part of the studio."""

Moment = Literal[
    "idle", "running", "job", "parameters", "file", "weights", "recent", "mask",
    "text", "schedule", "latents", "step", "guidance", "attention", "compare",
    "library", "library_empty", "library_search", "library_marks", "viewer", "variations",
    "sweep", "sweep_form", "sweep_values", "settings", "queue", "queue_ended", "queue_empty",
]  # fmt: skip
"""What the person is at, in the studio, a tab of the inspector or another screen: decides what the footer names."""

Group = Literal[
    "Make",
    "Seed",
    "Prompt",
    "Parameters",
    "Images",
    "Mask",
    "Inspector",
    "Compare",
    "Variations",
    "Library",
    "Viewer",
    "Queue",
    "Sweep",
    "Settings",
    "App",
    "Editing",
    "Lists",
]
"""The parts of the help, in its order."""


KEYMAP: Final[dict[str, tuple[str, ...]]] = {}
"""Other keys for actions than their own, by their names: what the settings say, put here by `remap`."""


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a key does.

    `keys` are Textual's names, the first one being shown. `handler` is the action method of the scope's node,
    with its arguments. `footer` says at which moments the footer names it, and what it calls it then.
    """

    name: str
    keys: tuple[str, ...]
    title: str
    group: Group
    scope: Scope
    handler: str
    summary: str = ""
    footer: dict[Moment, str] = {}
    priority: bool = False

    @property
    def key(self) -> str:
        """The first key as a person reads it, for example `^J`: the one that is set in the settings, or its own."""
        return key_label(self.present_keys[0])

    @property
    def present_keys(self) -> tuple[str, ...]:
        """Its keys by Textual's names: those that are set, or its own."""
        return KEYMAP.get(self.name, self.keys)


def action(name: str, keys: str, title: str, group: Group, scope: Scope, summary: str = "", *,
           handler: str = "", footer: dict[Moment, str] | None = None,
           priority: bool = False) -> Action:  # fmt: skip
    """A line of a table of actions; `keys` are separated by spaces, the handler is the name where none is given."""
    return Action(name=name, keys=tuple(keys.split()), title=title, group=group, scope=scope, summary=summary,
                  handler=handler or name, footer=footer or {}, priority=priority)  # fmt: skip


_NAMES: Final = {
    "enter": "⏎", "escape": "esc", "up": "↑", "down": "↓", "left": "←", "right": "→",
    "backspace": "⌫", "delete": "del", "plus": "+", "equals_sign": "=", "minus": "-",
    "pageup": "pgup", "pagedown": "pgdn", "tab": "⇥", "left_square_bracket": "[", "right_square_bracket": "]",
    "slash": "/", "question_mark": "?", "asterisk": "*", "full_stop": ".", "comma": ",",
}  # fmt: skip


def key_words(key: str) -> str:
    """A key in words, for who does not know the signs: `ctrl+j` is `Ctrl+J`, `alt+m` is `Alt+M`, `f1` is `F1`."""
    return "+".join(part.upper() if len(part) == 1 or part[1:].isdigit() else part.capitalize()
                    for part in key.split("+"))  # fmt: skip


def key_label(key: str) -> str:
    """A key as a person reads it: `ctrl+j` is `^J`, `shift+tab` is `⇧⇥`, `f1` is `F1`."""
    *modifiers, last = key.split("+")
    marks = "".join({"ctrl": "^", "shift": "⇧", "alt": "⌥"}[modifier] for modifier in modifiers)
    capital = "ctrl" in modifiers or (last[0] == "f" and last[1:].isdigit())
    name = _NAMES.get(last, last.upper() if capital else last)
    return marks + name
