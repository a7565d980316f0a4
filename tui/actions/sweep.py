"""What the keys of a sweep do: in its form and in its grid."""

from __future__ import annotations

from typing import Final

from tui.actions.base import action

SWEEP: Final = (
    action("sweep_open", "enter", "Open the cell, or choose", "Sweep", "sweep",
           "In the grid the image under the cursor in full size; in the form another axis, or the other way.",
           handler="open", footer={"sweep": "open", "sweep_form": "choose"}),
    action("sweep_begin", "ctrl+g", "Begin", "Sweep", "sweep",
           "Make the images that the form describes; Enter in a line of values does the same.", handler="begin",
           footer={"sweep_form": "begin", "sweep_values": "begin"}),
    action("sweep_recall", "r", "Use these settings", "Sweep", "sweep",
           "Bring the recipe of the cell under the cursor to the studio.", handler="recall",
           footer={"sweep": "use"}),
    action("sweep_sheet", "m", "Save as one image", "Sweep", "sweep",
           "The grid as it is now, with its labels, beside the other images; done by itself once all is made.",
           handler="sheet", footer={"sweep": "one image"}),
    action("sweep_new", "n", "Another sweep", "Sweep", "sweep",
           "Back to the form; what goes on is made to its end.", handler="new", footer={"sweep": "another"}),
    action("sweep_retry", "t", "Try again", "Sweep", "sweep",
           "Make the cell under the cursor once more, if it failed or was taken out.", handler="retry"),
    action("sweep_stop", "x", "Cancel what waits", "Sweep", "sweep",
           "Take all cells out of the queue that are not made yet; asks once.", handler="stop"),
    action("sweep_left", "left h", "Left", "Sweep", "sweep", handler="move(-1, 0)"),
    action("sweep_right", "right l", "Right", "Sweep", "sweep", handler="move(1, 0)"),
    action("sweep_up", "up k", "Up", "Sweep", "sweep", handler="move(0, -1)"),
    action("sweep_down", "down j", "Down", "Sweep", "sweep", handler="move(0, 1)"),
    action("sweep_first", "home g", "First column", "Sweep", "sweep", handler="move(-1000, 0)"),
    action("sweep_last", "end G", "Last column", "Sweep", "sweep", handler="move(1000, 0)"),
    action("sweep_page_before", "pageup left_square_bracket", "Page before", "Sweep", "sweep",
           "The value before, along z.", handler="page(-1)"),
    action("sweep_page_next", "pagedown right_square_bracket", "Next page", "Sweep", "sweep",
           "The next value along z.", handler="page(1)"),
    action("sweep_back", "escape ctrl+c", "Back", "Sweep", "sweep",
           "Out of the form to the grid; from there to the studio. The sweep goes on.", handler="back"),
)  # fmt: skip
