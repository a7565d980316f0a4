"""Everything that a key can do: a key that is not here does not exist.

The bindings, footer, help screen and command palette are made from `ACTIONS`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal, get_args

import msgspec
from textual.binding import Binding, BindingType

Scope = Literal[
    "app",
    "studio",
    "prompt",
    "editor",
    "parameters",
    "recent",
    "steps",
    "list",
    "help",
    "inspector",
    "fork",
    "compare",
    "mask",
    "models",
    "folder",
]
"""Where a key works: in the whole app, on one of its screens, or with the focus in one part of the studio."""

Moment = Literal[
    "idle", "running", "parameters", "file", "recent", "mask",
    "text", "schedule", "latents", "step", "guidance", "attention", "compare",
]  # fmt: skip
"""What the person is at, in the studio, a tab of the inspector or the comparison: decides what the footer names."""

Group = Literal[
    "Make",
    "Seed",
    "Prompt",
    "Parameters",
    "Images",
    "Mask",
    "Inspector",
    "Compare",
    "App",
    "Editing",
    "Lists",
]


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a key does.

    `keys` are Textual's names, the first one being shown. `handler` is the action method of the scope's node,
    with its arguments. `footer` says at which moments the footer names it, and what it calls it then.
    """

    name: str
    keys: tuple[str, ...]
    title: str
    group: Group
    scope: Scope
    handler: str
    summary: str = ""
    footer: dict[Moment, str] = {}
    priority: bool = False

    @property
    def key(self) -> str:
        """The first key as a person reads it, for example `^J`."""
        return key_label(self.keys[0])


def _action(name: str, keys: str, title: str, group: Group, scope: Scope, summary: str = "", *,
            handler: str = "", footer: dict[Moment, str] | None = None,
            priority: bool = False) -> Action:  # fmt: skip
    return Action(name=name, keys=tuple(keys.split()), title=title, group=group, scope=scope, summary=summary,
                  handler=handler or name, footer=footer or {}, priority=priority)  # fmt: skip


_MAKE: Final = (
    _action("generate", "enter", "Generate", "Make", "studio",
            "Make an image from the prompt. While one is being made, the next waits in the queue.",
            footer={"idle": "generate", "running": "queue"}),
    _action("new_line", "ctrl+j shift+enter", "New line", "Prompt", "prompt",
            "Begin a new line in the prompt.", footer={"idle": "new line"}),
    _action("stop", "escape", "Stop", "Make", "studio",
            "Stop the image being made, without saving it; otherwise go back to the prompt.",
            footer={"running": "stop", "recent": "back"}),
    _action("interrupt", "ctrl+c", "Stop, or copy the selection", "Make", "studio",
            "Copy the selected text if there is any; otherwise the same as Escape."),
    _action("keep", "ctrl+s", "Stop and keep", "Make", "studio",
            "Stop the image being made and save it as it is now.", footer={"running": "stop and keep"}),
    _action("new_seed", "ctrl+n", "New seed", "Seed", "studio",
            "Draw a new seed and make an image from it.", footer={"idle": "new seed"}),
    _action("again", "ctrl+g", "Same seed again", "Seed", "studio",
            "Make an image from the seed of the last one, to see what a changed word does."),
    _action("lock_seed", "ctrl+l", "Lock the seed", "Seed", "studio",
            "A locked seed ⚿ stays; otherwise every run after the first draws a new one.",
            footer={"parameters": "lock seed"}),
    _action("use_recipe", "ctrl+o", "Use this image's recipe", "Images", "studio",
            "Bring the shown image's prompt and parameters back to the panes."),
    _action("history", "ctrl+r", "Prompt history", "Prompt", "studio",
            "Find a prompt that was used before; type to narrow the list.", footer={"idle": "history"}),
    _action("addons", "alt+l f11", "LoRAs and embeddings", "Prompt", "studio",
            "List the LoRA files and textual inversions; Enter writes one into the prompt at the cursor."),
    _action("edit", "f4", "Open in $EDITOR", "Prompt", "studio",
            "Write the prompt in the editor of your choice."),
    _action("steps", "f3", "Show or hide the steps", "Images", "studio",
            "The sigma table and the noise schedule; on a small screen they take the image's place."),
    _action("recent", "f6", "Recent images", "Images", "studio",
            "Go to the recent images; shows them where they are hidden."),
    _action("inspect", "f2", "Look inside the run", "Images", "studio",
            "Open the inspector on the run that goes on, or on the image that is shown: tokens, schedule, latents, "
            "every step, guidance and attention, and forks from any step."),
    _action("compare", "f5", "Compare two images", "Images", "studio",
            "Lay the image that is looked at beside the newest one; the newest beside the one before it.",
            footer={"recent": "compare"}),
    _action("models", "alt+m", "Models", "Parameters", "studio",
            "Every model that is found on this machine: what it is, whether it fits into the memory; Enter loads it."),
    _action("model_settings", "alt+u", "Use the model's settings", "Parameters", "studio",
            "Set the steps, guidance, sampler, schedule and size that the model wants."),
    _action("more_settings", "f8", "More settings", "Parameters", "studio",
            "Show the settings that rest, too: init image, high resolution, variation and so on; or fold them away."),
    _action("start_from", "f9", "Start from this image", "Images", "studio",
            "Image to image: the next image starts from the one that is shown, and not from noise."),
    _action("start_clear", "f12", "Start from noise again", "Images", "studio",
            "Take the init image and its mask away."),
    _action("start_show", "ctrl+t", "Show the init image", "Images", "studio",
            "The image that is started from, with its mask; the same key shows what was made again."),
    _action("mask", "f10", "Draw a mask", "Images", "studio",
            "Paint over what is to be made anew; the rest of the init image stays. Without an init image the shown "
            "one becomes it."),
)  # fmt: skip

_PARAMETERS: Final = (
    _action("parameter_choose", "enter space", "Choose", "Parameters", "parameters",
            "Open the list of models, samplers or schedules, or pick a file; on another row, Enter generates.",
            handler="choose", footer={"parameters": "choose", "file": "pick a file"}),
    _action("parameter_more", "plus equals_sign right", "More", "Parameters", "parameters",
            "Raise the value by a sensible step, or take the next in the list; complete a path.", handler="change(1)",
            footer={"parameters": "more"}),
    _action("parameter_less", "minus left", "Less", "Parameters", "parameters",
            "Lower the value by a sensible step, or take the one before.", handler="change(-1)",
            footer={"parameters": "less"}),
    _action("parameter_up", "up", "Row above", "Parameters", "parameters", handler="move(-1)"),
    _action("parameter_down", "down", "Row below", "Parameters", "parameters", handler="move(1)"),
    _action("parameter_erase", "backspace", "Erase a digit", "Parameters", "parameters", handler="erase"),
    _action("parameter_reset", "delete", "Back to the default", "Parameters", "parameters", handler="reset",
            footer={"file": "none"}),
    _action("parameter_own_size", "ctrl+f", "Take the init image's size", "Parameters", "parameters",
            "Width and height of the image that is started from, to the nearest size that can be made.",
            handler="own_size", footer={"file": "take its size"}),
)  # fmt: skip

_RECENT: Final = (
    _action("recent_newer", "left", "Newer image", "Images", "recent",
            handler="move(-1)"),
    _action("recent_older", "right", "Older image", "Images", "recent",
            handler="move(1)", footer={"recent": "older"}),
    _action("recent_newest", "home", "Newest image", "Images", "recent", handler="move(-1000000)"),
    _action("recent_oldest", "end", "Oldest image", "Images", "recent", handler="move(1000000)"),
    _action("recent_use", "enter", "Use this image's recipe", "Images", "recent", handler="choose",
            footer={"recent": "use its recipe"}),
)  # fmt: skip

_INSPECTOR: Final = (
    _action("inspect_before", "left", "Step before", "Inspector", "inspector", handler="step(-1)"),
    _action("inspect_after", "right", "Step after", "Inspector", "inspector", handler="step(1)"),
    _action("inspect_first", "home", "First step", "Inspector", "inspector", handler="first"),
    _action("inspect_last", "end", "Last step", "Inspector", "inspector", handler="last"),
    _action("inspect_play", "space", "Play, or stop", "Inspector", "inspector",
            "Go through the steps by themselves, eight a second.", handler="play",
            footer=dict.fromkeys(("schedule", "latents", "guidance"), "play")),
    _action("inspect_up", "up", "Above: row, schedule or word", "Inspector", "inspector", handler="move(-1)"),
    _action("inspect_down", "down", "Below: row, schedule or word", "Inspector", "inspector", handler="move(1)",
            footer={"text": "scroll", "schedule": "other schedule", "attention": "next word"}),
    _action("inspect_page_up", "pageup", "Page up", "Inspector", "inspector", handler="page(-1)"),
    _action("inspect_page_down", "pagedown", "Page down", "Inspector", "inspector", handler="page(1)"),
    _action("inspect_unfold", "e", "Unfold the padding", "Inspector", "inspector",
            "Show a row for every position of the prompts, or fold the padding again.", handler="unfold",
            footer={"text": "unfold"}),
    _action("inspect_decode", "d", "Decode this step", "Inspector", "inspector",
            "Show this step through the VAE, or in cheap colours again.", handler="decode",
            footer={"step": "decode"}),
    _action("inspect_sheet", "c", "Contact sheet", "Inspector", "inspector",
            "Show the whole run at once, or one step again.", handler="sheet", footer={"step": "contact sheet"}),
    _action("inspect_whole_run", "a", "Attention over the whole run", "Inspector", "inspector",
            "Or at this step again.", handler="whole_run", footer={"attention": "whole run"}),
    _action("inspect_image", "b", "Next image of the batch", "Inspector", "inspector", handler="image"),
    _action("inspect_fork", "f", "Fork after this step", "Inspector", "inspector",
            "Go on from here with another prompt, guidance, sampler or seed; the steps so far are kept.",
            handler="fork",
            footer=dict.fromkeys(("text", "schedule", "latents", "step", "guidance", "attention"), "fork")),
    _action("inspect_family", "l", "Lineage: the tree of forks", "Inspector", "inspector",
            "What this image was forked from, and what was forked from it; Enter looks into another of them.",
            handler="family"),
    _action("inspect_start", "f9", "Start from this image", "Inspector", "inspector",
            "Back to the studio, where the next image starts from the one that this run made.", handler="start"),
    _action("inspect_write", "w", "Write the trace", "Inspector", "inspector",
            "Keep this run on disk, beside its image, to be looked into and forked later.", handler="write",
            footer=dict.fromkeys(("latents", "guidance"), "write")),
    *(_action(f"inspect_{name.lower()}", str(index), name, "Inspector", "inspector", handler=f"show_tab({index - 1})")
      for index, name in enumerate(("Text", "Schedule", "Latents", "Steps", "Guidance", "Attention"), 1)),
    _action("inspect_next", "tab", "Next tab", "Inspector", "inspector", handler="next_tab(1)"),
    _action("inspect_previous", "shift+tab", "Tab before", "Inspector", "inspector", handler="next_tab(-1)"),
    _action("inspect_back", "escape ctrl+c f2", "Back to the studio", "Inspector", "inspector", handler="back",
            footer=dict.fromkeys(("text", "schedule", "latents", "step", "guidance", "attention"), "back")),
    _action("fork_go", "enter", "Fork", "Inspector", "fork", handler="go"),
    _action("fork_next", "tab", "Next part", "Inspector", "fork", handler="app.focus_next"),
    _action("fork_previous", "shift+tab", "Part before", "Inspector", "fork", handler="app.focus_previous"),
    _action("fork_close", "escape ctrl+c", "Close", "Inspector", "fork", handler="close"),
)  # fmt: skip

_COMPARE: Final = (
    _action("compare_flip", "space", "Flip between the two", "Compare", "compare",
            "Show one image in full size, then the other in its place.", handler="flip",
            footer={"compare": "flip"}),
    _action("compare_map", "d", "Difference map", "Compare", "compare",
            "Where the pixels differ: white where they differ most, black where they are the same.", handler="map",
            footer={"compare": "difference"}),
    _action("compare_newer", "left", "Newer image", "Compare", "compare",
            "Lay a newer image beside the one that stays.", handler="move(-1)"),
    _action("compare_older", "right", "Older image", "Compare", "compare",
            "Lay an older image beside the one that stays.", handler="move(1)", footer={"compare": "older"}),
    _action("compare_newest", "home", "Newest image", "Compare", "compare", handler="move(-1000000)"),
    _action("compare_oldest", "end", "Oldest image", "Compare", "compare", handler="move(1000000)"),
    _action("compare_up", "up", "Scroll up", "Compare", "compare", handler="scroll(-1)"),
    _action("compare_down", "down", "Scroll down", "Compare", "compare", handler="scroll(1)"),
    _action("compare_page_up", "pageup", "Page up", "Compare", "compare", handler="page(-1)"),
    _action("compare_page_down", "pagedown", "Page down", "Compare", "compare", handler="page(1)"),
    _action("compare_back", "escape ctrl+c f5", "Both images, or back to the studio", "Compare", "compare",
            "From one picture to both of them, and from there to the studio.", handler="back",
            footer={"compare": "back"}),
)  # fmt: skip

_MASK: Final = (
    _action("mask_paint", "space", "Paint", "Mask", "mask", "A dab of the brush; in a rectangle, fill it.",
            handler="paint", footer={"mask": "paint"}),
    _action("mask_rectangle", "r", "Rectangle", "Mask", "mask", "One corner, and then the other.",
            handler="rectangle", footer={"mask": "rectangle"}),
    _action("mask_erase", "x", "Paint, or erase", "Mask", "mask",
            "What brush and rectangle do; with a mouse the right button erases at any time.", handler="erase",
            footer={"mask": "erase"}),
    _action("mask_smaller", "left_square_bracket", "Smaller brush", "Mask", "mask", handler="brush(-1)"),
    _action("mask_larger", "right_square_bracket", "Larger brush", "Mask", "mask", handler="brush(1)"),
    _action("mask_invert", "i", "Invert", "Mask", "mask", handler="invert"),
    _action("mask_clear", "c", "Clear", "Mask", "mask", handler="clear"),
    _action("mask_undo", "u ctrl+z", "Undo", "Mask", "mask", handler="undo"),
    _action("mask_redo", "U ctrl+y", "Redo", "Mask", "mask", handler="redo"),
    _action("mask_left", "left h", "Left", "Mask", "mask", handler="move(-1, 0)"),
    _action("mask_right", "right l", "Right", "Mask", "mask", handler="move(1, 0)"),
    _action("mask_up", "up k", "Up", "Mask", "mask", handler="move(0, -1)"),
    _action("mask_down", "down j", "Down", "Mask", "mask", handler="move(0, 1)"),
    _action("mask_far_left", "shift+left H", "Eight to the left", "Mask", "mask", handler="move(-8, 0)"),
    _action("mask_far_right", "shift+right L", "Eight to the right", "Mask", "mask", handler="move(8, 0)"),
    _action("mask_far_up", "shift+up K", "Eight up", "Mask", "mask", handler="move(0, -8)"),
    _action("mask_far_down", "shift+down J", "Eight down", "Mask", "mask", handler="move(0, 8)"),
    _action("mask_keep", "enter", "Keep the mask", "Mask", "mask",
            "The next images are repainted where it is painted; an empty one is taken away.", handler="keep",
            footer={"mask": "keep"}),
    _action("mask_leave", "escape ctrl+c f10", "Leave", "Mask", "mask",
            "Everything stays as it was; asks if something was painted. In a rectangle, give that up.",
            handler="leave"),
)  # fmt: skip

_ALWAYS: Final[tuple[Moment, ...]] = get_args(Moment)

_APP: Final = (
    _action("help", "f1", "Help", "App", "app", "Every key, and what the part under the cursor is for.",
            footer=dict.fromkeys(_ALWAYS, "help"), priority=True),
    _action("commands", "ctrl+p", "Commands", "App", "app", "Find any command by its name.",
            footer=dict.fromkeys(_ALWAYS, "commands"), priority=True),
    _action("focus_next", "tab", "Next part", "App", "app", "Go on to the next part of the screen."),
    _action("focus_previous", "shift+tab", "Part before", "App", "app", "Go back to the part before."),
    _action("quit", "ctrl+q", "Quit", "App", "app",
            "Leave. If images are still to be made, asks whether they should be.",
            handler="leave", priority=True),
)  # fmt: skip

_LISTS: Final = (
    _action("list_up", "up", "Up", "Lists", "list", handler="cursor_up"),
    _action("list_down", "down", "Down", "Lists", "list", handler="cursor_down"),
    _action("list_first", "home", "First", "Lists", "list", handler="first"),
    _action("list_last", "end", "Last", "Lists", "list", handler="last"),
    _action("list_page_up", "pageup", "Page up", "Lists", "list", handler="page_up"),
    _action("list_page_down", "pagedown", "Page down", "Lists", "list", handler="page_down"),
    _action("list_select", "enter", "Take it", "Lists", "list", handler="select"),
    _action("list_erase", "backspace", "Erase a letter", "Lists", "list", handler="screen.erase"),
    _action("list_close", "escape ctrl+c", "Close", "Lists", "list", handler="screen.close"),
    _action("models_add", "ctrl+o", "Add a folder", "Lists", "models",
            "Have models looked for in another folder, too; it is kept in the settings.", handler="add"),
    _action("folder_enter", "enter", "Look into this folder", "Lists", "folder", handler="enter"),
    _action("folder_complete", "tab right", "Complete", "Lists", "folder", handler="complete"),
    _action("folder_erase", "backspace", "Erase a letter", "Lists", "folder", handler="erase"),
    _action("folder_close", "escape ctrl+c", "Never mind", "Lists", "folder", handler="close"),
    _action("help_close", "escape ctrl+c enter", "Close", "Lists", "help", handler="close"),
    _action("help_up", "up", "Up", "Lists", "help", handler="scroll(-1)"),
    _action("help_down", "down", "Down", "Lists", "help", handler="scroll(1)"),
    _action("help_page_up", "pageup", "Page up", "Lists", "help", handler="scroll(-10)"),
    _action("help_page_down", "pagedown space", "Page down", "Lists", "help", handler="scroll(10)"),
    _action("steps_up", "up", "Up", "Lists", "steps", handler="scroll_up"),
    _action("steps_down", "down", "Down", "Lists", "steps", handler="scroll_down"),
    _action("steps_page_up", "pageup", "Page up", "Lists", "steps", handler="page_up"),
    _action("steps_page_down", "pagedown", "Page down", "Lists", "steps", handler="page_down"),
    _action("steps_first", "home", "First", "Lists", "steps", handler="scroll_home"),
    _action("steps_last", "end", "Last", "Lists", "steps", handler="scroll_end"),
)  # fmt: skip

_WALK: Final = (
    _action("prompt_up", "up", "Line above, or an earlier prompt", "Prompt", "prompt", handler="cursor_up",
            summary="At the first line: the prompt used before."),
    _action("prompt_down", "down", "Line below, or a later prompt", "Prompt", "prompt", handler="cursor_down",
            summary="At the last line: the prompt used after it, and at last the one being written."),
)  # fmt: skip

_WEIGHTS: Final = (
    _action("weight_up", "ctrl+up alt+up", "More weight", "Prompt", "prompt",
            "The word at the cursor, or what is selected, counts a tenth more: (word:1.1). In a <lora:…> its weight.",
            handler="change_weight(1)"),
    _action("weight_down", "ctrl+down alt+down", "Less weight", "Prompt", "prompt",
            "A tenth less; at 1 the brackets go.", handler="change_weight(-1)"),
)  # fmt: skip

_EDITING: Final = (
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

ACTIONS: Final = (
    *_MAKE, *_PARAMETERS, *_RECENT, *_MASK, *_INSPECTOR, *_COMPARE, *_APP, *_LISTS, *_WALK, *_WEIGHTS,
    *(_action(name, keys, title, "Editing", "editor", handler=handler) for name, keys, title, handler in _EDITING),
)  # fmt: skip
"""Every action, in the order in which footer, help and palette show them."""

BY_NAME: Final = {action.name: action for action in ACTIONS}


def bindings(*scopes: Scope) -> list[BindingType]:
    """Textual's bindings for the node that serves these scopes; their ids are the actions' names."""
    return [
        Binding(",".join(action.keys), action.handler, action.title, show=False, id=action.name,
                priority=action.priority)
        for action in ACTIONS
        if action.scope in scopes
    ]  # fmt: skip


def footer(moment: Moment) -> list[tuple[Action, str]]:
    """The actions, six at most, that the footer names at this moment, and what it calls them."""
    return [(action, action.footer[moment]) for action in ACTIONS if moment in action.footer]


def commands(screen: Scope = "studio") -> Iterator[Action]:
    """What the command palette offers on a screen: the actions that make sense wherever the focus is."""
    return (action for action in ACTIONS if action.scope in ("app", screen) and action.name != "commands")


_NAMES: Final = {
    "enter": "⏎", "escape": "esc", "up": "↑", "down": "↓", "left": "←", "right": "→",
    "backspace": "⌫", "delete": "del", "plus": "+", "equals_sign": "=", "minus": "-",
    "pageup": "pgup", "pagedown": "pgdn", "tab": "⇥", "left_square_bracket": "[", "right_square_bracket": "]",
}  # fmt: skip


def key_label(key: str) -> str:
    """A key as a person reads it: `ctrl+j` is `^J`, `shift+tab` is `⇧⇥`, `f1` is `F1`."""
    *modifiers, last = key.split("+")
    marks = "".join({"ctrl": "^", "shift": "⇧", "alt": "⌥"}[modifier] for modifier in modifiers)
    capital = "ctrl" in modifiers or (last[0] == "f" and last[1:].isdigit())
    name = _NAMES.get(last, last.upper() if capital else last)
    return marks + name
