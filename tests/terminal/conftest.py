"""What all tests in a real terminal share."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sdcore.engine.wire import socket_path


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine of a test takes one core, so that the app beside it is never starved."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def no_engine_is_left(private_home: Path) -> Iterator[None]:
    """An engine whose app was killed would stay warm for a quarter of an hour, beside all other tests."""
    yield
    if socket_path().exists():
        subprocess.run(
            [sys.executable, "-m", "tui.cli", "stop"], check=False, capture_output=True, timeout=60
        )
