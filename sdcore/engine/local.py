"""The engine in this process: for `sdtui generate`, notebooks and tests, and what `host` serves to others.

with LocalEngine() as engine:
    client = engine.attach()
    client.send(Generate(job="1", recipe=recipe))
    for event in client: ...
"""

from __future__ import annotations

import importlib
import logging
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Final, Self

import sdcore
from sdcore.engine import answers
from sdcore.engine.backend import Backend, LoadBackend, Report
from sdcore.engine.desk import Desk
from sdcore.engine.mailbox import LIVE_SECONDS, Mailbox
from sdcore.engine.messages import (
    AnyCommand,
    AnyEvent,
    Cancel,
    CompareTraces,
    EngineFailed,
    Generate,
    GetStatus,
    GetView,
    JobFailed,
    LoadModel,
    OpenTrace,
    PlanSchedule,
    SaveTrace,
    SetPreview,
    Shutdown,
    Status,
)
from sdcore.engine.previews import Previews
from sdcore.engine.state import EngineState
from sdcore.engine.traces import Traces
from sdcore.engine.worker import Worker
from sdcore.library import config
from sdcore.spec.recipe import RecipeError, check
from sdcore.spec.views import MODEL_VIEWS

_STOP_SECONDS: Final = 10.0

# Without a log of the application's own, tracebacks would go to stderr, which is a terminal's screen.
logging.getLogger("sdcore").addHandler(logging.NullHandler())


def torch_backend(device: str = "auto", *, polite: bool = False) -> LoadBackend:
    """The loader of the real mathematics. `polite` lets other programs go first on a CPU."""

    def load(report: Report) -> Backend:
        # By name, so that the graph of imports shows what is true: the engine's other threads need no torch.
        return importlib.import_module("sdcore.engine.torch_backend").load(
            report, device=device, polite=polite
        )

    return load


class LocalClient:
    """One user of an engine in this process. Iterate it, on a thread or an event loop, for its events."""

    def __init__(self, engine: LocalEngine) -> None:
        self.mailbox = Mailbox()
        self.leaving = False
        self._engine = engine

    def send(self, command: AnyCommand) -> None:
        """Give the engine a command. Returns at once; the answers are events."""
        self._engine.submit(command, self)

    def __iter__(self) -> Iterator[AnyEvent]:
        """The events, waiting for the next, until the engine ends or `close` is called."""
        return iter(self.mailbox)

    def events(self) -> AsyncIterator[AnyEvent]:
        """The same on an event loop."""
        return aiter(self.mailbox)

    def close(self) -> None:
        """Leave the engine. Jobs go on."""
        self._engine.detach(self)


class LocalEngine:
    """The worker and the desk behind typed messages. Every client sees the events of all jobs."""

    def __init__(self, load_backend: LoadBackend | None = None) -> None:
        self.state = EngineState()
        self.on_change: Callable[[], None] = lambda: None
        """Called, from any thread, when a job ended, a client left, or the engine ended."""
        self._lock = threading.RLock()
        self._clients: list[LocalClient] = []
        self._previews = Previews()
        self._traces = Traces(config.load()[0].trace_memory_mib << 20)
        self._desk = Desk()
        self._worker = Worker(
            load_backend or torch_backend(),
            self._publish,
            self._previews,
            self._traces,
            describe=(sdcore.__version__, os.getpid()),
            on_backend=self._desk.use,
            on_exit=self._finish,
        )
        self._began = time.monotonic()
        self._end_when_idle = False
        self._ending = False
        self._ended = False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def ending(self) -> bool:
        """Whether the engine was told to end, or met a fault that ends it: it takes no more jobs."""
        return self._ending or self._ended

    @property
    def ended(self) -> bool:
        """Whether the worker thread is gone and all clients were told so."""
        return self._ended

    @property
    def clients(self) -> int:
        """How many clients are attached."""
        return len(self._clients)

    @property
    def idle(self) -> bool:
        """Whether no job waits or runs."""
        with self._lock:
            return not self.state.jobs

    def start(self) -> None:
        """Start the threads; the libraries are imported on the worker's."""
        self._worker.start()
        self._desk.start()

    def attach(self) -> LocalClient:
        """A new client; its first events bring it up to date."""
        client = LocalClient(self)
        with self._lock:
            for event in self.state.replay():
                client.mailbox.put(event)
            self._end_when_idle = False
            self._clients.append(client)
            if self._ended:
                client.mailbox.close()
        return client

    def detach(self, client: LocalClient) -> None:
        """Let a client go."""
        with self._lock:
            if client in self._clients:
                self._clients.remove(client)
        self._previews.forget(client.mailbox)
        self._desk.forget(client.mailbox)
        client.mailbox.close()
        self._end_if_wanted()

    def submit(self, command: AnyCommand, client: LocalClient) -> None:
        """Take a command from a client. Returns at once; bad ones are answered with an event."""
        match command:
            case Generate():
                self._generate(command, client)
            case Cancel():
                self._worker.cancel(command.job, keep=command.keep)
            case LoadModel():
                self._worker.load(command.model)
            case PlanSchedule():
                self._desk.ask(
                    client.mailbox, partial(answers.plan, command=command), instead_of=PlanSchedule
                )
            case SetPreview():
                self._previews.want(client.mailbox, command)
                client.mailbox.beat = 1 / command.max_fps if command.max_fps > 0 else LIVE_SECONDS
            case OpenTrace():
                self._desk.ask(
                    client.mailbox, lambda backend: answers.open_trace(backend, self._traces, command)
                )
            case GetView() if command.what in MODEL_VIEWS:
                self._worker.look(command, client.mailbox.put)
            case GetView():
                self._desk.ask(client.mailbox, lambda backend: answers.view(backend, self._traces, command))
            case CompareTraces():
                self._desk.ask(
                    client.mailbox, lambda backend: answers.compare(backend, self._traces, command)
                )
            case SaveTrace():
                self._desk.ask(
                    client.mailbox, lambda backend: answers.save_trace(backend, self._traces, command)
                )
            case GetStatus():
                client.mailbox.put(self._status())
            case Shutdown():
                client.leaving = True
                if command.when_idle:
                    self._end_when_idle = True
                    self._end_if_wanted()
                else:
                    self.end("The engine was stopped by request.")

    def end(self, reason: str = "") -> None:
        """Have the engine end before its next forward pass. Returns at once; clients that did not ask for it
        are told the `reason`."""
        with self._lock:
            if self._ending:
                return
            self._ending = True
            if reason:
                self._tell_all(EngineFailed(message=reason))
        # Without the lock: the worker publishes, which takes it, while it holds its own.
        self._desk.stop()
        self._worker.stop()
        self.on_change()

    def close(self, reason: str = "") -> bool:
        """`end`, and wait for the threads; whether they ended within some seconds."""
        self.end(reason)
        self._desk.join(_STOP_SECONDS)
        return self._worker.join(_STOP_SECONDS)

    def _generate(self, command: Generate, client: LocalClient) -> None:
        try:
            recipe = check(command.recipe)
        except RecipeError as error:
            client.mailbox.put(JobFailed(job=command.job, message=str(error)))
            return
        with self._lock:
            known = command.job in self.state.jobs
        if known:
            client.mailbox.put(JobFailed(job=command.job, message="A job of that name is already queued."))
            return
        self._worker.submit(command.job, recipe, command.fork)

    def _status(self) -> Status:
        with self._lock:
            ready, running = self.state.ready, self.state.running
            return Status(
                pid=os.getpid(),
                uptime_seconds=time.monotonic() - self._began,
                model=self.state.model,
                device=ready.device if ready else "",
                running=running,
                queued=len(self.state.jobs) - (running is not None),
                clients=len(self._clients),
            )

    def _publish(self, event: AnyEvent) -> None:
        with self._lock:
            before = len(self.state.jobs)
            self.state.note(event)
            self._tell_all(event)
            ended = len(self.state.jobs) < before
        if ended:
            self._end_if_wanted()

    def _end_if_wanted(self) -> None:
        """End if that was asked for, nothing is queued and every client that is left asked for it too."""
        with self._lock:
            leaving = all(client.leaving for client in self._clients)
            wanted = self._end_when_idle and leaving and not self.state.jobs
        if wanted:
            self.end()
        else:
            self.on_change()

    def _finish(self) -> None:
        self._desk.stop()
        with self._lock:
            self._ended = True
            for client in self._clients:
                client.mailbox.close()
        self.on_change()

    def _tell_all(self, event: AnyEvent) -> None:
        for client in self._clients:
            if not (client.leaving and isinstance(event, EngineFailed)):
                client.mailbox.put(event)
