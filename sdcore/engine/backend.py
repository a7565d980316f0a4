"""What the worker needs from the mathematics, as callables: the real ones are made in `torch_backend`,
tests bring their own. No torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from PIL import Image

from sdcore.engine.messages import GetView
from sdcore.library.record import BatchPlace
from sdcore.spec.lineage import Parent, Segment
from sdcore.spec.recipe import Recipe
from sdcore.spec.sweep.typed import Template
from sdcore.spec.views import AnyView, CompareView, TraceInfo

Report = Callable[[str, float], None]
"""Told the name of a stage and the share of the whole that is done (0..1)."""


Stage = Literal["begin", "step", "decode"]
"""What of a job needs memory of its own: prompts and given images encoded, a forward pass, an image decoded."""


class Coming(Protocol):
    """A preview on its way from the device."""

    @property
    def done(self) -> bool:
        """Whether it is there."""
        ...

    def rgb(self) -> Any:
        """A uint8 array (B, H/8, W/8, 3); waits for it."""
        ...


class Lap(Protocol):
    """The time of a forward pass, as `sdcore.diffusion.timing.Lap`."""

    @property
    def done(self) -> bool: ...
    @property
    def seconds(self) -> float: ...


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
    def lap(self) -> Lap: ...


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
    @property
    def vae_hash(self) -> str: ...
    @property
    def known_hash(self) -> str: ...

    def decode(self, latents: Any) -> list[Image.Image]:
        """Latents (B, C, H/8, W/8) as B images."""
        ...

    def begin_preview(self, latents: Any) -> Coming:
        """Latents as cheap RGB, made without waiting for the device."""
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
        vae_hash: str,
        family: str,
        batch: BatchPlace | None,
        cancelled_at: int | None,
        parent: Parent | None,
        segments: tuple[Segment, ...],
        group: str,
        label: str,
        template: Template | None,
        styles: tuple[str, ...],
        varied_from: str,
        job: str,
    ) -> Path: ...


@dataclass(frozen=True)
class Plan:
    """Where a recipe will go: a timestep for each forward pass, and one sigma more; the bytes that it needs of those
    that the device has, both 0 where nothing is known of its model yet."""

    timesteps: tuple[float, ...]
    sigmas: tuple[float, ...]
    init_noise_sigma: float = 1.0
    evals_per_step: int = 1
    memory_needed: int = 0
    memory_total: int = 0


@dataclass(frozen=True)
class Backend:
    """The mathematics, ready to be used. `release` gives memory back that nothing refers to any more; `beside` is to be
    called first on a thread that answers beside the one that samples.

    `open_model` opens a model with a VAE ("" is its own), and calls back when nothing is wrong with it, before it takes
    any of the device's memory; `replace_vae` gives another VAE to the model that a name stands for.

    `run` and `fork` (after a forward pass of a recorded run) give a trace and the steps that fill it as they are
    taken. `keep` copies the pictures that a recipe names to where they stay, and names those instead; `finish` has the
    last word on a decoded image. `keeps_traces` says whether every run is to be written to disk. `sentences` are the
    exceptions whose text is already one sentence for a person.

    `settle` makes a model ready for a run of a recipe with the memory that there is; `climb` has it take less in a
    stage whose memory ran out, and says whether it can. Both leave what a person should know in `notices`, which
    gives each sentence once.
    """

    device: str
    device_name: str
    dtype: str
    open_model: Callable[[str, str, Report, Callable[[], None]], Model]
    replace_vae: Callable[[Model, str, str], Model]
    run: Callable[[Model, Recipe], tuple[Trace, Iterator[Step]]]
    fork: Callable[[Model, Trace, int, Recipe], tuple[Trace, Iterator[Step]]]
    load_trace: Callable[[Path], Trace]
    view: Callable[[Trace, Model | None, GetView], AnyView]
    compare: Callable[[Trace, Trace, tuple[int, int]], CompareView]
    plan: Callable[[Recipe, Model | None], Plan]
    save: Save
    release: Callable[[], None]
    beside: Callable[[], None] = lambda: None
    memory_bytes: int = 0
    settle: Callable[[Model, Recipe], None] = lambda model, recipe: None
    climb: Callable[[Model, Recipe, Stage], bool] = lambda model, recipe, stage: False
    notices: Callable[[], list[str]] = list
    keep: Callable[[Recipe], Recipe] = lambda recipe: recipe
    finish: Callable[[Model, Image.Image, Recipe], Image.Image] = lambda model, image, recipe: image
    keeps_traces: Callable[[], bool] = lambda: False
    sentences: tuple[type[Exception], ...] = ()


LoadBackend = Callable[[Report], Backend]
"""Makes the backend on the thread that will use it; takes seconds, and reports. Raises `NoBackendError`."""


class NoBackendError(RuntimeError):
    """There can be no backend as it was asked for; the message is one sentence that says what to do."""
