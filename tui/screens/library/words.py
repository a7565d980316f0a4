"""What the library says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sdcore.library.index import Progress

HELP: Final = (
    "All images that sdtui made, and those of the folders that you add with ^O, newest first. / searches as you "
    'type: words of the prompt, "these words", model:dream, sampler:euler, seed:42, steps:>20, size:512x768, '
    "date:2026-03, before:, after:, star, tag:, folder:, and - before anything to leave it out. Space marks "
    "images, v a whole range; every key then works on all that are marked. With --host they are those of that machine."
)
LOOKING: Final = "Looking for your images…"
_EMPTY: Final = (
    "There are no images yet. Escape and then Enter makes one; ^O adds a folder of images that you have."
)
_EMPTY_THERE: Final = "There are no images on {} yet. Escape and then Enter makes one."
_NO_FIT: Final = "Nothing fits what you search for. Escape shows all images again."


def hint(total: int, progress: Progress | None, machine: str) -> str:
    """What stands where there are no images, though there are `total` of them at all, on a `machine` or on this one."""
    if total:
        return _NO_FIT
    if progress is not None and progress.running:
        return LOOKING
    return _EMPTY_THERE.format(machine) if machine else _EMPTY


def counted(found: int, total: int, searched: bool) -> str:
    """How many images are found, if it was searched for some, of how many."""
    every = f"{total:,}"
    # as wide whatever is found: a count of another width has the whole screen laid out anew
    count = f"{found:{len(every)},} of {every}" if searched else every
    return f"{count} {'image' if total == 1 else 'images'} "


def reading(progress: Progress | None) -> str:
    """How far the keeper is, "" where it rests."""
    if progress is None or not progress.running:
        return ""
    return f"reading {progress.done:,} of {progress.total:,}"


def where(machine: str) -> str:
    """Where the images are, "" for this machine."""
    return f"on {machine}" if machine else ""
