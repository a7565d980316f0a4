"""Every command to the engine and every event from it: the one contract between app, engine and tests.

All are msgspec tagged unions, so one encoder serves the socket and the in-process form. Nothing here
imports torch. Pixels travel as raw RGB bytes, row by row from the top left.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

import msgspec

from sdcore.spec.recipe import Recipe
from sdcore.spec.views import AnyView, CompareView, TraceInfo, ViewKind

PROTOCOL: Final = 3
"""Raised by one whenever a message changes its meaning; the two sides refuse each other if they differ."""


class Command(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What a client asks of the engine."""


class ForkPoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where a fork leaves its parent: after forward pass `step` (0-based) of the run that `source` names, as in
    `OpenTrace`."""

    source: str
    step: int


class Generate(Command, frozen=True):
    """Queue a recipe. `job` is an identifier chosen by the client; all clients see all jobs, so it must be
    unique among those of all (`uuid.uuid4().hex`). With a `fork` the recipe is that of the rest of a run."""

    job: str
    recipe: Recipe
    fork: ForkPoint | None = None


class Cancel(Command, frozen=True):
    """Stop a queued or running job before its next forward; `keep` decodes and saves the image so far."""

    job: str
    keep: bool = False


class LoadModel(Command, frozen=True):
    """Have this model loaded and warm before the first job that needs it."""

    model: str


class PlanSchedule(Command, frozen=True):
    """Ask which timesteps and sigmas a recipe would visit. Answered beside a running job, without a model."""

    request: int
    recipe: Recipe


class SetPreview(Command, frozen=True):
    """How large previews are wanted: the box in pixels that they are fitted into; 0 turns them off.

    `max_fps` is how many of them may come in a second, and how often this client is woken for progress.
    """

    width: int
    height: int
    max_fps: float = 10.0


class OpenTrace(Command, frozen=True):
    """Ask for a recorded run: `source` is its job, or the absolute path of an image of it or of its trace file.
    Answered by `TraceOpened` or `TraceFailed`."""

    request: int
    source: str


class GetView(Command, frozen=True):
    """Ask for a view of an opened trace. Answered by `ViewReady` or `TraceFailed`.

    `step` is a forward pass (0-based), `image` one of the batch. For "attention", `position` is the token's
    (0..76) and `whole_run` asks for the mean over all recorded steps; for "sheet", every `every`-th step.
    """

    request: int
    trace: str
    what: ViewKind
    step: int = 0
    image: int = 0
    position: int = 0
    whole_run: bool = False
    every: int = 1


class CompareTraces(Command, frozen=True):
    """Ask how two runs differ, each named as in `OpenTrace`. Answered by `Compared` or `TraceFailed`."""

    request: int
    first: str
    second: str


class SaveTrace(Command, frozen=True):
    """Write an opened trace beside its image. Answered by `TraceSaved` or `TraceFailed`."""

    request: int
    trace: str


class GetStatus(Command, frozen=True):
    """Ask for a `Status`."""


class Shutdown(Command, frozen=True):
    """End the engine: at once, or (`when_idle`) as soon as nothing is queued or running and no other client
    is attached that has not asked for the same."""

    when_idle: bool = True


class Event(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What the engine tells its clients."""


class EngineStarting(Event, frozen=True):
    """The engine is importing its libraries. `stage` is fit to be shown; `fraction` is 0..1."""

    stage: str
    fraction: float


class EngineReady(Event, frozen=True):
    """The engine takes jobs. `device` is as torch writes it ("cpu", "cuda:0"), `device_name` for people; `memory_bytes`
    is all the memory that the device has, 0 where that is not known."""

    protocol: int
    pid: int
    device: str
    device_name: str
    dtype: str
    version: str
    memory_bytes: int = 0


class EngineFailed(Event, frozen=True):
    """The engine could not start or died; `message` says what to do."""

    message: str


class ModelLoading(Event, frozen=True):
    """A model is being loaded: `stage` names the part, `fraction` is 0..1 of the whole."""

    model: str
    stage: str
    fraction: float


class ModelLoaded(Event, frozen=True):
    """A model is ready after `seconds`. `parameters` counts its weights, `model_hash` names them,
    "" where that is still reckoned."""

    model: str
    family: str
    device: str
    dtype: str
    seconds: float
    parameters: int
    native_size: int
    model_hash: str


class ModelFailed(Event, frozen=True):
    """A model asked for by `LoadModel` could not be loaded."""

    model: str
    message: str


class JobQueued(Event, frozen=True):
    """A job waits; `position` is 0 for the next one to run."""

    job: str
    position: int
    recipe: Recipe


class JobStarted(Event, frozen=True):
    """A job samples now. `timesteps` has an entry a forward pass, `sigmas` one more (the last is the end).
    `seconds` are the times of the first passes where they are those of the run that it was forked from."""

    job: str
    recipe: Recipe
    timesteps: tuple[float, ...]
    sigmas: tuple[float, ...]
    seconds: tuple[float, ...] = ()


class JobProgress(Event, frozen=True):
    """Forward pass `index` (0-based) is done. `seconds` holds the times of the passes since the last
    `JobProgress` that was delivered, the newest last: coalescing joins them, so none is lost."""

    job: str
    index: int
    total: int
    timestep: float
    sigma: float
    seconds: tuple[float, ...]


class JobPreview(Event, frozen=True):
    """The estimate of x0 after pass `index`, image `image` of the batch: `width * height * 3` RGB bytes."""

    job: str
    index: int
    image: int
    width: int
    height: int
    rgb: bytes


class SavedImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image on disk: its absolute path, the recipe of this one image and its size in pixels."""

    path: str
    recipe: Recipe
    width: int
    height: int


class JobFinished(Event, frozen=True):
    """All images of a job are saved. `seconds` covers sampling, decoding and saving, `steps_per_second` the
    forward passes alone. `cancelled_at` is the pass after which `Cancel(keep=True)` stopped it."""

    job: str
    images: tuple[SavedImage, ...]
    seconds: float
    steps_per_second: float
    cancelled_at: int | None = None


class JobCancelled(Event, frozen=True):
    """A job ended without an image because someone asked; `index` counts the passes that were done."""

    job: str
    index: int


class JobFailed(Event, frozen=True):
    """A job ended with a fault. `message` is a sentence that says what to do; the traceback is in the log."""

    job: str
    message: str


class JobNotice(Event, frozen=True):
    """What a person may want to know of a job that goes on: one sentence, as that it is made with less memory."""

    job: str
    message: str


class SchedulePlanned(Event, frozen=True):
    """The answer to `PlanSchedule`; `problem` says why there is none (the lists are then empty). The run needs
    `memory_needed` of the device's `memory_total` bytes; both are 0 before the model was loaded once."""

    request: int
    timesteps: tuple[float, ...] = ()
    sigmas: tuple[float, ...] = ()
    init_noise_sigma: float = 1.0
    evals_per_step: int = 1
    problem: str = ""
    memory_needed: int = 0
    memory_total: int = 0


class TraceOpened(Event, frozen=True):
    """The answer to `OpenTrace`."""

    request: int
    info: TraceInfo


class TraceFailed(Event, frozen=True):
    """Why a trace cannot be opened, seen or saved: one sentence that says what to do."""

    request: int
    message: str


class ViewReady(Event, frozen=True):
    """The answer to `GetView`: the view asked for as `what` at `step`."""

    request: int
    trace: str
    what: ViewKind
    step: int
    view: AnyView


class Compared(Event, frozen=True):
    """The answer to `CompareTraces`."""

    request: int
    view: CompareView


class TraceSaved(Event, frozen=True):
    """A trace was written to `path`."""

    request: int
    path: str


class Status(Event, frozen=True):
    """What the engine is doing. `queued` counts jobs that wait, `running` is the job now sampling."""

    pid: int
    uptime_seconds: float
    model: str | None
    device: str
    running: str | None
    queued: int
    clients: int


AnyCommand = (
    Generate
    | Cancel
    | LoadModel
    | PlanSchedule
    | SetPreview
    | OpenTrace
    | GetView
    | CompareTraces
    | SaveTrace
    | GetStatus
    | Shutdown
)
AnyEvent = (
    EngineStarting
    | EngineReady
    | EngineFailed
    | ModelLoading
    | ModelLoaded
    | ModelFailed
    | JobQueued
    | JobStarted
    | JobProgress
    | JobPreview
    | JobFinished
    | JobCancelled
    | JobFailed
    | JobNotice
    | SchedulePlanned
    | TraceOpened
    | TraceFailed
    | ViewReady
    | Compared
    | TraceSaved
    | Status
)

LATEST_ONLY: Final = (JobProgress, JobPreview, ModelLoading, EngineStarting, SchedulePlanned, Status)
"""Events of which a slow client gets the newest alone (see `coalesce`); every other one is delivered."""

LIVE: Final = (JobProgress, JobPreview)
"""Events that come many times a second, and of which some ten a second are as good as all."""


def slot(event: AnyEvent) -> Hashable | None:
    """What events have in common of which the newer stands for the older; None if all must be delivered."""
    if not isinstance(event, LATEST_ONLY):
        return None
    return type(event), getattr(event, "job", None), getattr(event, "image", None)


def coalesce(older: AnyEvent, newer: AnyEvent) -> AnyEvent | None:
    """The one event that stands for both when `older` is not yet delivered; None if both must be delivered.

    Two progress events of a job join their times. Other kinds in `LATEST_ONLY` keep the newer of the same
    job; previews, of the same image of its batch.
    """
    if slot(newer) is None or slot(older) != slot(newer):
        return None
    if isinstance(newer, JobProgress) and isinstance(older, JobProgress):
        return msgspec.structs.replace(newer, seconds=older.seconds + newer.seconds)
    return newer


_ENCODER: Final = msgspec.msgpack.Encoder()
_COMMANDS: Final = msgspec.msgpack.Decoder(AnyCommand)
_EVENTS: Final = msgspec.msgpack.Decoder(AnyEvent)


def encode(message: AnyCommand | AnyEvent) -> bytes:
    """One message as msgpack bytes."""
    return _ENCODER.encode(message)


def decode_command(data: bytes) -> AnyCommand:
    """The command in `data`; raises `msgspec.DecodeError` (or its `ValidationError`) if it holds none."""
    return _COMMANDS.decode(data)


def decode_event(data: bytes) -> AnyEvent:
    """The event in `data`; raises `msgspec.DecodeError` (or its `ValidationError`) if it holds none."""
    return _EVENTS.decode(data)
