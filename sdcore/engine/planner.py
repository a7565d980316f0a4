"""Answers `PlanSchedule` on a thread of its own: typing a step count never waits for a running job."""

from __future__ import annotations

import logging
import threading

from sdcore.engine.backend import Backend
from sdcore.engine.faults import explain
from sdcore.engine.mailbox import Mailbox
from sdcore.engine.messages import PlanSchedule, SchedulePlanned

_log = logging.getLogger(__name__)


class Planner:
    """Plans are made once the backend is there; of a client's unanswered questions only the newest counts."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._asked: dict[Mailbox, PlanSchedule] = {}
        self._backend: Backend | None = None
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="planner", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def use(self, backend: Backend) -> None:
        """Answer with this backend from now on."""
        with self._changed:
            self._backend = backend
            self._changed.notify()

    def ask(self, mailbox: Mailbox, command: PlanSchedule) -> None:
        """Have `command` answered into `mailbox`."""
        with self._changed:
            self._asked[mailbox] = command
            self._changed.notify()

    def forget(self, mailbox: Mailbox) -> None:
        """Drop what this client asked."""
        with self._changed:
            self._asked.pop(mailbox, None)

    def stop(self) -> None:
        """End the thread after the plan in hand."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def join(self, timeout: float) -> None:
        """Wait for the thread, `timeout` seconds at most."""
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._stopped and (self._backend is None or not self._asked):
                    self._changed.wait()
                if self._stopped or self._backend is None:
                    return
                backend, mailbox = self._backend, next(iter(self._asked))
                command = self._asked.pop(mailbox)
            mailbox.put(_answer(backend, command))


def _answer(backend: Backend, command: PlanSchedule) -> SchedulePlanned:
    try:
        plan = backend.plan(command.recipe, None)
    except Exception as error:
        fault = explain(error, backend.sentences)
        _log.info("no plan: %s", fault.message)
        return SchedulePlanned(request=command.request, problem=fault.message)
    return SchedulePlanned(
        request=command.request,
        timesteps=plan.timesteps,
        sigmas=plan.sigmas,
        init_noise_sigma=plan.init_noise_sigma,
        evals_per_step=plan.evals_per_step,
    )
