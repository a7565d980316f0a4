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
from sdcore.engine.faults import explain
from sdcore.engine.messages import (
    AnyEvent,
    ForkPoint,
    JobCancelled,
    JobFinished,
    JobNotice,
    JobProgress,
    JobStarted,
    SavedImage,
)
from sdcore.engine.previews import Previews
from sdcore.engine.traces import Traces, trace_path
from sdcore.library.record import BatchPlace
from sdcore.spec.lineage import Parent
from sdcore.spec.recipe import Recipe

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
    cancelled: bool = False
    keep: bool = False
    seconds: list[float] = field(default_factory=list)
    saved: list[SavedImage] = field(default_factory=list)


class Run:
    """A job on its model. `carry_out` does it once; events go to `publish`, which does not block."""

    def __init__(
        self,
        backend: Backend,
        model: Model,
        job: Job,
        publish: Callable[[AnyEvent], None],
        previews: Previews,
        traces: Traces,
    ) -> None:
        self._backend = backend
        self._model = model
        self._job = job
        self._publish = publish
        self._previews = previews
        self._traces = traces
        self._trace: Trace | None = None
        self._steps: Iterator[Step] | None = None
        self._last: Step | None = None
        self._settled = False
        self._laps: deque[Lap] = deque()

    def carry_out(self) -> None:
        """Sample, decode and save, telling all of it. Raises `FullMemoryError` where no rung is enough."""
        job = self._job
        began = time.perf_counter()
        self._attempt("begin", self._begin)
        self._tell_notices()
        self._attempt("step", self._sample)
        step = self._last
        at_end = step is not None and step.index + 1 == step.total
        if step is None or (job.cancelled and not job.keep):
            self._publish(JobCancelled(job=job.name, index=len(job.seconds)))
            return
        cancelled_at = None if at_end else step.index
        self._save(step.next_latents if at_end else step.denoised, cancelled_at)
        self._publish(
            JobFinished(
                job=job.name,
                images=tuple(job.saved),
                seconds=time.perf_counter() - began,
                steps_per_second=len(job.seconds) / max(sum(job.seconds), 1e-9),
                cancelled_at=cancelled_at,
            )
        )

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
        if job.fork is None:
            job.recipe = self._backend.keep(job.recipe)
            trace, steps = self._backend.run(self._model, job.recipe)
        else:
            _, kept = self._traces.find(job.fork.source, self._backend.load_trace)
            trace, steps = self._backend.fork(self._model, kept.trace, job.fork.step, job.recipe)
            named = Path(kept.images[0]).name if kept.images else ""
            trace.parent = Parent(image=named, step=job.fork.step)
        self._keep(trace, steps)
        job.seconds.clear()
        self._laps.clear()
        info = trace.info(job.name)
        self._publish(
            JobStarted(
                job=job.name,
                recipe=job.recipe,
                timesteps=info.timesteps,
                sigmas=info.sigmas,
                seconds=info.seconds,
            )
        )

    def _take_up(self) -> None:
        """Go on after the last step that is recorded; from the beginning where a run cannot be left there."""
        trace, last, job = self._trace, self._last, self._job
        if trace is None or last is None:
            self._begin()
            return
        try:
            again, steps = self._backend.fork(self._model, trace, last.index, job.recipe)
        except self._backend.sentences as error:
            _log.info("The run cannot be taken up after step %d: %s", last.index, error)
            self._last = None
            self._begin()
            return
        again.parent = trace.parent
        self._keep(again, steps)

    def _keep(self, trace: Trace, steps: Iterator[Step]) -> None:
        self._trace, self._steps = trace, steps
        self._traces.begin(self._job.name, trace)

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
        self._laps.append(step.lap)
        self._tell_progress(step)
        self._tell_notices()
        if step.index + 1 < step.total:  # the decoded image follows the last one
            self._previews.show(job.name, step.index, step.denoised, self._model.begin_preview)

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
        for index in range(count):
            recipe = job.recipe.for_image(index)
            image = self._attempt("decode", partial(self._decode, latents[index : index + 1]))
            place = BatchPlace(size=count, index=index, seed=job.recipe.seed) if count > 1 else None
            path = self._backend.save(
                image,
                recipe,
                model_hash=model.model_hash,
                family=model.family,
                batch=place,
                cancelled_at=cancelled_at,
                parent=trace.parent,
                segments=tuple(
                    msgspec.structs.replace(segment, recipe=segment.recipe.for_image(index))
                    for segment in trace.segments
                ),
            )
            self._traces.saved(job.name, str(path))
            job.saved.append(
                SavedImage(path=str(path), recipe=recipe, width=image.width, height=image.height)
            )
        if self._backend.keeps_traces():
            trace.save(trace_path(Path(job.saved[0].path)))
