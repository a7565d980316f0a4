"""Folders that a person adds to the settings by typing or pasting them. Everything here reads the disk."""

from __future__ import annotations

from sdcore.library import folder_settings
from sdcore.library.folder_settings import FolderList
from tui.files import pasted_path

__all__ = ["FolderList", "add_folder"]


def add_folder(text: str, setting: FolderList, already: str) -> str:
    """Add a folder to a list of the settings; as `library.folder_settings.add_folder` otherwise."""
    return folder_settings.add_folder(pasted_path(text), setting, already)
