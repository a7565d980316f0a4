"""What the keys do that work everywhere."""

from __future__ import annotations

from typing import Final, get_args

from tui.actions.base import Moment, action

_ALWAYS: Final[tuple[Moment, ...]] = get_args(Moment)

APP: Final = (
    action("help", "f1", "Help", "App", "app", "Every key, and what the part under the cursor is for.",
           footer=dict.fromkeys(_ALWAYS, "help"), priority=True),
    action("commands", "ctrl+p", "Commands", "App", "app", "Find any command by its name.",
           footer=dict.fromkeys(_ALWAYS, "commands"), priority=True),
    action("go_studio", "alt+h", "Studio", "App", "app", "Back to the prompt, from any other screen.",
           handler="go('studio')"),
    action("go_library", "alt+i", "Library", "App", "app",
           "Every image there is, of this program and of others: search, sort out, bring back.",
           handler="go('library')"),
    action("go_queue", "alt+q", "Queue", "App", "app",
           "What is being made, what waits and what failed: put in another order, edit, hold, try again.",
           handler="go('queue')"),
    action("go_sweep", "alt+x", "Sweep", "App", "app",
           "Many images at once: grids over any two or three settings, and every combination of a prompt.",
           handler="go('sweep')"),
    action("go_settings", "alt+s", "Settings", "App", "app",
           "What the program keeps to itself: folders, colours, keys, the engine.", handler="go('settings')"),
    action("theme", "alt+k", "Theme", "App", "app", "Other colours, dark or light, each shown at once."),
    action("pictures", "alt+g", "Another way to draw pictures", "App", "app",
           "Real pixels where the terminal has them, quadrants, or half blocks; the setting pictures keeps one."),
    action("redraw", "alt+r", "Draw the screen anew", "App", "app",
           "For a screen that another program has written into."),
    action("force", "alt+o", "End the engine by force", "App", "app",
           "For a step that hangs: what was being made is held in the queue, and another engine goes on. Asks first."),
    action("focus_next", "tab", "Next part", "App", "app", "Go on to the next part of the screen."),
    action("focus_previous", "shift+tab", "Part before", "App", "app", "Go back to the part before."),
    action("quit", "ctrl+q", "Quit", "App", "app",
           "Leave. If images are still to be made, asks whether they should be.",
           handler="leave", priority=True),
)  # fmt: skip
