"""What every test starts from: a home of its own, and no network."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A machine with other work is slow at times; and what lands must not depend on the luck of a draw.
settings.register_profile(
    "sdtui",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("sdtui")

if "PYTEST_XDIST_WORKER" in os.environ:
    # Each of the processes that share the cores takes one, and so do the engines that it starts.
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Spread the files of tests in a terminal evenly among the others: each has an app and an engine of its own, and
    workers that all ran such files would starve them of the processor. All go backwards, and so the tour is the first:
    it is one long test, and begun near the end it would run on alone."""
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    inside = [path for path in reversed(files) if path.parent.name == "terminal"]
    order = [path for path in reversed(files) if path.parent.name != "terminal"]
    for number, path in enumerate(inside):
        order.insert(number * (len(order) + 1) // len(inside), path)
    items[:] = [item for path in order for item in files[path]]


_OF_THE_SHELL = (
    "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TMUX", "TERM_PROGRAM", "SSH_CONNECTION", "SSH_TTY",
    "VISUAL", "EDITOR",
)  # fmt: skip
"""What the terminal that the tests are run in says of itself and of who sits there."""


@pytest.fixture(autouse=True)
def private_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Point `SDTUI_HOME` at a folder of this test, hide the models and the terminal of who runs it, stay off the
    network."""
    home = tmp_path / "home"
    monkeypatch.setenv("SDTUI_HOME", str(home))
    monkeypatch.setenv("HOME", str(tmp_path / "person"))
    for name in ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME", *_OF_THE_SHELL):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return home
