"""Images on disk and an index of them, for the tests of the library."""

from __future__ import annotations

import contextlib
import os
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sdcore.library import marks
from sdcore.library.index import schema
from sdcore.library.index.keeping import Keeping
from sdcore.library.index.reading import read
from sdcore.library.index.scanning import walk
from sdcore.library.index.store import Store
from sdcore.spec import infotext
from sdcore.spec.recipe import Recipe
from tests.bench.synthetic import SIDE, png

PIXELS = zlib.compress(b"".join(b"\0" + bytes((y, 90, 160)) * SIDE for y in range(SIDE)))


def write_image(path: Path, *, changed: int = 1_750_000_000, **fields: Any) -> Path:
    """A PNG file of A1111's that tells of this recipe, last changed then (epoch seconds)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        png(PIXELS, [("parameters", infotext.write(Recipe(**fields), model_hash="", version="1"))])
    )
    os.utime(path, ns=(changed * 10**9 + 123_456_789,) * 2)
    return path


def index_folder(folder: Path) -> None:
    """Put all images of a folder into the index, as the keeper would."""
    store = Store(schema.open_to_write(schema.index_file()))
    with store.transaction():
        for place, images in walk(str(folder), lambda path: False, lambda: False):
            store.put([read(place, name, stamp) for name, stamp in (images or {}).items()], marks.read())
    store.close()


@contextlib.contextmanager
def keeping() -> Iterator[None]:
    """A keeper at work on a thread of this process."""
    stop = threading.Event()
    thread = threading.Thread(target=Keeping(schema.index_file(), stop).run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive()


def until(holds: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until something holds; fail if it never does."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)
