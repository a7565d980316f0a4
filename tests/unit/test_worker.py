"""The worker behind the in-process engine, with a backend that a test steps through."""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterator
from dataclasses import replace

import msgspec
import pytest
from PIL import Image

from sdcore.engine.backend import Backend, NoBackendError, Report
from sdcore.engine.local import LocalClient, LocalEngine
from sdcore.engine.messages import (
    AnyEvent,
    Cancel,
    EngineFailed,
    EngineReady,
    Generate,
    GetStatus,
    JobCancelled,
    JobFailed,
    JobFinished,
    JobPreview,
    JobProgress,
    JobQueued,
    JobStarted,
    LoadModel,
    ModelFailed,
    ModelLoaded,
    PlanSchedule,
    SchedulePlanned,
    SetPreview,
    Shutdown,
    Status,
)
from sdcore.library.record import BatchPlace
from sdcore.spec.recipe import Recipe
from tests.engine_fakes import STEP_SECONDS, FakeCore, FakeModelError, names, until

FOUR = Recipe(prompt="four", steps=4, seed=5)


@pytest.fixture
def core() -> FakeCore:
    return FakeCore()


@pytest.fixture
def engine(core: FakeCore) -> Iterator[LocalEngine]:
    with LocalEngine(core.load) as engine:
        yield engine
        core.step(1000)


@pytest.fixture
def client(engine: LocalEngine) -> LocalClient:
    return engine.attach()


def run(client: LocalClient, recipe: Recipe = FOUR, job: str = "a") -> list[AnyEvent]:
    client.send(Generate(job=job, recipe=recipe))
    return until(iter(client), JobFinished, JobFailed, JobCancelled)


def test_a_job_tells_its_whole_story(client: LocalClient, core: FakeCore) -> None:
    until(iter(client), EngineReady)
    events = run(client)
    order = ["JobQueued", "ModelLoading", "ModelLoaded", "JobStarted", "JobProgress", "JobFinished"]
    assert names(events) == order
    end = events[-1]
    assert isinstance(end, JobFinished)
    assert [(image.path, image.recipe, image.width, image.height) for image in end.images] == [
        ("/outputs/00001.png", FOUR, 16, 8)
    ]
    assert end.cancelled_at is None
    assert end.steps_per_second == pytest.approx(1 / STEP_SECONDS)
    assert core.saved == [(130, FOUR, None, None)]  # next_latents of the last step
    times = [second for event in events if isinstance(event, JobProgress) for second in event.seconds]
    assert times == [STEP_SECONDS] * 4


def test_everything_happens_on_one_thread(client: LocalClient, core: FakeCore) -> None:
    run(client)
    assert core.threads == {"worker"}


def test_the_start_says_where_the_job_will_go(client: LocalClient) -> None:
    started = next(event for event in run(client) if isinstance(event, JobStarted))
    assert len(started.timesteps) == 4
    assert len(started.sigmas) == 5


def test_a_batch_is_saved_image_by_image(client: LocalClient, core: FakeCore) -> None:
    recipe = Recipe(prompt="two", steps=1, seed=5, batch_size=2)
    end = run(client, recipe)[-1]
    assert isinstance(end, JobFinished)
    assert [image.recipe.seed for image in end.images] == [5, 6]
    assert core.saved == [
        (100 + index, recipe.for_image(index), BatchPlace(size=2, index=index, seed=5), None)
        for index in range(2)
    ]


def test_pictures_are_kept_before_the_run_and_images_finished_after_it(core: FakeCore) -> None:
    def keep(recipe: Recipe) -> Recipe:
        return msgspec.structs.replace(recipe, init_image="input:kept")

    def finish(model: object, image: Image.Image, recipe: Recipe) -> Image.Image:
        return Image.new("RGB", (4, 4), (recipe.init_image == "input:kept", 0, 0))

    def load(report: Report) -> Backend:
        return replace(core.load(report), keep=keep, finish=finish)

    with LocalEngine(load) as engine:
        events = run(engine.attach(), msgspec.structs.replace(FOUR, init_image="/a.png"))
    started = next(event for event in events if isinstance(event, JobStarted))
    assert started.recipe.init_image == "input:kept"
    assert [(level, recipe.init_image) for level, recipe, *_ in core.saved] == [(1, "input:kept")]


def test_jobs_run_in_their_order(client: LocalClient, core: FakeCore) -> None:
    core.gated = True
    for name in ("a", "b", "c"):
        client.send(Generate(job=name, recipe=Recipe(prompt=name, steps=2)))
    core.step(6)
    events: list[AnyEvent] = []
    for _ in range(3):
        events += until(iter(client), JobFinished)
    assert [event.job for event in events if isinstance(event, JobFinished)] == ["a", "b", "c"]
    assert core.forwards == [(name, index) for name in ("a", "b", "c") for index in range(2)]


def test_cancel_takes_effect_before_the_next_forward(client: LocalClient, core: FakeCore) -> None:
    core.gated = True
    client.send(Generate(job="a", recipe=FOUR))
    core.step(1)
    until(iter(client), JobProgress)
    core.before_forward = lambda: client.send(Cancel(job="a"))
    core.step(3)
    assert until(iter(client), JobCancelled)[-1] == JobCancelled(job="a", index=2)
    assert len(core.forwards) == 2
    assert core.saved == []


def test_cancel_can_keep_the_image_so_far(client: LocalClient, core: FakeCore) -> None:
    core.before_forward = lambda: client.send(Cancel(job="a", keep=True))
    end = run(client)[-1]
    assert isinstance(end, JobFinished)
    assert end.cancelled_at == 0
    assert core.saved == [(0, FOUR, None, 0)]  # denoised of the first step


def test_keeping_at_the_last_step_is_an_image_like_any_other(client: LocalClient, core: FakeCore) -> None:
    core.before_forward = lambda: client.send(Cancel(job="a", keep=True)) if len(core.forwards) == 3 else None
    end = run(client)[-1]
    assert isinstance(end, JobFinished)
    assert end.cancelled_at is None
    assert core.saved == [(130, FOUR, None, None)]


def test_a_waiting_job_is_cancelled_at_once(client: LocalClient, core: FakeCore) -> None:
    core.gated = True
    client.send(Generate(job="a", recipe=FOUR))
    client.send(Generate(job="b", recipe=FOUR))
    client.send(Cancel(job="b", keep=True))
    assert until(iter(client), JobCancelled)[-1] == JobCancelled(job="b", index=0)
    core.step(4)
    assert isinstance(until(iter(client), JobFinished)[-1], JobFinished)
    assert len(core.forwards) == 4


def test_cancel_reaches_a_load(client: LocalClient, core: FakeCore) -> None:
    core.while_opening = lambda: client.send(Cancel(job="a"))
    assert run(client)[-1] == JobCancelled(job="a", index=0)
    assert core.opened == []
    core.while_opening = lambda: None
    assert isinstance(run(client, job="b")[-1], JobFinished)


def test_cancelling_what_is_not_there_is_no_fault(client: LocalClient) -> None:
    client.send(Cancel(job="nobody"))
    assert isinstance(run(client)[-1], JobFinished)


def test_the_model_stays_and_is_swapped_on_demand(client: LocalClient, core: FakeCore) -> None:
    run(client)
    assert "ModelLoading" not in names(run(client, job="b"))
    assert core.opened == ["tiny"]
    run(client, Recipe(prompt="x", steps=1, model="other"), job="c")
    assert core.opened == ["tiny", "other"]
    assert core.released == 1  # before the second was opened


def test_a_model_is_loaded_ahead_of_jobs(client: LocalClient, core: FakeCore) -> None:
    client.send(LoadModel(model="tiny"))
    assert isinstance(until(iter(client), ModelLoaded)[-1], ModelLoaded)
    assert "ModelLoading" not in names(run(client))
    client.send(LoadModel(model="tiny"))
    assert isinstance(until(iter(client), ModelLoaded)[-1], ModelLoaded)
    assert core.opened == ["tiny"]


def test_a_model_that_cannot_be_loaded_is_a_sentence(client: LocalClient, core: FakeCore) -> None:
    core.open_error = FakeModelError("There is no model.")
    client.send(LoadModel(model="tiny"))
    assert until(iter(client), ModelFailed)[-1] == ModelFailed(model="tiny", message="There is no model.")
    assert run(client)[-1] == JobFailed(job="a", message="There is no model.")
    core.open_error = None
    assert isinstance(run(client, job="b")[-1], JobFinished)


def test_a_model_that_cannot_be_loaded_does_not_cost_the_one_that_is(
    client: LocalClient, core: FakeCore
) -> None:
    run(client)
    core.open_error = FakeModelError("There is no model.")
    assert isinstance(run(client, Recipe(model="typo"), job="b")[-1], JobFailed)
    core.open_error = None
    assert "ModelLoading" not in names(run(client, job="c"))
    assert core.opened == ["tiny"]


def test_another_vae_is_no_other_model(client: LocalClient, core: FakeCore) -> None:
    run(client, Recipe(steps=1, vae="soft"))
    run(client, Recipe(steps=1, vae="soft"), job="b")
    run(client, Recipe(steps=1), job="c")
    client.send(LoadModel(model="tiny"))
    run(client, Recipe(steps=1, vae="hard"), job="d")
    assert core.opened == ["tiny"]
    assert [model.vae for model in core.models] == ["soft", "", "hard"]


def test_a_vae_that_cannot_be_loaded_leaves_the_one_that_is(client: LocalClient, core: FakeCore) -> None:
    run(client)
    core.open_error = FakeModelError("There is no VAE.")
    assert run(client, Recipe(steps=1, vae="typo"), job="b")[-1] == JobFailed(
        job="b", message="There is no VAE."
    )
    assert isinstance(run(client, job="c")[-1], JobFinished)
    assert [model.vae for model in core.models] == [""]


@pytest.mark.parametrize(
    ("error", "part"),
    [
        (RuntimeError("CUDA out of memory: CUDA error: out of memory"), "smaller size"),
        (RuntimeError("GET was unable to find an engine to execute this computation"), "smaller size"),
        (MemoryError(), "machine's memory"),
        (OSError(errno.ENOSPC, "No space left on device"), "no space left"),
        (KeyError("thing\x1b[2J"), "unexpected"),
    ],
)
def test_a_fault_fails_its_job_and_the_worker_lives_on(
    client: LocalClient, core: FakeCore, error: Exception, part: str
) -> None:
    core.fail_at = {1: error}
    failed = run(client)[-1]
    assert isinstance(failed, JobFailed)
    assert part in failed.message
    assert "\x1b" not in failed.message
    core.fail_at = {}
    assert isinstance(run(client, job="b")[-1], JobFinished)


def test_a_fault_while_saving_fails_the_job(client: LocalClient, core: FakeCore) -> None:
    core.save_error = OSError(errno.ENOSPC, "No space left on device")
    failed = run(client)[-1]
    assert isinstance(failed, JobFailed)
    assert "space" in failed.message


def test_a_sticky_fault_of_the_gpu_ends_the_engine(client: LocalClient, core: FakeCore) -> None:
    core.gated = True
    core.fail_at = {0: RuntimeError("CUDA error: an illegal memory access was encountered")}
    for name in ("a", "b"):
        client.send(Generate(job=name, recipe=FOUR))
    core.step(1)
    events = list(client)  # to the end: the mailbox is closed
    assert [event.job for event in events if isinstance(event, JobFailed)] == ["a", "b"]
    assert isinstance(events[-1], EngineFailed)
    assert "new engine" in events[-1].message


@pytest.mark.parametrize("first", [RuntimeError("CUDA error: an illegal memory access"), KeyError("thing")])
def test_a_sticky_fault_shows_itself_again_when_memory_is_given_back(
    client: LocalClient, core: FakeCore, monkeypatch: pytest.MonkeyPatch, first: Exception
) -> None:
    def release() -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(core, "_release", release)
    core.fail_at = {0: first}
    client.send(Generate(job="a", recipe=FOUR))
    events = list(client)
    assert [event.job for event in events if isinstance(event, JobFailed)] == ["a"]
    assert isinstance(events[-1], EngineFailed)


def test_an_engine_that_cannot_start_says_so(core: FakeCore) -> None:
    core.start_error = ImportError("no module named torch")
    engine = LocalEngine(core.load)
    client = engine.attach()
    client.send(Generate(job="a", recipe=FOUR))
    with engine:
        events = list(client)
    assert isinstance(events[-1], EngineFailed)
    assert "no module named torch" in events[-1].message
    assert any(isinstance(event, JobFailed) for event in events)


def test_what_was_asked_of_the_engine_and_is_not_there_is_one_sentence(core: FakeCore) -> None:
    core.start_error = NoBackendError("There is no device called 'foo': say cpu.")
    engine = LocalEngine(core.load)
    client = engine.attach()
    with engine:
        failed = list(client)[-1]
    assert isinstance(failed, EngineFailed)
    assert failed.message == "There is no device called 'foo': say cpu."


def test_bad_recipes_are_refused_before_they_queue(client: LocalClient) -> None:
    bad = run(client, Recipe(prompt="x", width=100))[-1]
    assert isinstance(bad, JobFailed)
    assert "multiple of 8" in bad.message


def test_a_job_sent_twice_is_made_once(client: LocalClient, core: FakeCore) -> None:
    core.gated = True
    for _ in range(2):
        client.send(Generate(job="a", recipe=FOUR))
    client.send(Generate(job="b", recipe=FOUR))
    core.step(8)
    events = [*until(iter(client), JobFinished), *until(iter(client), JobFinished)]
    ends = [event for event in events if isinstance(event, JobFinished)]
    assert [end.job for end in ends] == ["a", "b"]
    assert len(core.forwards) == 8
    client.send(Generate(job="a", recipe=FOUR))
    again = until(iter(client), JobFinished)[-1]
    assert isinstance(again, JobFinished)
    assert again.images == ends[0].images
    assert len(core.forwards) == 8


def test_no_previews_are_sent_unless_they_are_wanted(
    engine: LocalEngine, client: LocalClient, core: FakeCore
) -> None:
    engine._previews._clock = lambda: 0.0
    assert "JobPreview" not in names(run(client))
    assert core.models[0].previewed == 1  # for who might come late


def test_previews_fit_their_box_and_the_last_step_has_none(client: LocalClient, core: FakeCore) -> None:
    client.send(SetPreview(width=40, height=40, max_fps=1e9))
    core.gated = True
    client.send(Generate(job="a", recipe=FOUR))
    pictures = []
    for _ in range(3):
        core.step(1)
        picture = until(iter(client), JobPreview)[-1]
        assert isinstance(picture, JobPreview)
        pictures.append(picture)
    core.step(1)
    assert "JobPreview" not in names(until(iter(client), JobFinished))
    assert [(picture.index, picture.width, picture.height) for picture in pictures] == [
        (index, 40, 20) for index in range(3)
    ]
    assert all(picture.rgb == bytes([200]) * 40 * 20 * 3 for picture in pictures)


def test_plans_are_answered_beside_a_running_job(client: LocalClient, core: FakeCore) -> None:
    core.gated = True
    client.send(Generate(job="a", recipe=FOUR))
    until(iter(client), JobStarted)
    client.send(PlanSchedule(request=7, recipe=Recipe(steps=3)))
    plan = until(iter(client), SchedulePlanned)[-1]
    assert plan == SchedulePlanned(
        request=7, timesteps=(0.0, -1.0, -2.0), sigmas=(1.0,) * 4, init_noise_sigma=14.6, evals_per_step=2
    )
    client.send(PlanSchedule(request=8, recipe=Recipe(steps=999)))
    assert until(iter(client), SchedulePlanned)[-1] == SchedulePlanned(request=8, problem="Not 999.")
    assert core.forwards == []


def test_a_late_client_is_brought_up_to_date(
    engine: LocalEngine, client: LocalClient, core: FakeCore
) -> None:
    core.gated = True
    for name in ("a", "b", "c"):
        client.send(Generate(job=name, recipe=FOUR))
    core.step(3)
    while not isinstance(event := next(iter(client)), JobProgress) or event.index < 2:
        pass
    late = engine.attach()
    late.send(GetStatus())
    events = until(iter(late), Status)
    assert names(events) == [
        "EngineReady", "ModelLoaded", "JobQueued", "JobStarted", "JobProgress", "JobQueued", "Status",
    ]  # fmt: skip
    progress = next(event for event in events if isinstance(event, JobProgress))
    assert (progress.index, progress.seconds) == (2, (STEP_SECONDS,) * 3)
    assert [event.position for event in events if isinstance(event, JobQueued)] == [0, 0, 1]
    status = events[-1]
    assert isinstance(status, Status)
    assert (status.running, status.queued, status.clients, status.model) == ("a", 2, 2, "tiny")


def test_shutdown_when_idle_waits_for_the_jobs(
    engine: LocalEngine, client: LocalClient, core: FakeCore
) -> None:
    core.gated = True
    client.send(Generate(job="a", recipe=FOUR))
    until(iter(client), JobStarted)
    client.send(Shutdown(when_idle=True))
    assert not engine.ending
    core.step(4)
    assert isinstance(list(client)[-1], JobFinished)
    assert engine.ended


def test_shutdown_when_idle_waits_for_other_clients(engine: LocalEngine, client: LocalClient) -> None:
    other = engine.attach()
    until(iter(client), EngineReady)
    client.send(Shutdown(when_idle=True))
    assert not engine.ending
    other.close()
    assert engine.ending
    assert list(client) == []


def test_a_new_client_keeps_an_engine_that_was_to_end(
    engine: LocalEngine, client: LocalClient, core: FakeCore
) -> None:
    core.gated = True
    client.send(Generate(job="a", recipe=FOUR))
    client.send(Shutdown(when_idle=True))
    client.close()
    late = engine.attach()
    core.step(8)
    until(iter(late), JobFinished)
    assert isinstance(run(late, job="b")[-1], JobFinished)


def test_shutdown_at_once_stops_the_running_job(
    engine: LocalEngine, client: LocalClient, core: FakeCore
) -> None:
    other = engine.attach()
    core.before_forward = lambda: client.send(Shutdown(when_idle=False))
    client.send(Generate(job="a", recipe=FOUR))
    events = list(client)
    assert isinstance(events[-1], JobCancelled)
    assert "EngineFailed" in names(list(other))
    assert "EngineFailed" not in names(events)
    assert len(core.forwards) == 1


def test_no_threads_are_left(core: FakeCore) -> None:
    with LocalEngine(core.load) as engine:
        run(engine.attach())
    assert {"worker", "desk"}.isdisjoint(thread.name for thread in threading.enumerate())
