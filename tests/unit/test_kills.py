"""kill -9 of the engine process and of its clients, in turn: no job is lost, no image is made twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

KILLS = 8


@pytest.mark.usefixtures("short_home")
def test_nothing_is_lost_and_nothing_is_made_twice() -> None:
    seed = int.from_bytes(os.urandom(3))
    done = subprocess.run(
        [sys.executable, "-m", "tests.kills", str(KILLS), str(seed)],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"seed {seed}: {done.stderr}"
    toll = json.loads(done.stdout)
    assert (toll["engines"], toll["clients"]) == (KILLS / 2, KILLS / 2), f"seed {seed}"
    assert toll["jobs"] > 0, f"seed {seed}: the kills hit something"
    assert (toll["lost"], toll["twice"], toll["wrong"]) == (0, 0, 0), f"seed {seed}"
