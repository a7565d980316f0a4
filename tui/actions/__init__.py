"""Everything that a key can do: a key that is not here does not exist. A table for each screen, one registry of all."""

from tui.actions.base import Action, Group, Moment, Scope, key_label
from tui.actions.registry import ACTIONS, BY_NAME, bindings, commands, footer

__all__ = [
    "ACTIONS", "BY_NAME", "Action", "Group", "Moment", "Scope", "bindings", "commands", "footer", "key_label",
]  # fmt: skip
