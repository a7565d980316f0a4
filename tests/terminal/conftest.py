"""What all tests in a real terminal share."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine of a test takes one core, so that the app beside it is never starved."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
