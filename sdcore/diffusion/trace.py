"""A recorded run: every step of it, seen again, explained, and continued by another road.

A trace keeps the tensors that the loop made anyway: recording costs a few references a step. No state of a sampler
is kept, because it follows from what is: `Trace.snapshot` feeds a fresh sampler the recorded predictions, up to the
step asked for, and checks that each step leads to the recorded latents, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, overload

import torch
from torch import Tensor

from sdcore.diffusion import trace_file
from sdcore.diffusion.checksum import Checksum
from sdcore.diffusion.guidance import guidance_for
from sdcore.diffusion.loop import sample
from sdcore.diffusion.model import Model
from sdcore.diffusion.passes import Course, Part, course_for
from sdcore.diffusion.preview import PreviewFactors
from sdcore.diffusion.recorded import Recorded
from sdcore.diffusion.recording import landed
from sdcore.diffusion.samplers import Sampler, kept_noise
from sdcore.diffusion.start import start_sampler
from sdcore.diffusion.step import Snapshot, Step
from sdcore.diffusion.timing import Measured
from sdcore.diffusion.trace_file import TraceError, TraceHeader
from sdcore.spec.lineage import Parent, Segment
from sdcore.spec.recipe import Recipe
from sdcore.spec.suiting import check_for
from sdcore.spec.views import TraceInfo


@dataclass
class Trace(Sequence[Step]):
    """The forward passes of a run, in order; grows while the run goes on. A run that enlarges its image has two
    `passes`, whose tensors differ in size; everything else counts the forward passes of both through."""

    segments: tuple[Segment, ...]
    training_noise: dict[str, Any]
    preview_factors: PreviewFactors
    checksum: Checksum = field(default_factory=Checksum)
    family: str = ""
    parent: Parent | None = None
    model: Model | None = None
    """The model that made it, for forks; not written to disk."""
    passes: list[Recorded] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    @property
    def model_hash(self) -> str:
        """What the model that made it is called by; waits until that is reckoned."""
        return self.checksum()

    def __post_init__(self) -> None:
        self._courses = [self.course_for(segment.recipe) for segment in self.segments]

    @classmethod
    def record(cls, model: Model, recipe: Recipe, watch: Callable[[Step], None] | None = None) -> Trace:
        """Run a recipe to its end and keep every step; `watch` is shown each. Raises `RecipeError`."""
        trace, steps = start(model, recipe)
        return run_out(trace, model, steps, watch)

    @classmethod
    def load(cls, path: Path | str, model: Model | None = None) -> Trace:
        """Read a trace back, for forks by `model`. Raises `TraceError`."""
        header, passes = trace_file.read(Path(path))
        try:
            trace = cls(
                header.segments, header.training_noise, header.preview_factors, Checksum(known=header.model_hash),
                header.family, header.parent, model, passes, list(header.seconds),
            )  # fmt: skip
            whole = [part for part in trace._courses[-1].parts if part.first < len(trace)]
            ends = [*(one.first for one in passes[1:]), len(trace)]
            fits = [min(part.end, len(trace)) for part in whole] == ends
        except (ValueError, TypeError, KeyError) as fault:
            raise trace_file.damaged(Path(path)) from fault
        if not fits:
            raise trace_file.damaged(Path(path))
        return trace

    def save(self, path: Path | str) -> Path:
        """Write the trace as one safetensors file (0600), whole or not at all, and return its path.

        Raises `TraceError` where nothing is recorded, `OSError` where it cannot be written.
        """
        count = len(self)
        if not count:
            raise TraceError("There is no step in this trace yet; let the run make one.")
        passes = [one.until(count - one.first) for one in self.passes if one.first < count]
        header = TraceHeader(
            version=trace_file.VERSION,
            segments=self.segments,
            training_noise=self.training_noise,
            preview_factors=self.preview_factors,
            model_hash=self.model_hash,
            family=self.family,
            parent=self.parent,
            guided=tuple(uncond is not None for one in passes for uncond in one.uncond),
            seconds=tuple(self.seconds[:count]),
            drawn=tuple(one.start.drawn for one in passes),
            channels_last=tuple(trace_file.lies_channels_last(one) for one in passes),
        )
        return trace_file.write(Path(path), header, passes)

    # -- what happened -----------------------------------------------------------------------------------------

    @property
    def recipe(self) -> Recipe:
        """The recipe that the run ended with."""
        return self.segments[-1].recipe

    @property
    def total(self) -> int:
        """Forward passes of the whole run, recorded or not."""
        return self._courses[-1].total

    @property
    def timesteps(self) -> tuple[float, ...]:
        """The timestep of each forward pass of the whole run."""
        return tuple(self._by_step(lambda course, i: course.timesteps[i]))

    @property
    def sigmas(self) -> tuple[float, ...]:
        """The noise level of each forward pass, and the one where the run ends: one more than timesteps."""
        return (*self._by_step(lambda course, i: course.sigmas[i]), self._courses[-1].sigmas[-1])

    @property
    def alphas(self) -> tuple[float, ...]:
        """The factor of x0 in the latents before each forward pass (1 for variance-exploding samplers)."""
        return tuple(self._by_step(lambda course, i: course.alphas[i]))

    @property
    def init_noise_sigma(self) -> float:
        """What the initial noise is multiplied by."""
        return self._courses[0].init_noise_sigma

    @property
    def evals_per_step(self) -> int:
        """Forward passes a step of the sampler."""
        return self._courses[-1].evals_per_step

    @property
    def initial_noise(self) -> Tensor:
        """The unit noise (B, C, H/8, W/8) that the first seed gives, before `init_noise_sigma`."""
        return self.passes[0].start.noise

    @property
    def exact(self) -> bool:
        """Whether the run goes on from any of its steps bit for bit: not where a fork changed the sampler."""
        return len({solver(segment.recipe) for segment in self.segments}) == 1

    @property
    def nbytes(self) -> int:
        """Bytes of all tensors; those shared with a parent count for both."""
        return sum(tensor.nbytes for one in self.passes for tensor in one.tensors())

    def __len__(self) -> int:
        return len(self.seconds)

    @overload
    def __getitem__(self, index: int) -> Step: ...
    @overload
    def __getitem__(self, index: slice) -> list[Step]: ...
    def __getitem__(self, index: int | slice) -> Step | list[Step]:
        """Forward pass `index` as the loop yielded it; negative ones count from the last recorded."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        i = index + len(self) if index < 0 else index
        if not 0 <= i < len(self):
            raise IndexError(f"this trace has {len(self)} forward passes, and none numbered {index}")
        segment, course = self.at(i)
        guidance = guidance_for(segment.recipe, self.family)
        one = self._pass_of(i)
        k = i - one.first
        return Step(
            i, self.total, course.timesteps[i], course.sigmas[i], one.latents[k], one.uncond[k], one.text[k],
            guidance(one.uncond[k], one.text[k]), one.estimates[k], one.latents[k + 1], Measured(self.seconds[i]),
            one.start, partial(self.snapshot, i),
        )  # fmt: skip

    def info(self, trace: str, images: Sequence[str] = ()) -> TraceInfo:
        """The run as a whole, under the name `trace`."""
        channels, height, width = self._shape
        return TraceInfo(
            trace=trace,
            recipe=self.recipe,
            segments=self.segments,
            parent=self.parent,
            images=tuple(images),
            timesteps=self.timesteps,
            sigmas=self.sigmas,
            seconds=tuple(self.seconds),
            recorded=len(self),
            init_noise_sigma=self.init_noise_sigma,
            evals_per_step=self.evals_per_step,
            latent_shape=(channels, height, width),
            family=self.family,
            model_hash=self.checksum.known,
            exact=self.exact,
        )

    def append(self, step: Step) -> None:
        """Keep a step: the next one of the run."""
        if self._courses[-1].begins_at(step.index):
            self.passes.append(Recorded.begun_by(step))
        self.passes[-1].append(step)
        self.seconds.append(step.seconds)  # last: a reader on another thread goes by the number of these

    # -- the way on --------------------------------------------------------------------------------------------

    @torch.inference_mode()
    def snapshot(self, index: int, device: torch.device | str = "cpu") -> Snapshot:
        """The run after forward `index`, before anything a fork changed there, to be continued on `device`.

        Raises `TraceError` where the recorded steps do not follow from one another to the last bit, as on
        another kind of device than the one that made them.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"this trace has {len(self)} forward passes, and none numbered {index}")
        one = self._pass_of(index)
        first, start = one.first, one.start.to(device)
        latents = [tensor.to(device) for tensor in one.latents[: index - first + 2]]
        sampler: Sampler | None = None
        before: Recipe | None = None
        for segment, end in self._spans(index + 1, first):
            recipe, begins = segment.recipe, max(segment.start, first) - first
            fresh = start_sampler(self.course_for(recipe).part_at(first), start)
            if sampler is None or before is None:
                sampler = fresh
            elif solver(before) != solver(recipe):
                fresh.begin_at(begins)
                sampler = fresh
            elif before.seed != recipe.seed:
                fresh.restore(sampler.snapshot(), new_noise=True)
                sampler = fresh
            before = recipe
            guidance = guidance_for(recipe, self.family)
            for i in range(begins, end - first):
                uncond = one.uncond[i]
                predicted = guidance(None if uncond is None else uncond.to(device), one.text[i].to(device))
                sampler.scale_model_input(latents[i], i)
                repeated = start.hold(sampler.step(predicted, i, latents[i]), sampler, i + 1)
                if not torch.equal(repeated * self.handed_over(first + i + 1), latents[i + 1]):
                    raise TraceError(
                        f"Step {first + i} of this trace does not repeat to the last bit here; fork it on the kind of "
                        "device that made it."
                    )
        assert sampler is not None  # there is a segment that begins at 0
        return Snapshot(index + 1, repeated, sampler.snapshot(), start)

    def handed_over(self, index: int) -> float:
        """What the latents before forward `index` were multiplied by when another sampler took over there, whose
        latents hold x0 by another factor; 1 everywhere else, also where a pass begins."""
        for before, (segment, course) in pairwise(zip(self.segments, self._courses, strict=True)):
            if segment.start == index and solver(before[0].recipe) != solver(segment.recipe):
                return 1.0 if course.begins_at(index) else course.alphas[index] / before[1].alphas[index]
        return 1.0

    def _by_step(self, value: Callable[[Course, int], float]) -> Iterator[float]:
        for (segment, end), course in zip(self._spans(self.total), self._courses, strict=True):
            yield from (value(course, i) for i in range(segment.start, end))

    def _spans(self, end: int, begin: int = 0) -> Iterator[tuple[Segment, int]]:
        """The segments that reach into forward passes `begin` to `end` (not counted), each with where it stops."""
        stops = [*(segment.start for segment in self.segments[1:]), self.total]
        for segment, stop in zip(self.segments, stops, strict=True):
            if segment.start < end and stop > begin:
                yield segment, min(stop, end)

    def at(self, index: int) -> tuple[Segment, Course]:
        """The segment that forward `index` belongs to, and its course as planned."""
        found = zip(self.segments, self._courses, strict=True)
        return [pair for pair in found if pair[0].start <= index][-1]

    def part_at(self, index: int) -> Part:
        """The pass that forward `index` belongs to, as planned by its segment."""
        return self.at(index)[1].part_at(index)

    def course_for(self, recipe: Recipe) -> Course:
        """A fresh course for a recipe under this run's training noise."""
        return course_for(recipe, self.training_noise, self.family)

    def _pass_of(self, index: int) -> Recorded:
        return next(one for one in reversed(self.passes) if one.first <= index)

    @property
    def _shape(self) -> tuple[int, int, int]:
        if not self.passes:
            return (0, 0, 0)
        _, channels, height, width = self.passes[-1].start.latents.shape
        return channels, height, width


def start(model: Model, recipe: Recipe) -> tuple[Trace, Iterator[Step]]:
    """A run that has not begun: iterate the steps, and the trace fills. Raises `RecipeError`."""
    trace = empty(model, (Segment(start=0, recipe=check_for(recipe, model.family)),), None)
    return trace, kept_as_it_goes(trace, sample(model, recipe))


def empty(model: Model, segments: tuple[Segment, ...], parent: Parent | None) -> Trace:
    """A trace of a run of `model` with nothing in it yet."""
    noise = kept_noise(model.training_noise)
    return Trace(segments, noise, model.preview_factors, model.checksum, model.family, parent)


def kept_as_it_goes(trace: Trace, steps: Iterator[Step]) -> Iterator[Step]:
    """The same steps, each kept in the trace as it passes, or on a GPU a little later; all of them at the end."""
    yield from landed(steps, trace.append)


def run_out(trace: Trace, model: Model, steps: Iterator[Step], watch: Callable[[Step], None] | None) -> Trace:
    """Take every step there is, showing each to `watch`; returns the trace, which knows its model then."""
    for step in steps:
        if watch is not None:
            watch(step)
    trace.model = model
    return trace


def solver(recipe: Recipe) -> tuple[Any, ...]:
    """What of a recipe decides its samplers and their noise levels, as far as a fork may change it."""
    return recipe.sampler, recipe.schedule, recipe.sigmas
