"""The configurations of a single file's parts: those beside it, else the family's own, which ship with sdtui."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Final

import msgspec

from sdcore.diffusion.model import ModelError
from sdcore.regular import open_regular

MAX_CONFIG: Final = 1 << 20
"""No configuration is longer than this many bytes."""


def beside(path: Path) -> list[Path]:
    """The folders beside a single file that may say more of it, in the layout of diffusers: `<stem>/` and
    `<stem>.config/`, those that are there."""
    stem = path.name.removesuffix(path.suffix)
    return [folder for name in (stem, stem + ".config") if (folder := path.with_name(name)).is_dir()]


def config_of(family: str, part: str, folders: list[Path]) -> dict[str, Any]:
    """The configuration of a part (`scheduler` too): of the first of `folders` that has it, else the family's own."""
    name = "scheduler_config.json" if part == "scheduler" else "config.json"
    for folder in folders:
        if (folder / part / name).is_file():
            return read_json(folder / part / name)
    return dict(_shipped(family)[part])


def shipped(family: str, part: str) -> Mapping[str, Any]:
    """What the family's own configuration says of a part, nothing where it says nothing."""
    return _shipped(family).get(part, {})


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a small file. Raises `ModelError`."""
    try:
        with open_regular(path) as file:
            content = file.read(MAX_CONFIG + 1)
        if len(content) > MAX_CONFIG:
            raise ModelError(f"{path} is too long to be a configuration.")
        return msgspec.json.decode(content, type=dict[str, Any])
    except (OSError, UnicodeDecodeError, RecursionError, msgspec.DecodeError) as error:
        raise ModelError(f"{path} cannot be read as a configuration: {str(error)[:200]}.") from error


@cache
def _shipped(family: str) -> dict[str, dict[str, Any]]:
    text = resources.files("sdcore.diffusion").joinpath("configs", f"{family}.json").read_bytes()
    return msgspec.json.decode(text)
