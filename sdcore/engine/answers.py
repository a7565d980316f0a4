"""What the engine answers to a question, as functions of the backend. None of them raises."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from sdcore.engine.backend import Backend, Model
from sdcore.engine.faults import explain
from sdcore.engine.messages import (
    Compared,
    CompareTraces,
    GetView,
    OpenTrace,
    PlanSchedule,
    SaveTrace,
    SchedulePlanned,
    TraceFailed,
    TraceOpened,
    TraceSaved,
    ViewReady,
)
from sdcore.engine.traces import NoTraceError, Traces, trace_path
from sdcore.spec.recipe import Recipe

_log = logging.getLogger(__name__)


def plan(
    backend: Backend, command: PlanSchedule, expected: Callable[[Recipe], float | None]
) -> SchedulePlanned:
    """Where a recipe would go, and how long it is `expected` to take."""
    try:
        planned = backend.plan(command.recipe, None)
    except Exception as error:
        return SchedulePlanned(request=command.request, problem=_sentence(backend, error))
    return SchedulePlanned(
        request=command.request,
        timesteps=planned.timesteps,
        sigmas=planned.sigmas,
        init_noise_sigma=planned.init_noise_sigma,
        evals_per_step=planned.evals_per_step,
        memory_needed=planned.memory_needed,
        memory_total=planned.memory_total,
        seconds=expected(command.recipe),
    )


def open_trace(backend: Backend, traces: Traces, command: OpenTrace) -> TraceOpened | TraceFailed:
    """A recorded run, from memory or from disk."""
    try:
        name, kept = traces.find(command.source, backend.load_trace)
        return TraceOpened(request=command.request, info=kept.trace.info(name, kept.images))
    except Exception as error:
        return TraceFailed(request=command.request, message=_sentence(backend, error))


def view(
    backend: Backend, traces: Traces, command: GetView, model: Model | None = None
) -> ViewReady | TraceFailed:
    """What is to be seen of a run; some views need the model."""
    try:
        _, kept = traces.find(command.trace, backend.load_trace)
        seen = backend.view(kept.trace, model, command)
    except Exception as error:
        return TraceFailed(request=command.request, message=_sentence(backend, error))
    return ViewReady(
        request=command.request, trace=command.trace, what=command.what, step=command.step, view=seen
    )


def compare(backend: Backend, traces: Traces, command: CompareTraces) -> Compared | TraceFailed:
    """How two runs differ."""
    try:
        (_, first), (_, second) = (
            traces.find(source, backend.load_trace) for source in (command.first, command.second)
        )
        places = (first.place_of(command.first), second.place_of(command.second))
        return Compared(request=command.request, view=backend.compare(first.trace, second.trace, places))
    except Exception as error:
        return TraceFailed(request=command.request, message=_sentence(backend, error))


def save_trace(backend: Backend, traces: Traces, command: SaveTrace) -> TraceSaved | TraceFailed:
    """A run written beside the first image that came of it."""
    try:
        _, kept = traces.find(command.trace, backend.load_trace)
        if not kept.images:
            raise NoTraceError("This run has no image yet that its trace could lie beside; let it end first.")
        path = kept.trace.save(trace_path(Path(kept.images[0])))
    except Exception as error:
        return TraceFailed(request=command.request, message=_sentence(backend, error))
    return TraceSaved(request=command.request, path=str(path))


def _sentence(backend: Backend, error: Exception) -> str:
    fault = explain(error, (NoTraceError, *backend.sentences))
    _log.log(
        logging.INFO if fault.foreseen else logging.ERROR,
        "%s",
        fault.message,
        exc_info=None if fault.foreseen else error,
    )
    return fault.message
