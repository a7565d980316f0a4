"""How long a job will take, from how long jobs like it took before: a small file of moving averages. No torch."""

from __future__ import annotations

import contextlib
import logging
import threading
from pathlib import Path
from statistics import median
from typing import Final

import msgspec

from sdcore.atomic import write_atomically
from sdcore.spec.recipe import Recipe

_NEWEST: Final = 0.3
"""The share of the newest measurement in the average: some five jobs later the first one is forgotten."""

_MOST: Final = 2000
_log = logging.getLogger(__name__)


class Pace(msgspec.Struct):
    """Seconds a step of the recipe and an image that is decoded and saved took."""

    step: float
    image: float


class Known(msgspec.Struct):
    """Everything measured: paces by kind of job, and the seconds that each model takes to load."""

    paces: dict[str, Pace] = {}
    loads: dict[str, float] = {}


def steps_of(recipe: Recipe) -> int:
    """The steps that a recipe asks for, of both passes: what its length is in proportion to, whatever the sampler."""
    first = int(recipe.steps * recipe.strength) if recipe.init_image else recipe.steps
    second = int((recipe.hires_steps or recipe.steps) * recipe.hires_strength) if recipe.enlarges else 0
    return max(1, first + second)


def _kind(recipe: Recipe, device: str) -> str:
    """What jobs have in common that take as long for a step."""
    size = f"{recipe.width}x{recipe.height}"
    enlarged = f" to {recipe.hires_scale:g}x {recipe.hires_upscaler}" if recipe.enlarges else ""
    guided = "guided" if recipe.guidance_scale > 1 else "unguided"
    return f"{device} {recipe.model} {recipe.sampler} {size}{enlarged} {recipe.batch_size} {guided}"


class Estimates:
    """What was measured on one device. Kept in the file at `path`, or (None) for as long as the process lives."""

    def __init__(self, path: Path | None = None) -> None:
        self.device = ""
        self._path = path
        self._lock = threading.Lock()
        self._known = _read(path)

    @property
    def kinds(self) -> int:
        """Of how many kinds of jobs something is known."""
        return len(self._known.paces)

    def seconds(self, recipe: Recipe, loaded: str | None = None) -> float | None:
        """How long a job takes in all; where its model is not the `loaded` one, with loading it. None where nothing
        like it was made here."""
        with self._lock:
            pace = self._known.paces.get(_kind(recipe, self.device))
            load = 0.0 if recipe.model == loaded else self._known.loads.get(self._model(recipe.model), 0.0)
        if pace is None:
            return None
        return load + pace.step * steps_of(recipe) + pace.image * recipe.batch_size

    def loaded(self, model: str, seconds: float) -> None:
        """A model took `seconds` to load."""
        with self._lock:
            _average(self._known.loads, self._model(model), seconds)

    def made(self, recipe: Recipe, passes: int, pass_seconds: list[float], image_seconds: float) -> None:
        """A job of so many forward passes took these times for them, or some of them, and as long for each image.

        The median stands for all passes: the first may have waited for a compiler.
        """
        if not pass_seconds:
            return
        step = median(pass_seconds) * passes / steps_of(recipe)
        with self._lock:
            kind = _kind(recipe, self.device)
            before = self._known.paces.pop(kind, None)
            after = Pace(step, image_seconds)
            if before is not None:
                after = Pace(_mixed(before.step, step), _mixed(before.image, image_seconds))
            self._known.paces[kind] = after
            while len(self._known.paces) > _MOST:
                del self._known.paces[next(iter(self._known.paces))]  # the one that was made longest ago

    def save(self) -> None:
        """Write it down. What cannot be written is only forgotten."""
        if self._path is None:
            return
        with self._lock:
            data = msgspec.json.encode(self._known)
        with contextlib.suppress(OSError):
            write_atomically(self._path, data)

    def _model(self, model: str) -> str:
        return f"{self.device} {model}"


def _average(values: dict[str, float], name: str, value: float) -> None:
    before = values.pop(name, None)
    values[name] = value if before is None else _mixed(before, value)
    while len(values) > _MOST:
        del values[next(iter(values))]


def _mixed(before: float, now: float) -> float:
    return before + _NEWEST * (now - before)


def _read(path: Path | None) -> Known:
    if path is None:
        return Known()
    try:
        return msgspec.json.decode(path.read_bytes(), type=Known)
    except FileNotFoundError:
        return Known()
    except (OSError, ValueError) as fault:
        _log.warning("What was measured before is forgotten: %s", fault)
        return Known()
