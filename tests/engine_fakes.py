"""A backend without torch: latents are numpy arrays, and a test decides when a step is done."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sdcore.engine.backend import Backend, Plan, Report
from sdcore.engine.client import EngineClient
from sdcore.engine.messages import AnyEvent, GetView, QueueState
from sdcore.library.record import BatchPlace
from sdcore.spec.lineage import Parent, Segment
from sdcore.spec.recipe import Problem, Recipe, RecipeError
from sdcore.spec.views import AnyView, CompareView, Picture, SheetView, TraceInfo

STEP_SECONDS = 0.25


@dataclass(frozen=True)
class FakeStep:
    index: int
    total: int
    t: float
    sigma: float
    denoised: Any
    next_latents: Any
    seconds: float = STEP_SECONDS

    lap_done: bool = True

    @property
    def lap(self) -> FakeLap:
        return FakeLap(self.seconds, self.lap_done)


@dataclass
class FakeLap:
    seconds: float
    done: bool = True


@dataclass
class FakeComing:
    array: Any
    done: bool = True

    def rgb(self) -> Any:
        return self.array


class FakeModelError(RuntimeError):
    """A sentence."""


@dataclass
class FakeModel:
    ref: str
    family: str = "SD1"
    device: str = "cpu"
    dtype: str = "torch.float32"
    parameters: int = 7
    native_size: int = 64
    model_hash: str = "0123456789"
    vae_hash: str = ""
    known_hash: str = "0123456789"
    vae: str = ""
    previewed: int = 0
    meet: Callable[[str], None] = lambda place: None

    def decode(self, latents: Any) -> list[Image.Image]:
        """Grey images whose level is the latents' value."""
        self.meet("decode")
        return [Image.new("RGB", (16, 8), (int(row.flat[0]),) * 3) for row in latents]

    def begin_preview(self, latents: Any) -> FakeComing:
        self.previewed += 1
        return FakeComing(np.full((len(latents), 4, 8, 3), 200, np.uint8))


@dataclass
class FakeTrace:
    segments: tuple[Segment, ...]
    seconds: list[float] = field(default_factory=list)
    parent: Parent | None = None
    nbytes: int = 100

    def info(self, trace: str, images: Sequence[str] = ()) -> TraceInfo:
        recipe = self.segments[-1].recipe
        return TraceInfo(
            trace=trace, recipe=recipe, segments=self.segments, parent=self.parent, images=tuple(images),
            timesteps=tuple(float(-i) for i in range(recipe.steps)), sigmas=(1.0,) * (recipe.steps + 1),
            seconds=tuple(self.seconds), recorded=len(self.seconds), init_noise_sigma=14.6, evals_per_step=2,
            latent_shape=(4, 8, 8), family="SD1", model_hash="0123456789",
        )  # fmt: skip

    def save(self, path: Path) -> Path:
        path.write_text("a trace")
        return path


@dataclass
class FakeCore:
    """What the fake backend did, and how it is to behave."""

    gated: bool = False
    """A gated loop waits for `step()` before each forward pass."""
    fail_at: dict[int, BaseException] = field(default_factory=dict)
    open_error: Exception | None = None
    save_error: Exception | None = None
    start_error: Exception | None = None
    faults: dict[str, list[Exception]] = field(default_factory=dict)
    """What happens, once each, at "begin", "step 2" (before that pass) and "decode"."""
    fork_error: Exception | None = None
    slow_laps: bool = False
    rungs: int = 0
    """How often less memory can be made do with, from where a job begins."""
    climbed: list[str] = field(default_factory=list)
    settled: list[str] = field(default_factory=list)
    forwards: list[tuple[str, int]] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    models: list[FakeModel] = field(default_factory=list)
    saved: list[tuple[int, Recipe, BatchPlace | None, int | None]] = field(default_factory=list)
    threads: set[str] = field(default_factory=set)
    lineages: list[tuple[Parent | None, tuple[Segment, ...]]] = field(default_factory=list)
    compared: list[tuple[int, int]] = field(default_factory=list)
    viewed: list[tuple[str, int, bool]] = field(default_factory=list)
    keep_traces: bool = False
    outputs: Path = Path("/outputs")
    released: int = 0
    before_forward: Callable[[], None] = lambda: None
    while_opening: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        self._gate: queue.Queue[None] = queue.Queue()
        self._rungs_left = 0
        self._notices: list[str] = []

    def step(self, count: int = 1) -> None:
        """Let `count` more forward passes happen."""
        for _ in range(count):
            self._gate.put(None)

    def load(self, report: Report) -> Backend:
        report("numbers", 0.0)
        if self.start_error is not None:
            raise self.start_error
        report("ready", 1.0)
        return Backend(
            device="cpu",
            device_name="a fake",
            dtype="float32",
            open_model=self._open,
            replace_vae=self._replace_vae,
            run=self._run,
            fork=self._fork,
            load_trace=self._load_trace,
            view=self._view,
            compare=self._compare,
            plan=self._plan,
            save=self._save,
            release=lambda: self._release(),
            settle=self._settle,
            climb=self._climb,
            notices=self._take_notices,
            keeps_traces=lambda: self.keep_traces,
            sentences=(FakeModelError,),
        )

    def _open(self, ref: str, vae: str, report: Report, checked: Callable[[], None]) -> FakeModel:
        self._note_thread()
        report("UNet", 0.5)
        self.while_opening()
        report("VAE", 0.9)
        if self.open_error is not None:
            raise self.open_error
        checked()
        self.opened.append(ref)
        self.models.append(FakeModel(ref, vae=vae, meet=self._meet))
        return self.models[-1]

    def _replace_vae(self, model: FakeModel, ref: str, vae: str) -> FakeModel:
        self._note_thread()
        assert model.ref == ref
        if self.open_error is not None:
            raise self.open_error
        self.models.append(replace(model, vae=vae))
        return self.models[-1]

    def _run(self, model: FakeModel, recipe: Recipe) -> tuple[FakeTrace, Iterator[FakeStep]]:
        self._meet("begin")
        trace = FakeTrace((Segment(start=0, recipe=recipe),))
        return trace, self._sample(trace, recipe, 0)

    def _fork(
        self, model: FakeModel, trace: FakeTrace, step: int, recipe: Recipe
    ) -> tuple[FakeTrace, Iterator[FakeStep]]:
        if self.fork_error is not None:
            raise self.fork_error
        if step >= len(trace.seconds):
            raise FakeModelError(f"There is no step {step}.")
        forked = FakeTrace(
            (*trace.segments, Segment(start=step + 1, recipe=recipe)), trace.seconds[: step + 1]
        )
        if recipe == trace.segments[-1].recipe:
            forked.segments = trace.segments
        return forked, self._sample(forked, recipe, step + 1)

    def _load_trace(self, path: Path) -> FakeTrace:
        if path.read_text() != "a trace":
            raise FakeModelError(f"{path.name} is damaged.")
        return FakeTrace((Segment(start=0, recipe=Recipe(steps=3)),), [STEP_SECONDS] * 3)

    def _view(self, trace: FakeTrace, model: FakeModel | None, command: GetView) -> AnyView:
        self._note_thread()
        self.viewed.append((command.what, command.step, model is not None))
        if command.step >= len(trace.seconds):
            raise FakeModelError(f"There is no step {command.step}.")
        picture = Picture(width=1, height=1, rgb=b"abc")
        return SheetView(picture=picture, steps=(command.step,), columns=1)

    def _compare(self, first: FakeTrace, second: FakeTrace, images: tuple[int, int]) -> CompareView:
        self.compared.append(images)
        count = len(first.seconds)
        if count != len(second.seconds):
            raise FakeModelError("These cannot be compared.")
        return CompareView(prompt=(), negative_prompt=(), parameters=(), divergence=(0.0,) * count)

    def _sample(self, trace: FakeTrace, recipe: Recipe, start: int) -> Iterator[FakeStep]:
        for index in range(start, recipe.steps):
            if self.gated:
                self._gate.get(timeout=30)
            self._note_thread()
            self.before_forward()
            self.forwards.append((recipe.prompt, index))
            self._meet(f"step {index}")
            if index in self.fail_at:
                raise self.fail_at[index]
            trace.seconds.append(STEP_SECONDS)
            level = np.arange(recipe.batch_size).reshape(-1, 1) + 10 * index
            yield FakeStep(
                index,
                recipe.steps,
                float(-index),
                float(recipe.steps - index),
                level,
                level + 100,
                lap_done=not self.slow_laps,
            )

    def _plan(self, recipe: Recipe, model: FakeModel | None) -> Plan:
        if recipe.steps == 999:
            raise RecipeError([Problem("steps", "Not 999.")])
        return Plan(tuple(float(-i) for i in range(recipe.steps)), (1.0,) * (recipe.steps + 1), 14.6, 2)

    def _save(
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
        **facts: Any,
    ) -> Path:
        self._note_thread()
        if self.save_error is not None:
            raise self.save_error
        level = image.getpixel((0, 0))
        assert isinstance(level, tuple)
        self.saved.append((level[0], recipe, batch, cancelled_at))
        self.lineages.append((parent, segments))
        return self.outputs / f"{len(self.saved):05d}.png"

    def _release(self) -> None:
        self.released += 1

    def _meet(self, place: str) -> None:
        if waiting := self.faults.get(place):
            raise waiting.pop(0)

    def _settle(self, model: FakeModel, recipe: Recipe) -> None:
        self.settled.append(recipe.prompt)
        self._rungs_left, self._notices = self.rungs, []

    def _climb(self, model: FakeModel, recipe: Recipe, stage: str) -> bool:
        self.climbed.append(stage)
        self._rungs_left -= 1
        if self._rungs_left >= 0:
            self._notices.append(f"less for {stage}")
        return self._rungs_left >= 0

    def _take_notices(self) -> list[str]:
        taken, self._notices = self._notices, []
        return taken

    def _note_thread(self) -> None:
        self.threads.add(threading.current_thread().name)


def until(events: Iterator[AnyEvent], *kinds: type[Any]) -> list[AnyEvent]:
    """The events up to and with the first of one of `kinds`."""
    seen: list[AnyEvent] = []
    for event in events:
        seen.append(event)
        if isinstance(event, kinds):
            return seen
    raise AssertionError(f"the events ended without {kinds}: {seen}")


async def told_until(client: EngineClient, *kinds: type[Any]) -> list[AnyEvent]:
    """The same of a client on the event loop."""
    seen: list[AnyEvent] = []
    async for event in client.events():
        seen.append(event)
        if isinstance(event, kinds):
            return seen
    raise AssertionError(f"the events ended without {kinds}: {seen}")


def names(events: list[AnyEvent]) -> list[str]:
    """The kinds of events, in order, repetitions left out, and the queue as a whole, which stands for no single one."""
    kinds = [type(event).__name__ for event in events if not isinstance(event, QueueState)]
    return [kind for kind, before in zip(kinds, [None, *kinds], strict=False) if kind != before]
