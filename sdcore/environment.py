"""What this installation can do, and what a process of ours that is started by another needs to know."""

from __future__ import annotations

import importlib.util
import os
import site
from pathlib import Path
from typing import Final

import sdcore

ENGINE_NEEDS: Final = ("torch", "diffusers", "transformers")
"""What an installation that is only for `sdtui --host` goes without."""


def no_engine() -> str:
    """Why no engine can run here, as a sentence that says what to do; "" where one can. Imports nothing."""
    missing = [name for name in ENGINE_NEEDS if importlib.util.find_spec(name) is None]
    if not missing:
        return ""
    return (
        f"This installation of sdtui has no engine ({missing[0]} is not installed): use that of another machine with "
        "sdtui --host user@box, or install the whole with pip install . in sdtui's folder."
    )


def for_child() -> dict[str, str]:
    """This process's environment, with which another finds the same `sdcore` and the same home from any folder."""
    root = str(Path(sdcore.__file__).resolve().parent.parent)
    home = os.environ.get("SDTUI_HOME")
    found = dict(os.environ) | ({"SDTUI_HOME": str(Path(home).expanduser().absolute())} if home else {})
    if root not in (*site.getsitepackages(), site.getusersitepackages()):
        found["PYTHONPATH"] = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    return found
