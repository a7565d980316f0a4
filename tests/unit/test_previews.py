"""Who gets which preview, and how often."""

from __future__ import annotations

from typing import NoReturn

import numpy as np
import pytest
from PIL import Image

from sdcore.engine.mailbox import Mailbox
from sdcore.engine.messages import JobPreview, SetPreview
from sdcore.engine.previews import KEPT_SECONDS, LARGEST, MOST_IMAGES, Previews, fit
from tests.engine_fakes import FakeComing


def rgb(count: int) -> FakeComing:
    return FakeComing(np.zeros((count, 4, 8, 3), np.uint8))


def pictures(mailbox: Mailbox) -> list[JobPreview]:
    found = []
    while isinstance(event := mailbox.take(), JobPreview):
        found.append(event)
    return found


def test_a_client_gets_at_most_its_frames_a_second() -> None:
    now = [0.0]
    previews, often, seldom = Previews(clock=lambda: now[0]), Mailbox(), Mailbox()
    previews.want(often, SetPreview(width=8, height=8, max_fps=10))
    previews.want(seldom, SetPreview(width=8, height=8, max_fps=2))
    counts = [0, 0]
    for frame in range(100):
        now[0] = frame * 0.01
        previews.show("a", frame, 1, rgb)
        counts[0] += len(pictures(often))
        counts[1] += len(pictures(seldom))
    assert counts == [10, 2]


def test_clients_have_boxes_of_their_own() -> None:
    previews, one, two = Previews(), Mailbox(), Mailbox()
    previews.want(one, SetPreview(width=16, height=80))
    previews.want(two, SetPreview(width=9999, height=9999))
    previews.show("a", 3, 1, rgb)
    assert [(event.width, event.height) for event in pictures(one)] == [(16, 8)]
    assert [(event.width, event.height) for event in pictures(two)] == [(LARGEST, LARGEST // 2)]


def test_some_images_of_a_batch_are_shown() -> None:
    previews, mailbox = Previews(), Mailbox()
    previews.want(mailbox, SetPreview(width=8, height=8))
    previews.show("a", 0, 64, rgb)
    assert [event.image for event in pictures(mailbox)] == list(range(MOST_IMAGES))


def test_nothing_waits_for_a_preview_that_is_on_its_way() -> None:
    previews, mailbox = Previews(), Mailbox()
    previews.want(mailbox, SetPreview(width=8, height=8, max_fps=1e9))
    coming = [FakeComing(np.zeros((1, 4, 8, 3), np.uint8), done=False) for _ in range(2)]
    waiting = iter(coming)
    for index in range(3):
        previews.show("a", index, 1, lambda latents: next(waiting))
    assert pictures(mailbox) == []
    coming[0].done = True
    previews.show("a", 3, 1, lambda latents: next(waiting))
    assert [event.index for event in pictures(mailbox)] == [0]
    coming[1].done = True
    previews.show("b", 0, 1, rgb)
    assert [(event.job, event.index) for event in pictures(mailbox)] == [("b", 0)]


@pytest.mark.parametrize(
    "off",
    [SetPreview(width=0, height=8), SetPreview(width=8, height=0), SetPreview(width=8, height=8, max_fps=0)],
)
def test_who_turned_them_off_gets_none(off: SetPreview) -> None:
    previews, mailbox = Previews(), Mailbox()
    previews.want(mailbox, SetPreview(width=8, height=8))
    previews.want(mailbox, off)
    previews.show("a", 0, 1, rgb)
    previews.catch_up(mailbox)
    assert len(mailbox) == 0


class Unlooked(FakeComing):
    """An estimate that must not be made a picture."""

    def rgb(self) -> NoReturn:
        pytest.fail("a picture was made for nobody")


def test_for_nobody_an_estimate_is_kept_now_and_then_and_never_drawn() -> None:
    now, begun = [0.0], []
    previews = Previews(clock=lambda: now[0])
    for frame in range(100):
        now[0] = frame * KEPT_SECONDS / 10
        previews.show("a", frame, frame, lambda latents: begun.append(latents) or Unlooked(None))
    assert begun == list(range(0, 100, 10))


def test_who_comes_late_sees_the_newest_at_once() -> None:
    now = [0.0]
    previews, early, late = Previews(clock=lambda: now[0]), Mailbox(), Mailbox()
    previews.want(early, SetPreview(width=8, height=8, max_fps=1e9))
    for index in range(3):
        now[0] += 10.0  # a slow model
        previews.show("a", index, 2, rgb)
    previews.want(late, SetPreview(width=16, height=80))
    previews.catch_up(late)
    assert [(event.index, event.image, event.width) for event in pictures(late)] == [(2, 0, 16), (2, 1, 16)]


def test_who_was_sent_a_pass_meanwhile_is_not_sent_it_again() -> None:
    previews, mailbox = Previews(), Mailbox()
    previews.want(mailbox, SetPreview(width=8, height=8))
    previews.show("a", 0, 1, rgb)
    assert [event.index for event in pictures(mailbox)] == [0]
    previews.catch_up(mailbox)
    assert pictures(mailbox) == []


def test_what_is_caught_up_on_never_comes_behind_a_newer_pass() -> None:
    previews, mailbox = Previews(), Mailbox()

    class Overtaken(FakeComing):
        """An estimate behind which the next pass comes while its picture is made."""

        def rgb(self) -> np.ndarray:
            previews.show("a", 1, 1, rgb)
            return rgb(1).array

    previews.show("a", 0, 1, lambda latents: Overtaken(None))
    previews.want(mailbox, SetPreview(width=8, height=8))
    previews.catch_up(mailbox)
    assert [event.index for event in pictures(mailbox)] == [1]


def test_who_comes_after_a_job_sees_nothing_of_it() -> None:
    previews, late = Previews(), Mailbox()
    previews.show("a", 0, 1, rgb)
    previews.ended("a")
    previews.want(late, SetPreview(width=8, height=8))
    previews.catch_up(late)
    assert len(late) == 0


@pytest.mark.parametrize(
    ("size", "box", "fitted"),
    [((16, 16), (160, 90), (90, 90)), ((64, 64), (8, 8), (8, 8)), ((64, 1), (8, 8), (8, 1)),
     ((3, 2), (100, 100), (100, 67))],
)  # fmt: skip
def test_a_picture_keeps_its_proportions(
    size: tuple[int, int], box: tuple[int, int], fitted: tuple[int, int]
) -> None:
    assert fit(Image.new("RGB", size), box).size == fitted
