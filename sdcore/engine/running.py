"""One job on the worker thread, from its first forward pass to its last image.

A job whose memory runs out is not lost: what it holds is let go, the model moves one rung up the ladder of
`sdcore.diffusion.ladder`, and the job goes on from the last good point: the last step that was recorded, the latents
that were sampled, the image that was saved before.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec
from PIL import Image

from sdcore.engine.backend import Backend, Lap, Model, Stage, Step, Trace
from sdcore.engine.checkpoints import Checkpoints
from sdcore.engine.estimates import Estimates
from sdcore.engine.faults import explain
from sdcore.engine.heartbeat import Heartbeat
from sdcore.engine.ledger import Entry
from sdcore.engine.messages import (
    AnyEvent,
    ForkPoint,
    JobFinished,
    JobNotice,
    JobProgress,
    JobStarted,
    SavedImage,
)
from sdcore.engine.previews import Previews
from sdcore.engine.traces import Traces, trace_path
from sdcore.library.record import BatchPlace
from sdcore.spec.lineage import Origin, Parent
from sdcore.spec.recipe import Recipe
from sdcore.spec.sweep.typed import Template

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class FullMemoryError(RuntimeError):
    """The memory is full and nothing is left to try; the message is one sentence that says what to do."""


@dataclass
class Job:
    """A recipe to be made, and what came of it so far."""

    name: str
    recipe: Recipe
    fork: ForkPoint | None = None
    group: str = ""
    label: str = ""
    cancelled: bool = False
    """Whether it is to stop before its next forward pass. Then `keep` saves the image so far; what is `paused` goes on
    later: at once when it is its turn, or once it is no longer `held`."""
    keep: bool = False
    paused: bool = False
    held: bool = False
    seconds: list[float] = field(default_factory=list)
    saved: dict[int, SavedImage] = field(default_factory=dict)
    template: Template | None = None
    origin: Origin = field(default_factory=Origin)

    @classmethod
    def of(cls, entry: Entry) -> Job:
        """The job that the queue remembers so."""
        return cls(
            entry.job, entry.recipe, entry.fork, entry.group, entry.label, saved=dict(entry.saved),
            template=entry.template, origin=entry.origin,
        )  # fmt: skip


@dataclass(frozen=True)
class Tools:
    """What a run uses beside its model. `publish` is given every event and does not block; `saved` is told of each
    image that is on disk. Images that are `signed` carry the name of their job."""

    publish: Callable[[AnyEvent], None]
    previews: Previews
    traces: Traces
    checkpoints: Checkpoints
    heartbeat: Heartbeat
    estimates: Estimates
    saved: Callable[[str, int, SavedImage], None]
    signed: bool = False


class Run:
    """A job on its model. `carry_out` does it once."""

    def __init__(self, backend: Backend, model: Model, job: Job, tools: Tools) -> None:
        self._backend = backend
        self._model = model
        self._job = job
        self._tools = tools
        self._publish = tools.publish
        self._trace: Trace | None = None
        self._steps: Iterator[Step] | None = None
        self._last: Step | None = None
        self._settled = False
        self._before = 0
        self._laps: deque[Lap] = deque()

    def carry_out(self) -> bool:
        """Sample, decode and save, telling all of it; false where the job was stopped on its way and nothing came of
        it. What was done of a `paused` one is kept then. Raises `FullMemoryError` where no rung is enough."""
        job = self._job
        began = time.perf_counter()
        self._attempt("begin", self._begin)
        self._tell_notices()
        self._tools.heartbeat.begin(job.name, self._before)
        self._tools.checkpoints.begin()
        try:
            self._attempt("step", self._sample)
        finally:
            self._tools.heartbeat.end()
        step = self._last
        at_end = step is not None and step.index + 1 == step.total
        if job.paused and not at_end:
            if step is not None and self._trace is not None:
                self._tools.checkpoints.keep(job.name, self._trace)
            return False
        if step is None or (job.cancelled and not job.keep and not job.paused):
            return False
        cancelled_at = None if at_end else step.index
        sampled, missing = time.perf_counter(), job.recipe.batch_size - len(job.saved)
        self._save(step.next_latents if at_end else step.denoised, cancelled_at)
        if at_end and missing:
            image_seconds = (time.perf_counter() - sampled) / missing
            self._tools.estimates.made(job.recipe, step.total, job.seconds, image_seconds)
        self._publish(
            JobFinished(
                job=job.name,
                images=tuple(job.saved[index] for index in sorted(job.saved)),
                seconds=time.perf_counter() - began,
                steps_per_second=len(job.seconds) / max(sum(job.seconds), 1e-9),
                cancelled_at=cancelled_at,
                group=job.group,
                label=job.label,
            )
        )
        return True

    def _attempt(self, stage: Stage, action: Callable[[], _T]) -> _T:
        """The action's result; where its memory runs out, once more on each rung that is left."""
        while True:
            try:
                return action()
            except Exception as error:
                fault = explain(error)
                if not fault.out_of_memory:
                    raise
                said = str(error)  # a log that kept the error itself would keep the tensors
                _log.warning("Out of memory (%s): %s", stage, said)
            # Outside of the handler, whose traceback held on to the tensors of every frame.
            self._steps = None
            self._backend.release()
            if not self._backend.climb(self._model, self._job.recipe, stage):
                raise FullMemoryError(fault.message)
            self._tell_notices()

    def _tell_notices(self) -> None:
        for message in self._backend.notices():
            self._publish(JobNotice(job=self._job.name, message=message))

    def _begin(self) -> None:
        """Bind the job's run, recorded from now on: a new one, or the rest of another; say that it starts."""
        job = self._job
        if not self._settled:  # once: on the way up, `climb` says where the model stands
            self._settled = True
            self._backend.settle(self._model, job.recipe)
            if self._continue():
                return
        if job.fork is None:
            job.recipe = self._backend.keep(job.recipe)
            trace, steps = self._backend.run(self._model, job.recipe)
        else:
            _, kept = self._tools.traces.find(job.fork.source, self._backend.load_trace)
            trace, steps = self._backend.fork(self._model, kept.trace, job.fork.step, job.recipe)
            named = Path(kept.images[0]).name if kept.images else ""
            trace.parent = Parent(image=named, step=job.fork.step)
        self._keep(trace, steps)
        self._tell_start(trace)

    def _tell_start(self, trace: Trace) -> None:
        job = self._job
        job.seconds.clear()
        self._laps.clear()
        info = trace.info(job.name)
        self._before = info.recorded
        self._publish(
            JobStarted(
                job=job.name,
                recipe=job.recipe,
                timesteps=info.timesteps,
                sigmas=info.sigmas,
                seconds=info.seconds,
            )
        )

    def _continue(self) -> bool:
        """Go on where the job was left at another time; whether that could be done."""
        job = self._job
        kept = self._tools.checkpoints.find(job.name, self._backend.load_trace)
        if kept is None:
            return False
        info = kept.info(job.name)
        recipe = kept.segments[-1].recipe
        # A run that has all its steps is left at the one before: the last is made again, and its image follows.
        after = min(info.recorded, len(info.timesteps) - 1) - 1
        if after < 0 or not self._go_on(kept, after, recipe):
            return False
        job.recipe = recipe
        self._tell_start(cast(Trace, self._trace))
        return True

    def _go_on(self, trace: Trace, after: int, recipe: Recipe) -> bool:
        """Bind the rest of a run of this job after one of its steps; whether it can be left there."""
        try:
            again, steps = self._backend.fork(self._model, trace, after, recipe)
        except self._backend.sentences as error:
            _log.info("The run cannot be taken up after step %d: %s", after, error)
            return False
        again.parent = trace.parent
        self._keep(again, steps)
        return True

    def _take_up(self) -> None:
        """Go on after the last step that is recorded; from the beginning where a run cannot be left there."""
        trace, last, job = self._trace, self._last, self._job
        if trace is None or last is None:
            self._begin()
            return
        if not self._go_on(trace, last.index, job.recipe):
            self._last = None
            self._begin()

    def _keep(self, trace: Trace, steps: Iterator[Step]) -> None:
        self._trace, self._steps = trace, steps
        self._tools.traces.begin(self._job.name, trace)

    def _sample(self) -> None:
        """Iterate the loop until its end or a cancel."""
        if self._job.cancelled or (self._last is not None and self._last.index + 1 == self._last.total):
            return
        if self._steps is None:
            self._take_up()
        with closing(cast(Any, self._steps)) as steps:
            for step in steps:
                self._last = step
                self._tell(step)
                if self._job.cancelled:
                    break
        if self._laps and self._last is not None:
            self._tell_progress(self._last, wait=True)

    def _tell(self, step: Step) -> None:
        job = self._job
        self._tools.heartbeat.beat()
        self._laps.append(step.lap)
        self._tell_progress(step)
        self._tell_notices()
        if self._trace is not None:
            self._tools.checkpoints.offer(job.name, self._trace, self._backend)
        if step.index + 1 < step.total:  # the decoded image follows the last one
            self._tools.previews.show(job.name, step.index, step.denoised, self._model.begin_preview)

    def _tell_progress(self, step: Step, *, wait: bool = False) -> None:
        """Say where the run is, with the times of the passes that are over; `wait` for those that are not."""
        over = []
        while self._laps and (wait or self._laps[0].done):
            over.append(self._laps.popleft().seconds)
        self._job.seconds += over
        self._publish(
            JobProgress(
                job=self._job.name,
                index=step.index,
                total=step.total,
                timestep=step.t,
                sigma=step.sigma,
                seconds=tuple(over),
            )
        )

    def _decode(self, latents: Any) -> Image.Image:
        return self._backend.finish(self._model, self._model.decode(latents)[0], self._job.recipe)

    def _save(self, latents: Any, cancelled_at: int | None) -> None:
        """Decode and save one image after another: a batch needs the memory of one, and keeps what it has."""
        job, model, trace = self._job, self._model, self._trace
        assert trace is not None  # there is a step, so there is a run
        count = job.recipe.batch_size
        for index in (place for place in range(count) if place not in job.saved):
            recipe = job.recipe.for_image(index)
            image = self._attempt("decode", partial(self._decode, latents[index : index + 1]))
            place = BatchPlace(size=count, index=index, seed=job.recipe.seed) if count > 1 else None
            path = self._backend.save(
                image,
                recipe,
                model_hash=model.model_hash,
                vae_hash=model.vae_hash,
                family=model.family,
                batch=place,
                cancelled_at=cancelled_at,
                parent=trace.parent,
                segments=tuple(
                    msgspec.structs.replace(segment, recipe=segment.recipe.for_image(index))
                    for segment in trace.segments
                ),
                group=job.group,
                label=job.label,
                template=job.template,
                styles=job.origin.styles,
                varied_from=job.origin.varied_from,
                job=job.name if self._tools.signed else "",
            )
            made = SavedImage(path=str(path), recipe=recipe, width=image.width, height=image.height)
            job.saved[index] = made
            self._tools.traces.saved(job.name, made.path)
            self._tools.saved(job.name, index, made)
        if self._backend.keeps_traces():
            trace.save(trace_path(Path(job.saved[0].path)))
