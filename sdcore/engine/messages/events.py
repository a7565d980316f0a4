"""What the engine tells its clients."""

from __future__ import annotations

import msgspec

from sdcore.spec.found import Addon, ModelFile, VaeFile
from sdcore.spec.recipe import Recipe
from sdcore.spec.views import AnyView, CompareView, TraceInfo, ViewKind


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
    """The engine could not start, was ended or `died`; `message` says why, or what to do. One that died is worth being
    started again."""

    message: str
    died: bool = False


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
    """A job waits; `position` is 0 for the next one to run. Told again of a job that was changed, or that waits once
    more; `group` and `label` are those of its `Generate`."""

    job: str
    position: int
    recipe: Recipe
    group: str = ""
    label: str = ""


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
    group: str = ""
    label: str = ""


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


class JobStalled(Event, frozen=True):
    """A forward pass of the running job takes `seconds` already, far more than the others. `message` is a sentence that
    says what to do; the next `JobProgress` says that it went on after all."""

    job: str
    seconds: float
    message: str


class JobKept(Event, frozen=True):
    """A job that failed before this client came, kept until it is tried again or removed; as `JobFailed` told it."""

    job: str
    recipe: Recipe
    message: str
    group: str = ""
    label: str = ""


class QueueState(Event, frozen=True):
    """The queue after somebody changed it. What jobs do by themselves (begin, finish, fail) is not repeated here.

    `order` holds the jobs that wait, the next one first, and `seconds` how long each will take, None where nothing like
    it was made here before. `held` says of those that are held why: "" where a person asked for it. While `paused`
    none begins. `forever` is the recipe that is made whenever nothing else is to be. `notice` is a sentence about the
    queue as a whole, "" where there is nothing to say.
    """

    order: tuple[str, ...] = ()
    seconds: tuple[float | None, ...] = ()
    held: dict[str, str] = {}
    paused: bool = False
    forever: Recipe | None = None
    notice: str = ""


class SchedulePlanned(Event, frozen=True):
    """The answer to `PlanSchedule`; `problem` says why there is none (the lists are then empty). The run needs
    `memory_needed` of the device's `memory_total` bytes; both are 0 before the model was loaded once. It takes some
    `seconds`, None where nothing like it was made here before."""

    request: int
    timesteps: tuple[float, ...] = ()
    sigmas: tuple[float, ...] = ()
    init_noise_sigma: float = 1.0
    evals_per_step: int = 1
    problem: str = ""
    memory_needed: int = 0
    memory_total: int = 0
    seconds: float | None = None


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


class ModelsFound(Event, frozen=True):
    """Models on the engine's machine, with the hashes of those, by their paths, whose weights were reckoned before."""

    request: int
    models: tuple[ModelFile, ...] = ()
    hashes: dict[str, str] = {}
    done: bool = False


class AddonsFound(Event, frozen=True):
    """The LoRA files and textual inversions on the engine's machine, in the order of `library.addons.find_addons`."""

    request: int
    addons: tuple[Addon, ...] = ()


class VaesFound(Event, frozen=True):
    """The VAEs on the engine's machine, in the order of `library.vaes.find_vaes`."""

    request: int
    vaes: tuple[VaeFile, ...] = ()


class Status(Event, frozen=True):
    """What the engine is doing.

    `running` is the job now sampling, with its `label`, its `prompt`, `steps_done` of its `steps_total` forward passes
    and the `seconds_left` of it, None before its first. `queued` counts the jobs that wait for nothing but their turn,
    and `queued_seconds` says how long they will take, None where that is not known. `held` and `failed` count the
    others; while `paused` none begins, and with `forever` they have no end. `notice` is a sentence about the queue.
    """

    pid: int
    uptime_seconds: float
    model: str | None
    device: str
    running: str | None
    queued: int
    clients: int
    label: str = ""
    prompt: str = ""
    steps_done: int = 0
    steps_total: int = 0
    seconds_left: float | None = None
    queued_seconds: float | None = None
    held: int = 0
    failed: int = 0
    paused: bool = False
    forever: bool = False
    notice: str = ""
