"""The queue: its ledger, the journal on disk, what a dead engine leaves behind, and its order."""

from __future__ import annotations

import stat
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sdcore.engine import journal as journals
from sdcore.engine.estimates import Estimates
from sdcore.engine.journal import Journal, line_of
from sdcore.engine.ledger import (
    AnyRecord,
    Began,
    Changed,
    Done,
    Endless,
    Entry,
    Failed,
    Forever,
    Ledger,
    Paused,
    Placed,
    Removed,
    Saved,
)
from sdcore.engine.messages import (
    AnyEvent,
    EditJob,
    Generate,
    JobCancelled,
    JobFailed,
    JobFinished,
    JobKept,
    JobQueued,
    MoveJob,
    QueueState,
    RunForever,
    SavedImage,
)
from sdcore.engine.queue import JobQueue
from sdcore.engine.recovery import open_queue, take_up
from sdcore.library.outputs import save_image
from sdcore.library.record import BatchPlace
from sdcore.spec.recipe import Recipe

RECIPE = Recipe(prompt="a house", steps=4, seed=5)
IMAGE = SavedImage(path="/x.png", recipe=RECIPE, width=8, height=8)
PATIENCE = 30.0


def entry(job: str, **changes: object) -> Entry:
    return msgspec.structs.replace(Entry(job=job, recipe=RECIPE), **changes)


def folded(*records: AnyRecord) -> Ledger:
    ledger = Ledger()
    for record in records:
        ledger.apply(record)
    return ledger


def state(ledger: Ledger) -> tuple[object, ...]:
    return (
        list(ledger.waiting.items()), ledger.running, list(ledger.failed.items()), list(ledger.done.items()),
        ledger.paused, ledger.endless,
    )  # fmt: skip


JOBS = st.sampled_from("abcd")
ENTRIES = st.builds(Entry, job=JOBS, recipe=st.just(RECIPE), held=st.booleans())
RECORDS: st.SearchStrategy[AnyRecord] = st.one_of(
    st.builds(Placed, ENTRIES, st.none() | st.integers(0, 4)),
    st.builds(Changed, ENTRIES),
    st.builds(Began, JOBS, st.just(7.0)),
    st.builds(Saved, JOBS, st.integers(0, 2), st.just(IMAGE)),
    st.builds(Done, JOBS, st.just((IMAGE,))),
    st.builds(Failed, ENTRIES),
    st.builds(Removed, JOBS),
    st.builds(Paused, st.booleans()),
    st.builds(Forever, st.none() | st.just(Endless(recipe=RECIPE))),
)


@given(st.lists(RECORDS, max_size=30))
def test_a_job_is_in_one_place_and_a_snapshot_is_the_present(records: list[AnyRecord]) -> None:
    ledger = folded(*records)
    places = [*ledger.waiting, *ledger.failed, *([ledger.running.job] if ledger.running else [])]
    assert len(places) == len(set(places)) == len(ledger)
    assert all(one.job == job for job, one in ledger.waiting.items())
    if ledger.running is not None:  # it began where it stood, and the snapshot has it stand alone
        ledger.apply(Changed(ledger.running))
    assert state(folded(*ledger.snapshot())) == state(ledger)


@given(st.lists(RECORDS, max_size=12), st.integers(0, 4000))
def test_a_journal_that_was_cut_off_anywhere_is_read_up_to_there(records: list[AnyRecord], cut: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "jobs.journal"
        lines = [journals._HEADER, *map(line_of, records)]
        data = b"".join(lines)
        path.write_bytes(data[: max(len(lines[0]), cut)])
        whole = data[: max(len(lines[0]), cut)].count(b"\n") - 1
        ledger, problems = journals.read(path)
    assert problems == []
    assert state(ledger) == state(folded(*records[:whole]))


@given(st.binary(max_size=300))
def test_whatever_the_file_holds_the_queue_begins(data: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "jobs.journal"
        path.write_bytes(data)
        assert len(journals.read(path)[0]) == 0


def test_a_damaged_line_is_set_aside_and_the_others_count(tmp_path: Path) -> None:
    path = tmp_path / "jobs.journal"
    good, bad = line_of(Placed(entry("a"))), line_of(Placed(entry("b"))).replace(b"house", b"mouse")
    path.write_bytes(journals._HEADER + good + bad + line_of(Placed(entry("c"))))
    ledger, (problem,) = journals.read(path)
    assert list(ledger.waiting) == ["a", "c"]
    assert "1 line" in problem
    assert path.with_suffix(".damaged").read_bytes() == bad


def test_a_file_that_is_no_queue_is_kept_under_another_name(tmp_path: Path) -> None:
    path = tmp_path / "jobs.journal"
    path.write_bytes(b"sdtui queue 99\nsomething\n")
    ledger, (problem,) = journals.read(path)
    assert not len(ledger)
    assert not path.exists()
    kept = next(tmp_path.iterdir())
    assert kept.name in problem
    assert kept.read_bytes() == b"sdtui queue 99\nsomething\n"


# The journal's thread


class Desk:
    """A journal with what it tells."""

    def __init__(self, path: Path) -> None:
        self.lock = threading.Condition(threading.RLock())
        self.ledger = Ledger()
        self.landed: list[AnyRecord] = []
        self.complaints: list[str] = []
        self.journal = Journal(
            path, self.lock, lambda: self.ledger.snapshot(), self.landed.extend, self.complaints.append
        )

    def note(self, *records: AnyRecord) -> None:
        with self.lock:
            for record in records:
                self.ledger.apply(record)
                self.journal.append(record)

    def close(self) -> None:
        self.journal.stop()
        self.journal.join(PATIENCE)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "jobs.journal")
    yield desk
    desk.close()


def test_what_is_appended_is_read_back(desk: Desk, tmp_path: Path) -> None:
    desk.journal.start()
    desk.note(*(Placed(entry(f"{i}")) for i in range(50)))
    desk.note(Placed(entry("x"), 0), Removed("7"))
    desk.close()
    ledger, problems = journals.read(tmp_path / "jobs.journal")
    assert problems == []
    assert state(ledger) == state(desk.ledger)
    assert len(desk.landed) == 52
    assert stat.S_IMODE((tmp_path / "jobs.journal").stat().st_mode) == 0o600


def test_a_long_journal_is_written_anew(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "_LEAST_LINES", 20)
    desk.journal.start()
    for index in range(300):
        desk.note(Placed(entry("a")), Paused(index % 2 == 0))
        with desk.lock:
            pass
    desk.close()
    path = tmp_path / "jobs.journal"
    assert path.read_bytes().count(b"\n") < 600
    assert state(journals.read(path)[0]) == state(desk.ledger)


def test_a_full_disk_is_a_sentence_and_jobs_go_on(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "jobs.journal").mkdir()  # what can be neither opened nor replaced
    desk.journal.start()
    desk.note(Placed(entry("a")))
    desk.close()
    assert desk.landed == [Placed(entry("a"))]
    assert "cannot be saved" in desk.complaints[0]


def test_a_deleted_journal_comes_back_whole(desk: Desk, tmp_path: Path) -> None:
    desk.journal.start()
    desk.note(Placed(entry("a")))
    while not desk.landed:
        pass
    (tmp_path / "jobs.journal").unlink()
    desk.note(Placed(entry("b")))
    desk.close()
    assert list(journals.read(tmp_path / "jobs.journal")[0].waiting) == ["a", "b"]


# What a dead engine leaves behind


def test_the_job_that_ran_is_the_next_one_and_the_second_death_sets_it_aside(tmp_path: Path) -> None:
    ledger = folded(Placed(entry("a")), Placed(entry("b")), Began("a", 5.0))
    take_up(ledger, tmp_path)
    assert [(one.job, one.held, one.deaths) for one in ledger.waiting.values()] == [
        ("a", False, 1),
        ("b", False, 0),
    ]
    ledger.apply(Began("a", 6.0))
    take_up(ledger, tmp_path)
    again = ledger.waiting["a"]
    assert (again.held, again.deaths) == (True, 2)
    assert "died twice" in again.reason
    assert next(iter(ledger.waiting)) == "a"


def test_images_that_were_saved_before_the_death_are_found(tmp_path: Path) -> None:
    recipe = msgspec.structs.replace(RECIPE, batch_size=2)
    for job, index in (("other", 0), ("a", 1)):
        save_image(
            Image.new("RGB", (8, 8)), recipe.for_image(index), folder=tmp_path,
            batch=BatchPlace(size=2, index=index, seed=5), job=job,
        )  # fmt: skip
    (tmp_path / f"{datetime.now().astimezone():%Y-%m-%d}" / "99999-broken.png").write_bytes(b"no image")
    running = entry("a", recipe=recipe)
    now = datetime.now().timestamp()
    ledger = folded(Placed(running), Began("a", now))
    take_up(ledger, tmp_path)
    assert list(ledger.waiting["a"].saved) == [1]
    late = folded(Placed(running), Began("a", now + 1000))
    take_up(late, tmp_path)
    assert not late.waiting["a"].saved  # an older file is of another job, whatever it says
    ledger.apply(Began("a", 6.0))
    ledger.apply(Saved("a", 0, IMAGE))
    take_up(ledger, tmp_path)
    assert not len(ledger)
    assert [image.recipe.seed for image in ledger.done["a"]] == [5, 6]


# The queue


class Told(list[AnyEvent]):
    """What was published."""

    def last(self) -> QueueState:
        return [event for event in self if isinstance(event, QueueState)][-1]


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def queue(told: Told) -> JobQueue:
    seeds = iter(range(100, 200))
    return JobQueue(told.append, Estimates(), seed=lambda: next(seeds))


def generate(queue: JobQueue, *jobs: str) -> None:
    for job in jobs:
        queue.submit(Generate(job=job, recipe=RECIPE, group="g", label=job.upper()))


def finish(queue: JobQueue, job: str) -> None:
    queue.tell(JobFinished(job=job, images=(IMAGE,), seconds=1.0, steps_per_second=4.0))


def test_jobs_are_moved_and_taken_in_their_order(queue: JobQueue, told: Told) -> None:
    generate(queue, "a", "b", "c", "d")
    queue.move(MoveJob(job="d", to=0))
    queue.move(MoveJob(job="a", to=99))
    queue.move(MoveJob(job="nobody", to=1))
    assert told.last().order == ("d", "b", "c", "a")
    taken = []
    while (one := queue.take()) is not None:
        taken.append(one.job)
        finish(queue, one.job)
    assert taken == ["d", "b", "c", "a"]
    assert queue.idle


def test_what_is_said_of_a_job_goes_with_it(queue: JobQueue, told: Told) -> None:
    generate(queue, "a")
    queued = next(event for event in told if isinstance(event, JobQueued))
    assert (queued.group, queued.label) == ("g", "A")


def test_held_jobs_are_passed_by_until_they_are_released(queue: JobQueue, told: Told) -> None:
    generate(queue, "a", "b")
    queue.hold(("a", "nobody"), True)
    assert told.last().held == {"a": ""}
    second = queue.take()
    assert second is not None
    assert second.job == "b"
    finish(queue, "b")
    assert queue.idle
    queue.hold(("a",), False)
    assert not queue.idle
    assert queue.take() is not None


def test_a_paused_queue_begins_nothing(queue: JobQueue, told: Told) -> None:
    queue.pause(True)
    generate(queue, "a")
    assert queue.take() is None
    assert queue.idle
    assert told.last().paused
    queue.pause(False)
    assert queue.take() is not None


def test_a_waiting_job_is_edited_where_it_stands(queue: JobQueue, told: Told) -> None:
    generate(queue, "a", "b")
    other = msgspec.structs.replace(RECIPE, prompt="a hill")
    assert queue.edit(EditJob(job="a", recipe=other))
    assert not queue.edit(EditJob(job="nobody", recipe=other))
    assert told.last().order == ("a", "b")
    assert isinstance(told[-2], JobQueued)
    assert (told[-2].recipe, told[-2].position) == (other, 0)
    first = queue.take()
    assert first is not None
    assert first.recipe == other


def test_a_failed_job_is_kept_retried_and_removed(queue: JobQueue, told: Told) -> None:
    generate(queue, "a", "b")
    queue.take()
    queue.tell(JobFailed(job="a", message="No room."))
    queue.retry(("a",))
    assert told.last().order == ("b", "a")
    queue.take()
    finish(queue, "b")
    queue.take()
    queue.tell(JobFailed(job="a", message="No room."))
    assert queue.submit(Generate(job="a", recipe=RECIPE)) == JobFailed(job="a", message="No room.")
    queue.remove(("a", "nobody"))
    assert [event for event in told if isinstance(event, JobCancelled)] == [JobCancelled(job="a", index=0)]
    assert queue.submit(Generate(job="a", recipe=RECIPE)) is None


def test_forever_makes_fresh_seeds_when_nothing_else_waits(queue: JobQueue, told: Told) -> None:
    queue.run_forever(RunForever(recipe=RECIPE, label="on and on"))
    assert told.last().forever == RECIPE
    generate(queue, "a")
    seeds = []
    for _ in range(3):
        one = queue.take()
        assert one is not None
        seeds.append(one.recipe.seed)
        finish(queue, one.job)
    assert seeds == [5, 100, 101]
    assert not queue.idle
    queue.run_forever(RunForever())
    assert queue.take() is None
    assert queue.idle


def test_forever_ends_with_the_first_failure(queue: JobQueue, told: Told) -> None:
    queue.run_forever(RunForever(recipe=RECIPE))
    one = queue.take()
    assert one is not None
    queue.tell(JobFailed(job=one.job, message="No room."))
    assert queue.take() is None
    assert told.last().forever is None
    assert "stopped" in told.last().notice


def test_choices_are_drawn_anew_for_each_image_without_end(queue: JobQueue, told: Told) -> None:
    choices = msgspec.structs.replace(RECIPE, prompt="a {red|blue|green|white} house")
    queue.run_forever(RunForever(recipe=choices))
    prompts, templates = set(), set()
    for _ in range(20):
        one = queue.take()
        assert one is not None
        assert one.template is not None
        prompts.add(one.recipe.prompt)
        templates.add(one.template.prompt)
        finish(queue, one.job)
    assert len(prompts) > 1
    assert all("{" not in prompt for prompt in prompts)
    assert templates == {choices.prompt}
    assert told.last().forever == choices


def test_what_was_stopped_is_next_again(queue: JobQueue, told: Told) -> None:
    generate(queue, "a", "b")
    queue.take()
    queue.put_back("a", held=True)
    assert told.last().order == ("a", "b")
    assert told.last().held == {"a": ""}
    queue.put_back("nobody", held=True)
    second = queue.take()
    assert second is not None
    assert second.job == "b"


def test_seconds_are_told_where_they_are_known() -> None:
    told, estimates = Told(), Estimates()
    queue = JobQueue(told.append, estimates)
    generate(queue, "a")
    assert told.last().seconds == (None,)
    estimates.loaded("tiny", 3.0)
    estimates.made(RECIPE, 8, [9.0, 0.5, 0.5], 1.0)  # two passes a step; the first waited for something
    queue.tell_again()
    assert told.last().seconds == (3.0 + 4 * 1.0 + 1.0,)
    generate(queue, "b")
    assert told.last().seconds == (8.0, 5.0)  # the model is there by then
    queue.loaded = "tiny"
    queue.tell_again()
    assert told.last().seconds == (5.0, 5.0)


# The queue on disk


@pytest.fixture
def reopen(tmp_path: Path) -> Iterator[Callable[[], tuple[JobQueue, Told]]]:
    opened: list[JobQueue] = []

    def open_again() -> tuple[JobQueue, Told]:
        for queue in opened:
            queue.close()
        told = Told()
        queue, _, _ = open_queue(told.append, tmp_path / "queue")
        queue.open()
        opened.append(queue)
        return queue, told

    yield open_again
    for queue in opened:
        queue.close()


def await_jobs(queue: JobQueue, told: Told, *jobs: str) -> None:
    with queue.changed:
        assert queue.changed.wait_for(
            lambda: set(jobs) <= {event.job for event in told if isinstance(event, JobQueued)}, PATIENCE
        )


def test_no_job_is_acknowledged_before_it_is_on_disk(
    reopen: Callable[[], tuple[JobQueue, Told]], tmp_path: Path
) -> None:
    queue, told = reopen()
    with queue.changed:  # the journal's thread needs the lock
        generate(queue, "a")
        assert not told
        assert queue.take() is None
        assert not queue.idle
    await_jobs(queue, told, "a")
    (path,) = (tmp_path / "queue").glob("*.journal")
    assert list(journals.read(path)[0].waiting) == ["a"]


def test_a_job_may_be_taken_back_before_it_is_acknowledged(
    reopen: Callable[[], tuple[JobQueue, Told]],
) -> None:
    queue, told = reopen()
    with queue.changed:
        generate(queue, "a", "b")
        queue.remove(("a",))
    await_jobs(queue, told, "b")
    assert not [event for event in told if isinstance(event, JobQueued) and event.job == "a"]
    assert told.last().order == ("b",)


def test_everything_is_there_again(reopen: Callable[[], tuple[JobQueue, Told]]) -> None:
    queue, told = reopen()
    generate(queue, "a", "b", "c", "d")
    await_jobs(queue, told, "a", "b", "c", "d")
    queue.take()
    queue.tell(JobFailed(job="a", message="No room."))
    queue.take()
    queue.move(MoveJob(job="d", to=0))
    queue.hold(("c",), True)
    queue.pause(True)
    queue.run_forever(RunForever(recipe=RECIPE))
    queue, told = reopen()  # b was running
    assert [event.job for event in told if isinstance(event, JobQueued)] == ["b", "d", "c"]
    assert [(event.job, event.message) for event in told if isinstance(event, JobKept)] == [("a", "No room.")]
    last = told.last()
    assert (last.order, last.held, last.paused, last.forever) == (("b", "d", "c"), {"c": ""}, True, RECIPE)


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    told = Told()
    queue, _, _ = open_queue(told.append, tmp_path / "file" / "queue")
    queue.open()
    assert "cannot be kept" in told.last().notice
    generate(queue, "a")
    assert queue.take() is not None
    assert not queue.durable


def test_a_finished_job_is_not_made_again(reopen: Callable[[], tuple[JobQueue, Told]]) -> None:
    queue, told = reopen()
    generate(queue, "a")
    await_jobs(queue, told, "a")
    queue.take()
    finish(queue, "a")
    queue, told = reopen()
    answer = queue.submit(Generate(job="a", recipe=RECIPE))
    assert isinstance(answer, JobFinished)
    assert answer.images == (IMAGE,)
    assert queue.idle


def test_after_a_stop_by_hand_everything_is_held(reopen: Callable[[], tuple[JobQueue, Told]]) -> None:
    queue, told = reopen()
    generate(queue, "a", "b")
    await_jobs(queue, told, "a", "b")
    queue.take()
    queue.run_forever(RunForever(recipe=RECIPE))
    queue.stand_still()  # and the process is killed before the running job was put back
    queue, told = reopen()
    assert list(told.last().held) == ["a", "b"]
    assert told.last().forever is None
    assert queue.idle
    generate(queue, "c")
    await_jobs(queue, told, "c")
    third = queue.take()
    assert third is not None
    assert third.job == "c"
