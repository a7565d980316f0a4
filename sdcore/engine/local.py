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
from pathlib import Path
from typing import Final, Self

import msgspec

import sdcore
from sdcore.engine import answers, file_answers
from sdcore.engine.backend import Backend, LoadBackend, Report
from sdcore.engine.desk import Desk
from sdcore.engine.heartbeat import Heartbeat
from sdcore.engine.librarian import AboutFiles, Librarian
from sdcore.engine.mailbox import LIVE_SECONDS, Mailbox
from sdcore.engine.messages import (
    AnyCommand,
    AnyEvent,
    Cancel,
    CompareTraces,
    EditJob,
    EngineFailed,
    Generate,
    GetStatus,
    GetView,
    HoldJobs,
    JobFailed,
    JobNotice,
    JobQueued,
    LoadModel,
    MoveJob,
    OpenTrace,
    PauseQueue,
    PlanSchedule,
    PutInput,
    QueueState,
    RemoveJobs,
    RetryJobs,
    RunForever,
    SaveTrace,
    SetPreview,
    Shutdown,
)
from sdcore.engine.previews import Previews
from sdcore.engine.recovery import open_queue
from sdcore.engine.running import Tools
from sdcore.engine.state import EngineState
from sdcore.engine.traces import Traces
from sdcore.engine.worker import Worker
from sdcore.library import config
from sdcore.spec.recipe import RecipeError, check
from sdcore.spec.views import MODEL_VIEWS

_STOP_SECONDS: Final = 10.0
_FORCED: Final = "The engine was ended by force while this was being made; release it to have it tried again."
_BY_FORCE: Final = "The engine was ended by force, and what it was making is held in the queue."

# Without a log of the application's own, tracebacks would go to stderr, which is a terminal's screen.
logging.getLogger("sdcore").addHandler(logging.NullHandler())


def torch_backend(device: str = "auto", *, polite: bool = False, threads: int = 0) -> LoadBackend:
    """The loader of the real mathematics. `polite` lets other programs go first on a CPU; there `threads` share the
    work, as many as torch likes if 0."""

    def load(report: Report) -> Backend:
        # By name, so that the graph of imports shows what is true: the engine's other threads need no torch.
        return importlib.import_module("sdcore.engine.torch_backend").load(
            report, device=device, polite=polite, threads=threads
        )

    return load


class LocalClient:
    """One user of an engine in this process. Iterate it, on a thread or an event loop, for its events."""

    def __init__(self, engine: LocalEngine) -> None:
        self.mailbox = Mailbox()
        self.leaving = False
        self.intake = file_answers.Intake()
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
    """The worker and the desk behind typed messages. Every client sees the events of all jobs.

    Jobs are kept in `queue_folder`, where the next engine finds what this one did not get to; without a folder, for as
    long as the engine lives.
    """

    def __init__(self, load_backend: LoadBackend | None = None, *, queue_folder: Path | None = None) -> None:
        self.state = EngineState()
        self.on_change: Callable[[], None] = lambda: None
        """Called, from any thread, when the queue changed, a job ended, a client left, or the engine ended."""
        self._lock = threading.RLock()
        self._clients: list[LocalClient] = []
        self._previews = Previews()
        self._traces = Traces(config.load()[0].trace_memory_mib << 20)
        self._desk: Desk[Backend] = Desk(prepare=lambda backend: backend.beside())
        self._librarian = Librarian()
        self._queue, checkpoints, self._estimates = open_queue(self._publish, queue_folder)
        self._heartbeat = Heartbeat(self._queue.tell)
        self._worker = Worker(
            load_backend or torch_backend(),
            self._queue,
            Tools(
                publish=self._queue.tell,
                previews=self._previews,
                traces=self._traces,
                checkpoints=checkpoints,
                heartbeat=self._heartbeat,
                estimates=self._estimates,
                saved=self._queue.saved,
                signed=self._queue.durable,
            ),
            describe=(sdcore.__version__, os.getpid()),
            on_backend=self._use,
            on_exit=self._finish,
        )
        self._began = time.monotonic()
        self._end_when_idle = False
        self._ending = False
        self._ended = False
        self.forced = False
        """Whether the end is not to be waited for: the worker thread may hang."""

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
        """Whether no job runs, and none will before a client asks for it."""
        return self._queue.idle

    def start(self) -> None:
        """Start the threads; the libraries are imported on the worker's."""
        self._queue.open()
        self._worker.start()
        self._desk.start()
        self._heartbeat.start()

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
        self._librarian.forget(client.mailbox)
        client.mailbox.close()
        self._end_if_wanted()

    def submit(self, command: AnyCommand, client: LocalClient) -> None:
        """Take a command from a client. Returns at once; bad ones are answered with an event."""
        match command:
            case Generate():
                self._generate(command, client)
            case Cancel():
                self._worker.cancel((command.job,), keep=command.keep)
            case MoveJob():
                self._queue.move(command)
            case EditJob():
                self._edit(command, client)
            case HoldJobs():
                self._worker.hold(command.jobs, command.held)
            case RetryJobs():
                self._queue.retry(command.jobs)
            case RemoveJobs():
                self._worker.cancel(command.jobs)
            case PauseQueue():
                self._queue.pause(command.paused)
            case RunForever():
                self._run_forever(command)
            case LoadModel():
                self._worker.load(command.model)
            case PlanSchedule():
                expected = partial(self._estimates.seconds, loaded=self._queue.loaded)
                answer = partial(answers.plan, command=command, expected=expected)
                self._desk.ask(client.mailbox, answer, instead_of=PlanSchedule)
            case SetPreview():
                self._previews.want(client.mailbox, command)
                client.mailbox.beat = 1 / command.max_fps if command.max_fps > 0 else LIVE_SECONDS
                self._desk.ask(
                    client.mailbox, lambda _: self._previews.catch_up(client.mailbox), instead_of=SetPreview
                )
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
            case PutInput():
                self._desk.ask(client.mailbox, lambda _: client.intake.take(command))
            case _ if isinstance(command, AboutFiles):
                self._librarian.take(command, client.mailbox)
            case GetStatus():
                with self._lock:
                    client.mailbox.put(self.state.status(os.getpid(), self._began, len(self._clients)))
            case Shutdown(by_force=True):
                self._end_by_force()
            case Shutdown(when_idle=True):
                client.leaving = True
                self._end_when_idle = True
                self._end_if_wanted()
            case Shutdown():
                client.leaving = True
                if self._queue.durable:
                    self._queue.stand_still()
                self.end("The engine was stopped by request.")

    def end(self, reason: str = "", *, died: bool = False) -> None:
        """Have the engine end before its next forward pass. Returns at once; clients that did not ask for it
        are told the `reason`, and whether another engine is to take its place at once (`died`)."""
        with self._lock:
            if self._ending:
                return
            self._ending = True
            if reason:
                self._tell_all(EngineFailed(message=reason, died=died))
        # Without the lock: the worker publishes, which takes it, while it holds its own.
        self._desk.stop()
        self._heartbeat.stop()
        self._worker.stop()
        self.on_change()

    def close(self, reason: str = "") -> bool:
        """`end`, and wait for the threads; whether they ended within some seconds."""
        self.end(reason)
        self._desk.join(_STOP_SECONDS)
        self._heartbeat.join(_STOP_SECONDS)
        return self._worker.join(_STOP_SECONDS)

    def _generate(self, command: Generate, client: LocalClient) -> None:
        try:
            recipe = check(command.recipe)
        except RecipeError as error:
            client.mailbox.put(JobFailed(job=command.job, message=str(error)))
            return
        if self._worker.stopped and not self._queue.durable:
            stopped = "The engine has stopped: generate again to start a new one."
            client.mailbox.put(JobFailed(job=command.job, message=stopped))
            return
        known = self._queue.submit(msgspec.structs.replace(command, recipe=recipe))
        if known is not None:
            client.mailbox.put(known)

    def _edit(self, command: EditJob, client: LocalClient) -> None:
        try:
            recipe = check(command.recipe)
        except RecipeError as error:
            client.mailbox.put(JobNotice(job=command.job, message=str(error)))
            return
        if not self._queue.edit(msgspec.structs.replace(command, recipe=recipe)):
            gone = "That job does not wait any more, so it was not changed."
            client.mailbox.put(JobNotice(job=command.job, message=gone))

    def _run_forever(self, command: RunForever) -> None:
        try:
            recipe = None if command.recipe is None else check(command.recipe)
        except RecipeError as error:
            self._queue.complain(str(error))
            return
        self._queue.run_forever(msgspec.structs.replace(command, recipe=recipe))

    def _end_by_force(self) -> None:
        """End with a forward pass under way, which may never be over: the job is set aside, the rest goes on later."""
        self._queue.set_aside(_FORCED)
        self.forced = True
        self.end(_BY_FORCE, died=True)
        self._finish()

    def _use(self, backend: Backend) -> None:
        self._estimates.device = backend.device
        self._desk.use(backend)
        self._queue.tell_again()

    def _publish(self, event: AnyEvent) -> None:
        with self._lock:
            before = len(self.state.jobs)
            self.state.note(event)
            if not (self._is_over() and isinstance(event, JobQueued | QueueState)):
                self._tell_all(event)
            ended = len(self.state.jobs) < before or isinstance(event, QueueState)
        if ended:
            self._end_if_wanted()

    def _is_over(self) -> bool:
        """Whether clients know that this engine ends: what waits is the next one's to tell."""
        return self._ending or self.state.failed is not None

    def _end_if_wanted(self) -> None:
        """End if that was asked for, nothing is queued and every client that is left asked for it too."""
        with self._lock:
            leaving = all(client.leaving for client in self._clients)
            wanted = self._end_when_idle and leaving and self._queue.idle
        if wanted:
            self.end()
        else:
            self.on_change()

    def _finish(self) -> None:
        self._desk.stop()
        self._librarian.stop()
        self._heartbeat.stop()
        self._queue.close()
        with self._lock:
            self._ended = True
            for client in self._clients:
                client.mailbox.close()
        self.on_change()

    def _tell_all(self, event: AnyEvent) -> None:
        for client in self._clients:
            if not (client.leaving and isinstance(event, EngineFailed)):
                client.mailbox.put(event)
