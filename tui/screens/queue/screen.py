"""The queue: what is made, what waits and for how long, what failed and why, what was made."""

from __future__ import annotations

import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
from textual.app import ComposeResult
from textual.screen import Screen
from textual.timer import Timer

from sdcore.engine import messages as m
from sdcore.spec.recipe import Recipe
from tui.actions import Group, Moment, Scope, bindings, footer
from tui.durations import clock
from tui.once_begun import once_begun
from tui.parameter_row import model_name
from tui.screens.lists.chooser import Choice, Chooser
from tui.screens.queue.editing import show_recipe
from tui.screens.queue.queueing import Item, QueueBook
from tui.widgets.caption import Caption
from tui.widgets.head import HeadLine
from tui.widgets.notes import Notes, unbroken
from tui.widgets.queue_list import QueueList, lines_of
from tui.widgets.status import FooterLine, MessageLine, Tone

if TYPE_CHECKING:
    from tui.app import SdtuiApp

_SEEDS: Final = 2**32
_EMPTY: Final = (
    "Nothing is made, nothing waits. Enter in the studio makes an image; ⌥e makes one after another."
)
_LONGEST: Final = 400
_SHOW_DELAY: Final = 0.03
"""Seconds between two looks at what has changed."""
_WIDTHS: Final = [(0, "-narrow"), (100, "-normal"), (160, "-wide")]
_HEIGHTS: Final = [(0, "-short"), (32, "-tall"), (50, "-high")]


class QueueScreen(Screen[None], inherit_bindings=False):
    """The engine's jobs; every key changes the engine's queue, and what is shown is what the engine says."""

    BINDINGS = bindings("queue")
    CSS_PATH = "queue.tcss"
    AUTO_FOCUS = "QueueList"
    HORIZONTAL_BREAKPOINTS = _WIDTHS
    VERTICAL_BREAKPOINTS = _HEIGHTS
    SCOPE: Scope = "queue"
    GROUP: Group = "Queue"
    HELP = (
        "Everything that was asked for and is not made yet, in its order; under it what failed, and what was made "
        "since sdtui was opened. How long a job takes is known once one like it was made. The queue is the engine's: "
        "it goes on without a terminal, and outlives a crash; the job that ran then goes on from its last kept step, "
        "one with which the engine died twice is set aside. ▸ is made now, ‖ is held, ! failed, ✓ is made."
    )
    app: SdtuiApp
    _showing: Timer | None = None

    def compose(self) -> ComposeResult:
        """The list, and in full what is under the cursor."""
        yield HeadLine("queue", id="head")
        yield Caption(id="queue-summary")
        yield QueueList(id="queue-list")
        yield Notes(id="queue-about")
        yield Notes(id="queue-reason")
        yield MessageLine(id="message")
        yield FooterLine(id="footer")

    def on_mount(self) -> None:
        """Show what there is, and follow it."""
        self.app.queueing.watch(self._changed)
        self._show()
        job, sentence = self.app.queueing.editing.take_news()
        self._list.go_to(job)
        self.say(sentence)

    def on_unmount(self) -> None:
        """Nobody looks any more."""
        self.app.queueing.watch(None)

    @property
    def _book(self) -> QueueBook:
        return self.app.queueing.book

    @property
    def _list(self) -> QueueList:
        return self.query_one(QueueList)

    # What is shown

    def _changed(self) -> None:
        if self._showing is None:  # a thousand jobs may come at once
            self._showing = self.set_timer(_SHOW_DELAY, self._show)

    def _show(self) -> None:
        self._showing = None
        if not self.query(HeadLine):
            return  # the app is being left, and its parts go one after another
        now = clock_time()
        view = self.app.studio.view
        self.query_one(HeadLine).show((model_name(view.model), view.device))
        self.query_one("#queue-summary", Caption).show(
            summary(self._book, now), accent=self._book.paused or self._book.forever is not None
        )
        self._list.show(lines_of(self._book, now), _EMPTY)

    def on_queue_list_moved(self) -> None:
        """Say in full what is under the cursor, and name its keys."""
        item = self._list.item
        self.query_one(FooterLine).show(footer(_moment(item)))
        about, reason = self.query_one("#queue-about", Notes), self.query_one("#queue-reason", Notes)
        about.show(*(_described(item) if item is not None else ()))
        reason.show(item.message if item is not None and item.message else self._book.notice)

    def on_queue_list_chosen(self) -> None:
        """A click on the line under the cursor."""
        self.action_edit()

    def say(self, *wordings: str, tone: Tone = "bright") -> None:
        """Say a sentence in the message line."""
        self.query_one(MessageLine).show(*wordings, tone=tone)

    async def on_footer_line_pressed(self, message: FooterLine.Pressed) -> None:
        """A key of the footer was clicked."""
        await self.app.action_do(message.name)

    # Keys

    def action_walk(self, by: int) -> None:
        """Move the cursor by jobs."""
        self._list.walk(by)

    def action_page(self, by: int) -> None:
        """Move it by screens."""
        self._list.page(by)

    def action_back(self) -> None:
        """Back to the studio."""
        self.dismiss(None)

    def action_shift(self, by: int) -> None:
        """Have the job made earlier or later."""
        item = self._list.item
        if item is None or item.state != "waiting":
            self.say("Only what waits has a place that can be changed.")
            return
        self.app.queueing.move(item.job, list(self._book.waiting).index(item.job) + by)

    def action_hold(self) -> None:
        """Hold the job, or release it."""
        item = self._list.item
        if item is None or item.state not in ("running", "waiting"):
            self.say("Only what waits or is made can be held.")
            return
        self.app.send(m.HoldJobs(jobs=(item.job,), held=not item.held))
        self.say(
            "It waits until you release it with Space." if item.state == "waiting" and not item.held
            else "It goes on when it is its turn." if item.held
            else "It stops before its next step; Space has it go on from there."
        )  # fmt: skip

    def action_pause(self) -> None:
        """Pause the queue, or resume it."""
        paused = self._book.paused
        self.app.send(m.PauseQueue(paused=not paused))
        self.say("The queue goes on." if paused else "Nothing more begins until you press p again.")

    def action_edit(self) -> None:
        """Bring the job to the studio."""
        item = self._list.item
        if item is None:
            return
        if item.state == "waiting":
            self.app.queueing.editing.begin(item)
        else:
            show_recipe(self.app, item.recipe)
            self.app.studio.view.say("The panes say what that job says.")
        self.dismiss(None)

    def action_again(self) -> None:
        """Try a failed job again; queue any other once more, with a new seed."""
        item = self._list.item
        if item is None:
            return
        if item.state == "failed":
            self.app.send(m.RetryJobs(jobs=(item.job,)))
            self.say("It is tried again after all that waits.")
            return
        recipe = msgspec.structs.replace(item.recipe, seed=secrets.randbelow(_SEEDS))
        self.app.send(m.Generate(job=secrets.token_hex(8), recipe=recipe, label=item.label))
        self.say(f"Queued once more, with seed {recipe.seed}.")

    def action_remove(self) -> None:
        """Take the job out of the queue, or off the list."""
        item = self._list.item
        if item is None:
            return
        if item.state == "done":
            self._book.done.remove(item)
            self._show()
            return
        self.app.send(m.RemoveJobs(jobs=(item.job,)))

    def action_clear(self) -> None:
        """Ask what is to be cleared."""
        self.run_worker(once_begun(self._clear), group="choose", exclusive=True)

    async def _clear(self) -> None:
        book = self._book
        counts = {"waiting": len(book.waiting), "failed": len(book.failed), "done": len(book.done)}
        choices = [
            Choice("waiting", f"What waits ({counts['waiting']})", "These images are not made."),
            Choice(
                "failed",
                f"What failed ({counts['failed']})",
                "The reasons are forgotten; the log keeps them.",
            ),
            Choice("done", f"What is made ({counts['done']})", "From this list alone: the images stay."),
        ]
        taken = await self.app.push_screen_wait(
            Chooser(
                "clear",
                [choice for choice in choices if counts[choice.value]],
                empty="There is nothing to clear.",
            )
        )
        if taken == "done":
            book.done.clear()
            self._show()
        elif taken is not None:
            jobs = book.waiting if taken == "waiting" else book.failed
            self.app.send(m.RemoveJobs(jobs=tuple(jobs)))

    def action_forever(self) -> None:
        """Make one after another, or make an end of it."""
        said, fault = self.app.queueing.toggle_forever()
        self.say(said, tone="alert" if fault else "bright")


def _moment(item: Item | None) -> Moment:
    if item is None:
        return "queue_empty"
    return "queue_ended" if item.state in ("failed", "done") else "queue"


def clock_time() -> float:
    """Seconds since 1970."""
    return time.time()


def summary(book: QueueBook, now: float) -> list[str]:
    """The queue in a line."""
    count, seconds = book.wait()
    parts = ["paused"] if book.paused else []
    parts += [f"{count} to be made" if count else "nothing to be made"]
    if seconds and count:
        parts.append(f"{clock(seconds)} in all")
        if not book.paused:
            parts.append(f"done at {time.strftime('%H:%M', time.localtime(now + seconds))}")
    held = sum(item.held for item in book.waiting.values())
    parts += [f"{held} held"] if held else []
    parts += [f"{len(book.failed)} failed"] if book.failed else []
    parts += ["without end"] if book.forever is not None else []
    return parts


def _described(item: Item) -> list[str]:
    """A job in full: its prompt, and what else decides it."""
    recipe: Recipe = item.recipe
    prompt = recipe.prompt if len(recipe.prompt) <= _LONGEST else f"{recipe.prompt[:_LONGEST]}…"
    width, height = recipe.final_size()
    facts = [
        item.label, model_name(recipe.model), f"{width} × {height}", f"{recipe.steps} steps", recipe.sampler,
        f"guidance {recipe.guidance_scale:g}", f"seed {recipe.seed}",
        *(Path(image).name for image in item.images[:1]),
    ]  # fmt: skip
    return [prompt, " · ".join(unbroken(fact) for fact in facts if fact)]
