"""The mask's pixels: what the brush covers, what is taken back, and how much of it is remembered."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tui import masking
from tui.mask_pixels import base_pixels, brush_marks, draw_marks, rectangle_marks, under_hatch, under_tint
from tui.masking import Mask, covered, mask_size, tinted, united


def white(mask: Mask) -> np.ndarray:
    return np.asarray(mask.image) == 255


@pytest.mark.parametrize("diameter", [4, 8, 15, 32])
def test_a_dab_is_round(diameter: int) -> None:
    mask = Mask((64, 64))
    mask.line((32, 32), (32, 32), diameter, on=True)
    painted = white(mask)
    assert painted.sum() == pytest.approx(np.pi * diameter**2 / 4, rel=0.25)
    assert painted[32, 32]
    assert not painted[32 - diameter // 2 - 2].any()
    assert not painted[:, 32 + diameter // 2 + 1].any()


def test_the_smallest_dab_is_a_pixel() -> None:
    mask = Mask((8, 8))
    mask.line((3.5, 4.5), (3.5, 4.5), 1, on=True)
    assert np.argwhere(white(mask)).tolist() == [[4, 3]]


def test_a_line_leaves_no_gap() -> None:
    mask = Mask((200, 100))
    mask.line((10, 10), (190, 90), 9, on=True)
    for share in np.linspace(0, 1, 50):
        assert white(mask)[round(10 + 80 * share), round(10 + 180 * share)]


def test_a_stroke_is_one_thing_to_undo() -> None:
    mask = Mask((64, 64))
    mask.line((5, 5), (20, 20), 4, on=True)
    mask.line((20, 20), (40, 10), 4, on=True)
    mask.finish()
    first = white(mask).copy()
    mask.line((50, 50), (50, 50), 4, on=True)
    mask.finish()
    second = white(mask).copy()
    assert mask.changed
    mask.undo()
    assert (white(mask) == first).all()
    mask.undo()
    assert mask.empty
    assert not mask.changed
    assert mask.undo() is None
    mask.redo()
    mask.redo()
    assert (white(mask) == second).all()
    assert mask.redo() is None


def test_a_new_stroke_ends_redoing() -> None:
    mask = Mask((32, 32))
    mask.rectangle((0, 0, 8, 8), on=True)
    mask.finish()
    mask.undo()
    mask.rectangle((16, 16, 20, 20), on=True)
    mask.finish()
    assert mask.redo() is None
    assert white(mask).sum() == 16


def test_painting_what_is_painted_is_nothing_to_undo() -> None:
    mask = Mask((32, 32))
    mask.rectangle((0, 0, 8, 8), on=True)
    mask.finish()
    mask.rectangle((2, 2, 6, 6), on=True)
    mask.finish()
    mask.undo()
    assert mask.empty


def test_a_rectangle_is_exact_and_cut_at_the_edges() -> None:
    mask = Mask((32, 16))
    box = mask.rectangle((4, 2, 99, 99), on=True)
    assert np.argwhere(white(mask)).min(0).tolist() == [2, 4]
    assert white(mask).sum() == 28 * 14
    assert box is not None
    assert box[2:] == (32, 16)
    mask.rectangle((0, 0, 32, 16), on=False)
    assert mask.empty


def test_outside_nothing_happens() -> None:
    mask = Mask((32, 32))
    assert mask.line((-50, -50), (-50, -40), 8, on=True) is None
    mask.finish()
    assert not mask.changed


def test_invert_and_clear_can_be_undone() -> None:
    mask = Mask((32, 32))
    mask.rectangle((0, 0, 16, 32), on=True)
    mask.invert()
    assert white(mask)[0].tolist() == [False] * 16 + [True] * 16
    mask.clear()
    assert mask.empty
    assert mask.clear() is None
    mask.undo()
    mask.undo()
    assert white(mask)[0].tolist() == [True] * 16 + [False] * 16


def test_strokes_are_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masking, "MOST_UNDONE", 3)
    mask = Mask((32, 32))
    for place in range(5):
        mask.rectangle((place * 4, 0, place * 4 + 4, 4), on=True)
        mask.finish()
    undone = 0
    while mask.undo() is not None:
        undone += 1
    assert undone == 3
    assert white(mask).sum() == 2 * 16
    assert mask.changed


def test_large_strokes_are_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masking, "MOST_PIXELS", 1500)
    mask = Mask((32, 32))
    for on in (True, False):
        mask.rectangle((0, 0, 32, 32), on=on)
        mask.finish()
    mask.invert()  # takes no memory
    assert [mask.undo() is not None for _ in range(3)] == [True, True, False]


def test_a_mask_that_is_given_is_made_black_and_white() -> None:
    grey = Image.new("L", (2, 1))
    grey.putdata([127, 128])
    mask = Mask((4, 1), grey.resize((4, 1), Image.Resampling.NEAREST))
    assert np.asarray(mask.image).tolist() == [[0, 0, 255, 255]]
    assert white(Mask((8, 8), Image.new("RGB", (3, 5), "white"))).all()
    assert not mask.changed


def test_painting_goes_on_after_an_inversion() -> None:
    mask = Mask((32, 32))
    mask.invert()
    mask.rectangle((0, 0, 8, 8), on=False)
    mask.finish()
    assert white(mask).sum() == 32 * 32 - 64
    assert np.asarray(mask.shrunk((2, 2), (0, 0, 16, 16))).tolist() == [[0, 255], [255, 255]]
    mask.clear()
    assert mask.empty
    mask.undo()
    mask.undo()
    mask.undo()
    assert mask.empty
    assert not mask.changed


def test_the_mask_of_a_huge_image_is_smaller() -> None:
    assert mask_size((640, 480)) == (640, 480)
    assert mask_size((8192, 4096)) == (2048, 1024)
    assert mask_size((8192, 1)) == (2048, 1)


def test_boxes() -> None:
    assert united((0, 5, 3, 9), (2, 1, 8, 6)) == (0, 1, 8, 9)
    assert covered((200, 100), (64, 64)) == (50, 0, 150, 100)
    assert covered((100, 200), (64, 64)) == (0, 50, 100, 150)
    assert covered((640, 480), (640, 480)) == (0, 0, 640, 480)


def test_the_tint_is_seen_on_an_image_of_its_own_colour() -> None:
    image = Image.new("RGB", (2, 1), masking.TINT)
    mask = Image.new("L", (2, 1))
    mask.putpixel((1, 0), 255)
    left, right = np.asarray(tinted(image, mask)).astype(int)[0]
    assert left.tolist() == list(masking.TINT)
    assert abs(left - right).sum() > 40


def test_the_tint_and_the_hatch() -> None:
    base = np.full((4, 4, 3), masking.TINT, np.uint8)
    cover = np.zeros((4, 4), np.uint8)
    cover[:, 2:] = 255
    tint, hatch = under_tint(base, cover).astype(int), under_hatch(base // 2, cover, 1)
    assert (tint[:, :2] == masking.TINT).all()
    assert (np.abs(tint[:, 2:] - masking.TINT).sum(-1) > 40).all()
    assert (hatch == masking.TINT).all(-1).tolist() == [
        [False, False, False, True], [False, False, True, False],
        [False, False, False, True], [False, False, True, False],
    ]  # fmt: skip


def test_marks_are_seen_on_black_and_on_white() -> None:
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[:, 4:] = 255
    draw_marks(pixels, rectangle_marks((8, 8), 0, (2, 1, 5, 2)))
    marked = (pixels != 0).any(-1) & (pixels != 255).any(-1)
    assert marked.sum() == 2 * 4 + 2 * 2
    assert pixels[2, 2, 0] > 128 > pixels[2, 5, 0]
    assert not marked[3, 3]


def test_the_brush_is_a_ring_around_the_cursor() -> None:
    whole = brush_marks((32, 32), 0, (16, 8), 6.0)
    assert whole[16:18, 16].all()
    assert whole[16, 10]
    assert whole[16, 22]
    assert not whole[16, 13]
    assert (brush_marks((8, 32), 12, (16, 8), 6.0) == whole[12:20]).all()


def test_what_is_cut_away_is_dark() -> None:
    base = base_pixels(Image.new("RGB", (96, 96), (200, 200, 200)), (24, 0, 72, 96), 48, 24)
    assert base.shape == (48, 48, 3)
    assert [base[24, x, 0] for x in (0, 11, 12, 35, 36, 47)] == [70, 70, 200, 200, 70, 70]
