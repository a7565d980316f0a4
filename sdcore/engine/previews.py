"""Who wants previews, how large and how often; and the pictures for them. No torch."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from PIL import Image

from sdcore.engine.backend import Coming
from sdcore.engine.mailbox import Mailbox
from sdcore.engine.messages import JobPreview, SetPreview

LARGEST: Final = 1024
"""The largest box in pixels, whatever a client asks for: a preview is no more than an eighth of the image."""

KEPT_SECONDS: Final = 1.0
"""How often an estimate is kept for who comes late, where nobody asks for previews: it is made a picture for them."""

MOST_IMAGES: Final = 4
"""How many images of a batch are previewed: more would cost the sampling itself."""


@dataclass(frozen=True)
class _Begun:
    """A preview on its way from the device, and to whom."""

    job: str
    index: int
    coming: Coming
    due: list[tuple[Mailbox, tuple[int, int]]]


class Previews:
    """The previews that clients asked for. Any thread may ask; the worker thread makes them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._wanted: dict[Mailbox, SetPreview] = {}
        self._due: dict[Mailbox, float] = {}
        self._begun: _Begun | None = None
        self._newest: _Begun | None = None
        self._keep_at = -math.inf

    def want(self, mailbox: Mailbox, command: SetPreview) -> None:
        """Send previews to `mailbox` from now on, as `command` says; a box of 0 ends them."""
        with self._lock:
            self._due.pop(mailbox, None)
            if min(command.width, command.height) < 1 or not command.max_fps > 0:
                self._wanted.pop(mailbox, None)
            else:
                self._wanted[mailbox] = command

    def forget(self, mailbox: Mailbox) -> None:
        """Send no more previews to `mailbox`."""
        with self._lock:
            self._wanted.pop(mailbox, None)
            self._due.pop(mailbox, None)

    def show(self, job: str, index: int, latents: Any, begin: Callable[[Any], Coming]) -> None:
        """Send the estimate after pass `index` to whom it is due; without anyone, it is kept now and then.

        What `begin` makes of the latents is sent at once if it is there, otherwise with a later pass: nothing waits
        for the device here.
        """
        if self._begun is not None and self._begun.job != job:
            self._begun = None  # the image itself was shown meanwhile
        self._send()
        if self._begun is not None:
            return
        due = self._take_due()
        if due or self._clock() >= self._keep_at:
            self._keep_at = self._clock() + KEPT_SECONDS
            self._newest = begun = _Begun(job, index, begin(latents), due)
            self._begun = begun if due else None
            self._send()

    def ended(self, job: str) -> None:
        """There is nothing to be kept of this job any more."""
        newest = self._newest
        if newest is not None and newest.job == job:
            self._newest = None

    def catch_up(self, mailbox: Mailbox) -> None:
        """Send the newest estimate of what runs to who asked for previews just now, unless a pass was quicker."""
        newest = self._newest
        with self._lock:
            wanted = self._wanted.get(mailbox)
        if newest is None or wanted is None or not newest.coming.done:
            return
        events = _events(newest, _pictures(newest), _box(wanted))
        with self._lock:
            if mailbox not in self._due:  # otherwise the same picture would come twice, or behind a newer one
                for event in events:
                    mailbox.put(event)

    def _send(self) -> None:
        begun = self._begun
        if begun is None or not begun.coming.done:
            return
        self._begun = None
        _deliver(begun)

    def _take_due(self) -> list[tuple[Mailbox, tuple[int, int]]]:
        now = self._clock()
        with self._lock:
            due = [mailbox for mailbox in self._wanted if self._due.get(mailbox, -math.inf) <= now]
            for mailbox in due:
                self._due[mailbox] = now + 1 / self._wanted[mailbox].max_fps
            return [(mailbox, _box(self._wanted[mailbox])) for mailbox in due]


def _deliver(begun: _Begun) -> None:
    pictures = _pictures(begun)
    made: dict[tuple[int, int], list[JobPreview]] = {}
    for mailbox, box in begun.due:
        if box not in made:
            made[box] = _events(begun, pictures, box)
        for event in made[box]:
            mailbox.put(event)


def _pictures(begun: _Begun) -> list[Image.Image]:
    return [Image.fromarray(rgb) for rgb in begun.coming.rgb()[:MOST_IMAGES]]


def _events(begun: _Begun, pictures: list[Image.Image], box: tuple[int, int]) -> list[JobPreview]:
    fitted = [fit(picture, box) for picture in pictures]
    return [
        JobPreview(
            job=begun.job,
            index=begun.index,
            image=image,
            width=picture.width,
            height=picture.height,
            rgb=picture.tobytes(),
        )
        for image, picture in enumerate(fitted)
    ]


def fit(picture: Image.Image, box: tuple[int, int]) -> Image.Image:
    """`picture` scaled to the largest size of its own proportions that fits into `box` (width, height)."""
    scale = min(box[0] / picture.width, box[1] / picture.height)
    size = tuple(
        max(1, min(side, round(length * scale))) for length, side in zip(picture.size, box, strict=True)
    )
    return picture.resize((size[0], size[1]), Image.Resampling.BICUBIC)


def _box(wanted: SetPreview) -> tuple[int, int]:
    return min(wanted.width, LARGEST), min(wanted.height, LARGEST)
