"""Answers questions on a thread of its own, so that none waits for a running job."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

from sdcore.engine.backend import Backend
from sdcore.engine.mailbox import Mailbox
from sdcore.engine.messages import AnyEvent

Answer = Callable[[Backend], AnyEvent | None]
"""Makes the answer, where there is one. Catches whatever may go wrong, and answers with that."""


class Desk:
    """Questions are answered in turn, once the backend is there."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._asked: OrderedDict[tuple[Mailbox, Hashable], Answer] = OrderedDict()
        self._backend: Backend | None = None
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="desk", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def use(self, backend: Backend) -> None:
        """Answer with this backend from now on."""
        with self._changed:
            self._backend = backend
            self._changed.notify()

    def ask(self, mailbox: Mailbox, answer: Answer, *, instead_of: Hashable = None) -> None:
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
        prepared: Backend | None = None
        while True:
            with self._changed:
                while not self._stopped and (self._backend is None or not self._asked):
                    self._changed.wait()
                if self._stopped or self._backend is None:
                    return
                backend = self._backend
                (mailbox, _), answer = self._asked.popitem(last=False)
            if backend is not prepared:
                backend.beside()
                prepared = backend
            if (event := answer(backend)) is not None:
                mailbox.put(event)
