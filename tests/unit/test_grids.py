"""Many images as one: where they are, what stands beside them, and how large the whole may get."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image, ImageChops

from sdcore.library import grids
from sdcore.library.grids import Grid, draw_grid

COLOURS = [(200, 0, 0), (0, 200, 0), (0, 0, 200), (200, 200, 0)]


def image(folder: Path, name: str, colour: tuple[int, int, int], size: tuple[int, int] = (64, 64)) -> Path:
    path = folder / f"{name}.png"
    Image.new("RGB", size, colour).save(path)
    return path


@pytest.fixture
def four(tmp_path: Path) -> Grid:
    cells = {(at % 2, at // 2, 0): image(tmp_path, str(at), colour) for at, colour in enumerate(COLOURS)}
    return Grid(columns=("steps: 5", "steps: 6"), rows=("seed: 1", "seed: 2"), pages=("",), cells=cells)


def places(sheet: Image.Image, colour: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """The box of the pixels of exactly this colour."""
    same = (
        ImageChops.difference(sheet, Image.new("RGB", sheet.size, colour))
        .convert("L")
        .point(lambda v: 255 * (v == 0))
    )
    box = same.getbbox()
    assert box is not None
    return box


def test_every_image_has_its_place(four: Grid) -> None:
    boxes = [places(draw_grid(four), colour) for colour in COLOURS]
    assert [(box[2] - box[0], box[3] - box[1]) for box in boxes] == [(64, 64)] * 4
    assert boxes[0][0] == boxes[2][0] < boxes[1][0] == boxes[3][0]
    assert boxes[0][1] == boxes[1][1] < boxes[2][1] == boxes[3][1]
    above = draw_grid(four).crop((boxes[0][0], 0, boxes[0][2], boxes[0][1]))
    assert len(above.getcolors() or []) > 1


def test_pages_stand_below_one_another(four: Grid, tmp_path: Path) -> None:
    more = {(x, y, 1): path for (x, y, _), path in four.cells.items()}
    two = Grid(columns=four.columns, rows=four.rows, pages=("z: 1", "z: 2"), cells={**four.cells, **more})
    assert draw_grid(two).height > 1.9 * draw_grid(four).height


def test_what_is_missing_is_said_in_its_place(four: Grid, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no image")
    cells = {**four.cells, (0, 0, 0): "The memory is full.", (1, 0, 0): tmp_path / "broken.png"}
    sheet = draw_grid(Grid(columns=four.columns, rows=four.rows, pages=four.pages, cells=cells))
    assert sheet.size == draw_grid(four).size
    nothing = draw_grid(Grid(columns=("",), rows=("",), pages=("",), cells={(0, 0, 0): "no"}))
    assert nothing.width > 100


def test_a_large_grid_shrinks_its_images(four: Grid, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grids, "MAX_SIDE", 120)
    sheet = draw_grid(four)
    assert max(sheet.size) <= 200
    left, _, right, _ = places(sheet, COLOURS[0])
    assert right - left < 64


@pytest.mark.parametrize(
    "label",
    ["", " ", "a " * 500, "x" * 5000, "日本語の長いラベル" * 20, "\x1b[31m\u202e\n\n\0", "🏠" * 50],
    ids=["empty", "blank", "words", "one word", "Japanese", "hostile", "signs"],
)
def test_any_label_can_be_written(four: Grid, label: str) -> None:
    sheet = draw_grid(Grid(columns=(label, "b"), rows=("c", label), pages=(label,), cells=four.cells))
    assert sheet.width < 1000
    assert sheet.height < 1000


def test_images_of_several_sizes_stand_in_the_middle(tmp_path: Path) -> None:
    cells = {
        (0, 0, 0): image(tmp_path, "wide", COLOURS[0], (100, 20)),
        (1, 0, 0): image(tmp_path, "high", COLOURS[1], (20, 80)),
    }
    sheet = draw_grid(Grid(columns=("", ""), rows=("",), pages=("",), cells=cells))
    wide, high = places(sheet, COLOURS[0]), places(sheet, COLOURS[1])
    assert wide[1] + wide[3] == pytest.approx(high[1] + high[3], abs=1)
