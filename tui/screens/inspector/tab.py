"""What every tab of the inspector is: it says which views it needs at a place, and shows those that are there."""

from __future__ import annotations

from typing import ClassVar

from textual.message import Message

from tui.actions import Moment
from tui.traces import Place, ViewKey, Views
from tui.widgets.panes import Column

ASKING = "asking…"


class Tab(Column):
    """One tab. The screen has its views fetched, also those of the steps that are likely next."""

    NAME: ClassVar[str]
    MOMENT: ClassVar[Moment]
    HELP: ClassVar[str]
    FIRST_STEP: ClassVar[int] = 0

    class Changed(Message):
        """The tab looks at something else now, and needs other views."""

    def wanted(self, place: Place) -> tuple[ViewKey, ...]:
        """The views to be shown at this place."""
        return ()

    def likely(self, place: Place) -> tuple[ViewKey, ...]:
        """Of these, the ones cheap enough to be fetched ahead."""
        return self.wanted(place)

    def show(self, place: Place, views: Views) -> None:
        """Show this place with the views that are there; what came before stays until its successor is."""

    def move(self, rows: int) -> None:
        """Up (negative) or down by rows."""

    def change(self) -> None:
        """Have the screen ask for the views that are needed now."""
        self.post_message(self.Changed())


def excuse(views: Views, *keys: ViewKey) -> str:
    """Why these views are not there: what the engine said, or that it is being asked."""
    return next((problem for key in keys if (problem := views.problem(key))), ASKING)
