"""Small copies of images, kept in a bounded cache on disk."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from PIL import Image, ImageOps

from sdcore.library import paths
from sdcore.library.metadata import BROKEN, MetadataError, in_bytes, open_image
from sdcore.library.pruning import prune

LIMIT: Final = 512 * 1024 * 1024
"""Bytes that the cache may take; the least recently used go first."""
SIDES: Final = (128, 256, 512, 1024)
"""Longer sides in pixels of what is kept: one copy serves all boxes up to its size."""

_QUALITY: Final = 88
_PRUNE_EVERY: Final = 16 * 1024 * 1024
_USED_SECONDS: Final = 3600
"""A use is noted on disk when the last one is so long ago."""
_JPEG: Final = ("JPEG",)

Box = tuple[int, int]


def thumbnail(path: Path | str, box: Box) -> Image.Image | None:
    """The image at `path` as RGB, made to fit into `box` (width and height in pixels, at least 1), never enlarged;
    None where it cannot be read. From the cache, or else made and kept. Reads files: call it on a thread, on as many
    as you like. Never raises."""
    side = next((side for side in SIDES if side >= max(box)), None)
    place = None if side is None else _place(path, side)
    image = _kept(place) if place is not None else None
    if image is None:
        image = _make(path, side or max(box))
        if image is not None and place is not None:
            _keep(place, image)
    if image is not None:
        image.thumbnail((max(1, box[0]), max(1, box[1])), Image.Resampling.BOX)
    return image


def warm(images: Iterable[Path | str], box: Box, stop: Callable[[], bool] = lambda: False) -> None:
    """Have the thumbnails of images in the cache, one after another until `stop` says so. Never raises."""
    for image in images:
        if stop():
            return
        place = _place(image, next((side for side in SIDES if side >= max(box)), SIDES[-1]))
        if place is not None and not place.exists():
            thumbnail(image, box)


def thumbnails_dir() -> Path:
    """Where the cache is."""
    return paths.cache_dir() / "thumbnails"


def _place(path: Path | str, side: int) -> Path | None:
    """Where the copy of a file as it is now is kept; None where there is no file."""
    try:
        about = os.stat(path)  # noqa: PTH116
        said = f"{about.st_size} {about.st_mtime_ns} {side} ".encode() + os.fsencode(os.path.abspath(path))  # noqa: PTH100
    except (OSError, ValueError):
        return None
    digits = hashlib.sha256(said).hexdigest()
    return thumbnails_dir() / digits[:2] / f"{digits[2:40]}.jpg"


def _kept(place: Path) -> Image.Image | None:
    try:
        with Image.open(place, formats=_JPEG) as image:
            image.load()
        if time.time() - place.stat().st_mtime > _USED_SECONDS:
            os.utime(place)
        return image
    except (
        OSError,
        Image.DecompressionBombError,
        *BROKEN,
    ):  # none, or one that was half written when power failed
        return None


def _make(path: Path | str, side: int) -> Image.Image | None:
    try:
        with open_image(path) as image:
            if image.format == "JPEG":
                image.draft("RGB", (side, side))
            turned = ImageOps.exif_transpose(image) if image.format == "JPEG" else image
            small = in_bytes(turned).convert("RGB")
            small.thumbnail((side, side), Image.Resampling.BOX)
            return small
    except (OSError, MemoryError, MetadataError, Image.DecompressionBombError, *BROKEN):
        return None


def _keep(place: Path, image: Image.Image) -> None:
    """Write a copy whole or not at all; not durably, for it can be made again. Where it cannot be, it is not kept."""
    with contextlib.suppress(OSError):
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=place.parent, suffix=".part")
        part = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                image.save(file, "JPEG", quality=_QUALITY, subsampling=0)
                size = file.tell()
            part.replace(place)
        finally:
            part.unlink(missing_ok=True)
        _account.add(size)


class _Account:
    """What was written since the cache was last looked through: the first copy of a process has it looked through, and
    then every 16 MiB."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left = 0

    def add(self, size: int) -> None:
        """Count `size` bytes, and look through the cache on a thread if it is time."""
        with self._lock:
            self._left -= size
            if self._left > 0:
                return
            self._left = _PRUNE_EVERY
        threading.Thread(target=lambda: prune(thumbnails_dir(), LIMIT), daemon=True).start()


_account: Final = _Account()
