"""Images on disk, for the screen. Everything here takes its time: call it on a thread."""

from __future__ import annotations

import contextlib
import math
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image


def recent_images(folder: Path, limit: int = 200) -> list[Path]:
    """The newest images in the day folders of `folder`, newest first. Never fails."""
    with contextlib.suppress(OSError):
        return _newest([day for day in folder.iterdir() if day.is_dir()], limit)
    return []


def recent_copies(host: str, limit: int = 200) -> list[Path]:
    """The newest images of another machine of which there is a copy here, newest first. Never fails."""
    from sdcore.engine.far_files import FarFiles
    from sdcore.engine.ssh import check_target

    with contextlib.suppress(OSError):
        return _newest(list(FarFiles(check_target(host)).folder.rglob("????-??-??")), limit)
    return []


def _newest(days: list[Path], limit: int) -> list[Path]:
    found: list[Path] = []
    for day in sorted(days, key=lambda day: (day.name, day), reverse=True):
        found += sorted(day.glob("[0-9]*.png"), reverse=True)
        if len(found) >= limit:
            break
    return found[:limit]


def load_picture(paths: list[Path]) -> Image:
    """The images of a batch as one RGB picture, side by side in rows; raises `MetadataError`."""
    from PIL import Image

    from sdcore.library.metadata import read_pixels

    images = [read_pixels(path) for path in paths]
    if len(images) == 1:
        return images[0]
    columns = math.ceil(math.sqrt(len(images)))
    width, height = images[0].size
    grid = Image.new("RGB", (columns * width, math.ceil(len(images) / columns) * height))
    for index, image in enumerate(images):
        grid.paste(image, (index % columns * width, index // columns * height))
    return grid
