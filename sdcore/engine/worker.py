"""The one long-lived thread that owns torch and the model: import, load, sample, decode, save.

Jobs run one after another. Nothing but iteration happens between two forward passes: a cancel is a flag that
is looked at before the next one, progress goes into mailboxes that never block.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from sdcore.engine import answers
from sdcore.engine.backend import Backend, LoadBackend, Model, NoBackendError
from sdcore.engine.faults import Fault, explain
from sdcore.engine.messages import (
    PROTOCOL,
    AnyEvent,
    EngineFailed,
    EngineReady,
    EngineStarting,
    GetView,
    JobCancelled,
    JobFailed,
    ModelFailed,
    ModelLoaded,
    ModelLoading,
    TraceFailed,
)
from sdcore.engine.queue import JobQueue
from sdcore.engine.running import FullMemoryError, Job, Run, Tools
from sdcore.engine.traces import NoTraceError

_log = logging.getLogger(__name__)


@dataclass
class _Load:
    model: str
    cancelled: bool = False


@dataclass
class _Look:
    command: GetView
    answer: Callable[[AnyEvent], None]
    cancelled: bool = False


_Task = Job | _Load | _Look


class _Interrupted(BaseException):
    """Raised out of a load that is not wanted any more. No Exception: no loader may take it for a fault."""


class Worker:
    """The worker thread. Its methods may be called from any thread, and return at once.

    Its jobs come from `queue`. `describe` is the program's version and process, for `EngineReady`. `on_backend` and
    `on_exit` are called on the thread, once.
    """

    def __init__(
        self,
        load_backend: LoadBackend,
        queue: JobQueue,
        tools: Tools,
        *,
        describe: tuple[str, int] = ("", 0),
        on_backend: Callable[[Backend], None] = lambda backend: None,
        on_exit: Callable[[], None] = lambda: None,
    ) -> None:
        self._load_backend = load_backend
        self._queue = queue
        self._tools = tools
        self._publish = tools.publish
        self._version, self._pid = describe
        self._on_backend = on_backend
        self._began = False
        self._on_exit = on_exit
        self._changed = queue.changed
        self._looks: deque[_Look] = deque()
        self._load: _Load | None = None
        self._current: _Task | None = None
        self._stopped = False
        self._model: Model | None = None
        self._model_ref = ""
        self._vae = ""
        self._thread = threading.Thread(target=self._run, name="worker", daemon=True)

    def start(self) -> None:
        """Begin: the libraries are imported first; what is submitted meanwhile waits."""
        self._thread.start()

    def load(self, model: str) -> None:
        """Have a model loaded when no job waits; it takes the place of another that has not begun."""
        with self._changed:
            self._load = _Load(model)
            self._changed.notify_all()

    def look(self, command: GetView, answer: Callable[[AnyEvent], None]) -> None:
        """Have a view that needs the model made after the present job, before all others."""
        with self._changed:
            self._looks.appendleft(_Look(command, answer))
            self._changed.notify_all()

    def cancel(self, names: Iterable[str], *, keep: bool = False) -> None:
        """Stop jobs: the running one before its next forward, all others at once. Others are no fault."""
        with self._changed:
            names = list(names)
            current = self._running(names)
            if current is not None:
                current.keep, current.paused, current.cancelled = keep, False, True
            self._queue.remove(name for name in names if current is None or name != current.name)

    def hold(self, names: Iterable[str], held: bool) -> None:
        """Hold jobs, the running one before its next forward; or release them."""
        with self._changed:
            names = list(names)
            current = self._running(names)
            if current is not None and (held or current.paused):
                # What was told to stop stops: released meanwhile, it is the next one to be taken up.
                current.paused = current.cancelled = True
                current.held = held
            self._queue.hold(names, held)

    @property
    def stopped(self) -> bool:
        """Whether nothing more is begun."""
        return self._stopped

    def stop(self) -> None:
        """Have the thread end before its next forward pass. Where the queue is kept, so is what runs."""
        with self._changed:
            self._stopped = True
            current = self._current
            if isinstance(current, Job) and not current.cancelled:
                current.paused = self._queue.durable
            if current is not None:
                current.cancelled = True
            self._changed.notify_all()

    def _running(self, names: list[str]) -> Job | None:
        return self._current if isinstance(self._current, Job) and self._current.name in names else None

    def join(self, timeout: float) -> bool:
        """Wait for the thread; whether it ended within `timeout` seconds."""
        if self._thread.is_alive():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._work()
        finally:
            self._on_exit()

    def _work(self) -> None:
        backend, fault = self._guarded(lambda: self._load_backend(self._report_start))
        if backend is None:
            if fault is not None:
                said = fault.message if fault.foreseen else f"The engine could not start: {fault.message}"
                self._give_up(Fault(said, fatal=True))
            return
        self._on_backend(backend)
        self._began = True
        self._publish(
            EngineReady(
                protocol=PROTOCOL,
                pid=self._pid,
                device=backend.device,
                device_name=backend.device_name,
                dtype=backend.dtype,
                version=self._version,
                memory_bytes=backend.memory_bytes,
            )
        )
        while (task := self._next()) is not None:
            fault = self._perform(backend, task)
            if fault is not None and fault.fatal:
                self._give_up(fault)
                return

    def _report_start(self, stage: str, fraction: float) -> None:
        if self._stopped:
            raise _Interrupted
        self._publish(EngineStarting(stage=stage, fraction=fraction))

    def _next(self) -> _Task | None:
        with self._changed:
            self._current = None
            while not self._stopped:
                if (task := self._waiting()) is not None:
                    self._current = task
                    break
                self._changed.wait()
            return self._current

    def _waiting(self) -> _Task | None:
        """What somebody looks at comes first; a model that is only wanted warm comes last."""
        if self._looks:
            return self._looks.popleft()
        if (entry := self._queue.take()) is not None:
            return Job.of(entry)
        load, self._load = self._load, None
        return load

    def _perform(self, backend: Backend, task: _Task) -> Fault | None:
        """Do one task to its end, whatever happens; returns its fault."""
        match task:
            case Job():
                _, fault = self._guarded(lambda: self._generate(backend, task), backend)
                self._tools.traces.ended(task.name)
                self._tools.previews.ended(task.name)
                if fault is not None and not (fault.fatal and self._queue.durable):
                    self._publish(JobFailed(job=task.name, message=_with_saved(fault.message, task)))
            case _Load():
                _, fault = self._guarded(lambda: self._need(backend, task.model, None, task), backend)
                if fault is not None:
                    self._publish(ModelFailed(model=task.model, message=fault.message))
            case _Look():
                _, fault = self._guarded(lambda: self._show(backend, task), backend)
                if fault is not None:
                    task.answer(TraceFailed(request=task.command.request, message=fault.message))
        return fault

    def _show(self, backend: Backend, task: _Look) -> None:
        _, kept = self._tools.traces.find(task.command.trace, backend.load_trace)
        recipe = kept.trace.segments[-1].recipe
        model = self._need(backend, recipe.model, recipe.vae, task)
        task.answer(answers.view(backend, self._tools.traces, task.command, model))

    def _guarded(self, action: Callable[[], Any], backend: Backend | None = None) -> tuple[Any, Fault | None]:
        """(result, None), (None, why not) or, when it was interrupted, (None, None)."""
        try:
            return action(), None
        except _Interrupted:
            fault = None
        except Exception as error:
            sentences = backend.sentences if backend else (NoBackendError,)
            fault = explain(error, (NoTraceError, FullMemoryError, *sentences))
            _log.error("%s", fault.message, exc_info=None if fault.foreseen else error)
        # Outside of the handler, whose traceback held on to the tensors of every frame.
        return None, fault if backend is None else _released(backend, fault)

    def _give_up(self, fault: Fault) -> None:
        """Fail what waits and would be lost, then the engine itself."""
        with self._changed:
            self._stopped = True
        self._queue.give_up(fault.message)
        self._publish(EngineFailed(message=fault.message, died=self._began))

    def _need(self, backend: Backend, ref: str, vae: str | None, task: _Task) -> Model:
        """The model `ref` with the VAE `vae` ("" is its own, None whichever it has), loaded in place of the present one
        unless it is that. That one goes when nothing is wrong with the new one: a typing error costs nothing."""
        if self._model is None or self._model_ref != ref:
            self._publish(ModelLoading(model=ref, stage="opening", fraction=0.0))
            began = time.perf_counter()

            def report(stage: str, fraction: float) -> None:
                if task.cancelled:
                    raise _Interrupted
                self._publish(ModelLoading(model=ref, stage=stage, fraction=fraction))

            def drop() -> None:
                if self._model is not None:
                    self._model, self._model_ref = None, ""
                    backend.release()

            self._model = backend.open_model(ref, vae or "", report, drop)
            self._model_ref, self._vae = ref, vae or ""
            seconds = time.perf_counter() - began
            self._tools.estimates.loaded(ref, seconds)
            self._queue.loaded = ref
            self._publish(_loaded(self._model, ref, seconds))
        elif isinstance(task, _Load):
            self._publish(_loaded(self._model, ref, 0.0))
        if vae is not None and vae != self._vae:
            self._model, self._vae = backend.replace_vae(self._model, ref, vae), vae
            backend.release()
        return self._model

    def _generate(self, backend: Backend, job: Job) -> None:
        try:
            model = self._need(backend, job.recipe.model, job.recipe.vae, job)
            over = Run(backend, model, job, self._tools).carry_out()
        except _Interrupted:
            self._leave(job)
            raise
        if not over:
            self._leave(job)

    def _leave(self, job: Job) -> None:
        """End a job that stopped on its way: for good, or until it is taken up again."""
        with self._changed:
            if job.paused:
                self._queue.put_back(job.name, held=job.held)
            else:
                self._publish(JobCancelled(job=job.name, index=len(job.seconds)))
            self._current = None


def _released(backend: Backend, fault: Fault | None) -> Fault | None:
    """Have the backend give memory back; the fault, or the graver one that shows itself then: a GPU reports some late,
    and again and again."""
    try:
        backend.release()
    except Exception as error:
        _log.exception("Memory could not be given back.")
        late = explain(error)
        return late if fault is None or late.fatal else fault
    return fault


def _loaded(model: Model, ref: str, seconds: float) -> ModelLoaded:
    return ModelLoaded(
        model=ref,
        family=model.family,
        device=str(model.device),
        dtype=str(model.dtype).removeprefix("torch."),
        seconds=seconds,
        parameters=model.parameters,
        native_size=model.native_size,
        model_hash=model.known_hash,
    )


def _with_saved(message: str, job: Job) -> str:
    return (
        f"{message} {len(job.saved)} of {job.recipe.batch_size} images were saved." if job.saved else message
    )
