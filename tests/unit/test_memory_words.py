"""What the head line says of memory."""

from __future__ import annotations

import pytest

from tui.widgets.status import memory_needs

GIB = 1 << 30


@pytest.mark.parametrize(
    ("needed", "there", "said"),
    [
        (9.1, 23.7, ("needs 9.1 of 24 GB", False)),
        (12.4, 12.0, ("needs 12.4 of 12 GB", True)),
        (27.6, 24.0, ("needs 27.6 of 24 GB", True)),
        (0.2, 24.0, ("", False)),
        (0.0, 0.0, ("", False)),
    ],
)
def test_memory_is_told_where_it_matters(needed: float, there: float, said: tuple[str, bool]) -> None:
    assert memory_needs(round(needed * GIB), round(there * GIB)) == said
