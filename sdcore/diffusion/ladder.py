"""Making do with less memory: climbing the rungs of `sdcore.diffusion.rungs`.

The first rung of a run is the lowest whose reckoned need fits; where memory runs out all the same, the next one that
needs less in the stage that failed takes over. The seed's image is the same on every rung, up to the rounding of other
kernels; decoded in tiles it differs a little near the seams, since a tile is normalised by what is in it.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import torch

from sdcore.diffusion import memory, offload
from sdcore.diffusion.memory import Footprint, Needs
from sdcore.diffusion.model import Model
from sdcore.diffusion.rungs import LADDER, Placement, Rung
from sdcore.spec.recipe import Recipe

Stage = Literal["begin", "step", "decode"]


def rungs_for(device: torch.device) -> tuple[Rung, ...]:
    """The rungs that there are on a device: a CPU has nowhere else to put weights."""
    return tuple(rung for rung in LADDER if device.type != "cpu" or rung.placement == "resident")


def first_rung(
    model: Footprint, recipe: Recipe, device: torch.device, available: float
) -> tuple[Rung, Needs]:
    """The lowest rung whose need is `available`, or the last of all; and what it needs."""
    reckoned = [(rung, memory.needs(model, recipe, rung)) for rung in rungs_for(device)]
    return next(((rung, needs) for rung, needs in reckoned if needs.peak <= available), reckoned[-1])


def settle(model: Model, recipe: Recipe) -> str:
    """Put the model on the rung that a run of the recipe begins with; returns what to say, nothing on the lowest."""
    if model.thrift.rung.placement == "layer by layer":
        offload.give_back(_networks_of(model))
    available = memory.available(model.device) - model.addons.attached.bytes_on(model.device)
    rung, _ = first_rung(memory.footprint(model), recipe, model.device, available)
    stand_on(model, rung, recipe)
    return "" if rung is LADDER[0] else rung.notice


def climb(model: Model, recipe: Recipe, stage: Stage) -> str:
    """Put the model on the next rung that needs less in a stage whose memory ran out; returns what to say, nothing
    where there is no such rung."""
    present, reckoned = model.thrift.rung, memory.footprint(model)
    rungs = rungs_for(model.device)
    now = getattr(memory.needs(reckoned, recipe, present), stage)
    for rung in rungs[rungs.index(present) + 1 :]:
        if getattr(memory.needs(reckoned, recipe, rung), stage) < now:
            stand_on(model, rung, recipe)
            return rung.notice
    return ""


def stand_on(model: Model, rung: Rung, recipe: Recipe) -> None:
    """Have the model's next run of the recipe take no more than a rung allows."""
    thrift, before = model.thrift, model.thrift.rung
    thrift.rung = rung  # before the weights are moved: where that fails, too, the next rung is above this
    _decode_by(model.vae, rung, rung.tile_for(recipe), model.downscale)
    if thrift.faster is not None and not rung.faster:
        thrift.faster.enable(False)
    if rung.placement != before.placement:
        place(model, rung.placement)
    if thrift.faster is not None and rung.faster and not thrift.faster.enabled:
        thrift.faster.enable(True)


def place(model: Model, placement: Placement) -> None:
    """Have the model's networks where a placement has them."""
    if placement != "resident":
        model.addons.attached.leave_the_device()
    _PLACE[placement](_networks_of(model), model.device)


def _networks_of(model: Model) -> list[Any]:
    return [*model.adapter.modules.values(), model.vae]


def _decode_by(vae: Any, rung: Rung, tile: int, downscale: int) -> None:
    vae.use_slicing = rung.sliced
    vae.use_tiling = tile > 0
    if tile:
        vae.tile_sample_min_size, vae.tile_latent_min_size = tile, tile // downscale


_PLACE: Final = {
    "resident": offload.keep_resident,
    "in turn": offload.take_turns,
    "layer by layer": offload.layer_by_layer,
}
