"""A job whose memory runs out goes on from the last good point, and the next one begins unharmed."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from sdcore.engine.local import LocalClient, LocalEngine
from sdcore.engine.messages import (
    AnyEvent,
    Generate,
    JobCancelled,
    JobFailed,
    JobFinished,
    JobNotice,
    JobProgress,
    JobStarted,
)
from sdcore.spec.recipe import Recipe
from tests.engine_fakes import STEP_SECONDS, FakeCore, FakeModelError, until
from tui.commands import making

FOUR = Recipe(prompt="four", steps=4, seed=5)


def full() -> Exception:
    """What torch raises on a GPU, by its name and text."""
    return type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory. Tried to allocate 2.00 GiB.")


@pytest.fixture
def core() -> FakeCore:
    return FakeCore(rungs=4)


@pytest.fixture
def client(core: FakeCore) -> Iterator[LocalClient]:
    with LocalEngine(core.load) as engine:
        yield engine.attach()


def run(client: LocalClient, recipe: Recipe = FOUR, job: str = "a") -> list[AnyEvent]:
    client.send(Generate(job=job, recipe=recipe))
    return until(iter(client), JobFinished, JobFailed, JobCancelled)


def notices(events: list[AnyEvent]) -> list[str]:
    return [event.message for event in events if isinstance(event, JobNotice)]


def test_a_job_with_room_enough_says_nothing(client: LocalClient, core: FakeCore) -> None:
    assert notices(run(client)) == []
    assert core.climbed == []


@pytest.mark.parametrize("error", [full(), MemoryError(), RuntimeError("not enough memory: you tried to")])
def test_full_memory_while_prompts_are_encoded_costs_nothing(
    client: LocalClient, core: FakeCore, error: Exception
) -> None:
    core.faults = {"begin": [error]}
    events = run(client)
    assert isinstance(events[-1], JobFinished)
    assert notices(events) == ["less for begin"]
    assert core.forwards == [("four", index) for index in range(4)]


def test_full_memory_in_a_step_takes_the_run_up_after_the_last_one(
    client: LocalClient, core: FakeCore
) -> None:
    core.faults = {"step 2": [full()]}
    events = run(client)
    end = events[-1]
    assert isinstance(end, JobFinished)
    assert core.forwards == [("four", index) for index in (0, 1, 2, 2, 3)]
    assert notices(events) == ["less for step"]
    assert [event.index for event in events if isinstance(event, JobProgress)][-1] == 3
    assert sum(isinstance(event, JobStarted) for event in events) == 1
    assert core.saved == [(130, FOUR, None, None)]
    assert core.lineages == [(None, core.lineages[0][1])]  # no fork: the image has no parent
    assert len(core.lineages[0][1]) == 1


def test_full_memory_in_the_first_step_begins_again(client: LocalClient, core: FakeCore) -> None:
    core.faults = {"step 0": [full()]}
    assert isinstance(run(client)[-1], JobFinished)
    assert core.forwards == [("four", index) for index in (0, 0, 1, 2, 3)]


def test_full_memory_in_a_decode_does_not_lose_what_was_sampled(client: LocalClient, core: FakeCore) -> None:
    core.faults = {"decode": [full()]}
    events = run(client)
    assert isinstance(events[-1], JobFinished)
    assert notices(events) == ["less for decode"]
    assert len(core.forwards) == 4
    assert core.saved == [(130, FOUR, None, None)]


def test_a_batch_keeps_its_saved_images(client: LocalClient, core: FakeCore) -> None:
    core.before_forward = lambda: core.faults.setdefault("decode", [])
    recipe = Recipe(prompt="two", steps=1, seed=5, batch_size=3)
    saved: list[int] = []

    class Later(list[Exception]):
        def __bool__(self) -> bool:
            saved.append(len(core.saved))
            return len(core.saved) == 1 and super().__len__() > 0

    core.faults = {"decode": Later([full()])}
    end = run(client, recipe)[-1]
    assert isinstance(end, JobFinished)
    assert [image.recipe.seed for image in end.images] == [5, 6, 7]
    assert saved == [0, 1, 1, 2]


def test_memory_may_run_out_again_and_elsewhere(client: LocalClient, core: FakeCore) -> None:
    core.faults = {"begin": [full()], "step 1": [full()], "step 3": [full()], "decode": [full()]}
    events = run(client)
    assert isinstance(events[-1], JobFinished)
    assert core.climbed == ["begin", "step", "step", "decode"]
    assert core.forwards == [("four", index) for index in (0, 1, 1, 2, 3, 3)]


@pytest.mark.parametrize("place", ["begin", "step 2", "decode"])
def test_on_the_last_rung_the_job_fails_with_a_sentence(
    client: LocalClient, core: FakeCore, place: str
) -> None:
    core.rungs = 2
    core.faults = {place: [full(), full(), full()]}
    failed = run(client)[-1]
    assert isinstance(failed, JobFailed)
    assert "GPU's memory is full" in failed.message
    assert len(core.climbed) == 3
    assert core.faults[place] == []


def test_the_next_job_begins_on_a_rung_of_its_own(client: LocalClient, core: FakeCore) -> None:
    core.rungs = 1
    core.faults = {"step 1": [full(), full()]}
    assert isinstance(run(client)[-1], JobFailed)
    events = run(client, Recipe(prompt="next", steps=2), job="b")
    assert isinstance(events[-1], JobFinished)
    assert notices(events) == []
    assert core.settled == ["four", "next"]


def test_what_the_failed_attempt_held_is_let_go_before_the_next(client: LocalClient, core: FakeCore) -> None:
    """An exception's traceback holds every frame it passed, and they hold the tensors."""

    class Held(RuntimeError):
        pass

    error = Held("not enough memory")
    held = weakref.ref(error)
    alive: list[bool] = []
    core.faults = {"step 1": [error]}
    del error

    def look() -> None:
        gc.collect()
        alive.append(held() is not None)

    core.before_forward = look
    assert isinstance(run(client)[-1], JobFinished)
    assert alive == [True, True, False, False, False]


def test_a_run_that_cannot_be_left_there_begins_again(client: LocalClient, core: FakeCore) -> None:
    core.faults = {"step 2": [full()]}
    core.fork_error = FakeModelError("Not repeatable to the last bit.")
    events = run(client)
    assert isinstance(events[-1], JobFinished)
    assert core.forwards == [("four", index) for index in (0, 1, 2, 0, 1, 2, 3)]
    assert sum(isinstance(event, JobStarted) for event in events) == 2
    end = events[-1]
    assert end.steps_per_second == pytest.approx(4)


def test_other_faults_do_not_climb(client: LocalClient, core: FakeCore) -> None:
    core.faults = {"decode": [FakeModelError("The latents are not finite.")]}
    assert run(client)[-1] == JobFailed(job="a", message="The latents are not finite.")
    assert core.climbed == []


def test_a_trace_is_whole_though_its_run_was_taken_up(
    client: LocalClient, core: FakeCore, tmp_path: Path
) -> None:
    core.keep_traces, core.outputs = True, tmp_path
    core.faults = {"step 2": [full()]}
    assert isinstance(run(client)[-1], JobFinished)
    assert [path.name for path in tmp_path.glob("*.safetensors")] == ["00001.trace.safetensors"]


def test_times_are_told_when_they_are_known(client: LocalClient, core: FakeCore) -> None:
    """On a GPU a pass is over after it was launched: its time comes with a later pass, the last ones at the end."""
    core.slow_laps = True
    events = run(client)
    told = [(event.index, event.seconds) for event in events if isinstance(event, JobProgress)]
    assert sum(len(seconds) for _, seconds in told) == 4
    assert told[-1] == (3, (STEP_SECONDS,) * 4)
    end = events[-1]
    assert isinstance(end, JobFinished)
    assert end.steps_per_second == pytest.approx(1 / STEP_SECONDS)


def test_the_command_line_says_it_on_stderr(
    core: FakeCore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(making, "torch_backend", lambda device, threads=0: core.load)
    monkeypatch.setattr(making, "_saving_in", lambda folder, load: load)
    core.faults = {"decode": [full()]}
    with making.Maker(device="cpu", folder=tmp_path) as maker:
        finished = maker.make(FOUR, "sampling")
    assert len(finished.images) == 1
    said = capsys.readouterr()
    assert (said.out, said.err.splitlines()) == ("", ["less for decode"])
