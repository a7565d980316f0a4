"""What the keys of a text editor do."""

from __future__ import annotations

from typing import Final

from tui.actions.base import action

_TABLE: Final = (
    ("edit_left", "left", "Left", "cursor_left"),
    ("edit_right", "right", "Right", "cursor_right"),
    ("edit_word_left", "ctrl+left alt+left alt+b", "Word left", "cursor_word_left"),
    ("edit_word_right", "ctrl+right alt+right alt+f", "Word right", "cursor_word_right"),
    ("edit_home", "home", "Start of the line", "cursor_line_start"),
    ("edit_end", "end ctrl+e", "End of the line", "cursor_line_end"),
    ("edit_page_up", "pageup", "Page up", "cursor_page_up"),
    ("edit_page_down", "pagedown", "Page down", "cursor_page_down"),
    ("select_left", "shift+left", "Select left", "cursor_left(True)"),
    ("select_right", "shift+right", "Select right", "cursor_right(True)"),
    ("select_up", "shift+up", "Select up", "select_up"),
    ("select_down", "shift+down", "Select down", "select_down"),
    ("select_word_left", "ctrl+shift+left", "Select a word left", "cursor_word_left(True)"),
    ("select_word_right", "ctrl+shift+right", "Select a word right", "cursor_word_right(True)"),
    ("select_home", "shift+home", "Select to the line's start", "cursor_line_start(True)"),
    ("select_end", "shift+end", "Select to the line's end", "cursor_line_end(True)"),
    ("select_all", "f7", "Select all", "select_all"),
    ("erase_left", "backspace shift+backspace", "Erase left", "delete_left"),
    ("erase_right", "delete ctrl+d", "Erase right", "delete_right"),
    ("erase_word_left", "ctrl+w alt+backspace", "Erase the word left", "delete_word_left"),
    ("erase_word_right", "ctrl+f alt+d", "Erase the word right", "delete_word_right"),
    ("erase_to_start", "ctrl+u", "Erase to the line's start", "delete_to_start_of_line"),
    ("erase_to_end", "ctrl+k", "Erase to the line's end", "delete_to_end_of_line_or_delete_line"),
    ("cut", "ctrl+x", "Cut", "cut"),
    ("paste", "ctrl+v", "Paste what was cut or copied here", "paste"),
    ("undo", "ctrl+z", "Undo", "undo"),
    ("redo", "ctrl+y", "Redo", "redo"),
)  # fmt: skip
"""Name, keys, title and handler of what an editor of text can do."""

EDITING: Final = tuple(
    action(name, keys, title, "Editing", "editor", handler=handler) for name, keys, title, handler in _TABLE
)
