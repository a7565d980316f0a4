"""Where everything is kept. `SDTUI_HOME`, when set, holds it all; otherwise the XDG folders do."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import platformdirs

_APP: Final = "sdtui"


def config_dir() -> Path:
    """Settings that a person edits."""
    return _folder("config", platformdirs.user_config_dir(_APP))


def state_dir() -> Path:
    """Prompt history, logs: worth keeping, not worth backing up."""
    return _folder("state", platformdirs.user_state_dir(_APP))


def cache_dir() -> Path:
    """What can be made again: thumbnails, hashes of model files."""
    return _folder("cache", platformdirs.user_cache_dir(_APP))


def models_dir() -> Path:
    """A person's models, LoRA files and embeddings, in any order."""
    return _folder("models", str(Path(platformdirs.user_data_dir(_APP)) / "models"))


def outputs_dir() -> Path:
    """The images, in one folder a day."""
    return _folder("outputs", str(Path(platformdirs.user_pictures_dir()) / _APP))


def wildcards_dir() -> Path:
    """Wildcard files, in folders or not."""
    return _folder("wildcards", str(Path(platformdirs.user_data_dir(_APP)) / "wildcards"))


def inputs_dir() -> Path:
    """Copies of the images that others were made from."""
    return _folder("inputs", str(Path(platformdirs.user_data_dir(_APP)) / "inputs"))


def runtime_dir() -> Path:
    """The engine's socket and lock. Falls back to the state folder where the system has no runtime folder."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    default = Path(runtime) / _APP if runtime else Path(platformdirs.user_state_dir(_APP)) / "run"
    return _folder("run", str(default))


def _folder(name: str, default: str) -> Path:
    """The folder, made private (0700) if it has to be made."""
    home = os.environ.get("SDTUI_HOME")
    folder = Path(home).expanduser().absolute() / name if home else Path(default)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
