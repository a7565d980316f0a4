"""What the keys of the studio do."""

from __future__ import annotations

from typing import Final

from tui.actions.base import action

MAKE: Final = (
    action("generate", "enter", "Generate", "Make", "studio",
            "Make an image from the prompt. While one is being made, the next waits in the queue.",
            footer={"idle": "generate", "running": "queue", "job": "put it back"}),
    action("new_line", "ctrl+j shift+enter", "New line", "Prompt", "prompt",
            "Begin a new line in the prompt.", footer={"idle": "new line"}),
    action("stop", "escape", "Stop", "Make", "studio",
            "Stop the image being made, without saving it; from the recent images, or with nothing to stop, go back to "
            "the prompt.",
            footer={"running": "stop", "recent": "back", "job": "leave it as it was"}),
    action("interrupt", "ctrl+c", "Stop, or copy the selection", "Make", "studio",
            "Copy the selected text if there is any; otherwise the same as Escape."),
    action("forever", "alt+e", "Without end", "Make", "studio",
            "Make one image after another, each with a new seed, until the same key ends it. What you ask for "
            "meanwhile comes first."),
    action("keep", "ctrl+s", "Stop and keep", "Make", "studio",
            "Stop the image being made and save it as it is now.", footer={"running": "stop and keep"}),
    action("new_seed", "ctrl+n", "New seed", "Seed", "studio",
            "Draw a new seed and make an image from it.", footer={"idle": "new seed"}),
    action("again", "ctrl+g", "Same seed again", "Seed", "studio",
            "Make an image from the seed of the last one, to see what a changed word does."),
    action("lock_seed", "ctrl+l", "Lock the seed", "Seed", "studio",
            "A locked seed ⚿ stays; otherwise every run after the first draws a new one.",
            footer={"parameters": "lock seed"}),
    action("use_recipe", "ctrl+o", "Use this image's recipe", "Images", "studio",
            "Bring the shown image's prompt and parameters back to the panes."),
    action("history", "ctrl+r", "Prompt history", "Prompt", "studio",
            "Find a prompt that was used before; type to narrow the list.", footer={"idle": "history"}),
    action("addons", "alt+l f11", "LoRAs and embeddings", "Prompt", "studio",
            "List the LoRA files and textual inversions; Enter writes one into the prompt at the cursor."),
    action("edit", "f4", "Open in $EDITOR", "Prompt", "studio",
            "Write the prompt in the editor of your choice."),
    action("steps", "f3", "Show or hide the steps", "Images", "studio",
            "The sigma table and the noise schedule; on a small screen they take the image's place."),
    action("recent", "f6", "Recent images", "Images", "studio",
            "Go to the recent images; shows them where they are hidden."),
    action("inspect", "f2", "Look inside the run", "Images", "studio",
            "Open the inspector on the run that goes on, or on the image that is shown: tokens, schedule, latents, "
            "every step, guidance and attention, and forks from any step."),
    action("compare", "f5", "Compare two images", "Images", "studio",
            "Lay the image that is looked at beside the newest one; the newest beside the one before it.",
            footer={"recent": "compare"}),
    action("models", "alt+m", "Models", "Parameters", "studio",
            "Every model that is found on this machine: what it is, whether it fits into the memory; Enter loads it."),
    action("model_settings", "alt+u", "Use the model's settings", "Parameters", "studio",
            "Set the steps, guidance, sampler, schedule and size that the model wants."),
    action("more_settings", "f8", "More settings", "Parameters", "studio",
            "Show the settings that rest, too: init image, high resolution, variation and so on; or fold them away."),
    action("start_from", "f9", "Start from this image", "Images", "studio",
            "Image to image: the next image starts from the one that is shown, and not from noise."),
    action("start_clear", "f12", "Start from noise again", "Images", "studio",
            "Take the init image and its mask away."),
    action("start_show", "ctrl+t", "Show the init image", "Images", "studio",
            "The image that is started from, with its mask; the same key shows what was made again."),
    action("mask", "f10", "Draw a mask", "Images", "studio",
            "Paint over what is to be made anew; the rest of the init image stays. Without an init image the shown "
            "one becomes it."),
)  # fmt: skip

PARAMETERS: Final = (
    action("parameter_choose", "enter space", "Choose", "Parameters", "parameters",
            "Open the list of models, samplers or schedules, or pick a file; on another row, Enter generates.",
            handler="choose", footer={"parameters": "choose", "file": "pick a file", "weights": "choose"}),
    action("parameter_more", "plus equals_sign right", "More", "Parameters", "parameters",
            "Raise the value by a sensible step, or take the next in the list; complete a path.", handler="change(1)",
            footer={"parameters": "more"}),
    action("parameter_less", "minus left", "Less", "Parameters", "parameters",
            "Lower the value by a sensible step, or take the one before.", handler="change(-1)",
            footer={"parameters": "less"}),
    action("parameter_up", "up", "Row above", "Parameters", "parameters", handler="move(-1)"),
    action("parameter_down", "down", "Row below", "Parameters", "parameters", handler="move(1)"),
    action("parameter_erase", "backspace", "Erase a digit", "Parameters", "parameters", handler="erase"),
    action("parameter_reset", "delete", "Back to the default", "Parameters", "parameters", handler="reset",
            footer={"file": "none", "weights": "the model's own"}),
    action("parameter_own_size", "ctrl+f", "Take the init image's size", "Parameters", "parameters",
            "Width and height of the image that is started from, to the nearest size that can be made.",
            handler="own_size", footer={"file": "take its size"}),
)  # fmt: skip

RECENT: Final = (
    action("recent_newer", "left", "Newer image", "Images", "recent",
            handler="move(-1)"),
    action("recent_older", "right", "Older image", "Images", "recent",
            handler="move(1)", footer={"recent": "older"}),
    action("recent_newest", "home", "Newest image", "Images", "recent", handler="move(-1000000)"),
    action("recent_oldest", "end", "Oldest image", "Images", "recent", handler="move(1000000)"),
    action("recent_use", "enter", "Use this image's recipe", "Images", "recent", handler="choose",
            footer={"recent": "use its recipe"}),
)  # fmt: skip

WALK: Final = (
    action("prompt_up", "up", "Line above, or an earlier prompt", "Prompt", "prompt", handler="cursor_up",
            summary="At the first line: the prompt used before."),
    action("prompt_down", "down", "Line below, or a later prompt", "Prompt", "prompt", handler="cursor_down",
            summary="At the last line: the prompt used after it, and at last the one being written."),
)  # fmt: skip

WEIGHTS: Final = (
    action("weight_up", "ctrl+up alt+up", "More weight", "Prompt", "prompt",
            "The word at the cursor, or what is selected, counts a tenth more: (word:1.1). In a <lora:…> its weight.",
            handler="change_weight(1)"),
    action("weight_down", "ctrl+down alt+down", "Less weight", "Prompt", "prompt",
            "A tenth less; at 1 the brackets go.", handler="change_weight(-1)"),
)  # fmt: skip
