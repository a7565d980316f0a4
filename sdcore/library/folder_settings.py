"""Folders that a person adds to the settings, and takes out of them again. Everything here reads the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from sdcore.library.config import SettingsError, change, load
from sdcore.spec.sanitise import sanitise

FolderList = Literal["model_folders", "library_folders"]
"""The settings that are lists of folders."""


def listed_folders(setting: FolderList) -> list[str]:
    """The folders of a list, absolute."""
    return [str(Path(folder).expanduser().absolute()) for folder in getattr(load()[0], setting)]


def add_folder(path: str, setting: FolderList, already: str) -> str:
    """Add the folder at `path` to a list of the settings; why that cannot be, in one sentence, or "". `already` says,
    with the folder for its `{}`, that it is there."""
    shown = sanitise(path, newlines=False)[:200]
    try:
        folder = Path(path).expanduser().absolute()
        if not folder.is_dir():
            return (
                f"{shown} is a file; name the folder that it is in."
                if folder.exists()
                else f"There is no folder {shown}."
            )
    except (OSError, ValueError, RuntimeError):
        return f"{shown} cannot be a folder of yours; check the path."
    if str(folder) in listed_folders(setting):
        return already.replace("{}", shown)
    return _keep(setting, (*getattr(load()[0], setting), str(folder)))


def remove_folder(folder: str, setting: FolderList) -> str:
    """Take a folder, named as in `listed_folders`, out of a list; why that cannot be, or ""."""
    kept = getattr(load()[0], setting)
    return _keep(setting, tuple(one for one in kept if str(Path(one).expanduser().absolute()) != folder))


def _keep(setting: FolderList, folders: tuple[str, ...]) -> str:
    try:
        change({setting: list(folders)})
    except SettingsError as fault:
        return str(fault)
    return ""
