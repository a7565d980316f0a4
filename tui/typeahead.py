"""Keys that come in one burst, as they do over SSH, each meet the screen that the one before has left.

Textual hands a key to the widget in focus, where it waits for its turn, and bindings are looked up on its way back up.
So what is typed after a Tab would still go to the widget that had the focus before. Here the next key waits until the
one before has come all the way up, and until the screen that it opens is there: most are imported, or read what they
show, on a thread before they come, and what is typed meanwhile is meant for them.
"""

from __future__ import annotations

import time
from collections import deque
from typing import Any, Final

from textual import events
from textual.app import App
from textual.message import Message
from textual.message_pump import MessagePump
from textual.screen import Screen
from textual.timer import Timer
from textual.worker import Worker

from tui.punctual import Punctual

_PATIENCE: Final = 0.3
"""Seconds after which the next key goes on its way whatever became of the one before: its widget may be gone."""
_LOOK_SECONDS: Final = 0.01
"""How often it is looked whether a key is done that nothing is heard of, or a screen that is opened has its parts: no
key may come before."""
_OPENING_SECONDS: Final = 1.0
"""How long the next key waits for the screen that the one before opens."""
_LEADING: Final = frozenset({"ways", "inspector", "compare", "variations"})
"""The groups of workers that lead to a screen, over others where need be, and then are done."""
_ASKING: Final = frozenset({"choose", "ask"})
"""The groups of those that open a list or close it, and go on."""
_ROUNDS: Final = 2
"""How often a key is followed: a part that was pressed tells its screen so in a message behind the key."""


class KeyDone(Message):
    """Follows a key on its way up, and so comes to the app when that was dealt with."""

    def __init__(self, number: int, rounds: int = _ROUNDS) -> None:
        super().__init__()
        self.number = number
        self.rounds = rounds
        """How often the way is still to be gone, with this time."""


class TypeAhead(Punctual, App[None]):
    """An app whose keys and pastes are dealt with one after another."""

    def __init__(self) -> None:
        super().__init__()
        self._ahead: deque[events.Key | events.Paste] = deque()
        self._number = 0
        self._awaited = 0
        """The number of the key that is not done yet, 0 where none is on its way."""
        self._under_way = False
        self._patience: Timer | None = None
        self._target: MessagePump = self
        """Where the key that is under way went."""
        self._from: tuple[Screen[Any] | None, frozenset[Worker[Any]], float] = (None, frozenset(), 0.0)
        """The screen that it met, the workers there were, and when that was."""

    @property
    def is_typed_ahead(self) -> bool:
        """Whether a key is not done yet."""
        return self._under_way

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
        if not self.screen_stack:
            return  # the app is being left
        if not self.screen.is_mounted:
            self.set_timer(_LOOK_SECONDS, lambda: self._let_go(event))
            return
        self._number += 1
        self._awaited = number = self._number
        self._from = self.screen, frozenset(self.workers), time.monotonic()
        self._target = self.focused or self.screen
        self._look_later(number)
        await super().on_event(event)
        self._follow(KeyDone(number))

    def _look_later(self, number: int) -> None:
        self._patience = self.set_timer(_LOOK_SECONDS, lambda: self._look(number))

    def _look(self, number: int) -> None:
        """Not to wait for what does not come: a part that is gone with its screen sends nothing back."""
        screen, _, since = self._from
        if number != self._awaited or not self.screen_stack:  # the app is being left
            return
        if self.screen is not screen or time.monotonic() - since > _PATIENCE:
            self._done(number)
        else:
            self._look_later(number)

    def _follow(self, done: KeyDone) -> None:
        if not self._target.post_message(done):
            self._done(done.number)

    def on_key_done(self, message: KeyDone) -> None:
        """The key was dealt with: the next one, once what it has led to was dealt with, too."""
        message.stop()
        if message.rounds > 1:
            self._follow(KeyDone(message.number, message.rounds - 1))
        else:
            self._done(message.number)

    def _done(self, number: int) -> None:
        if number != self._awaited or not self.screen_stack:
            return
        if self._patience is not None:
            self._patience.stop()
        if self._is_opening():
            self._patience = self.set_timer(_LOOK_SECONDS, lambda: self._done(number))
            return
        screen, _, since = self._from
        if self.screen is not screen:  # who waited for a list may now move the focus
            self._from = self.screen, frozenset(self.workers), since
            self._target = self.focused or self.screen
            self._look_later(number)
            self._follow(KeyDone(number))
            return
        self._awaited = 0
        self._under_way = bool(self._ahead)
        if self._ahead:
            self.call_next(self._let_go, self._ahead.popleft())

    def _is_opening(self) -> bool:
        """Whether the key has begun something that is about to show another screen."""
        screen, before, since = self._from
        if time.monotonic() - since > _OPENING_SECONDS:
            return False
        groups = _LEADING | _ASKING if self.screen is screen else _LEADING
        return any(
            worker.group in groups and worker not in before and not worker.is_finished
            for worker in self.workers
        )
