"""What the keys of the settings do."""

from __future__ import annotations

from typing import Final

from tui.actions.base import action

SETTINGS: Final = (
    action("settings_change", "enter", "Change", "Settings", "settings",
            "Switch it, choose from a list, or type another value; for an action, press its new key.",
            handler="change", footer={"settings": "change"}),
    action("settings_default", "delete", "Back to the default", "Settings", "settings",
            "Take the setting out of the file, or give an action its own key back.", handler="default",
            footer={"settings": "default"}),
    action("settings_file", "f4", "Open config.toml in $EDITOR", "Settings", "settings",
            "What is saved there counts as soon as it can.", handler="file", footer={"settings": "edit the file"}),
    action("settings_close", "escape ctrl+c", "Show all again, or back to the studio", "Settings", "settings",
            handler="close", footer={"settings": "back"}),
    action("capture_close", "escape ctrl+c", "Keep the key", "Settings", "capture", handler="close"),
)  # fmt: skip
