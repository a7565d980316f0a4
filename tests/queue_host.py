"""An engine process to be killed: it keeps its queue, saves real images, and computes nothing that takes long.

Its latents are a chain: every step's are a hash of the step's before and of the recipe, so an image tells whether each
of its steps was made once, in order, and from the right place. Its traces hold that chain and can be read back.

    python -m tests.queue_host STEP_SECONDS
"""

from __future__ import annotations

import json
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from PIL import Image

from sdcore.engine import checkpoints, host
from sdcore.engine.backend import Backend, LoadBackend, Report
from sdcore.library.outputs import save_image
from sdcore.spec.lineage import Parent, Segment
from sdcore.spec.recipe import Recipe
from tests.engine_fakes import FakeComing, FakeCore, FakeModel, FakeStep, FakeTrace

CHECKPOINT_SECONDS = 0.02


def chain(recipe: Recipe, steps: int) -> list[int]:
    """The latents before each step of a run, and those after its last."""
    values = [zlib.crc32(msgspec.json.encode(recipe))]
    for index in range(steps):
        values.append(zlib.crc32(b"%d %d" % (values[-1], index)))
    return values


def colour(value: int, index: int) -> tuple[int, int, int]:
    """What an image of the batch looks like."""
    return value & 255, value >> 8 & 255, index


@dataclass
class ChainTrace(FakeTrace):
    """A run whose steps are numbers."""

    values: list[int] = field(default_factory=list)

    def save(self, path: Path) -> Path:
        count = len(self.seconds)
        data = {"segments": msgspec.to_builtins(self.segments), "values": self.values[: count + 1]}
        part = path.with_suffix(".part")
        part.write_text(json.dumps(data))
        part.replace(path)
        return path


def load_trace(path: Path) -> ChainTrace:
    """A run read back."""
    data = json.loads(path.read_text())
    segments = msgspec.convert(data["segments"], tuple[Segment, ...])
    return ChainTrace(segments, [0.0] * (len(data["values"]) - 1), None, 100, data["values"])


class ChainModel(FakeModel):
    """Decodes numbers."""

    def decode(self, latents: Any) -> list[Image.Image]:
        return [Image.new("RGB", (8, 8), colour(int(value), int(index))) for value, index in latents]

    def begin_preview(self, latents: Any) -> FakeComing:
        return FakeComing(np.zeros((len(latents), 4, 4, 3), np.uint8))


def backend_of(step_seconds: float, before: Callable[[int], object] = lambda index: None) -> LoadBackend:
    """A loader of the backend. `before` is called before each step, with its index, and may wait there."""

    def sample(trace: ChainTrace, recipe: Recipe, start: int) -> Iterator[FakeStep]:
        for index in range(start, recipe.steps):
            before(index)
            time.sleep(step_seconds)
            trace.values.append(zlib.crc32(b"%d %d" % (trace.values[-1], index)))
            trace.seconds.append(step_seconds)
            latents = np.array([(trace.values[-1], place) for place in range(recipe.batch_size)])
            yield FakeStep(index, recipe.steps, float(-index), 1.0, latents, latents, step_seconds)

    def run(model: FakeModel, recipe: Recipe) -> tuple[ChainTrace, Iterator[FakeStep]]:
        trace = ChainTrace((Segment(start=0, recipe=recipe),), values=chain(recipe, 0))
        return trace, sample(trace, recipe, 0)

    def fork(
        model: FakeModel, trace: ChainTrace, step: int, recipe: Recipe
    ) -> tuple[ChainTrace, Iterator[FakeStep]]:
        assert recipe == trace.segments[-1].recipe
        count = step + 1
        again = ChainTrace(
            trace.segments, trace.seconds[:count], Parent(image="", step=step), 100, trace.values[: count + 1]
        )
        return again, sample(again, recipe, count)

    def save(image: Image.Image, recipe: Recipe, *, segments: Sequence[Segment], **facts: Any) -> Path:
        return save_image(image, recipe, **facts)

    def open_model(*arguments: Any) -> ChainModel:
        return ChainModel("tiny")

    def load(report: Report) -> Backend:
        return replace(
            FakeCore().load(report),
            open_model=open_model,
            run=run,
            fork=fork,
            load_trace=load_trace,
            save=save,
        )

    return load


def main(step_seconds: float) -> int:
    """Be the engine process."""
    checkpoints.EVERY_SECONDS = CHECKPOINT_SECONDS  # type: ignore[misc]
    host.torch_backend = lambda device, polite: backend_of(step_seconds)  # type: ignore[assignment]
    return host.main([])


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1])))
