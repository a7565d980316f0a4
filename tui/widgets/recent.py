"""The filmstrip with the keys of the registry."""

from __future__ import annotations

from tui.actions import bindings
from tui.widgets.filmstrip import Filmstrip


class Recent(Filmstrip, inherit_bindings=False):
    """The images made last."""

    HELP = (
        "The images made last, newest first. ← and → look at one, with its recipe below; "
        "Enter brings its recipe back to the panes; F5 compares it with the newest; Escape goes back to the prompt."
    )
    BINDINGS = bindings("recent")
