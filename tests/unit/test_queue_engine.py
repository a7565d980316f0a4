"""The engine with its queue: jobs held in the middle, stopped, killed and taken up again, watched and measured."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from PIL import Image

from sdcore.engine.backend import Backend, Report
from sdcore.engine.estimates import Estimates, steps_of
from sdcore.engine.heartbeat import FIRST_SECONDS, LEAST_SECONDS, Heartbeat
from sdcore.engine.local import LocalClient, LocalEngine
from sdcore.engine.messages import (
    AnyEvent,
    Cancel,
    EditJob,
    EngineFailed,
    EngineReady,
    Generate,
    HoldJobs,
    JobCancelled,
    JobFailed,
    JobFinished,
    JobKept,
    JobNotice,
    JobProgress,
    JobQueued,
    JobStalled,
    JobStarted,
    MoveJob,
    PauseQueue,
    PlanSchedule,
    QueueState,
    RemoveJobs,
    RetryJobs,
    RunForever,
    SchedulePlanned,
    Shutdown,
)
from sdcore.spec.recipe import Recipe
from tests.engine_fakes import STEP_SECONDS, FakeCore, names, until
from tests.queue_host import backend_of, chain, colour

FOUR = Recipe(prompt="four", steps=4, seed=5)
Engines = Callable[..., LocalEngine]


@pytest.fixture
def core() -> FakeCore:
    return FakeCore()


@pytest.fixture
def engines(core: FakeCore, tmp_path: Path) -> Iterator[Engines]:
    """Makes engines that keep their queue in one place; the one before is ended first."""
    made: list[LocalEngine] = []

    def make(load: Callable[[Report], Backend] | None = None, *, kept: bool = True) -> LocalEngine:
        for engine in made:
            core.step(100)
            engine.close()
        made.append(LocalEngine(load or core.load, queue_folder=tmp_path / "queue" if kept else None))
        made[-1].start()
        return made[-1]

    yield make
    for engine in made:
        core.step(1000)
        engine.close()


def queue_states(events: list[AnyEvent]) -> list[QueueState]:
    return [event for event in events if isinstance(event, QueueState)]


def failed(events: list[AnyEvent]) -> EngineFailed:
    return next(event for event in events if isinstance(event, EngineFailed))


def until_held(client: LocalClient) -> list[AnyEvent]:
    events: list[AnyEvent] = []
    while not (states := queue_states(events)) or not states[-1].held:
        events += until(iter(client), QueueState)
    return events


class Gate:
    """Where runs wait before a step until the test lets them go on."""

    def __init__(self, step: int = 5) -> None:
        self._step = step
        self._opened = threading.Event()

    def __call__(self, index: int) -> None:
        if index >= self._step:
            assert self._opened.wait(60), "the test does not let the run go on"

    def open(self) -> None:
        self._opened.set()


@pytest.mark.parametrize("kept", [False, True])
def test_a_running_job_is_held_and_goes_on_where_it_was(engines: Engines, kept: bool) -> None:
    recipe = msgspec.structs.replace(FOUR, steps=40)
    gate = Gate()
    engine = engines(backend_of(0.0, gate), kept=kept)
    client = engine.attach()
    client.send(Generate(job="a", recipe=recipe))
    client.send(Generate(job="b", recipe=FOUR))
    until(iter(client), JobProgress)
    client.send(HoldJobs(jobs=("a",)))
    gate.open()
    events = until(iter(client), JobFinished)
    assert [event.job for event in events if isinstance(event, JobFinished)] == ["b"]
    assert queue_states(events)[-1].held == {"a": ""}
    client.send(HoldJobs(jobs=("a",), held=False))
    events = until(iter(client), JobFinished)
    started = next(event for event in events if isinstance(event, JobStarted))
    assert 0 < len(started.seconds) < 40
    passes = sum(len(event.seconds) for event in events if isinstance(event, JobProgress))
    assert passes == 40 - len(started.seconds)
    end = events[-1]
    assert isinstance(end, JobFinished)
    with Image.open(end.images[0].path) as image:
        assert image.getpixel((0, 0)) == colour(chain(recipe, 40)[-1], 0)


def test_a_held_job_outlives_its_engine_with_its_steps(engines: Engines, tmp_path: Path) -> None:
    recipe = msgspec.structs.replace(FOUR, steps=40)
    gate = Gate()
    client = engines(backend_of(0.0, gate)).attach()
    client.send(Generate(job="a", recipe=recipe))
    until(iter(client), JobProgress)
    client.send(HoldJobs(jobs=("a",)))
    gate.open()
    until_held(client)
    client = engines(backend_of(0.0)).attach()
    client.send(HoldJobs(jobs=("a",), held=False))
    events = until(iter(client), JobFinished)
    assert next(event for event in events if isinstance(event, JobStarted)).seconds
    assert not list((tmp_path / "queue").glob("*.trace.safetensors"))


def test_a_held_job_may_be_edited_and_begins_anew(engines: Engines) -> None:
    gate = Gate()
    client = engines(backend_of(0.0, gate)).attach()
    client.send(Generate(job="a", recipe=msgspec.structs.replace(FOUR, steps=40)))
    until(iter(client), JobProgress)
    client.send(HoldJobs(jobs=("a",)))
    gate.open()
    until_held(client)
    client.send(EditJob(job="a", recipe=Recipe(width=100)))
    refused = until(iter(client), JobNotice)[-1]
    assert isinstance(refused, JobNotice)
    assert "multiple of 8" in refused.message
    client.send(EditJob(job="a", recipe=FOUR))
    client.send(HoldJobs(jobs=("a",), held=False))
    events = until(iter(client), JobFinished)
    started = next(event for event in events if isinstance(event, JobStarted))
    assert (started.recipe, started.seconds) == (FOUR, ())
    client.send(EditJob(job="a", recipe=FOUR))
    assert isinstance(until(iter(client), JobNotice)[-1], JobNotice)


def test_a_held_job_that_is_cancelled_is_gone(engines: Engines, tmp_path: Path) -> None:
    gate = Gate()
    client = engines(backend_of(0.0, gate)).attach()
    client.send(Generate(job="a", recipe=msgspec.structs.replace(FOUR, steps=40)))
    until(iter(client), JobProgress)
    client.send(HoldJobs(jobs=("a",)))
    client.send(Cancel(job="a"))
    gate.open()
    assert isinstance(until(iter(client), JobCancelled)[-1], JobCancelled)
    client.send(Generate(job="b", recipe=FOUR))
    until(iter(client), JobFinished)
    assert not list((tmp_path / "queue").glob("*.trace.safetensors"))


def test_what_runs_when_the_engine_is_told_to_end_goes_on_in_the_next(engines: Engines) -> None:
    gate = Gate()
    engine = engines(backend_of(0.0, gate))
    client = engine.attach()
    client.send(Generate(job="a", recipe=msgspec.structs.replace(FOUR, steps=40)))
    until(iter(client), JobProgress)
    engine.end("The system says so.")
    gate.open()
    told = list(client)
    assert "QueueState" not in [type(event).__name__ for event in told[told.index(failed(told)) :]]
    gate = Gate(20)  # the client must be there when it ends
    client = engines(backend_of(0.0, gate)).attach()
    gate.open()
    events = until(iter(client), JobFinished)
    assert next(event for event in events if isinstance(event, JobStarted)).seconds


def test_what_a_person_stops_waits_to_be_released(engines: Engines) -> None:
    gate = Gate()
    client = engines(backend_of(0.0, gate)).attach()
    client.send(Generate(job="a", recipe=msgspec.structs.replace(FOUR, steps=40)))
    client.send(Generate(job="b", recipe=FOUR))
    until(iter(client), JobProgress)
    client.send(Shutdown(when_idle=False))
    gate.open()
    list(client)
    engine = engines(backend_of(0.0))
    client = engine.attach()
    events = until_held(client)
    assert list(queue_states(events)[-1].held) == ["a", "b"]
    assert engine.idle
    client.send(RemoveJobs(jobs=("a", "b")))
    assert {"JobStarted", "JobFinished"}.isdisjoint(names(until(iter(client), JobCancelled)))


def test_a_fault_that_ends_the_engine_costs_no_job(engines: Engines, core: FakeCore) -> None:
    broken = RuntimeError("CUDA error: an illegal memory access was encountered")
    core.gated, core.fail_at = True, {0: broken}
    for _ in range(2):  # once more is the rule, and after that it is set aside
        client = engines().attach()
        client.send(Generate(job="a", recipe=FOUR))
        client.send(Generate(job="b", recipe=FOUR))
        core.step(1)
        events = list(client)
        assert failed(events)
        assert "JobFailed" not in names(events)
    core.fail_at = {}
    client = engines().attach()
    client.send(Generate(job="b", recipe=FOUR))  # told when it is made, or that it was
    events = until(iter(client), JobFinished)
    assert "died twice" in queue_states(events)[-1].held["a"]


def test_a_failed_job_is_told_to_newcomers_until_it_is_retried(engines: Engines, core: FakeCore) -> None:
    core.fail_at = {1: KeyError("thing")}
    engine = engines()
    client = engine.attach()
    client.send(Generate(job="a", recipe=FOUR, group="g", label="first"))
    refused = until(iter(client), JobFailed)[-1]
    assert isinstance(refused, JobFailed)
    for newcomer in (engine, engines()):
        kept = until(iter(newcomer.attach()), JobKept)[-1]
        assert kept == JobKept(job="a", recipe=FOUR, message=refused.message, group="g", label="first")
    core.fail_at = {}
    client = newcomer.attach()
    client.send(RetryJobs(jobs=("a",)))
    end = until(iter(client), JobFinished)[-1]
    assert isinstance(end, JobFinished)
    assert (end.group, end.label) == ("g", "first")
    assert "JobKept" not in names(list(newcomer.state.replay()))


def test_a_batch_that_fails_while_it_is_saved_is_made_whole(engines: Engines, core: FakeCore) -> None:
    core.faults = {"decode": [ValueError("first"), ValueError("second")]}
    client = engines().attach()
    client.send(Generate(job="a", recipe=msgspec.structs.replace(FOUR, batch_size=2)))
    until(iter(client), JobFailed)
    client.send(RetryJobs(jobs=("a",)))
    until(iter(client), JobFailed)
    client.send(RetryJobs(jobs=("a",)))
    until(iter(client), JobFinished)
    assert [recipe.seed for _, recipe, _, _ in core.saved] == [5, 6]


def test_forever_goes_on_without_a_client(engines: Engines) -> None:
    engine = engines(backend_of(0.0))
    client = engine.attach()
    client.send(RunForever(recipe=FOUR, label="more"))
    client.close()
    late = engine.attach()
    seeds = set()
    for _ in range(3):
        end = until(iter(late), JobFinished)[-1]
        assert isinstance(end, JobFinished)
        seeds.add(end.images[0].recipe.seed)
    assert len(seeds) == 3
    late.send(RunForever())
    late.send(Shutdown(when_idle=True))
    list(late)
    assert engine.ended


def test_a_paused_queue_keeps_no_engine(engines: Engines) -> None:
    engine = engines(backend_of(0.0))
    client = engine.attach()
    client.send(PauseQueue())
    client.send(Generate(job="a", recipe=FOUR))
    until(iter(client), JobQueued)
    client.send(Shutdown(when_idle=True))
    list(client)
    client = engines(backend_of(0.0)).attach()
    client.send(PauseQueue(paused=False))
    assert isinstance(until(iter(client), JobFinished)[-1], JobFinished)


def test_the_queue_is_changed_while_a_job_runs(engines: Engines, core: FakeCore) -> None:
    core.gated = True
    engine = engines()
    client = engine.attach()
    for name in ("a", "b", "c"):
        client.send(Generate(job=name, recipe=Recipe(prompt=name, steps=2)))
    until(iter(client), JobStarted)
    client.send(MoveJob(job="c", to=0))
    state = until(iter(client), QueueState)[-1]
    while not isinstance(state, QueueState) or state.order != ("c", "b"):
        state = until(iter(client), QueueState)[-1]
    late = engine.attach()
    replayed = until(iter(late), QueueState)
    assert [event.job for event in replayed if isinstance(event, JobQueued)] == ["a", "c", "b"]
    client.send(RemoveJobs(jobs=("b", "a")))
    core.step(4)
    ends = until(iter(client), JobFinished)
    assert [event.job for event in ends if isinstance(event, JobCancelled)] == ["b", "a"]
    assert [prompt for prompt, _ in core.forwards if prompt != "a"] == ["c", "c"]


# How long it takes


def test_jobs_are_expected_to_take_as_long_as_others_did(engines: Engines, core: FakeCore) -> None:
    client = engines().attach()
    client.send(PlanSchedule(request=1, recipe=FOUR))
    plan = until(iter(client), SchedulePlanned)[-1]
    assert isinstance(plan, SchedulePlanned)
    assert plan.seconds is None
    client.send(Generate(job="a", recipe=FOUR))
    until(iter(client), JobFinished)
    client = engines().attach()
    until(iter(client), EngineReady)
    client.send(PlanSchedule(request=2, recipe=msgspec.structs.replace(FOUR, steps=8, prompt="other")))
    plan = until(iter(client), SchedulePlanned)[-1]
    assert isinstance(plan, SchedulePlanned)
    assert plan.seconds is not None
    assert 8 * STEP_SECONDS <= plan.seconds < 8 * STEP_SECONDS + 60  # and what the rest of it took


def test_estimates_lean_to_what_was_measured_last(tmp_path: Path) -> None:
    path = tmp_path / "pace.json"
    estimates = Estimates(path)
    estimates.made(FOUR, 4, [1.0] * 4, 0.0)
    for _ in range(20):
        estimates.made(FOUR, 4, [2.0] * 4, 0.0)
    assert estimates.seconds(FOUR) == pytest.approx(8.0, rel=0.01)
    estimates.save()
    assert Estimates(path).seconds(FOUR) == estimates.seconds(FOUR)
    assert estimates.seconds(msgspec.structs.replace(FOUR, width=256)) is None
    path.write_text("{ torn")
    assert Estimates(path).seconds(FOUR) is None


def test_steps_are_those_of_both_passes() -> None:
    assert steps_of(Recipe(steps=30)) == 30
    assert steps_of(Recipe(steps=30, init_image="/x.png", strength=0.5)) == 15
    assert steps_of(Recipe(steps=30, hires_scale=2.0, hires_steps=10, hires_strength=0.5)) == 35
    assert steps_of(Recipe(steps=30, hires_scale=2.0, hires_strength=0.5)) == 45


# What hangs


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_step_that_takes_too_long_is_told_of_once() -> None:
    clock = Clock()
    heart = Heartbeat(lambda event: None, clock)
    assert heart.look() is None
    heart.begin("a")
    clock.now = FIRST_SECONDS - 1
    assert heart.look() is None  # it may be compiling
    heart.beat()
    for _ in range(10):
        clock.now += 5.0
        heart.beat()
    clock.now += 99.0
    assert heart.look() is None  # 20 times 5 s
    clock.now += 2.0
    stalled = heart.look()
    assert isinstance(stalled, JobStalled)
    assert stalled.job == "a"
    assert "Step 12 has taken 101 s, where 5.0 s are usual" in stalled.message
    assert heart.look() is None
    heart.beat()
    clock.now += 200.0
    assert heart.look() is not None
    heart.end()
    clock.now += 9000.0
    assert heart.look() is None


def test_quick_steps_may_take_a_minute() -> None:
    clock = Clock()
    heart = Heartbeat(lambda event: None, clock)
    heart.begin("a")
    heart.beat()
    heart.beat()
    assert heart.limit == LEAST_SECONDS


def test_a_thread_of_its_own_looks() -> None:
    clock, told = Clock(), threading.Event()
    heart = Heartbeat(lambda event: told.set(), clock)
    heart.begin("a")
    clock.now = FIRST_SECONDS + 1
    heart.start()
    try:
        assert told.wait(30)
    finally:
        heart.stop()
        heart.join(30)
