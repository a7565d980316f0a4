"""What the keys do that help with writing a prompt: completion, the history, styles, presets, wildcards."""

from __future__ import annotations

from typing import Final

from tui.actions.base import action

WORDS: Final = (
    action("complete", "alt+c ctrl+@", "Suggest words", "Prompt", "prompt",
            "Words used before, LoRAs, embeddings and wildcards that go on with what is written; once more: into the "
            "list.", handler="complete"),
    action("variations", "alt+v", "Variations", "Images", "studio",
            "Neighbours of the shown image: pick one, go on from there, walk back."),
    action("wildcards", "alt+w", "Wildcards", "Prompt", "studio",
            "The files that __name__ in a prompt is drawn from: edit them, make new ones, write one into the prompt."),
    action("presets", "alt+p", "Presets", "Parameters", "studio",
            "Named sets of parameters: see what one changes, apply it; keep the present ones under a name."),
    action("styles", "alt+t", "Styles", "Prompt", "studio",
            "Named fragments that the next prompts are put into: mark some, see what comes of it."),
)  # fmt: skip

COMPLETION: Final = (
    action("completion_take", "tab", "Take the suggestion", "Prompt", "completion",
            "While suggestions are there: write the marked one. Enter generates, as always."),
    action("completion_down", "down", "Next suggestion", "Prompt", "completion", handler="completion_move(1)",
            summary="Once ⌥c has gone into the list; before that ↑ and ↓ are the prompt's."),
    action("completion_up", "up", "Suggestion before", "Prompt", "completion", handler="completion_move(-1)"),
    action("completion_close", "escape", "Close the suggestions", "Prompt", "completion"),
)  # fmt: skip

HISTORY: Final = (
    action("history_whole", "ctrl+o", "Take all of it", "Prompt", "history",
            "The prompt with its negative prompt and its parameters, as far as they are known.", handler="whole"),
)  # fmt: skip

NAMED: Final = (
    action("named_new", "ctrl+n", "Make a new one", "Prompt", "named",
            "A style of the present prompt, a preset of the present parameters, a file of wildcards.", handler="new"),
    action("named_edit", "ctrl+e", "Edit", "Prompt", "named", handler="edit"),
    action("named_rename", "ctrl+r", "Rename", "Prompt", "named", handler="rename"),
    action("named_delete", "delete", "Delete", "Prompt", "named", handler="delete"),
    action("styles_mark", "space", "Mark", "Prompt", "styles",
            "Several styles can be used at once; the prompt that comes of them is shown.", handler="mark"),
    action("styles_import", "ctrl+o", "Take A1111's styles.csv", "Prompt", "styles", handler="import"),
    action("preset_mark", "space", "Keep it, or not", "Parameters", "preset", handler="mark"),
    action("preset_present", "ctrl+u", "Take the panes' values", "Parameters", "preset",
            "The preset keeps what the studio's parameters say now.", handler="present"),
    action("file_save", "ctrl+s", "Save", "Prompt", "file", handler="save"),
    action("file_close", "escape ctrl+c", "Close", "Prompt", "file", "Asks if something is not saved.",
            handler="close"),
    action("form_next", "tab", "Next field", "Prompt", "form", handler="app.focus_next"),
    action("form_previous", "shift+tab", "Field before", "Prompt", "form", handler="app.focus_previous"),
    action("form_keep", "enter", "Keep it", "Prompt", "form", handler="keep"),
    action("form_close", "escape ctrl+c", "Never mind", "Prompt", "form", handler="close"),
)  # fmt: skip
