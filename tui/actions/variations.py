"""What the keys of the variations do."""

from __future__ import annotations

from typing import Final

from tui.actions.base import action

VARIATIONS: Final = (
    action("vary_go_on", "enter", "Go on from this one", "Variations", "variations",
            "It takes the first place and gets neighbours of its own; on the image itself: other neighbours.",
            handler="go_on", footer={"variations": "go on"}),
    action("vary_back", "backspace", "Back to the one before", "Variations", "variations",
            "To the image that this one is a variation of, and its neighbours.", handler="back",
            footer={"variations": "back"}),
    action("vary_others", "r", "Other neighbours", "Variations", "variations",
            "Eight more at the strength that is set; those before stay among the images.", handler="others",
            footer={"variations": "others"}),
    action("vary_stronger", "plus equals_sign", "Farther away", "Variations", "variations",
            "How far the next neighbours are turned.", handler="strength(1)", footer={"variations": "farther"}),
    action("vary_weaker", "minus", "Nearer", "Variations", "variations", handler="strength(-1)"),
    action("vary_alone", "space", "One alone, or all", "Variations", "variations",
            "Show the one under the cursor as large as there is room.", handler="alone"),
    action("vary_use", "ctrl+o", "Use this one's recipe", "Variations", "variations",
            "Bring it to the studio, with the whole chain of variations.", handler="use"),
    action("vary_left", "left h", "Left", "Variations", "variations", handler="move(-1, 0)"),
    action("vary_right", "right l", "Right", "Variations", "variations", handler="move(1, 0)"),
    action("vary_up", "up k", "Up", "Variations", "variations", handler="move(0, -1)"),
    action("vary_down", "down j", "Down", "Variations", "variations", handler="move(0, 1)"),
    action("vary_first", "home g", "The image itself", "Variations", "variations", handler="ends(False)"),
    action("vary_last", "end G", "Last neighbour", "Variations", "variations", handler="ends(True)"),
    action("vary_close", "escape ctrl+c", "Leave", "Variations", "variations",
            "What is still to be made goes on; the tree is there again when one comes back.", handler="close"),
)  # fmt: skip
