"""LoRA files and textual inversions as prompts name them. No torch.

Names are looked up as AUTOMATIC1111's web UI does (`extensions-builtin/Lora/networks.py`): the file's stem, in any case
of letters, in any folder below those of the settings, else what its trainer called it.
"""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from sdcore.library import paths
from sdcore.library.addons import look_into, places
from sdcore.library.folders import Place
from sdcore.notices import Notices
from sdcore.spec.found import Addon
from sdcore.spec.recipe import Problem, RecipeError
from sdcore.spec.sanitise import sanitise
from sdcore.weights import SUFFIX

MAX_AGE: Final = 5.0
"""Seconds for which a walk through the folders counts at least."""
_PATIENCE: Final = 50
"""As many times as long as a walk took it counts, if that is more: jobs shall not wait for a slow disk."""
_MOST_BYTES: Final = 1024 * 1024
"""A larger file is no textual inversion: 75 vectors for two encoders take less."""


class Shelf:
    """The add-ons as prompts name them. `walk` tells where files lie; only those are opened that may be meant."""

    def __init__(
        self, walk: Callable[[], list[Place]] = places, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._walk = walk
        self._clock = clock
        self._places: list[Place] = []
        self._good_until = -float("inf")
        self._notices = Notices()

    def lora(self, name: str, family: str) -> Addon:
        """The LoRA called `name` for a model of `family`; of several the first that fits, by path.

        A name with a slash is the end of a path. For one that is not there the folders are walked through again.
        Raises `RecipeError` on the field "prompt".
        """
        named = self._loras(name) or self._loras(name, anew=True) or self._called_by_trainers(name)
        fitting = [one for one in named if not one.misfit(family)]
        if not named:
            raise RecipeError([Problem("prompt", self._unknown(name))])
        if not fitting:
            raise RecipeError([Problem("prompt", f"{named[0].misfit(family).rstrip('.')}.")])
        if len(fitting) > 1:
            folder = _shown(str(Path(fitting[0].path).parent))
            sentence = f"There are {len(fitting)} LoRAs called {_shown(name)}; the one in {folder} is used."
            self._notices.add(sentence)
        return fitting[0]

    def embeddings(self, family: str) -> Mapping[str, Addon]:
        """The textual inversions that fit models of `family`, by their names in lower case; of several of one name the
        first by path."""
        found: dict[str, Addon] = {}
        for one in self._inversions():
            if not one.misfit(family):
                found.setdefault(one.name.casefold(), one)
        return found

    def unusable(self, family: str) -> Mapping[str, str]:
        """Why the textual inversions of other names cannot be used with models of `family`, as sentences by name in
        lower case."""
        misfits = [(one.name.casefold(), one.misfit(family)) for one in self._inversions()]
        usable = {name for name, misfit in misfits if not misfit}
        found: dict[str, str] = {}
        for name, misfit in misfits:
            if name not in usable:
                found.setdefault(name, misfit)
        return found

    def notices(self) -> list[str]:
        """What a person should know, each sentence once."""
        return self._notices.take()

    def _inversions(self) -> list[Addon]:
        small = [place for place in self._look() if 0 < _size(place) <= _MOST_BYTES]
        return [one for one in look_into(small) if one.kind == "textual inversion"]

    def _loras(self, name: str, *, anew: bool = False) -> list[Addon]:
        """Those called `name`: as it is written, else in any case of letters; with or without its suffix."""
        stem = name.strip()
        stem = stem[: -len(SUFFIX)] if stem.casefold().endswith(SUFFIX) else stem
        for fold in (str, str.casefold):
            ends = [fold(part) for part in stem.split("/")]
            named = [place for place in self._look(anew=anew) if _ends(place, fold, len(ends)) == ends]
            if loras := [one for one in look_into(named) if one.kind == "LoRA"]:
                return loras
        return []

    def _called_by_trainers(self, name: str) -> list[Addon]:
        wanted = name.strip().casefold()
        named = [one for one in look_into(self._places) if one.kind == "LoRA" and one.alias]
        return [one for one in named if one.alias.casefold() == wanted]

    def _look(self, *, anew: bool = False) -> list[Place]:
        began = self._clock()
        if anew or began > self._good_until:
            self._places = self._walk()
            ended = self._clock()
            self._good_until = ended + max(MAX_AGE, _PATIENCE * (ended - began))
        return self._places

    def _unknown(self, name: str) -> str:
        known = {one.name.casefold(): one.name for one in look_into(self._places) if one.kind == "LoRA"}
        close = difflib.get_close_matches(name.casefold(), list(known), n=1)
        if close:
            return f"There is no LoRA called {_shown(name)!r}; did you mean {_shown(known[close[0]])}?"
        advice = f"put its file into {_shown(str(paths.models_dir()))}, or name its folder in the settings."
        return f"There is no LoRA called {_shown(name)!r}; {advice}"


def _ends(place: Place, fold: Callable[[str], str], count: int) -> list[str]:
    """The last parts of a file's path, its own without the suffix."""
    path = Path(place.path)
    return [fold(part) for part in (*path.parent.parts, path.stem)[-count:]]


def _size(place: Place) -> int:
    try:
        return Path(place.path).stat().st_size
    except (OSError, ValueError):  # gone, or a name that no file can have
        return 0


def _shown(text: str) -> str:
    return sanitise(text, newlines=False)[:100]
