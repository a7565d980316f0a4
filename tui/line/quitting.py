"""What a person is asked before the app goes while something is to be made, or before the engine is made to go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sdcore.engine import messages as m
from tui.durations import clock

if TYPE_CHECKING:
    from tui.app import SdtuiApp

_ENDLESS: Final = "Images are made without end."
_LEAVE: Final = {
    False: ("Leave, and let the engine finish", "It saves what it makes as usual, and ends after it."),
    True: (
        "Leave, and let the engine go on",
        "It makes and saves images until it is told to end: sdtui stop.",
    ),
}
"""By whether images are made without end."""


async def may_leave(app: SdtuiApp) -> bool:
    """Ask what becomes of what is still to be made, and tell the engine; whether the app may go."""
    from tui.screens.lists.chooser import Choice, Chooser

    jobs = _to_be_made(app)
    endless = app.queueing.book.forever is not None and not app.queueing.book.paused
    if not jobs and not endless:
        return True
    answer = await app.push_screen_wait(Chooser("quit", [
        Choice("finish", *_LEAVE[endless]),
        Choice("keep", "Stop, and keep the rest", "What is unfinished is held in the queue for the next time."),
        Choice("drop", "Stop, and drop the rest", "What is unfinished is lost."),
        Choice("stay", "Stay", "Nothing changes."),
    ], question=_ENDLESS if endless else _question(app, len(jobs))))  # fmt: skip
    if answer not in ("finish", "keep", "drop"):
        return False
    if answer == "drop":
        app.send(m.RunForever())
        app.send(m.RemoveJobs(jobs=jobs))
    app.line.farewell = m.Shutdown(when_idle=answer == "finish")
    return True


async def may_force(app: SdtuiApp) -> bool:
    """Ask whether the engine is to end in the middle of a step."""
    from tui.screens.lists.chooser import Choice, Chooser

    answer = await app.push_screen_wait(Chooser("engine", [
        Choice("wait", "Wait", "A step may take long the first time, or while other programs use the machine."),
        Choice("force", "End it by force, and start another",
               "What it is making is held in the queue; everything else goes on."),
    ], question="End the engine though a step is under way?"))  # fmt: skip
    return answer == "force"


def _to_be_made(app: SdtuiApp) -> tuple[str, ...]:
    """The jobs that an engine which is left alone will make."""
    book, queue = app.studio.view.book, app.queueing.book
    waiting = [] if queue.paused else [job for job in book.waiting if not _is_held(app, job)]
    return (*([book.running.job] if book.running is not None else []), *waiting)


def _is_held(app: SdtuiApp, job: str) -> bool:
    item = app.queueing.book.waiting.get(job)
    return item is not None and item.held


def _question(app: SdtuiApp, count: int) -> str:
    known, seconds = app.queueing.book.wait()
    takes = f", for about {clock(seconds)}" if seconds is not None and known == count else ""
    return (
        f"An image is still to be made{takes}."
        if count == 1
        else f"{count} images are still to be made{takes}."
    )
