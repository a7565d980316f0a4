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
from sdcore.diffusion.guidance import guidance_for
from sdcore.diffusion.loop import Snapshot, Step, sample
from sdcore.diffusion.model import Model
from sdcore.diffusion.noise import generators, initial_noise
from sdcore.diffusion.preview import PreviewFactors
from sdcore.diffusion.samplers import NOISE_KEYS, Sampler, sampler_for
from sdcore.diffusion.trace_file import TraceError, TraceHeader
from sdcore.spec.lineage import Parent, Segment
from sdcore.spec.recipe import Recipe, check
from sdcore.spec.views import TraceInfo


@dataclass
class Trace(Sequence[Step]):
    """The forward passes of a run, in order; grows while the run goes on.

    Latents, predictions and estimates are (B, C, H/8, W/8), on the CPU, in the model's own precision. `latents`
    has one entry more than the others: those after the last step. `uncond` is None where there was no guidance.
    """

    segments: tuple[Segment, ...]
    training_noise: dict[str, Any]
    preview_factors: PreviewFactors
    model_hash: str = ""
    family: str = ""
    parent: Parent | None = None
    model: Model | None = None
    """The model that made it, for forks; not written to disk."""
    latents: list[Tensor] = field(default_factory=list)
    uncond: list[Tensor | None] = field(default_factory=list)
    text: list[Tensor] = field(default_factory=list)
    estimates: list[Tensor] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._samplers = [self.sampler_for(segment.recipe) for segment in self.segments]

    @classmethod
    def record(cls, model: Model, recipe: Recipe, watch: Callable[[Step], None] | None = None) -> Trace:
        """Run a recipe to its end and keep every step; `watch` is shown each. Raises `RecipeError`."""
        trace, steps = start(model, recipe)
        return run_out(trace, model, steps, watch)

    @classmethod
    def load(cls, path: Path | str, model: Model | None = None) -> Trace:
        """Read a trace back, for forks by `model`. Raises `TraceError`."""
        header, tensors = trace_file.read(Path(path))
        guided = iter(tensors["noise_pred_uncond"]) if "noise_pred_uncond" in tensors else iter(())
        return cls(
            header.segments, header.training_noise, header.preview_factors, header.model_hash, header.family,
            header.parent, model,
            list(tensors["latents"]), [next(guided) if there else None for there in header.guided],
            list(tensors["noise_pred_text"]), list(tensors["denoised"]), list(header.seconds),
        )  # fmt: skip

    def save(self, path: Path | str) -> Path:
        """Write the trace as one safetensors file (0600), whole or not at all, and return its path.

        Raises `TraceError` where nothing is recorded, `OSError` where it cannot be written.
        """
        if not self.text:
            raise TraceError("There is no step in this trace yet; let the run make one.")
        count = len(self)
        tensors = {
            "latents": torch.stack(self.latents[: count + 1]),
            "noise_pred_text": torch.stack(self.text[:count]),
            "denoised": torch.stack(self.estimates[:count]),
        }
        if guided := [uncond for uncond in self.uncond[:count] if uncond is not None]:
            tensors["noise_pred_uncond"] = torch.stack(guided)
        header = TraceHeader(
            version=trace_file.VERSION,
            segments=self.segments,
            training_noise=self.training_noise,
            preview_factors=self.preview_factors,
            model_hash=self.model_hash,
            family=self.family,
            parent=self.parent,
            guided=tuple(uncond is not None for uncond in self.uncond[:count]),
            seconds=tuple(self.seconds[:count]),
        )
        return trace_file.write(Path(path), header, tensors)

    # -- what happened -----------------------------------------------------------------------------------------

    @property
    def recipe(self) -> Recipe:
        """The recipe that the run ended with."""
        return self.segments[-1].recipe

    @property
    def total(self) -> int:
        """Forward passes of the whole run, recorded or not."""
        return len(self._samplers[-1].timesteps)

    @property
    def timesteps(self) -> tuple[float, ...]:
        """The timestep of each forward pass of the whole run."""
        return tuple(self._by_step(lambda sampler, i: sampler.timesteps[i]))

    @property
    def sigmas(self) -> tuple[float, ...]:
        """The noise level of each forward pass, and the one where the run ends: one more than timesteps."""
        return (*self._by_step(lambda sampler, i: sampler.sigmas[i]), self._samplers[-1].sigmas[-1])

    @property
    def alphas(self) -> tuple[float, ...]:
        """The factor of x0 in the latents before each forward pass (1 for variance-exploding samplers)."""
        return tuple(self._by_step(lambda sampler, i: sampler.alphas[i]))

    @property
    def init_noise_sigma(self) -> float:
        """What the initial noise is multiplied by."""
        return self._samplers[0].init_noise_sigma

    @property
    def evals_per_step(self) -> int:
        """Forward passes a step of the sampler."""
        return self._samplers[-1].evals_per_step

    @property
    def initial_noise(self) -> Tensor:
        """The unit noise (B, C, H/8, W/8) that the first seed gives, before `init_noise_sigma`."""
        return initial_noise(generators(_seeds(self.segments[0].recipe)), self._shape).to(
            self.latents[0].dtype
        )

    @property
    def exact(self) -> bool:
        """Whether the run goes on from any of its steps bit for bit: not where a fork changed the sampler."""
        return len({solver(segment.recipe) for segment in self.segments}) == 1

    @property
    def nbytes(self) -> int:
        """Bytes of all tensors; those shared with a parent count for both."""
        tensors = [
            *self.latents,
            *self.text,
            *self.estimates,
            *(one for one in self.uncond if one is not None),
        ]
        return sum(tensor.nbytes for tensor in tensors)

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
        segment, sampler = self.at(i)
        guidance = guidance_for(segment.recipe, self.family)
        return Step(
            i, self.total, sampler.timesteps[i], sampler.sigmas[i], self.latents[i], self.uncond[i], self.text[i],
            guidance(self.uncond[i], self.text[i]), self.estimates[i], self.latents[i + 1], self.seconds[i],
            partial(self.snapshot, i),
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
            model_hash=self.model_hash,
            exact=self.exact,
        )

    def append(self, step: Step) -> None:
        """Keep a step: the next one of the run."""
        if not self.latents:
            self.latents.append(step.latents.cpu())
        self.latents.append(step.next_latents.cpu())
        self.uncond.append(None if step.noise_pred_uncond is None else step.noise_pred_uncond.cpu())
        self.text.append(step.noise_pred_text.cpu())
        self.estimates.append(step.denoised.cpu())
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
        latents = [one.to(device) for one in self.latents[: index + 2]]
        sampler: Sampler | None = None
        before: Recipe | None = None
        for segment, end in self._spans(index + 1):
            recipe = segment.recipe
            fresh = self._started(recipe, latents[segment.start])
            if sampler is None or before is None:
                sampler = fresh
            elif solver(before) != solver(recipe):
                fresh.begin_at(segment.start)
                sampler = fresh
            elif before.seed != recipe.seed:
                fresh.restore(sampler.snapshot(), new_noise=True)
                sampler = fresh
            before = recipe
            guidance = guidance_for(recipe, self.family)
            for i in range(segment.start, end):
                uncond = self.uncond[i]
                predicted = guidance(None if uncond is None else uncond.to(device), self.text[i].to(device))
                sampler.scale_model_input(latents[i], i)
                repeated = sampler.step(predicted, i, latents[i])
                if not torch.equal(repeated * self.handed_over(i + 1), latents[i + 1]):
                    raise TraceError(
                        f"Step {i} of this trace does not repeat to the last bit here; fork it on the kind of "
                        "device that made it."
                    )
        assert sampler is not None  # there is a segment that begins at 0
        return Snapshot(index + 1, repeated, sampler.snapshot())

    def handed_over(self, index: int) -> float:
        """What the latents before forward `index` were multiplied by when another sampler took over there, whose
        latents hold x0 by another factor; 1 everywhere else."""
        for before, (segment, sampler) in pairwise(zip(self.segments, self._samplers, strict=True)):
            if segment.start == index and solver(before[0].recipe) != solver(segment.recipe):
                return sampler.alphas[index] / before[1].alphas[index]
        return 1.0

    def _by_step(self, value: Callable[[Sampler, int], float]) -> Iterator[float]:
        for (segment, end), sampler in zip(self._spans(self.total), self._samplers, strict=True):
            yield from (value(sampler, i) for i in range(segment.start, end))

    def _spans(self, end: int) -> Iterator[tuple[Segment, int]]:
        """The segments that begin before forward `end`, each with where it stops."""
        stops = [*(segment.start for segment in self.segments[1:]), self.total]
        for segment, stop in zip(self.segments, stops, strict=True):
            if segment.start < end:
                yield segment, min(stop, end)

    def at(self, index: int) -> tuple[Segment, Sampler]:
        """The segment that forward `index` belongs to, and its sampler as planned."""
        found = zip(self.segments, self._samplers, strict=True)
        return [pair for pair in found if pair[0].start <= index][-1]

    def sampler_for(self, recipe: Recipe) -> Sampler:
        """A fresh sampler for a recipe under this run's training noise."""
        return sampler_for(recipe, self.training_noise)

    def _started(self, recipe: Recipe, latents: Tensor) -> Sampler:
        """A sampler whose generators stand where those of a run stand after its initial noise."""
        sampler, seeds = self.sampler_for(recipe), _seeds(recipe)
        drawn_from = generators(seeds)
        initial_noise(drawn_from, self._shape)
        sampler.start(drawn_from, seeds, latents)
        return sampler

    @property
    def _shape(self) -> tuple[int, int, int]:
        if not self.latents:
            return (0, 0, 0)
        _, channels, height, width = self.latents[0].shape
        return channels, height, width


def start(model: Model, recipe: Recipe) -> tuple[Trace, Iterator[Step]]:
    """A run that has not begun: iterate the steps, and the trace fills. Raises `RecipeError`."""
    trace = empty(model, (Segment(start=0, recipe=check(recipe)),), None)
    return trace, kept_as_it_goes(trace, sample(model, recipe))


def empty(model: Model, segments: tuple[Segment, ...], parent: Parent | None) -> Trace:
    """A trace of a run of `model` with nothing in it yet."""
    noise = {name: model.training_noise[name] for name in NOISE_KEYS if name in model.training_noise}
    return Trace(segments, noise, model.preview_factors, model.model_hash, model.family, parent)


def kept_as_it_goes(trace: Trace, steps: Iterator[Step]) -> Iterator[Step]:
    """The same steps, each kept in the trace as it passes."""
    for step in steps:
        trace.append(step)
        yield step


def run_out(trace: Trace, model: Model, steps: Iterator[Step], watch: Callable[[Step], None] | None) -> Trace:
    """Take every step there is, showing each to `watch`; returns the trace, which knows its model then."""
    for step in steps:
        if watch is not None:
            watch(step)
    trace.model = model
    return trace


def _seeds(recipe: Recipe) -> list[int]:
    return [recipe.seed + j for j in range(recipe.batch_size)]


def solver(recipe: Recipe) -> tuple[Any, ...]:
    """What of a recipe decides the sampler and its noise levels."""
    return recipe.sampler, recipe.schedule, recipe.sigmas
