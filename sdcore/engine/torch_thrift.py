"""How the backend on torch goes about with its device's memory. Imported by `torch_backend` alone."""

from __future__ import annotations

import dataclasses
import gc
import math
from collections.abc import Callable
from typing import Final

import torch

from sdcore.diffusion import devices, ladder, memory
from sdcore.diffusion.loop import sample
from sdcore.diffusion.memory import Footprint
from sdcore.diffusion.model import Model
from sdcore.diffusion.rungs import LADDER
from sdcore.diffusion.speed import Faster, Mode
from sdcore.engine.backend import Report, Stage
from sdcore.engine.faults import explain
from sdcore.spec.families import family
from sdcore.spec.recipe import Recipe

Load = Callable[[str, torch.dtype | None], Model]
"""Loads a model to a device, in a precision or in the device's own."""

_WARM: Final = 0.97
"""The share of a load that is done when the network is warmed up."""


class TorchThrift:
    """The reckoning for one device: what runs need, on which rung they begin, and what a person is to be told."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._known: dict[str, Footprint] = {}
        self._notices: list[str] = []
        self._warming: Report | None = None

    def open(self, ref: str, load: Load, mode: Mode, progress: Report) -> Model:
        """The model that `load` brings to a device in a precision, made faster by `mode`.

        One that the GPU has no room for stays in the machine's memory, and its networks take turns on the GPU. Raises
        what `load` raises.
        """
        model = self._placed(load)
        self._make_faster(model, mode, progress)
        self._known[ref] = memory.footprint(model)
        return model

    def _placed(self, load: Load) -> Model:
        try:
            return load(str(self._device), None)
        except Exception as error:
            if self._device.type == "cpu" or not explain(error).out_of_memory:
                raise
        # Outside of the handler, whose traceback held on to what was loaded.
        self.release()
        waiting = load("cpu", devices.default_dtype(self._device))
        model = dataclasses.replace(waiting, device=self._device)
        rung = next(rung for rung in LADDER if rung.placement != "resident")
        ladder.stand_on(model, rung, Recipe(width=model.native_size, height=model.native_size))
        return model

    def _make_faster(self, model: Model, mode: Mode, progress: Report) -> None:
        """Warm the network up for its own size, guided, as most runs are; the stages are shown as those of a load."""
        faster = Faster(model.network, mode, self._device, self._tell)
        if not faster.possible or not model.thrift.rung.faster:
            return
        model.thrift.faster = faster
        faster.enable(True)
        self._warming = progress
        try:
            size = model.native_size
            for _ in sample(
                model, Recipe(width=size, height=size, steps=1, sampler=family(model.family).sampler)
            ):
                pass
            full = False
        except Exception as error:
            full = explain(error).out_of_memory
            if not full:
                raise
        finally:
            self._warming = None
        if full:  # whether there is room is for the first job to find out
            faster.enable(False)
            self.release()
        self._say(faster.problem)

    def release(self) -> None:
        """Give memory back that nothing refers to any more."""
        gc.collect()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def needs(self, recipe: Recipe) -> tuple[int, int]:
        """The bytes that a run of the recipe takes of those that the device has in all; 0 and 0 where its model was
        never loaded. Any thread may ask."""
        if (known := self._known.get(recipe.model)) is None:
            return 0, 0
        there = memory.total(self._device)
        fitted_to = there if known.on_gpu else math.inf
        return ladder.first_rung(known, recipe, self._device, fitted_to)[1].peak, there

    def settle(self, model: Model, recipe: Recipe) -> None:
        """Put the model on the rung that a run of the recipe begins with."""
        self._say(ladder.settle(model, recipe))

    def climb(self, model: Model, recipe: Recipe, stage: Stage) -> bool:
        """Have the model take less in a stage whose memory ran out; whether it can."""
        said = ladder.climb(model, recipe, stage)
        self._say(said)
        return bool(said)

    def notices(self) -> list[str]:
        """What is to be told, each sentence once."""
        taken, self._notices = self._notices, []
        return taken

    def _tell(self, sentence: str) -> None:
        if self._warming is not None:
            self._warming(sentence, _WARM)
        else:
            self._say(sentence)

    def _say(self, sentence: str) -> None:
        if sentence:
            self._notices.append(sentence)
