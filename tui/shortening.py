"""Names in less room than they need."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size

_ENDS = "-_ ."
_JOINER = "\u200d"


def shortened(name: str, room: int) -> str:
    """A name in at most `room` cells, cut after a whole word of it where it is too long."""
    if cell_len(name) <= room:
        return name
    cut = set_cell_size(name, max(1, room - 1)).rstrip()
    end = max(cut.rfind(mark) for mark in _ENDS)
    return f"{cut[:end].rstrip(_ENDS) or cut if end > 0 else cut}…"


def fitted(text: str, room: int) -> str:
    """A text in exactly `room` cells, its end left out where it is too long. A joiner at the end goes: the next cell
    would be taken for what it joins."""
    text = text.rstrip(_JOINER)
    if cell_len(text) > room:
        text = f"{set_cell_size(text, max(0, room - 1)).rstrip().rstrip(_JOINER)}…"
    return text + " " * (room - cell_len(text))
