"""What the keys of the comparison do."""

from __future__ import annotations

from typing import Final

from tui.actions.base import action

COMPARE: Final = (
    action("compare_flip", "space", "Flip between the two", "Compare", "compare",
            "Show one image in full size, then the other in its place.", handler="flip",
            footer={"compare": "flip"}),
    action("compare_map", "d", "Difference map", "Compare", "compare",
            "Where the pixels differ: white where they differ most, black where they are the same.", handler="map",
            footer={"compare": "difference"}),
    action("compare_newer", "left", "Newer image", "Compare", "compare",
            "Lay a newer image beside the one that stays.", handler="move(-1)"),
    action("compare_older", "right", "Older image", "Compare", "compare",
            "Lay an older image beside the one that stays.", handler="move(1)", footer={"compare": "older"}),
    action("compare_newest", "home", "Newest image", "Compare", "compare", handler="move(-1000000)"),
    action("compare_oldest", "end", "Oldest image", "Compare", "compare", handler="move(1000000)"),
    action("compare_up", "up", "Scroll up", "Compare", "compare", handler="scroll(-1)"),
    action("compare_down", "down", "Scroll down", "Compare", "compare", handler="scroll(1)"),
    action("compare_page_up", "pageup", "Page up", "Compare", "compare", handler="page(-1)"),
    action("compare_page_down", "pagedown", "Page down", "Compare", "compare", handler="page(1)"),
    action("compare_back", "escape ctrl+c f5", "Both images, or back to the studio", "Compare", "compare",
            "From one picture to both of them, and from there to the studio.", handler="back",
            footer={"compare": "back"}),
)  # fmt: skip
