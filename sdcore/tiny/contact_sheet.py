"""Labelled pictures in one image."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

COLUMNS = 8
GAP = 12
LABEL_WIDTH = 27
LABEL_LINES, LINE_HEIGHT = 4, 12
LABEL_HEIGHT = 2 + (LABEL_LINES + 1) * LINE_HEIGHT
PAPER, INK, MISS = (255, 255, 255), (64, 66, 76), (206, 40, 48)


class Labelled(NamedTuple):
    """A picture, uint8 (height, width, 3), what was asked for, and what of it is missing ("" for nothing)."""

    picture: np.ndarray
    caption: str
    missed: str


def contact_sheet(pictures: Sequence[Labelled], columns: int = COLUMNS) -> Image.Image:
    """An RGB image with the equally large pictures in rows of `columns`, each above its caption.

    What was missed stands in red below. Raises `ValueError` if there are no pictures.
    """
    if not pictures:
        raise ValueError("a contact sheet needs at least one picture")
    height, width, _ = pictures[0].picture.shape
    across, down = width + GAP, height + LABEL_HEIGHT + GAP
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * across + GAP, rows * down + GAP), PAPER)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=10)
    for index, (picture, caption, missed) in enumerate(pictures):
        x, y = GAP + index % columns * across, GAP + index // columns * down
        sheet.paste(Image.fromarray(picture), (x, y))
        lines = textwrap.wrap(caption, LABEL_WIDTH)[:LABEL_LINES]
        draw.multiline_text((x, y + height + 2), "\n".join(lines), fill=INK, font=font, spacing=1)
        if missed:
            draw.text(
                (x, y + height + 2 + LINE_HEIGHT * len(lines)), f"missed: {missed}", fill=MISS, font=font
            )
    return sheet
