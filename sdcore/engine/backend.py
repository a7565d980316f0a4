"""What the worker needs from the mathematics, as callables: the real ones are made in `torch_backend`,
tests bring their own. No torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from PIL import Image

from sdcore.engine.messages import GetView
from sdcore.library.record import BatchPlace
from sdcore.spec.lineage import Parent, Segment
from sdcore.spec.recipe import Recipe
from sdcore.spec.views import AnyView, CompareView, TraceInfo

Report = Callable[[str, float], None]
"""Told the name of a stage and the share of the whole that is done (0..1)."""


class Step(Protocol):
    """One forward pass, as `sdcore.diffusion.loop.Step`. Latents are (B, C, H/8, W/8)."""

    @property
    def index(self) -> int: ...
    @property
    def total(self) -> int: ...
    @property
    def t(self) -> float: ...
    @property
    def sigma(self) -> float: ...
    @property
    def denoised(self) -> Any: ...
    @property
    def next_latents(self) -> Any: ...
    @property
    def seconds(self) -> float: ...


class Model(Protocol):
    """A model on its device, as `sdcore.diffusion.model.Model`."""

    @property
    def family(self) -> str: ...
    @property
    def device(self) -> Any: ...
    @property
    def dtype(self) -> Any: ...
    @property
    def parameters(self) -> int: ...
    @property
    def native_size(self) -> int: ...
    @property
    def model_hash(self) -> str: ...

    def decode(self, latents: Any) -> list[Image.Image]:
        """Latents (B, C, H/8, W/8) as B images."""
        ...

    def preview(self, latents: Any) -> Any:
        """Latents as cheap RGB, a uint8 array (B, H/8, W/8, 3)."""
        ...


class Trace(Protocol):
    """A recorded run, as `sdcore.diffusion.trace.Trace`."""

    parent: Parent | None

    @property
    def segments(self) -> tuple[Segment, ...]: ...
    @property
    def nbytes(self) -> int: ...

    def info(self, trace: str, images: Sequence[str] = ()) -> TraceInfo:
        """The run as a whole, under the name `trace`."""
        ...

    def save(self, path: Path) -> Path:
        """Write it as one file."""
        ...


class Save(Protocol):
    """`sdcore.library.outputs.save_image`."""

    def __call__(
        self,
        image: Image.Image,
        recipe: Recipe,
        *,
        model_hash: str,
        family: str,
        batch: BatchPlace | None,
        cancelled_at: int | None,
        parent: Parent | None,
        segments: tuple[Segment, ...],
    ) -> Path: ...


@dataclass(frozen=True)
class Plan:
    """Where a recipe will go: a timestep for each forward pass, and one sigma more."""

    timesteps: tuple[float, ...]
    sigmas: tuple[float, ...]
    init_noise_sigma: float = 1.0
    evals_per_step: int = 1


@dataclass(frozen=True)
class Backend:
    """The mathematics, ready to be used. `release` gives memory back that nothing refers to any more.

    `run` and `fork` (after a forward pass of a recorded run) give a trace and the steps that fill it as they are
    taken. `keeps_traces` says whether every run is to be written to disk. `sentences` are the exceptions whose
    text is already one sentence for a person.
    """

    device: str
    device_name: str
    dtype: str
    open_model: Callable[[str, Report], Model]
    run: Callable[[Model, Recipe], tuple[Trace, Iterator[Step]]]
    fork: Callable[[Model, Trace, int, Recipe], tuple[Trace, Iterator[Step]]]
    load_trace: Callable[[Path], Trace]
    view: Callable[[Trace, Model | None, GetView], AnyView]
    compare: Callable[[Trace, Trace, tuple[int, int]], CompareView]
    plan: Callable[[Recipe, Model | None], Plan]
    save: Save
    release: Callable[[], None]
    keeps_traces: Callable[[], bool] = lambda: False
    sentences: tuple[type[Exception], ...] = ()


LoadBackend = Callable[[Report], Backend]
"""Makes the backend on the thread that will use it; takes seconds, and reports."""
