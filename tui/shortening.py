"""Names in less room than they need."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size

_ENDS = "-_ ."


def shortened(name: str, room: int) -> str:
    """A name in at most `room` cells, cut after a whole word of it where it is too long."""
    if cell_len(name) <= room:
        return name
    cut = set_cell_size(name, max(1, room - 1)).rstrip()
    end = max(cut.rfind(mark) for mark in _ENDS)
    return f"{cut[:end].rstrip(_ENDS) or cut if end > 0 else cut}…"
