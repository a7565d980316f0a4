"""Recorded runs behind the engine: opened, looked at beside a running job, forked, kept, let go."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from PIL import Image

from sdcore.engine.local import LocalClient, LocalEngine
from sdcore.engine.messages import (
    AnyEvent,
    Compared,
    CompareTraces,
    ForkPoint,
    Generate,
    GetView,
    JobFailed,
    JobFinished,
    JobProgress,
    JobStarted,
    OpenTrace,
    SaveTrace,
    TraceFailed,
    TraceOpened,
    TraceSaved,
    ViewReady,
)
from sdcore.engine.traces import Traces, trace_path
from sdcore.library import config
from sdcore.library.metadata import read_image
from sdcore.spec.lineage import Parent, Segment
from sdcore.spec.recipe import Recipe
from sdcore.spec.views import SheetView, StepView, TextView
from tests.engine_fakes import STEP_SECONDS, FakeCore, FakeTrace, until

Question = OpenTrace | GetView | SaveTrace | CompareTraces
FOUR = Recipe(prompt="four", steps=4, seed=5)
ANSWERS = (Compared, TraceOpened, TraceFailed, TraceSaved, ViewReady)


@pytest.fixture
def core(tmp_path: Path) -> FakeCore:
    return FakeCore(outputs=tmp_path)


@pytest.fixture
def client(core: FakeCore) -> Iterator[LocalClient]:
    with LocalEngine(core.load) as engine:
        yield engine.attach()
        core.step(1000)


def made(
    client: LocalClient, recipe: Recipe = FOUR, job: str = "a", fork: ForkPoint | None = None
) -> AnyEvent:
    client.send(Generate(job=job, recipe=recipe, fork=fork))
    return until(iter(client), JobFinished, JobFailed)[-1]


def answer(client: LocalClient, command: Question) -> AnyEvent:
    client.send(command)
    return until(iter(client), *ANSWERS)[-1]


def refusal(client: LocalClient, command: Question) -> str:
    said = answer(client, command)
    assert isinstance(said, TraceFailed)
    assert said.request == command.request
    return said.message


def test_a_run_is_opened_by_its_job_and_by_its_image(client: LocalClient) -> None:
    finished = made(client)
    assert isinstance(finished, JobFinished)
    image = finished.images[0].path
    for request, source in enumerate(("a", image)):
        opened = answer(client, OpenTrace(request=request, source=source))
        assert isinstance(opened, TraceOpened)
        assert opened.request == request
        assert (opened.info.trace, opened.info.images) == ("a", (image,))
        assert (opened.info.recipe, opened.info.recorded) == (FOUR, 4)


def test_a_view_is_answered_beside_a_running_job(client: LocalClient, core: FakeCore) -> None:
    core.gated = True
    client.send(Generate(job="a", recipe=FOUR))
    core.step(2)
    events = iter(client)
    while not (isinstance(event := next(events), JobProgress) and event.index >= 1):
        pass
    seen = answer(client, GetView(request=7, trace="a", what="latents", step=1))
    assert seen == ViewReady(
        request=7, trace="a", what="latents", step=1,
        view=SheetView(picture=seen.view.picture, steps=(1,), columns=1),
    )  # fmt: skip
    assert len(core.forwards) == 2
    assert refusal(client, GetView(request=8, trace="a", what="latents", step=3)) == "There is no step 3."
    core.step(2)
    until(iter(client), JobFinished)


@pytest.mark.parametrize("what", ["text", "decoded step", "attention"])
def test_what_needs_the_model_is_done_by_its_thread(client: LocalClient, core: FakeCore, what: str) -> None:
    made(client)
    core.threads.clear()
    seen = answer(client, GetView(request=1, trace="a", what=what))
    assert isinstance(seen, ViewReady)
    assert core.viewed == [(what, 0, True)]
    assert core.threads == {"worker"}
    assert core.opened == ["tiny"]  # the loaded model is used
    assert "not in memory" in refusal(client, GetView(request=1, trace="b", what=what))
    assert isinstance(made(client, job="c"), JobFinished)


def test_a_fork_is_a_job_that_begins_in_the_middle(client: LocalClient, core: FakeCore) -> None:
    first = made(client)
    assert isinstance(first, JobFinished)
    changed = msgspec.structs.replace(FOUR, prompt="other")
    client.send(Generate(job="b", recipe=changed, fork=ForkPoint(source=first.images[0].path, step=1)))
    events = until(iter(client), JobFinished)
    [started] = [event for event in events if isinstance(event, JobStarted)]
    assert started.seconds == (STEP_SECONDS,) * 2
    assert core.forwards[4:] == [("other", 2), ("other", 3)]
    parent, segments = core.lineages[-1]
    assert parent == Parent(image=Path(first.images[0].path).name, step=1)
    assert segments == (Segment(start=0, recipe=FOUR), Segment(start=2, recipe=changed))
    opened = answer(client, OpenTrace(request=1, source="b"))
    assert isinstance(opened, TraceOpened)
    assert opened.info.recorded == 4


def test_a_fork_that_cannot_be_fails_with_a_sentence(client: LocalClient) -> None:
    made(client)
    failed = made(client, job="b", fork=ForkPoint(source="a", step=9))
    assert failed == JobFailed(job="b", message="There is no step 9.")
    failed = made(client, job="c", fork=ForkPoint(source="/nowhere/x.png", step=0))
    assert isinstance(failed, JobFailed)
    assert "No trace of x.png is kept" in failed.message


def test_images_of_batches_are_compared_each_with_its_own_latents(
    client: LocalClient, core: FakeCore
) -> None:
    finished = made(client, msgspec.structs.replace(FOUR, batch_size=3))
    assert isinstance(finished, JobFinished)
    made(client, job="b")
    third = finished.images[2].path
    assert isinstance(answer(client, CompareTraces(request=1, first=third, second="b")), Compared)
    assert core.compared == [(2, 0)]


def test_two_runs_are_compared(client: LocalClient) -> None:
    made(client)
    made(client, job="b")
    made(client, msgspec.structs.replace(FOUR, steps=2), job="c")
    compared = answer(client, CompareTraces(request=3, first="a", second="b"))
    assert isinstance(compared, Compared)
    assert (compared.request, compared.view.divergence) == (3, (0.0,) * 4)
    assert refusal(client, CompareTraces(request=4, first="a", second="c")) == "These cannot be compared."
    assert "not in memory" in refusal(client, CompareTraces(request=5, first="a", second="nobody"))


def test_a_trace_is_written_beside_its_image_and_opened_from_there(
    client: LocalClient, core: FakeCore, tmp_path: Path
) -> None:
    finished = made(client)
    assert isinstance(finished, JobFinished)
    image = Path(finished.images[0].path)
    assert answer(client, SaveTrace(request=1, trace="a")) == TraceSaved(
        request=1, path=str(trace_path(image))
    )
    with LocalEngine(FakeCore().load) as later:
        other = later.attach()
        for source in (str(image), str(trace_path(image))):
            opened = answer(other, OpenTrace(request=2, source=source))
            assert isinstance(opened, TraceOpened)
            assert opened.info.trace == source
            view = answer(other, GetView(request=3, trace=source, what="guidance"))
            assert isinstance(view, ViewReady)
        trace_path(image).write_text("nonsense")
        (tmp_path / "b.trace.safetensors").write_text("nonsense")
        message = refusal(other, OpenTrace(request=4, source=str(tmp_path / "b.png")))
        assert message == "b.trace.safetensors is damaged."
        assert "not in memory" in refusal(other, OpenTrace(request=5, source="a job of yesterday"))


def test_every_trace_is_written_if_the_settings_say_so(client: LocalClient, core: FakeCore) -> None:
    core.keep_traces = True
    finished = made(client)
    assert isinstance(finished, JobFinished)
    assert trace_path(Path(finished.images[0].path)).read_text() == "a trace"


def test_old_runs_are_let_go_when_memory_is_full() -> None:
    def unread(path: Path) -> FakeTrace:
        raise AssertionError(path)

    traces = Traces(budget=250)
    for job in ("a", "b", "c"):
        traces.begin(job, FakeTrace(()))
    traces.ended("b")  # two still run: nothing but b may go
    traces.ended("c")
    with pytest.raises(LookupError):
        traces.find("b", unread)
    for job in ("a", "c"):
        assert traces.find(job, unread)[0] == job
    traces.begin("d", FakeTrace(()))
    traces.ended("a")
    traces.ended("d")
    with pytest.raises(LookupError):
        traces.find("a", unread)
    assert traces.find("c", unread)[0] == "c"


def test_the_budget_comes_from_the_settings() -> None:
    config.config_file().parent.mkdir(parents=True, exist_ok=True)
    config.config_file().write_text("trace_memory_mib = 0\n")
    core = FakeCore()
    with LocalEngine(core.load) as engine:
        client = engine.attach()
        made(client)
        made(client, job="b")
        answer(client, GetView(request=0, trace="b", what="text"))  # by the worker, when it is done with b
        assert "not in memory" in refusal(client, OpenTrace(request=1, source="a"))
        assert isinstance(answer(client, OpenTrace(request=1, source="b")), TraceOpened)  # the newest stays


def test_a_real_run_is_forked_bit_for_bit_also_by_another_engine(sd1_folder: Path) -> None:
    recipe = Recipe(
        prompt="a red house", width=64, height=64, steps=4, seed=3, sampler="Euler a", model=str(sd1_folder)
    )
    with LocalEngine() as engine:
        client = engine.attach()
        first = made(client, recipe)
        assert isinstance(first, JobFinished)
        image = first.images[0].path
        again = made(client, recipe, "b", ForkPoint(source="a", step=1))
        other = made(
            client, msgspec.structs.replace(recipe, prompt="sea"), "c", ForkPoint(source="a", step=1)
        )
        assert isinstance(again, JobFinished)
        assert isinstance(other, JobFinished)
        text = answer(client, GetView(request=1, trace="c", what="text", step=3))
        assert isinstance(text, ViewReady)
        assert isinstance(text.view, TextView)
        assert [token.text for token in text.view.prompt.tokens if token.kind == "word"] == list("sea")
        assert isinstance(answer(client, SaveTrace(request=1, trace="a")), TraceSaved)
    with LocalEngine() as engine:
        client = engine.attach()
        view = answer(client, GetView(request=1, trace=image, what="step", step=2))
        assert isinstance(view, ViewReady)
        assert isinstance(view.view, StepView)
        tomorrow = made(client, recipe, "d", ForkPoint(source=image, step=2))
        assert isinstance(tomorrow, JobFinished)
    pixels = [Image.open(one.images[0].path).tobytes() for one in (first, again, tomorrow, other)]
    assert pixels[0] == pixels[1] == pixels[2] != pixels[3]
    made_by = read_image(other.images[0].path)
    assert made_by.extra["parent"] == {"image": Path(image).name, "step": 1}
    assert [segment["start"] for segment in made_by.extra["segments"]] == [0, 2]
