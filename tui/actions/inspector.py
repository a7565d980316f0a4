"""What the keys of the inspector do."""

from __future__ import annotations

from typing import Final

from tui.actions.base import action

INSPECTOR: Final = (
    action("inspect_before", "left", "Step before", "Inspector", "inspector", handler="step(-1)"),
    action("inspect_after", "right", "Step after", "Inspector", "inspector", handler="step(1)"),
    action("inspect_first", "home", "First step", "Inspector", "inspector", handler="first"),
    action("inspect_last", "end", "Last step", "Inspector", "inspector", handler="last"),
    action("inspect_play", "space", "Play, or stop", "Inspector", "inspector",
            "Go through the steps by themselves, eight a second.", handler="play",
            footer=dict.fromkeys(("schedule", "latents", "guidance"), "play")),
    action("inspect_up", "up", "Above: row, schedule or word", "Inspector", "inspector", handler="move(-1)"),
    action("inspect_down", "down", "Below: row, schedule or word", "Inspector", "inspector", handler="move(1)",
            footer={"text": "scroll", "schedule": "other schedule", "attention": "next word"}),
    action("inspect_page_up", "pageup", "Page up", "Inspector", "inspector", handler="page(-1)"),
    action("inspect_page_down", "pagedown", "Page down", "Inspector", "inspector", handler="page(1)"),
    action("inspect_unfold", "e", "Unfold the padding", "Inspector", "inspector",
            "Show a row for every position of the prompts, or fold the padding again.", handler="unfold",
            footer={"text": "unfold"}),
    action("inspect_decode", "d", "Decode this step", "Inspector", "inspector",
            "Show this step through the VAE, or in cheap colours again.", handler="decode",
            footer={"step": "decode"}),
    action("inspect_sheet", "c", "Contact sheet", "Inspector", "inspector",
            "Show the whole run at once, or one step again.", handler="sheet", footer={"step": "contact sheet"}),
    action("inspect_whole_run", "a", "Attention over the whole run", "Inspector", "inspector",
            "Or at this step again.", handler="whole_run", footer={"attention": "whole run"}),
    action("inspect_image", "b", "Next image of the batch", "Inspector", "inspector", handler="image"),
    action("inspect_fork", "f", "Fork after this step", "Inspector", "inspector",
            "Go on from here with another prompt, guidance, sampler or seed; the steps so far are kept.",
            handler="fork",
            footer=dict.fromkeys(("text", "schedule", "latents", "step", "guidance", "attention"), "fork")),
    action("inspect_family", "l", "Lineage: the tree of forks", "Inspector", "inspector",
            "What this image was forked from, and what was forked from it; Enter looks into another of them.",
            handler="family"),
    action("inspect_start", "f9", "Start from this image", "Inspector", "inspector",
            "Back to the studio, where the next image starts from the one that this run made.", handler="start"),
    action("inspect_write", "w", "Write the trace", "Inspector", "inspector",
            "Keep this run on disk, beside its image, to be looked into and forked later.", handler="write",
            footer=dict.fromkeys(("latents", "guidance"), "write")),
    *(action(f"inspect_{name.lower()}", str(index), name, "Inspector", "inspector", handler=f"show_tab({index - 1})")
      for index, name in enumerate(("Text", "Schedule", "Latents", "Steps", "Guidance", "Attention"), 1)),
    action("inspect_next", "tab", "Next tab", "Inspector", "inspector", handler="next_tab(1)"),
    action("inspect_previous", "shift+tab", "Tab before", "Inspector", "inspector", handler="next_tab(-1)"),
    action("inspect_back", "escape ctrl+c f2", "Back to the studio", "Inspector", "inspector", handler="back",
            footer=dict.fromkeys(("text", "schedule", "latents", "step", "guidance", "attention"), "back")),
    action("fork_go", "enter", "Fork", "Inspector", "fork", handler="go"),
    action("fork_next", "tab", "Next part", "Inspector", "fork", handler="app.focus_next"),
    action("fork_previous", "shift+tab", "Part before", "Inspector", "fork", handler="app.focus_previous"),
    action("fork_close", "escape ctrl+c", "Close", "Inspector", "fork", handler="close"),
)  # fmt: skip
