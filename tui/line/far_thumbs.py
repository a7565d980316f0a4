"""Small copies of another machine's images: asked for as they come into view, kept in a bounded cache on disk."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from sdcore.engine import messages as m
from tui.thumbs import Lines, Thumb, make_lines, pixels

if TYPE_CHECKING:
    from PIL.Image import Image
    from rich.style import Style

SIDES: Final = (64, 128, 256, 512, 1024)
"""Longer sides in pixels of what is asked for: the smallest that fills the box."""
LIMIT: Final = 128 << 20
"""Bytes that the cache may take; the least recently used go first."""
MOST_BYTES: Final = 4 << 20
"""Of one copy."""

_AT_ONCE: Final = 16
"""Copies that may be on their way: what is asked for and not looked at any more comes in vain."""
_PRUNE_EVERY: Final = 8 << 20
_USED_SECONDS: Final = 3600
_KEPT_HERE: Final = 512
"""Copies that are kept in memory, too: those that have just come."""


class Key(msgspec.Struct, frozen=True):
    """A version of an image in one size."""

    path: str
    edited: float
    side: int


def side_for(box: Iterable[int]) -> int:
    """The side in pixels that is asked for where a box is to be filled."""
    longest = max(box)
    return next((side for side in SIDES if side >= longest), SIDES[-1])


class Copies:
    """The copies that are here. Reads and writes files; any thread may call."""

    def __init__(self, machine: str) -> None:
        self._machine = machine
        self._lock = threading.Lock()
        self._fresh: OrderedDict[Key, bytes] = OrderedDict()
        self._unpruned = 0

    def those_here(self, keys: Sequence[Key]) -> list[Key]:
        """Those of the copies that are here."""
        return [key for key in keys if self.has(key)]

    def has(self, key: Key) -> bool:
        """Whether it is here. Notes that it is wanted."""
        if key in self._fresh:
            return True
        place = self._place(key)
        with contextlib.suppress(OSError):
            if time.time() - place.stat().st_mtime > _USED_SECONDS:
                os.utime(place)
            return True
        return False

    def keep(self, key: Key, data: bytes) -> None:
        """Keep a copy, on disk where that can be. Never raises."""
        from sdcore.library.pruning import prune

        with self._lock:
            self._fresh[key] = data
            if len(self._fresh) > _KEPT_HERE:
                self._fresh.popitem(last=False)
            self._unpruned -= len(data)
            due = self._unpruned < 0  # the first copy of all has the folder looked through
            if due:
                self._unpruned = _PRUNE_EVERY
        place = self._place(key)
        with contextlib.suppress(OSError):
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor, part = tempfile.mkstemp(dir=place.parent, suffix=".part")  # 0600
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            Path(part).replace(place)
        if due:
            prune(copies_dir(), LIMIT)

    def image(self, key: Key) -> Image | None:
        """The copy as RGB; None where it is not here, or is no image that we would have been given."""
        import io

        from PIL import Image

        try:
            data = self._fresh.get(key) or self._place(key).read_bytes()
            with Image.open(io.BytesIO(data), formats=("WEBP",)) as image:
                if max(image.size) > SIDES[-1]:
                    return None
                return image.convert("RGB")
        except Exception:  # Pillow raises nearly anything on a damaged file
            return None

    def _place(self, key: Key) -> Path:
        said = f"{key.edited!r} {key.side} {self._machine} ".encode() + os.fsencode(key.path)
        digits = hashlib.sha256(said).hexdigest()
        return copies_dir() / digits[:2] / f"{digits[2:40]}.webp"


def copies_dir() -> Path:
    """Where they are kept."""
    from sdcore.library import paths

    return paths.cache_dir() / "far-thumbnails"


class FarThumbs:
    """See `ThumbSource`. `send` sends a command to the engine, `number` gives it its number."""

    def __init__(
        self, copies: Copies, send: Callable[[m.AnyCommand], object], number: Callable[[], int]
    ) -> None:
        self._copies = copies
        self._send = send
        self._number = number
        self._came: Callable[[], object] = lambda: None
        self._here: set[Key] = set()
        self._sought: set[Key] = set()
        """Those that were looked for on disk."""
        self._wanted: list[Key] = []
        """What is not here yet, the most wanted first."""
        self._on_the_way: dict[tuple[bytes, int], Key] = {}
        self._come: set[Key] = set()
        """Those that have come and are not kept yet."""
        self._seeking: asyncio.Task[None] | None = None
        self._keeping: set[asyncio.Task[None]] = set()

    def listen(self, came: Callable[[], object]) -> None:
        """See `ThumbSource`."""
        self._came = came

    def at_hand(self, thumbs: Sequence[Thumb]) -> list[Thumb]:
        """See `ThumbSource`."""
        keys = [_key(thumb) for thumb in thumbs]
        self._wanted = [key for key in dict.fromkeys(keys) if key not in self._here]
        self._go_on()
        return [thumb for thumb, key in zip(thumbs, keys, strict=True) if key in self._here]

    def make(self, thumb: Thumb, style: Style) -> Lines | None:
        """See `ThumbSource`."""

        from PIL.Image import Resampling

        def read(path: str, box: tuple[int, int]) -> Image | None:
            image = self._copies.image(_key(thumb))
            if image is not None:
                image.thumbnail(box, Resampling.BOX)
            return image

        return make_lines(thumb, style, read)

    def take(self, event: m.ThumbMade) -> None:
        """One has come; an empty one is one that cannot be had."""
        key = self._on_the_way.pop((event.path, event.side), None)
        if key is not None:
            self._come.add(key)  # nobody asks again while it is written
            data = event.data if len(event.data) <= MOST_BYTES else b""
            task = asyncio.create_task(self._keep(key, data))
            self._keeping.add(task)
            task.add_done_callback(self._keeping.discard)

    def forget_asked(self) -> None:
        """The line broke: what was on its way does not come any more."""
        self._on_the_way.clear()

    def go_on(self) -> None:
        """The line stands again: ask again for what is looked at."""
        self._go_on()

    async def _keep(self, key: Key, data: bytes) -> None:
        if data:
            await asyncio.to_thread(self._copies.keep, key, data)
        self._come.discard(key)
        self._here.add(key)
        self._wanted = [one for one in self._wanted if one != key]
        self._came()
        self._go_on()

    def _go_on(self) -> None:
        """Look on disk for what was not looked for yet; ask for what is not there."""
        if any(key not in self._sought for key in self._wanted):
            if self._seeking is None or self._seeking.done():
                self._seeking = asyncio.create_task(self._seek())
            return
        on_the_way = set(self._on_the_way.values())
        behind = bool(on_the_way) and not on_the_way.isdisjoint(self._wanted)
        if behind and len(on_the_way) > _AT_ONCE // 2:
            return
        if not behind:
            self._on_the_way.clear()
            on_the_way.clear()
        missing = [key for key in self._wanted if key not in on_the_way and key not in self._come]
        batch = [key for key in missing if key.side == missing[0].side][: _AT_ONCE - len(on_the_way)]
        if batch:
            self._on_the_way |= {(os.fsencode(key.path), key.side): key for key in batch}
            paths = tuple(os.fsencode(key.path) for key in batch)
            self._send(m.GetThumbs(request=self._number(), side=batch[0].side, paths=paths, behind=behind))

    async def _seek(self) -> None:
        while keys := [key for key in self._wanted if key not in self._sought]:
            found = await asyncio.to_thread(self._copies.those_here, keys)
            self._sought.update(keys)
            self._here.update(found)
            self._wanted = [key for key in self._wanted if key not in self._here]
            if found:
                self._came()
        self._seeking = None
        self._go_on()


def _key(thumb: Thumb) -> Key:
    return Key(thumb.path, thumb.edited, side_for(pixels(thumb)))
