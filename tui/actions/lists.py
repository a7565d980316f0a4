"""What the keys of lists do."""

from __future__ import annotations

from typing import Final

from tui.actions.base import action

LISTS: Final = (
    action("list_up", "up", "Up", "Lists", "list", handler="cursor_up"),
    action("list_down", "down", "Down", "Lists", "list", handler="cursor_down"),
    action("list_first", "home", "First", "Lists", "list", handler="first"),
    action("list_last", "end", "Last", "Lists", "list", handler="last"),
    action("list_page_up", "pageup", "Page up", "Lists", "list", handler="page_up"),
    action("list_page_down", "pagedown", "Page down", "Lists", "list", handler="page_down"),
    action("list_select", "enter", "Take it", "Lists", "list", handler="select"),
    action("list_erase", "backspace", "Erase a letter", "Lists", "list", handler="screen.erase"),
    action("list_close", "escape ctrl+c", "Close", "Lists", "list", handler="screen.close"),
    action("models_add", "ctrl+o", "Add a folder", "Lists", "models",
            "Have models looked for in another folder, too; it is kept in the settings.", handler="add"),
    action("folder_enter", "enter", "Look into this folder", "Lists", "folder", handler="enter"),
    action("folder_complete", "tab right", "Complete", "Lists", "folder", handler="complete"),
    action("folder_erase", "backspace", "Erase a letter", "Lists", "folder", handler="erase"),
    action("folder_close", "escape ctrl+c", "Never mind", "Lists", "folder", handler="close"),
    action("help_close", "escape ctrl+c enter", "Close", "Lists", "help", handler="close"),
    action("help_up", "up", "Up", "Lists", "help", handler="scroll(-1)"),
    action("help_down", "down", "Down", "Lists", "help", handler="scroll(1)"),
    action("help_page_up", "pageup", "Page up", "Lists", "help", handler="scroll(-10)"),
    action("help_page_down", "pagedown space", "Page down", "Lists", "help", handler="scroll(10)"),
    action("steps_up", "up", "Up", "Lists", "steps", handler="scroll_up"),
    action("steps_down", "down", "Down", "Lists", "steps", handler="scroll_down"),
    action("steps_page_up", "pageup", "Page up", "Lists", "steps", handler="page_up"),
    action("steps_page_down", "pagedown", "Page down", "Lists", "steps", handler="page_down"),
    action("steps_first", "home", "First", "Lists", "steps", handler="scroll_home"),
    action("steps_last", "end", "Last", "Lists", "steps", handler="scroll_end"),
)  # fmt: skip
