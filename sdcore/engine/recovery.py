"""The queue as an earlier engine left it, matched against what that engine saved before it died."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from sdcore.engine import journal, wire
from sdcore.engine.checkpoints import Checkpoints
from sdcore.engine.estimates import Estimates
from sdcore.engine.ledger import Done, Entry, Ledger, Placed
from sdcore.engine.messages import AnyEvent, SavedImage
from sdcore.engine.queue import JobQueue
from sdcore.library import config, paths, record
from sdcore.library.metadata import MetadataError, read_texts

MOST_DEATHS: Final = 2
"""With so many engines that died, a job is offered no more by itself."""

_SET_ASIDE: Final = (
    "The engine died twice while this was made: release it to try once more, make it smaller, or remove it."
)
_NOT_KEPT: Final = "The queue cannot be kept in {} ({}): what waits is lost when the engine ends."
_SLACK: Final = 10.0
"""Seconds by which the clock of a file system may be behind."""


def queue_folder() -> Path:
    """Where the engine process keeps its queue."""
    return paths.state_dir() / "queue"


def open_queue(
    publish: Callable[[AnyEvent], None], folder: Path | None
) -> tuple[JobQueue, Checkpoints, Estimates]:
    """The queue kept in `folder`, or (None) one that lives as long as the process; its checkpoints, and its estimates.
    What was going on when the last engine died is the next thing to be done."""
    if folder is None:
        return _in_memory(publish)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as fault:
        return _in_memory(publish, _NOT_KEPT.format(folder, fault.strerror or type(fault).__name__))
    path = folder / f"jobs-{wire.machine()}.journal"
    ledger, notices = journal.read(path)
    take_up(ledger, config.load()[0].outputs_dir())
    estimates = Estimates(paths.cache_dir() / f"pace-{wire.machine()}.json")
    checkpoints = Checkpoints(folder)
    checkpoints.sweep({*ledger.waiting, *ledger.failed})
    queue = JobQueue(publish, estimates, ledger=ledger, notice=" ".join(notices), forget=checkpoints.forget)
    kept = journal.Journal(path, queue.changed, queue.snapshot, queue.landed, queue.complain)
    queue.keep_in(kept)
    return queue, checkpoints, estimates


def _in_memory(
    publish: Callable[[AnyEvent], None], notice: str = ""
) -> tuple[JobQueue, Checkpoints, Estimates]:
    estimates, checkpoints = Estimates(), Checkpoints()
    queue = JobQueue(publish, estimates, notice=notice, forget=checkpoints.forget)
    return queue, checkpoints, estimates


def take_up(ledger: Ledger, outputs: Path) -> None:
    """Put the job that was running back, at the head of the queue: without what of it is saved already, and held if it
    was the last thing that two engines did."""
    running = ledger.running
    if running is None:
        return
    saved = running.saved | find_saved(running, outputs)
    if len(saved) == running.recipe.batch_size:
        ledger.apply(Done(running.job, tuple(saved[index] for index in sorted(saved))))
        return
    deaths = running.deaths + (not running.held)
    entry = msgspec.structs.replace(running, saved=saved, deaths=deaths)
    if deaths >= MOST_DEATHS and not entry.held:
        entry = msgspec.structs.replace(entry, held=True, reason=_SET_ASIDE)
    ledger.apply(Placed(entry, 0))


def find_saved(entry: Entry, outputs: Path) -> dict[int, SavedImage]:
    """The images of a job below `outputs`, by their place in its batch: an engine may have died between saving one and
    noting that it did."""
    found: dict[int, SavedImage] = {}
    for path in _files_since(outputs, entry.began):
        try:
            header = read_texts(path)
            text = header.texts.get(record.CHUNK)
            made = None if text is None else record.decode(text)
        except (MetadataError, ValueError, RecursionError):  # msgspec's faults are ValueErrors
            continue
        if made is not None and made.job == entry.job:
            index = made.batch.index if made.batch is not None else 0
            found[index] = SavedImage(
                path=str(path), recipe=made.recipe, width=header.width, height=header.height
            )
    return found


def _files_since(outputs: Path, began: float) -> Iterator[Path]:
    first_day = f"{datetime.fromtimestamp(began).astimezone():%Y-%m-%d}"
    for day in sorted(outputs.glob("????-??-??")):
        if day.name < first_day:
            continue
        for path in day.glob("*.png"):
            try:
                recent = path.stat().st_mtime >= began - _SLACK
            except OSError:
                continue
            if recent:
                yield path
