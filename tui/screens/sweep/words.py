"""What is said of a sweep: what it varies, what its axes come to, what a cell of it is. No widgets here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sdcore.spec.recipe import Recipe
from sdcore.spec.sweep.expand import Sweep
from tui.durations import clock
from tui.parameter_row import model_name
from tui.screens.sweep.run import Spot, State, SweepRun

_LONGEST: Final = 90
_MOST: Final = 12
_UNMADE: Final[tuple[State, ...]] = ("failed", "stopped")


def described(recipe: Recipe) -> str:
    """What is varied, in a sentence."""
    prompt = " ".join(recipe.prompt.split())
    shown = prompt if len(prompt) <= _LONGEST else f"{prompt[: _LONGEST - 2].rstrip()}…"
    return f"Varies what is in the studio: “{shown}” · {' · '.join(_facts(recipe))}"


def expected(recipes: Sequence[Recipe], seconds: float | None) -> str:
    """How many images there will be, and how long they take, None where that is not known."""
    images = sum(recipe.batch_size for recipe in recipes)
    count = f"{images} image{'s' * (images != 1)}"
    return (
        f"{count}; how long they take is not known yet"
        if seconds is None
        else f"{count}, about {clock(seconds)}"
    )


def counts(sweep: Sweep) -> list[str]:
    """What each axis comes to."""
    told = []
    for name, labels in zip(sweep.names, sweep.labels, strict=True):
        few = " · ".join(labels[:_MOST]) + (" …" if len(labels) > _MOST else "")
        told.append(f"{len(labels)}: {few}" if name else "")
    return told


def spot_facts(run: SweepRun, spot: Spot) -> list[str]:
    """A cell by its place in the grid, what became of it, and its recipe."""
    state = {"impossible": "cannot be made", "running": f"{spot.share:.0%}"}.get(spot.state, spot.state)
    return [run.sweep.label(spot.cell), state, *_facts(spot.cell.recipe)]


def run_facts(run: SweepRun, page: int, seconds: float | None) -> list[str]:
    """How far a sweep is, of which `page` is looked at, and what its axes are; the rest takes so many seconds."""
    names, labels = run.sweep.names, run.sweep.labels
    facts = [f"{names[2]} {labels[2][page]}, page {page + 1} of {len(labels[2])}"] if names[2] else []
    facts += [f"{run.count('done')} of {len(run.spots) - run.count('impossible')}"]
    for state in _UNMADE:
        facts += [f"{count} {state}"] if (count := run.count(state)) else []
    facts += [f"about {clock(seconds)} left"] if seconds is not None else []
    return [*facts, *(f"{name} {mark}" for name, mark in zip(names, ("→", "↓"), strict=False) if name)]


def _facts(recipe: Recipe) -> list[str]:
    return [
        f"seed {recipe.seed}",
        f"{recipe.sampler} {recipe.steps}",
        f"guidance {recipe.guidance_scale:g}",
        f"{recipe.width} × {recipe.height}",
        model_name(recipe.model),
    ]
