"""Keys that come in one burst, as they do over SSH, each meet the screen that the one before has left.

Textual hands a key to the widget in focus, where it waits for its turn, and bindings are looked up on its way back up.
So what is typed after a Tab would still go to the widget that had the focus before. Here the next key waits until the
one before has come all the way up.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from textual import events
from textual.app import App
from textual.message import Message
from textual.timer import Timer

_PATIENCE: Final = 0.3
"""Seconds after which the next key goes on its way whatever became of the one before: its widget may be gone."""
_MOUNTING: Final = 0.01
"""Seconds after which it is looked again whether a screen that is opened has its parts: no key may come before."""


class KeyDone(Message):
    """Follows a key on its way up, and so comes to the app when that was dealt with."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class TypeAhead(App[None]):
    """An app whose keys and pastes are dealt with one after another."""

    def __init__(self) -> None:
        super().__init__()
        self._ahead: deque[events.Key | events.Paste] = deque()
        self._number = 0
        self._under_way = False
        self._patience: Timer | None = None

    async def on_event(self, event: events.Event) -> None:
        """Have a key wait where another is under way."""
        if not isinstance(event, events.Key | events.Paste) or event.is_forwarded:
            await super().on_event(event)
        elif self._under_way:
            self._ahead.append(event)
        else:
            await self._let_go(event)

    async def _let_go(self, event: events.Key | events.Paste) -> None:
        self._under_way = True
        if not self.screen.is_mounted:
            self.set_timer(_MOUNTING, lambda: self._let_go(event))
            return
        self._number += 1
        target = self.focused or self.screen
        await super().on_event(event)
        if not target.post_message(KeyDone(self._number)):
            self._done(self._number)
            return
        number = self._number
        self._patience = self.set_timer(_PATIENCE, lambda: self._done(number))

    def on_key_done(self, message: KeyDone) -> None:
        """The key was dealt with: the next one."""
        message.stop()
        self._done(message.number)

    def _done(self, number: int) -> None:
        if number != self._number or not self._under_way:
            return
        self._under_way = False
        if self._patience is not None:
            self._patience.stop()
        if self._ahead:
            self.call_next(self._let_go, self._ahead.popleft())
            self._under_way = True
