"""What pictures may take where bytes are dear, and when a line makes them so."""

from __future__ import annotations

import pytest

from tests.unit.test_frames import Clock
from tui.term.pacing import QUALITIES, REST, SPARE_RATE, Pacer, Purse


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_pictures_take_no_more_than_their_share(clock: Clock) -> None:
    purse, taken = Purse(clock), 0
    for _ in range(600):
        clock.now += 0.1
        if purse.wait <= 0:
            purse.charge(4000)
            taken += 4000
    assert SPARE_RATE * 50 < taken < SPARE_RATE * 70


def test_a_large_picture_is_not_owed_for_long(clock: Clock) -> None:
    purse = Purse(clock)
    purse.charge(1_000_000)
    assert 0 < purse.wait < 10


def test_the_line_is_at_rest_when_nothing_was_written_for_a_while(clock: Clock) -> None:
    purse = Purse(clock)
    purse.spend(10)
    clock.now += REST / 2
    assert purse.unrest == pytest.approx(REST / 2)
    purse.spend(0)
    clock.now += REST
    assert purse.unrest == 0
    purse.spend(1)
    assert purse.unrest == pytest.approx(REST)


def answer(purse: Purse, clock: Clock, count: int, seconds: float) -> None:
    purse.asked()
    clock.now += seconds
    purse.took(count, seconds)


def test_a_slow_line_is_known_by_what_it_takes(clock: Clock) -> None:
    purse = Purse(clock)
    answer(purse, clock, 0, 0.3)
    for _ in range(5):
        answer(purse, clock, 5000, 0.3 + 5000 / 250_000)
    assert not purse.slow
    for _ in range(5):
        answer(purse, clock, 5000, 0.3 + 5000 / 20_000)
    assert purse.slow
    for _ in range(5):
        answer(purse, clock, 100, 0.3)
    assert purse.slow  # a few bytes say nothing
    for _ in range(5):
        answer(purse, clock, 5000, 0.3 + 5000 / 250_000)
    assert not purse.slow


def test_an_answer_that_is_late_is_enough(clock: Clock) -> None:
    purse = Purse(clock)
    answer(purse, clock, 0, 0.1)
    purse.asked()
    clock.now += 0.3
    assert not purse.slow
    clock.now += 1.0
    assert purse.slow
    purse.took(30_000, 1.3)
    assert purse.slow
    purse = Purse(clock)
    purse.asked()
    clock.now += 10  # a terminal that has never answered will not
    assert not purse.slow


def test_where_bytes_are_dear_frames_begin_coarse_and_bytes_decide(clock: Clock) -> None:
    pacer = Pacer(clock=clock)
    pacer.spare = True
    start = QUALITIES.index(pacer.quality)
    assert start > 2
    pacer.cost(10_000)
    assert QUALITIES.index(pacer.quality) == start + 1
    for _ in range(100):
        pacer.cost(100)
    assert QUALITIES.index(pacer.quality) == 2
    pacer.spare = False
    assert pacer.quality == QUALITIES[0]
