"""From the engine's events to the screen: each kind of event changes what it concerns, nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sdcore.engine import messages as m
from sdcore.spec.choices import is_flow_family
from tui.actions import BY_NAME
from tui.durations import clock, rate
from tui.line.jobs import Job, JobBook
from tui.parameter_row import model_name
from tui.widgets.head import HeadLine
from tui.widgets.plot import SchedulePlot
from tui.widgets.progress import ProgressLine
from tui.widgets.sigma_table import SigmaTable
from tui.widgets.status import MessageLine, Tone, memory_needs

if TYPE_CHECKING:
    from tui.screens.studio.screen import Studio


_TABLE_SECONDS: Final = 2.0
"""How often the table follows where there are no previews."""


class RunView:
    """What the studio shows of the engine. `handle` takes every event."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self.book = JobBook()
        self.engine_up = False
        self.engine_dead = False
        self.device = ""
        self.memory_bytes = 0
        self.model = ""
        self.family = ""
        self.loading = ""
        self.queue: tuple[str, ...] = ()
        """What is special about the queue: that it is paused, or that it goes on without end."""
        self._table_due = 0.0
        self.needs = ("", False)
        """How much memory the settings need, and whether there is less."""
        self.newest: tuple[str, object] = ("", None)
        """The job that was asked for last, and what the panes said when it was."""
        self._complaint: tuple[Callable[[], object], object] | None = None
        self._handlers: dict[type, Callable[[Any], None]] = {
            m.EngineStarting: self._engine_starting,
            m.EngineReady: self._engine_ready,
            m.EngineFailed: self._engine_failed,
            m.LineLost: self._line_lost,
            m.LineBack: self._line_back,
            m.ModelLoading: self._model_loading,
            m.ModelLoaded: self._model_loaded,
            m.ModelFailed: self._model_failed,
            m.JobQueued: self._queued,
            m.JobStarted: self._started,
            m.JobProgress: self._progress,
            m.JobPreview: self._preview,
            m.JobFinished: self._finished,
            m.JobCancelled: self._cancelled,
            m.JobFailed: self._failed,
            m.JobNotice: self._noticed,
            m.JobStalled: self._stalled,
            m.QueueState: self._queue_told,
            m.SchedulePlanned: self._planned,
        }

    def handle(self, event: m.AnyEvent) -> None:
        """Show what `event` tells."""
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(event)
            if not isinstance(event, m.LIVE):
                self.look_again()
                self.show_head()

    def show_head(self) -> None:
        """Model, device and queue in the head line."""
        held = len(self.book.held & self.book.waiting.keys())
        waiting = len(self.book.waiting) - held
        going_on = [self.loading] if self.loading else []
        going_on += [f"{count} {word}" for count, word in ((waiting, "queued"), (held, "held")) if count]
        going_on += self.queue
        model = self.model or self._studio.model_named
        needs, short = self.needs
        facts = ("" if short else needs, model_name(model), self.device)
        alarm = needs if short else ""
        self._studio.query_one(HeadLine).show(facts, " · ".join(going_on), alarm)
        self._studio.show_footer()

    def say(self, *wordings: str, tone: Tone = "bright") -> None:
        """Say a sentence in the message line, in the longest wording that fits."""
        self._complaint = None
        self._studio.query_one(MessageLine).show(*wordings, tone=tone)

    def complain(self, message: str, about: Callable[[], object]) -> None:
        """Say what is wrong with something, for as long as `about` answers what it answers now."""
        self.say(message, tone="alert")
        self._complaint = about, about()

    def look_again(self) -> None:
        """Something changed: what is no longer wrong, or wrong with something else, is no longer said."""
        if self._complaint is not None:
            about, before = self._complaint
            if about() != before:
                self.say("")

    # The engine

    def starting(self) -> None:
        """A line to the engine is being opened."""
        self.engine_dead = self.engine_up = False
        self.loading = "engine starting"
        self.show_head()

    def _engine_starting(self, event: m.EngineStarting) -> None:
        self.loading = "engine starting"
        self._bar.show(event.fraction, f"starting {event.stage}")

    def _engine_ready(self, event: m.EngineReady) -> None:
        self.engine_up, self.engine_dead, self.loading = True, False, ""
        self.memory_bytes = event.memory_bytes
        self.device = f"{event.device} {event.dtype}".strip()
        self._studio.app.ask_for_previews()
        self._bar.clear()

    def _engine_failed(self, event: m.EngineFailed) -> None:
        self.lost(f"{event.message} Press Enter to start it again.")

    def _line_lost(self, event: m.LineLost) -> None:
        self.loading = "line lost, trying again"
        self.say(event.message, tone="alert")

    def _line_back(self, event: m.LineBack) -> None:
        """What the engine has now follows; what it had no one knows any more."""
        self.loading = ""
        self.book.clear()
        self._rest()
        self.say("The line stands again.")
        self._studio.app.ask_for_previews()

    def lost(self, message: str) -> None:
        """The engine is gone; say so and how to go on."""
        if self.engine_dead:
            return
        self.engine_up, self.engine_dead, self.loading = False, True, "engine stopped"
        jobs = self.book.clear()
        self._rest()
        left = f" {jobs} unfinished {'image waits' if jobs == 1 else 'images wait'} for it." if jobs else ""
        self.say(f"{message}{left}", tone="alert")
        self.show_head()

    def died(self, message: str) -> None:
        """The engine died and is being started again; what it has kept of its work is told by the next one."""
        self.book.clear()
        self._rest()
        self.say(f"{message} It is being started again; what was to be made goes on.", tone="alert")

    # The model

    def _model_loading(self, event: m.ModelLoading) -> None:
        self.loading = f"loading {model_name(event.model)}"
        self._bar.show(event.fraction, f"{event.stage}", f"loading {model_name(event.model)}")

    def _model_loaded(self, event: m.ModelLoaded) -> None:
        self.model, self.family, self.loading = event.model, event.family, ""
        self._studio.parameters.know(event.model, event.family)
        self._studio.counting.learn_words()
        self._studio.completing.learn_files()
        self._studio.planning.ask()  # what its runs need is known now
        self._studio.choosing.loaded(event.model)
        self.device = f"{event.device} {event.dtype}".strip()
        self._bar.clear()

    def _model_failed(self, event: m.ModelFailed) -> None:
        self.loading = ""
        self._bar.clear()
        self.complain(event.message, lambda: (self._studio.model_named, self.loading))

    # Jobs

    def _queued(self, event: m.JobQueued) -> None:
        running = self.book.running
        self.book.queued(event)
        if running is not self.book.running:  # it was held on its way, and waits again
            self._rest()

    def _started(self, event: m.JobStarted) -> None:
        self.loading = ""
        job = self.book.started(event)
        self.model = event.recipe.model
        self._table.set_schedule(event.timesteps, event.sigmas, flow=is_flow_family(self.family))
        self._plot.set_schedule(event.sigmas)
        self.say(self._studio.drawing.said(event.job))
        self._show_pace(job)

    def _progress(self, event: m.JobProgress) -> None:
        job = self.book.progressed(event)
        if job is None:
            return
        self._show_pace(job)
        # where nobody wants pictures bytes may be dear, and the table's are most of them
        if self._studio.app.wants_previews or time.monotonic() >= self._table_due:
            self._show_step()

    def _show_step(self) -> None:
        """Where the run is, in the table and the plot."""
        job = self.book.running
        if job is not None and job.index is not None:
            self._table_due = time.monotonic() + _TABLE_SECONDS
            self._table.set_step(job.index, job.seconds)
            self._plot.set_step(job.index)

    def _show_pace(self, job: Job) -> None:
        left = job.seconds_left
        done = job.total > 0 and job.done >= job.total
        rest = "decoding" if done else f"{clock(left)} left" if left is not None else ""
        self._bar.show(job.done / max(1, job.total), f"{job.done}/{job.total}", rate(job.per_second), rest)

    def _preview(self, event: m.JobPreview) -> None:
        running = self.book.running
        if running is not None and running.job == event.job:
            self._studio.gallery.show_preview(event.width, event.height, event.rgb)

    def _finished(self, event: m.JobFinished) -> None:
        self._show_step()
        self.book.ended(event.job)
        self._rest()
        if not event.images:
            return
        first = event.images[0]
        recipe = first.recipe
        count = len(event.images)
        self._bar.show(None, f"seed {recipe.seed}", clock(event.seconds), rate(event.steps_per_second),
                       f"{first.width} × {first.height}" + (f" × {count}" if count > 1 else ""))  # fmt: skip
        kept = "" if event.cancelled_at is None else f" as it was after step {event.cancelled_at + 1}"
        more = f" and {count - 1} more" if count > 1 else ""
        drawn = self._studio.drawing.said(event.job)
        wordings = [f"saved{kept} {path}{more}" for path in path_wordings(first.path)]
        self.say(*(f"{wording} · {drawn}" for wording in wordings if drawn), *wordings)
        self._studio.gallery.show_finished([Path(image.path) for image in event.images])

    def _cancelled(self, event: m.JobCancelled) -> None:
        self._show_step()
        ended = self.book.ended(event.job)
        self._rest()
        if ended is not None:
            self.say(f"Stopped after {event.index} of {ended.total} steps; nothing was saved.")
        else:
            self.say("Taken out of the queue.")

    def _failed(self, event: m.JobFailed) -> None:
        self.book.ended(event.job)
        self.loading = ""
        self._rest()
        if self.newest == (event.job, self._studio.said):
            self.complain(event.message, lambda: self._studio.said)
        else:  # nothing that is typed now makes it right
            self.say(event.message, tone="alert")

    def _noticed(self, event: m.JobNotice) -> None:
        self.say(event.message, tone="quiet")

    def _stalled(self, event: m.JobStalled) -> None:
        key = BY_NAME["force"].key
        self.say(f"{event.message} {key} does that.", event.message, tone="alert")

    def _queue_told(self, event: m.QueueState) -> None:
        words = {"paused": event.paused, "without end": event.forever is not None}
        self.queue = tuple(word for word, so in words.items() if so)
        fresh = [why for job, why in event.held.items() if why and job not in self.book.held]
        self.book.held = frozenset(event.held)
        if fresh:  # not by a person's own hand
            count = "A job is" if len(fresh) == 1 else f"{len(fresh)} jobs are"
            self.say(f"{count} held in the queue ({BY_NAME['go_queue'].key}). {fresh[0]}")

    def _planned(self, event: m.SchedulePlanned) -> None:
        if not self._studio.planning.is_answer(event):
            return
        self.needs = memory_needs(event.memory_needed, event.memory_total)
        if self.book.running is not None:
            return
        if event.problem:
            self.complain(event.problem, lambda: self._studio.said)
            return
        if self._table.shows(event.timesteps, event.sigmas):
            return  # with the times of the run before
        self._table.set_schedule(event.timesteps, event.sigmas, flow=is_flow_family(self.family))
        self._plot.set_schedule(event.sigmas)
        self._plot.set_step(None)

    def _rest(self) -> None:
        """Nothing samples: no bar and no present step, unless another job has begun meanwhile."""
        if self.book.running is not None:
            return
        self._bar.clear()
        self._plot.set_step(None)
        self._table.rest()

    @property
    def _bar(self) -> ProgressLine:
        return self._studio.query_one(ProgressLine)

    @property
    def _table(self) -> SigmaTable:
        return self._studio.query_one(SigmaTable)

    @property
    def _plot(self) -> SchedulePlot:
        return self._studio.query_one(SchedulePlot)


def path_wordings(path: str) -> list[str]:
    """`path` whole, with the home folder as `~`, and shorter by its first folders."""
    home = str(Path.home())
    shown = f"~{path[len(home) :]}" if path.startswith(f"{home}/") else path
    return [shown, f"…/{Path(path).parent.name}/{Path(path).name}", Path(path).name]
