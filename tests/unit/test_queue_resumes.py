"""A run of the real mathematics that was held, and went on in another engine, is the run that was never stopped."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from PIL import Image, ImageChops

from sdcore.engine.local import LocalEngine, torch_backend
from sdcore.engine.messages import (
    Generate,
    HoldJobs,
    JobFinished,
    JobProgress,
    JobStarted,
    QueueState,
)
from sdcore.spec.recipe import Recipe
from tests.engine_fakes import until


@pytest.mark.parametrize(
    ("sampler", "changes"),
    [
        ("DPM++ 2M SDE", {"batch_size": 2}),
        ("Euler a", {}),
        ("LMS", {"hires_scale": 2.0, "hires_strength": 0.5}),
    ],
)
def test_the_last_bit(sampler: str, changes: dict[str, object], sd1_folder: Path, tmp_path: Path) -> None:
    recipe = Recipe(
        prompt="a house", steps=60, width=64, height=64, seed=3, sampler=sampler, model=str(sd1_folder)
    )
    recipe = msgspec.structs.replace(recipe, **changes)
    with LocalEngine(torch_backend("cpu"), queue_folder=tmp_path / "queue") as engine:
        client = engine.attach()
        client.send(Generate(job="whole", recipe=recipe))
        whole = until(iter(client), JobFinished)[-1]
        client.send(Generate(job="held", recipe=recipe))
        until(iter(client), JobProgress)
        client.send(HoldJobs(jobs=("held",)))
        while not getattr(until(iter(client), QueueState)[-1], "held", {}):
            pass
    with LocalEngine(torch_backend("cpu"), queue_folder=tmp_path / "queue") as engine:
        client = engine.attach()
        client.send(HoldJobs(jobs=("held",), held=False))
        events = until(iter(client), JobFinished)
    started = next(event for event in events if isinstance(event, JobStarted))
    assert 0 < len(started.seconds) < len(started.timesteps)
    again = events[-1]
    assert isinstance(whole, JobFinished)
    assert isinstance(again, JobFinished)
    assert len(again.images) == recipe.batch_size
    for one, other in zip(whole.images, again.images, strict=True):
        with Image.open(one.path) as first, Image.open(other.path) as second:
            assert ImageChops.difference(first, second).getbbox() is None
