"""A sweep as files, and what a sweep needs of files. Everything here takes its time: call it on a thread."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from sdcore.spec import infotext
from tui.screens.sweep.run import SweepRun

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sdcore.engine.estimates import Estimates
    from sdcore.spec.recipe import Recipe

_LETTERS: Final = ("X", "Y", "Z")


def save_grid(run: SweepRun, outputs: Path) -> Path:
    """Save all that is made as one image with labels; returns its path. Raises `OutputError`."""
    from sdcore.library import record
    from sdcore.library.grids import Grid, draw_grid
    from sdcore.library.outputs import save_png, slug

    names, (columns, rows, pages) = run.sweep.names, run.sweep.labels
    grid = Grid(
        columns=_titled(names[0], columns),
        rows=_titled(names[1], rows),
        pages=_titled(names[2], pages),
        cells={spot.place: Path(spot.paths[0]) if spot.paths else spot.reason for spot in run.spots},
    )
    text = infotext.write(run.recipe, version=record.software(), extras=_facts(run))
    named = slug(" ".join(name for name in names if name))
    return save_png(draw_grid(grid), {"parameters": text}, f"sweep-{named}", outputs)


def _titled(name: str, labels: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{name}: {label}" if name else "" for label in labels)


def _facts(run: SweepRun) -> dict[str, str]:
    """The sweep in the words of the web UI's X/Y/Z plot."""
    facts = {"Script": "X/Y/Z plot"}
    for letter, name, labels in zip(_LETTERS, run.sweep.names, run.sweep.labels, strict=True):
        if name:
            facts |= {f"{letter} Type": name, f"{letter} Values": ", ".join(labels)}
    return facts


def measured(device: str) -> Estimates:
    """What jobs took that were made before on a device, as the engine calls it."""
    from sdcore.engine import wire
    from sdcore.engine.estimates import Estimates
    from sdcore.library import paths

    estimates = Estimates(paths.cache_dir() / f"pace-{wire.machine()}.json")
    estimates.device = device
    return estimates


def expected(recipes: Iterable[Recipe], estimates: Estimates, loaded: str, pace: float) -> float | None:
    """Seconds that recipes take one after another: as those like them did, or else at `pace` seconds a step of a
    megapixel (0: not known). None where nothing is known of one of them."""
    total = 0.0
    for recipe in recipes:
        seconds = estimates.seconds(recipe, loaded)
        if seconds is None and not pace:
            return None
        work = recipe.steps * recipe.width * recipe.height * recipe.batch_size / 1e6
        total += work * pace if seconds is None else seconds
        loaded = recipe.model
    return total
