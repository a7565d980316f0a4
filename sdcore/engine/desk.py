"""Answers questions on a thread of its own, so that none waits for a running job."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from sdcore.engine.mailbox import Mailbox
from sdcore.engine.messages import AnyEvent

Source = TypeVar("Source")
"""What answers are made from, such as a backend."""


class Desk(Generic[Source]):
    """Questions are answered in turn, once the source is there. `prepare` is called on the thread before the first
    answer from a source. An answer is made where there is one; it catches whatever may go wrong, and answers with
    that."""

    def __init__(self, name: str = "desk", prepare: Callable[[Source], object] = lambda source: None) -> None:
        self._prepare = prepare
        self._changed = threading.Condition()
        self._asked: OrderedDict[tuple[Mailbox, Hashable], Callable[[Source], AnyEvent | None]] = (
            OrderedDict()
        )
        self._source: Source | None = None
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def use(self, source: Source) -> None:
        """Answer from this source from now on."""
        with self._changed:
            self._source = source
            self._changed.notify()

    def ask(
        self,
        mailbox: Mailbox,
        answer: Callable[[Source], AnyEvent | None],
        *,
        instead_of: Hashable = None,
    ) -> None:
        """Have a question answered into `mailbox`. Of those that a client asks `instead_of` the same, the newest
        alone is answered."""
        with self._changed:
            self._asked[mailbox, object() if instead_of is None else instead_of] = answer
            self._changed.notify()

    def forget(self, mailbox: Mailbox) -> None:
        """Drop what this client asked."""
        with self._changed:
            for key in [key for key in self._asked if key[0] is mailbox]:
                del self._asked[key]

    def stop(self) -> None:
        """End the thread after the answer in hand."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def join(self, timeout: float) -> None:
        """Wait for the thread, `timeout` seconds at most."""
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _run(self) -> None:
        prepared: Source | None = None
        while True:
            with self._changed:
                while not self._stopped and (self._source is None or not self._asked):
                    self._changed.wait()
                if self._stopped or self._source is None:
                    return
                source = self._source
                (mailbox, _), answer = self._asked.popitem(last=False)
            if source is not prepared:
                self._prepare(source)
                prepared = source
            if (event := answer(source)) is not None:
                mailbox.put(event)
