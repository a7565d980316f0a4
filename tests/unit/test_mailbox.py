"""The outbox of a client: order, coalescing, waiting."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from sdcore.engine.mailbox import Mailbox
from sdcore.engine.messages import (
    JobFinished,
    JobPreview,
    JobProgress,
    JobStarted,
    ModelLoaded,
    ModelLoading,
)
from sdcore.spec.recipe import Recipe


def started(job: str) -> JobStarted:
    return JobStarted(job=job, recipe=Recipe(), timesteps=(), sigmas=())


def progress(job: str, index: int) -> JobProgress:
    return JobProgress(job=job, index=index, total=9, timestep=0.0, sigma=0.0, seconds=(float(index),))


def preview(job: str, index: int) -> JobPreview:
    return JobPreview(job=job, index=index, image=0, width=1, height=1, rgb=b"abc")


def finished(job: str) -> JobFinished:
    return JobFinished(job=job, images=(), seconds=1.0, steps_per_second=1.0)


def taken(mailbox: Mailbox) -> list[object]:
    mailbox.close()
    return list(mailbox)


def test_a_slow_client_gets_the_newest_and_every_time() -> None:
    mailbox = Mailbox()
    for index in range(1000):
        mailbox.put(progress("a", index))
        mailbox.put(preview("a", index))
    assert len(mailbox) == 2
    newest, picture = taken(mailbox)
    assert isinstance(newest, JobProgress)
    assert newest.index == 999
    assert newest.seconds == tuple(float(index) for index in range(1000))
    assert picture == preview("a", 999)


def test_progress_stays_between_the_start_and_the_end_of_its_job() -> None:
    mailbox = Mailbox()
    for job in ("a", "b"):
        mailbox.put(started(job))
        for index in range(3):
            mailbox.put(progress(job, index))
        mailbox.put(finished(job))
    kinds = [(type(event).__name__, getattr(event, "job", "")) for event in taken(mailbox)]
    assert kinds == [
        ("JobStarted", "a"), ("JobProgress", "a"), ("JobFinished", "a"),
        ("JobStarted", "b"), ("JobProgress", "b"), ("JobFinished", "b"),
    ]  # fmt: skip


def test_the_loading_of_a_second_model_does_not_overtake_the_end_of_the_first() -> None:
    mailbox = Mailbox()
    loaded = ModelLoaded(
        model="a", family="", device="", dtype="", seconds=0, parameters=0, native_size=8, model_hash=""
    )
    second = ModelLoading(model="b", stage="UNet", fraction=0.5)
    for event in (ModelLoading(model="a", stage="VAE", fraction=0.9), loaded, second):
        mailbox.put(event)
    assert taken(mailbox) == [loaded, second]


def test_a_finished_job_has_no_preview_left() -> None:
    mailbox = Mailbox()
    for event in (preview("a", 1), preview("b", 1), finished("a")):
        mailbox.put(event)
    assert taken(mailbox) == [preview("b", 1), finished("a")]


def test_results_are_never_dropped() -> None:
    mailbox = Mailbox()
    for number in range(500):
        mailbox.put(finished(str(number)))
    assert [event.job for event in taken(mailbox) if isinstance(event, JobFinished)] == [
        str(n) for n in range(500)
    ]


def test_nothing_comes_after_close() -> None:
    mailbox = Mailbox()
    mailbox.close()
    mailbox.put(finished("a"))
    assert list(mailbox) == []


def test_a_thread_waits_for_the_next_event() -> None:
    mailbox = Mailbox()
    seen: list[object] = []
    reader = threading.Thread(target=lambda: seen.extend(mailbox))
    reader.start()
    mailbox.put(finished("a"))
    mailbox.put(finished("b"))
    mailbox.close()
    reader.join(10)
    assert seen == [finished("a"), finished("b")]


async def test_an_event_loop_gets_what_other_threads_put() -> None:
    mailbox = Mailbox()

    def produce() -> None:
        for number in range(200):
            mailbox.put(finished(str(number)))
        mailbox.close()

    async with asyncio.timeout(20):
        producer = asyncio.create_task(asyncio.to_thread(produce))
        seen = [event async for event in mailbox]
        await producer
    assert seen == [finished(str(number)) for number in range(200)]


async def test_a_second_reader_is_woken_although_the_first_is_closed_late() -> None:
    mailbox = Mailbox()
    mailbox.put(finished("a"))
    first = aiter(mailbox)
    assert await anext(first) == finished("a")
    second = aiter(mailbox)
    waiting = asyncio.create_task(anext(second))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    await first.aclose()  # type: ignore[attr-defined]
    mailbox.put(finished("b"))
    async with asyncio.timeout(20):
        assert await waiting == finished("b")
    mailbox.close()


def test_a_producer_survives_the_end_of_the_loop_that_reads() -> None:
    mailbox = Mailbox()

    async def read_one() -> object:
        reader = aiter(mailbox)
        event = await anext(reader)
        mailbox._wake_kept = mailbox._wake  # type: ignore[attr-defined]
        return event

    mailbox.put(finished("a"))
    assert asyncio.run(read_one()) == finished("a")
    mailbox._wake = mailbox._wake_kept  # type: ignore[attr-defined]
    mailbox.put(finished("b"))
    assert mailbox.take() == finished("b")


async def test_a_fast_reader_is_woken_for_results_at_once_and_for_progress_in_beats() -> None:
    mailbox = Mailbox()
    mailbox.beat = 3600.0
    arrived: list[object] = []
    reader = asyncio.create_task(read(mailbox, arrived))
    mailbox.put(started("a"))
    await until(lambda: len(arrived) == 1)
    for index in range(3):
        mailbox.put(progress("a", index))
        mailbox.put(preview("a", index))
        await asyncio.sleep(0.02)
    assert len(arrived) == 1  # they wait for the beat, or for something that matters
    mailbox.put(finished("a"))
    await until(lambda: len(arrived) == 3)
    assert [type(event) for event in arrived] == [JobStarted, JobProgress, JobFinished]
    mailbox.close()
    await reader


async def test_what_follows_a_pass_at_once_comes_with_it() -> None:
    mailbox = Mailbox(beat=0.02)
    waited_behind: list[int] = []

    async def read() -> None:
        async for _ in mailbox:
            waited_behind.append(len(mailbox))

    reader = asyncio.create_task(read())
    await asyncio.sleep(0.1)
    mailbox.put(progress("a", 0))
    for _ in range(5):
        await asyncio.sleep(0)
    mailbox.put(preview("a", 0))
    await until(lambda: len(waited_behind) == 2)
    assert waited_behind == [1, 0]
    mailbox.close()
    await reader


async def test_at_the_far_end_of_a_line_nothing_waits_for_a_beat() -> None:
    mailbox = Mailbox(beat=0)
    arrived: list[object] = []
    reader = asyncio.create_task(read(mailbox, arrived))
    for index in range(3):
        mailbox.put(progress("a", index))
        for _ in range(5):
            await asyncio.sleep(0)
        assert len(arrived) == index + 1
    mailbox.close()
    await reader


async def read(mailbox: Mailbox, arrived: list[object]) -> None:
    """Take all that comes."""
    async for event in mailbox:
        arrived.append(event)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)
