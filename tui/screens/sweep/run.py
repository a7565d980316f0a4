"""A sweep that was begun: which job makes which cell, and what became of each. No widgets here."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Final, Literal

import msgspec

from sdcore.atomic import write_atomically
from sdcore.engine import messages as m
from sdcore.library import paths
from sdcore.spec.lineage import Origin
from sdcore.spec.recipe import Recipe
from sdcore.spec.sweep.expand import Cell, Plan, Sweep, in_order

VERSION: Final = 1
State = Literal["waiting", "running", "done", "failed", "stopped", "impossible"]
UNDER_WAY: Final = ("waiting", "running")
Place = tuple[int, int, int]


class Spot(msgspec.Struct, omit_defaults=True):
    """A cell and what became of it: the `job` that makes it, the `path`s of its images, why there are none, and how far
    it is (0..1)."""

    cell: Cell
    job: str = ""
    state: State = "waiting"
    paths: tuple[str, ...] = ()
    reason: str = ""
    share: float = 0.0

    @property
    def place(self) -> Place:
        """Column, row and page."""
        return self.cell.x, self.cell.y, self.cell.z

    @property
    def is_under_way(self) -> bool:
        """Whether it is still to be made."""
        return self.state in UNDER_WAY

    def update(self, event: m.AnyEvent) -> bool:
        """Take an event of its job into account; whether it changed anything."""
        before = self.state, self.share, self.reason
        match event:
            case m.JobStarted():
                self.state, self.share = "running", 0.0
            case m.JobProgress():
                self.state, self.share = "running", (event.index + 1) / max(1, event.total)
            case m.JobFinished():
                self.state, self.reason = "done", ""
                self.paths = tuple(image.path for image in event.images)
            case m.JobFailed() | m.JobKept():
                self.state, self.reason = "failed", event.message
            case m.JobCancelled():
                self.state, self.reason = "stopped", "Taken out of the queue."
            case m.JobQueued():
                self.state, self.reason, self.share = "waiting", "", 0.0
        return before != (self.state, self.share, self.reason)


class SweepRun(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A sweep under way or over: the recipe and the plan that it came from, and its cells in the order of reading.
    `group` is what its jobs have in common; `saved` is where its grid was saved as one image."""

    version: int = VERSION
    group: str
    recipe: Recipe
    plan: Plan
    sweep: Sweep
    spots: list[Spot]
    saved: str = ""
    styles: tuple[str, ...] = ()

    @classmethod
    def begin(cls, sweep: Sweep, plan: Plan, recipe: Recipe, styles: tuple[str, ...] = ()) -> SweepRun:
        """One of which nothing was sent yet; the recipe was put into these `styles`."""
        spots = [
            Spot(cell, state="impossible", reason=cell.problem) if cell.problem
            else Spot(cell, job=secrets.token_hex(8))
            for cell in sweep.cells
        ]  # fmt: skip
        return cls(group=f"sweep-{secrets.token_hex(6)}", recipe=recipe, plan=plan, sweep=sweep, spots=spots,
                   styles=styles)  # fmt: skip

    def commands(self) -> list[m.Generate]:
        """What makes the cells that are still to be made, in the order in which models change least. To send one
        again does no harm: the engine tells what became of it."""
        by_place = {spot.place: spot for spot in self.spots if spot.state in UNDER_WAY}
        ordered = (by_place.get((cell.x, cell.y, cell.z)) for cell in in_order(self.sweep))
        return [
            m.Generate(
                job=spot.job,
                recipe=spot.cell.recipe,
                group=self.group,
                label=self.sweep.label(spot.cell),
                template=spot.cell.template,
                origin=Origin(styles=self.styles),
            )
            for spot in ordered
            if spot is not None
        ]

    def spot_at(self, place: Place) -> Spot:
        """The spot at (column, row, page)."""
        x, y, z = place
        columns, rows, _ = map(len, self.sweep.labels)
        return self.spots[(z * rows + y) * columns + x]

    def count(self, *states: State) -> int:
        """How many cells are in one of these states."""
        return sum(spot.state in states for spot in self.spots)

    @property
    def is_over(self) -> bool:
        """Whether nothing is waited for any more."""
        return not self.count(*UNDER_WAY)


def load() -> SweepRun | None:
    """The sweep that was looked at last; None where there is none, or none that can be read."""
    try:
        run = msgspec.json.decode(_path().read_bytes(), type=SweepRun)
    except (OSError, ValueError, RecursionError):
        return None
    fits = len(run.spots) == len(run.sweep.cells) == _product(run.sweep) and run.version == VERSION
    return run if fits else None


def save(run: SweepRun) -> None:
    """Keep a sweep for the next run of the app; raises OSError."""
    write_atomically(_path(), msgspec.json.encode(run))


def _product(sweep: Sweep) -> int:
    columns, rows, pages = map(len, sweep.labels)
    return columns * rows * pages


def _path() -> Path:
    return paths.state_dir() / "sweep.json"
