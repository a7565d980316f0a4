"""What the keys of the queue do."""

from __future__ import annotations

from typing import Final

from tui.actions.base import action

QUEUE: Final = (
    action("queue_edit", "enter e", "Edit, or use its recipe", "Queue", "queue",
           "A job that waits comes to the studio, and Enter there puts it back changed; of any other job the studio "
           "gets the recipe.", handler="edit", footer={"queue": "edit", "queue_ended": "use its recipe"}),
    action("queue_hold", "space", "Hold, or release", "Queue", "queue",
           "A held job waits until it is released. One that runs stops before its next step, and goes on from there, "
           "to the last bit the same.", handler="hold", footer={"queue": "hold"}),
    action("queue_up", "K shift+up", "Earlier", "Queue", "queue", "Make the job under the cursor before the one above.",
           handler="shift(-1)", footer={"queue": "earlier"}),
    action("queue_down", "J shift+down", "Later", "Queue", "queue", handler="shift(1)"),
    action("queue_top", "t", "Next", "Queue", "queue", "Make it before all others that wait.",
           handler="shift(-1000000)"),
    action("queue_again", "r", "Try again, or make another", "Queue", "queue",
           "A failed job is tried again; any other is queued once more, with a new seed.", handler="again",
           footer={"queue_ended": "again"}),
    action("queue_remove", "delete d", "Remove", "Queue", "queue",
           "Take it out of the queue; one that runs stops, and nothing of it is saved. Files stay.", handler="remove",
           footer={"queue": "remove", "queue_ended": "remove"}),
    action("queue_clear", "c", "Clear", "Queue", "queue",
           "Take out all that wait, all that failed, or those that are done.", handler="clear",
           footer={"queue_ended": "clear"}),
    action("queue_pause", "p", "Pause, or resume", "Queue", "queue",
           "Begin no further job until you say so; the one that runs is brought to its end.", handler="pause"),
    action("queue_forever", "alt+e", "Without end", "Queue", "queue",
           "Make what the studio says whenever nothing else waits, each time with a new seed, until the same key ends "
           "it; also when no terminal is there.", handler="forever", footer={"queue_empty": "without end"}),
    action("queue_cursor_up", "up k", "Line above", "Queue", "queue", handler="walk(-1)"),
    action("queue_cursor_down", "down j", "Line below", "Queue", "queue", handler="walk(1)"),
    action("queue_page_up", "pageup", "Page up", "Queue", "queue", handler="page(-1)"),
    action("queue_page_down", "pagedown", "Page down", "Queue", "queue", handler="page(1)"),
    action("queue_first", "home g", "First", "Queue", "queue", handler="walk(-1000000)"),
    action("queue_last", "end G", "Last", "Queue", "queue", handler="walk(1000000)"),
    action("queue_back", "escape ctrl+c", "Back", "Queue", "queue", handler="back",
           footer={"queue_empty": "back"}),
)  # fmt: skip
