"""All actions in one place: bindings, footer, help screen and command palette are made from `ACTIONS`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from textual.binding import Binding, BindingType

from tui.actions.app import APP
from tui.actions.base import Action, Moment, Scope
from tui.actions.compare import COMPARE
from tui.actions.editing import EDITING
from tui.actions.inspector import INSPECTOR
from tui.actions.library import LIBRARY, LINE, VIEWER
from tui.actions.lists import LISTS
from tui.actions.mask import MASK
from tui.actions.queue import QUEUE
from tui.actions.settings import SETTINGS
from tui.actions.studio import MAKE, PARAMETERS, RECENT, WALK, WEIGHTS
from tui.actions.sweep import SWEEP
from tui.actions.variations import VARIATIONS
from tui.actions.words import COMPLETION, HISTORY, NAMED, WORDS

ACTIONS: Final[tuple[Action, ...]] = (
    *MAKE, *PARAMETERS, *RECENT, *MASK, *INSPECTOR, *COMPARE, *VARIATIONS, *LIBRARY, *VIEWER, *QUEUE, *SWEEP,
    *SETTINGS, *APP, *LISTS, *COMPLETION, *WALK, *WEIGHTS, *WORDS, *HISTORY, *NAMED, *EDITING, *LINE,
)  # fmt: skip
"""Every action, in the order in which footer, help and palette show them."""

BY_NAME: Final = {one.name: one for one in ACTIONS}


def bindings(*scopes: Scope) -> list[BindingType]:
    """Textual's bindings for the node that serves these scopes; their ids are the actions' names."""
    return [
        Binding(",".join(one.keys), one.handler, one.title, show=False, id=one.name, priority=one.priority)
        for one in ACTIONS
        if one.scope in scopes
    ]


def footer(moment: Moment) -> list[tuple[Action, str]]:
    """The actions, six at most, that the footer names at this moment, and what it calls them."""
    return [(one, one.footer[moment]) for one in ACTIONS if moment in one.footer]


def commands(screen: Scope = "studio") -> Iterator[Action]:
    """What the command palette offers on a screen: the actions that make sense wherever the focus is."""
    return (one for one in ACTIONS if one.scope in ("app", screen) and one.name != "commands")
