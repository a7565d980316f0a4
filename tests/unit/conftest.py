"""Models shared by the unit tests."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from sdcore.diffusion.model import Model


@pytest.fixture(scope="session")
def sd1_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Stable Diffusion 1.x folder of random weights."""
    from tests.models import make_sd1

    return make_sd1(tmp_path_factory.mktemp("models") / "random-sd1")


@pytest.fixture(scope="module")
def model(sd1_folder: Path) -> Model:
    """That model, opened on the CPU; every file of tests has its own."""
    from sdcore.opening import open_model

    return open_model(sd1_folder, device="cpu")


@pytest.fixture
def short_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home whose socket path fits."""
    home = Path(tempfile.mkdtemp(prefix="sd"))
    monkeypatch.setenv("SDTUI_HOME", str(home))
    yield home
    shutil.rmtree(home)
