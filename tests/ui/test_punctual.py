"""Timers for one time go off, whatever the process did as they began."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from textual.app import App

from tui.punctual import Punctual
from tui.typeahead import TypeAhead
from tui.widgets.paced import Paced


class Late(Punctual, App[None]):
    """An app that stands still at every look at the clock."""


async def test_a_timer_that_begins_late_goes_off(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Late()
    async with app.run_test():
        seconds = itertools.count()
        monkeypatch.setattr("textual.timer._time.get_time", lambda: float(next(seconds)))
        gone_off = asyncio.Event()
        app.set_timer(0.01, gone_off.set)
        async with asyncio.timeout(20):
            await gone_off.wait()


def test_keys_and_pictures_wait_for_such_timers_alone() -> None:
    assert issubclass(TypeAhead, Punctual)
    assert issubclass(Paced, Punctual)
