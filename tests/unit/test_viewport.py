"""What of an image is seen, the layout of thumbnails, and the marks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.marking import Marks
from tui.scp_line import scp_line
from tui.viewport import Viewport
from tui.widgets.thumb_layout import SCROLLBAR, SIZES, lay_out

sizes = st.integers(1, 5000)
keys = st.lists(st.sampled_from(["+", "-", "1", "l", "h", "j", "k", "pane"]), max_size=30)


@given(sizes, sizes, st.integers(1, 400), st.integers(1, 200), keys)
def test_the_view_stays_on_the_image(
    width: int, height: int, pane_width: int, pane_height: int, pressed: list[str]
) -> None:
    view = Viewport(width, height, pane_width, pane_height)
    moves = {"l": (1, 0), "h": (-1, 0), "j": (0, 1), "k": (0, -1)}
    for key in pressed:
        if key in moves:
            view = view.moved(*moves[key])
        elif key == "1":
            view = view.pixel_by_pixel()
        elif key == "pane":
            view = view.in_pane(pane_height, pane_width)
        else:
            view = view.zoomed(1 if key == "+" else -1)
        left, top, right, bottom = view.box()
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        assert view.zoom >= 1


def test_pixel_by_pixel_and_back() -> None:
    view = Viewport(1000, 1000, 100, 100)
    assert view.whole
    assert view.box() == (0, 0, 1000, 1000)
    close = view.pixel_by_pixel()
    assert close.scale == pytest.approx(1)
    assert close.box() == (450, 450, 550, 550)
    far = close.moved(100, 0)
    assert far.box() == (900, 450, 1000, 550)
    assert far.moved(-1, 0).box() == (875, 450, 975, 550), "the way back begins at the edge"
    assert far.zoomed(-20) == view


@given(st.integers(0, 400), st.integers(0, 200), st.integers(0, len(SIZES) - 1))
def test_thumbnails_fit_into_their_pane(width: int, height: int, level: int) -> None:
    layout = lay_out(width, height, level)
    assert layout.rows >= 1
    if width > 2 * SIZES[level] + SCROLLBAR + 2:
        assert layout.left + layout.columns * layout.pitch <= width - SCROLLBAR
        assert layout.width >= 2 * SIZES[level]
    for row in range(layout.rows):
        for column in range(layout.columns):
            region = layout.region(row, column)
            if region is not None and region.width > 1 and region.height > 1:
                assert layout.at(region.x, region.y) == (row, column)


def test_a_range_reaches_and_shrinks() -> None:
    ids = [10, 11, 12, 13, 14]
    marks = Marks()
    marks.toggle(14)
    marks.begin(11)
    marks.reach(ids, 3)
    assert set(marks) == {11, 12, 13, 14}
    marks.reach(ids, 0)
    assert set(marks) == {10, 11, 14}
    marks.reach([10, 12], 1)
    assert not marks.in_range, "what it began at is gone"
    marks.keep([10, 12])
    assert set(marks) == {10}


def test_a_line_for_scp(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "ann")
    monkeypatch.setattr("socket.gethostname", lambda: "box")
    assert (
        scp_line(["/a/b.png"], {"SSH_CONNECTION": "10.0.0.2 5 10.0.0.9 22"}) == "scp ann@10.0.0.9:/a/b.png ."
    )
    assert scp_line(["/a b/$c.png", "/d"], {}) == "scp 'ann@box:/a b/$c.png' ann@box:/d ."
    assert scp_line(["/a"], {"SSH_CONNECTION": "::1 5 fe80::1 2200"}) == "scp -P 2200 'ann@[fe80::1]:/a' ."
