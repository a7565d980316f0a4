"""Many images as one, with what they are called beside the rows and above the columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final

import msgspec
from PIL import Image, ImageDraw, ImageFont

from sdcore.library.metadata import MetadataError, read_pixels
from sdcore.library.outputs import save_png
from sdcore.spec.sanitise import sanitise

MAX_SIDE: Final = 16_384
MAX_PIXELS: Final = 120_000_000
"""Of the finished grid; images are made smaller where they would take more."""
_GAP: Final = 8
_GROUND: Final = (255, 255, 255)
_INK: Final = (24, 24, 24)
_QUIET: Final = (128, 128, 128)
_EMPTY: Final = (236, 236, 236)
_MOST_LINES: Final = 6

_FONTS: Final = (
    "NotoSansCJK-Regular.ttc", "NotoSansCJKjp-Regular.otf", "NotoSansCJKsc-Regular.otf", "wqy-microhei.ttc",
    "DroidSansFallbackFull.ttf", "Hiragino Sans GB.ttc", "PingFang.ttc", "msgothic.ttc", "arialuni.ttf",
    "DejaVuSans.ttf",
)  # fmt: skip
"""Fonts with more than Latin letters, the richest first; Pillow looks for them where the system keeps its fonts."""
_LATIN: Final = 0x250


class Grid(msgspec.Struct, frozen=True, kw_only=True):
    """What is drawn: the labels of columns, rows and pages (one each at least, "" where nothing is to be said), and by
    (column, row, page) the path of an image or, as text, why there is none."""

    columns: tuple[str, ...]
    rows: tuple[str, ...]
    pages: tuple[str, ...]
    cells: Mapping[tuple[int, int, int], Path | str]


def save_sheet(paths: Sequence[Path]) -> Path:
    """Save images as one, as near to a square as goes, among the outputs; returns where. Raises `OutputError`, OSError
    and MemoryError."""
    columns = max(1, round(len(paths) ** 0.5))
    rows = -(-len(paths) // columns)
    cells = {(place % columns, place // columns, 0): path for place, path in enumerate(paths)}
    sheet = draw_grid(Grid(columns=("",) * columns, rows=("",) * rows, pages=("",), cells=cells))
    return save_png(sheet, {}, f"sheet-of-{len(paths)}")


def draw_grid(grid: Grid) -> Image.Image:
    """The grid as one RGB picture, pages one below another; images of several sizes stand in the middle of places that
    hold the largest. What cannot be read is said in its place."""
    pictures = {place: _picture(cell) for place, cell in grid.cells.items()}
    sizes = [one.size for one in pictures.values() if isinstance(one, Image.Image)]
    box = (max((width for width, _ in sizes), default=256), max((height for _, height in sizes), default=256))
    layout = _Layout(grid, box)
    while (least := layout.too_large()) < 1:
        box = (max(16, int(box[0] * least)), max(16, int(box[1] * least)))
        layout = _Layout(grid, box)
        if box == (16, 16):
            break
    sheet = Image.new("RGB", layout.size, _GROUND)
    draw = ImageDraw.Draw(sheet)
    for page, title in enumerate(grid.pages):
        top = page * layout.page_height
        _write(
            draw, layout.titles[page], (_GAP, top + _GAP), layout.size[0] - 2 * _GAP, layout.font_size, title
        )
        for column, label in enumerate(grid.columns):
            place = (
                layout.x(column),
                layout.y(page, 0) - _GAP - len(layout.above[column]) * layout.line_height,
            )
            _write(draw, layout.above[column], place, box[0], layout.font_size, label)
        for row, label in enumerate(grid.rows):
            height = len(layout.beside[row]) * layout.line_height
            place = (_GAP, layout.y(page, row) + max(0, (box[1] - height) // 2))
            _write(draw, layout.beside[row], place, layout.label_width, layout.font_size, label)
    for (column, row, page), picture in pictures.items():
        _paste(sheet, draw, picture, (layout.x(column), layout.y(page, row)), box, layout.font_size)
    return sheet


class _Layout:
    """Where everything is, for images in boxes of `box` pixels."""

    def __init__(self, grid: Grid, box: tuple[int, int]) -> None:
        self.box = box
        self.font_size = max(11, min(36, min(box) // 16))
        self.line_height = round(self.font_size * 1.35)
        size = self.font_size
        widest = max((_width(label, size) for label in grid.rows), default=0)
        self.label_width = min(widest, max(box[0], 8 * size)) if any(grid.rows) else 0
        self.above = [_wrap(label, box[0], size) for label in grid.columns]
        self.beside = [_wrap(label, self.label_width, size) for label in grid.rows]
        left = _GAP + (self.label_width + _GAP if self.label_width else 0)
        width = left + len(grid.columns) * (box[0] + _GAP)
        self.titles = [_wrap(label, width - 2 * _GAP, size) for label in grid.pages]
        self.title_height = max(map(len, self.titles)) * self.line_height
        self._left = left
        self._head = self.title_height + max(map(len, self.above)) * self.line_height + 2 * _GAP
        self.page_height = self._head + len(grid.rows) * (box[1] + _GAP)
        self.size = width, self.page_height * len(grid.pages)

    def too_large(self) -> float:
        """By how much the boxes have to shrink; 1 where the whole is small enough."""
        width, height = self.size
        share = min(MAX_SIDE / width, MAX_SIDE / height, (MAX_PIXELS / (width * height)) ** 0.5)
        return 1.0 if share >= 1 else share * 0.98

    def x(self, column: int) -> int:
        """The left edge of a column."""
        return self._left + column * (self.box[0] + _GAP)

    def y(self, page: int, row: int) -> int:
        """The upper edge of a row."""
        return page * self.page_height + self._head + row * (self.box[1] + _GAP)


def _picture(cell: Path | str) -> Image.Image | str:
    if isinstance(cell, str):
        return cell
    try:
        return read_pixels(cell)
    except MetadataError as fault:
        return str(fault)


def _paste(sheet: Image.Image, draw: ImageDraw.ImageDraw, picture: Image.Image | str, place: tuple[int, int],
           box: tuple[int, int], size: int) -> None:  # fmt: skip
    x, y = place
    if isinstance(picture, str):
        draw.rectangle((x, y, x + box[0] - 1, y + box[1] - 1), fill=_EMPTY)
        lines = _wrap(picture, box[0] - 2 * _GAP, size)
        _write(draw, lines, (x + _GAP, y + _GAP), box[0] - 2 * _GAP, size, picture, _QUIET)
        return
    if picture.width > box[0] or picture.height > box[1]:
        picture.thumbnail(box, Image.Resampling.LANCZOS)
    sheet.paste(picture, (x + (box[0] - picture.width) // 2, y + (box[1] - picture.height) // 2))


# -- words ---------------------------------------------------------------------------------------------------------


_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@lru_cache(maxsize=16)
def _font(size: int, latin: bool) -> _Font:
    """Pillow's own font for Latin letters; for others the first there is of those that have them."""
    for name in () if latin else _FONTS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return ImageFont.load_default(size)


def _font_for(text: str, size: int) -> _Font:
    return _font(size, all(ord(letter) < _LATIN for letter in text))


def _width(text: str, size: int) -> int:
    return round(_font_for(text, size).getlength(sanitise(text, newlines=False)[:4000])) + 1


def _wrap(text: str, width: int, size: int) -> list[str]:
    """The text in lines of at most `width` pixels, parted between words where that goes; cut behind the last line."""
    font = _font_for(text, size)
    lines: list[str] = []
    line = ""
    for word in sanitise(text, newlines=False)[:4000].split():
        longer = f"{line} {word}".strip()
        if font.getlength(longer) <= width:
            line = longer
            continue
        if line:
            lines.append(line)
        line = word
        while font.getlength(line) > width and len(line) > 1 and len(lines) <= _MOST_LINES:
            fitting = _fitting(line, width, font)
            lines.append(line[:fitting])
            line = line[fitting:]
        if len(lines) > _MOST_LINES:
            break
    lines += [line] if line else []
    if len(lines) > _MOST_LINES:
        lines[_MOST_LINES - 1 :] = [f"{lines[_MOST_LINES - 1]} …"]
    return lines


def _fitting(text: str, width: int, font: _Font) -> int:
    """How many letters fit; one at least."""
    low, high = 1, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if font.getlength(text[:middle]) <= width else (low, middle - 1)
    return low


def _write(draw: ImageDraw.ImageDraw, lines: Sequence[str], place: tuple[int, int], width: int, size: int, text: str,
           colour: tuple[int, int, int] = _INK) -> None:  # fmt: skip
    """Lines in the middle of `width` pixels."""
    font = _font_for(text, size)
    x, y = place
    for line in lines:
        left = max(0, (width - round(font.getlength(line))) // 2)
        draw.text((x + left, y), line, font=font, fill=colour)
        y += round(size * 1.35)
