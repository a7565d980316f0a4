"""Thumbnails come in the order in which they are looked at, and do not pile up."""

from __future__ import annotations

import threading

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tests.library_files import until
from tui.thumbs import Thumb, Thumbs


def thumb(name: str) -> Thumb:
    return Thumb(name, 0.0, 4, 2, "truecolor")


class Maker:
    """Makes what it is asked for once it may go on."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.go_on = threading.Event()

    def __call__(self, one: Thumb, style: Style) -> list[Strip] | None:
        self.go_on.wait(5)
        self.made.append(one.path)
        if one.path == "broken":
            raise ValueError("a decoder's")
        return [Strip([Segment("    ")])] * 2


def test_what_was_scrolled_away_is_not_made() -> None:
    maker = Maker()
    thumbs = Thumbs(maker, lambda: None)
    thumbs.want([thumb(str(number)) for number in range(50)], Style())
    until(lambda: len(thumbs._begun) == 2)
    thumbs.want([thumb("now"), thumb("next")], Style())
    maker.go_on.set()
    until(lambda: len(maker.made) == 4)
    assert set(maker.made) == {"0", "1", "now", "next"}
    thumbs.close()


def test_a_broken_one_is_known_as_such_and_asked_for_once() -> None:
    maker = Maker()
    maker.go_on.set()
    came = threading.Event()
    thumbs = Thumbs(maker, came.set)
    thumbs.want([thumb("broken")], Style())
    assert came.wait(5)
    assert thumbs.failed(thumb("broken"))
    thumbs.want([thumb("broken"), thumb("good")], Style())
    until(lambda: thumbs.get(thumb("good")) is not None)
    assert maker.made.count("broken") == 1
    thumbs.close()


def test_few_are_kept() -> None:
    maker = Maker()
    maker.go_on.set()
    thumbs = Thumbs(maker, lambda: None, kept_cells=24)
    for number in range(10):
        thumbs.want([thumb(str(number))], Style())
        until(lambda number=number: thumbs.get(thumb(str(number))) is not None)
    assert thumbs.cells == 24
    assert thumbs.get(thumb("0")) is None
    assert not thumbs.failed(thumb("0"))
    thumbs.close()
