"""An installation that is only for `sdtui --host`: without torch and without what needs it."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GONE = ("torch", "diffusers", "transformers", "accelerate", "scipy", "torchsde", "safetensors")
WITHOUT = f"""
import importlib.machinery, sys
class Without(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in {GONE} else super().find_spec(name, path, target)
usual = importlib.machinery.PathFinder
sys.meta_path[:] = [Without if finder is usual else finder for finder in sys.meta_path]
"""
EVERYTHING = """
import importlib, pkgutil
import sdcore.engine.gate, sdcore.engine.remote, sdcore.library, sdcore.spec, tui
for package in (tui, sdcore.library, sdcore.spec):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
"""
RUN = "import sys\nfrom tui.cli import main\nsys.exit(main(sys.argv[1:]))"


def without(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT + program, *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def test_all_of_the_app_can_be_imported() -> None:
    done = without(EVERYTHING)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", ["generate", "bench"])
def test_what_needs_an_engine_says_so(command: str) -> None:
    done = without(RUN, *([command, "a house"] if command == "generate" else [command]))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert "sdtui --host user@box" in done.stderr


def test_the_doctor_finds_nothing_wrong() -> None:
    done = without(RUN, "doctor")
    assert done.returncode == 0, done.stdout
    assert "has no engine" in done.stdout


def test_what_it_takes_is_a_part_of_the_whole() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    client = project["dependency-groups"]["client"]
    assert set(client) <= set(project["project"]["dependencies"])
    assert not any(one.startswith(GONE) for one in client)
