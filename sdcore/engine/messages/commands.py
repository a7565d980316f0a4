"""What a client asks of the engine."""

from __future__ import annotations

import msgspec

from sdcore.spec.lineage import Origin
from sdcore.spec.recipe import Recipe
from sdcore.spec.sweep.typed import Template
from sdcore.spec.views import ViewKind


class Command(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What a client asks of the engine."""


class ForkPoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where a fork leaves its parent: after forward pass `step` (0-based) of the run that `source` names, as in
    `OpenTrace`."""

    source: str
    step: int


class Generate(Command, frozen=True):
    """Queue a recipe. `job` is an identifier chosen by the client; all clients see all jobs, so it must be
    unique among those of all (`uuid.uuid4().hex`). With a `fork` the recipe is that of the rest of a run.

    Sent once more, a job is not made once more: what became of it is told again. `group` is what the jobs of a sweep
    or of a set of variations have in common, `label` what a person calls this one; both may be empty. `template` has
    the prompts as they were typed where choices in them were drawn, `origin` how the person came to the recipe: they
    decide nothing, and are kept with the image.
    """

    job: str
    recipe: Recipe
    fork: ForkPoint | None = None
    group: str = ""
    label: str = ""
    template: Template | None = None
    origin: Origin = Origin()


class Cancel(Command, frozen=True):
    """Stop a queued or running job before its next forward; `keep` decodes and saves the image so far."""

    job: str
    keep: bool = False


class MoveJob(Command, frozen=True):
    """Have a waiting job stand at `to` among those that wait: 0 is the next to run, what is above their number the
    last."""

    job: str
    to: int


class EditJob(Command, frozen=True):
    """Make a waiting job by another recipe. One that was begun before begins anew. One that cannot be made so is told
    by a `JobNotice`, and stays as it was."""

    job: str
    recipe: Recipe


class HoldJobs(Command, frozen=True):
    """Have jobs wait until they are released (`held=False`). A running one stops before its next forward pass, and goes
    on from there, bit for bit, once it is released."""

    jobs: tuple[str, ...]
    held: bool = True


class RetryJobs(Command, frozen=True):
    """Queue failed jobs once more, behind all others."""

    jobs: tuple[str, ...]


class RemoveJobs(Command, frozen=True):
    """Take jobs out of the queue: waiting ones, failed ones and, before its next forward pass, the running one."""

    jobs: tuple[str, ...]


class PauseQueue(Command, frozen=True):
    """Begin no further job until the queue is resumed (`paused=False`). The running one is brought to its end."""

    paused: bool = True


class RunForever(Command, frozen=True):
    """Whenever no other job can run, make this recipe with a fresh seed, until it is sent without one. It stops by
    itself when one of these jobs fails."""

    recipe: Recipe | None = None
    group: str = ""
    label: str = ""


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


class ListModels(Command, frozen=True):
    """Ask for the models on the engine's machine. Answered by `ModelsFound` as they are found, the last one `done`. Of
    one client the newest question alone is answered."""

    request: int


class ListAddons(Command, frozen=True):
    """Ask for the LoRA files and textual inversions on the engine's machine. Answered by `AddonsFound`."""

    request: int


class ListVaes(Command, frozen=True):
    """Ask for the VAEs that lie by themselves on the engine's machine. Answered by `VaesFound`."""

    request: int


class GetStatus(Command, frozen=True):
    """Ask for a `Status`."""


class Shutdown(Command, frozen=True):
    """End the engine: at once, or (`when_idle`) as soon as nothing is queued or running and no other client
    is attached that has not asked for the same.

    At once, it ends before the next forward pass, and all that is unfinished waits, held, for the next engine.
    `by_force` does not wait for a pass that hangs: what runs is held, the rest is the next engine's to go on with.
    """

    when_idle: bool = True
    by_force: bool = False
