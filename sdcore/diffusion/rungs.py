"""What a run gives up where memory is short, a rung at a time, as one table; `ladder` climbs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from sdcore.diffusion.speed import Faster
from sdcore.spec.recipe import Recipe

Placement = Literal["resident", "in turn", "layer by layer"]

_LARGEST_TILE: Final = 512
_SMALLEST_TILE: Final = 128


@dataclass(frozen=True)
class Rung:
    """What is given up. `notice` says it to a person."""

    name: str
    notice: str
    faster: bool = False
    """The network may be made faster, for which recordings of it hold memory and want weights that stay where they are.
    """
    split: bool = False
    """The halves of the guidance take a forward pass each."""
    sliced: bool = False
    """Images are decoded one by one."""
    tiled: bool = False
    """An image is decoded in overlapping tiles."""
    placement: Placement = "resident"
    """Where the weights are: see `offload`."""

    def tile_for(self, recipe: Recipe) -> int:
        """The side in pixels of the tiles of an image of the recipe; 0 where it is decoded whole."""
        half = max(recipe.final_size()) // 16 * 8
        return min(_LARGEST_TILE, max(_SMALLEST_TILE, half)) if self.tiled else 0


LADDER: Final = (
    Rung("whole", "There is memory for all at once.", faster=True),
    Rung("plain network", "Memory is short: the network runs as it is, without recordings."),
    Rung(
        "split guidance",
        "Memory is short: prompt and negative prompt take a forward pass each.",
        split=True,
    ),
    Rung("sliced VAE", "Memory is short: images are decoded one by one.", split=True, sliced=True),
    Rung(
        "tiled VAE",
        "Memory is short: the image is decoded in tiles, and may differ a little where they meet.",
        split=True, sliced=True, tiled=True,
    ),
    Rung(
        "model offload",
        "Memory is short: text encoders, network and VAE take turns on the GPU.",
        split=True, sliced=True, tiled=True, placement="in turn",
    ),
    Rung(
        "sequential offload",
        "Memory is very short: the weights come to the GPU a layer at a time, which is slow.",
        split=True, sliced=True, tiled=True, placement="layer by layer",
    ),
)  # fmt: skip
"""From all at once to as little as possible; each rung keeps what those below it gave up."""


@dataclass
class Thrift:
    """How a model makes do at present."""

    rung: Rung = LADDER[0]
    faster: Faster | None = None
    """What makes the network faster where there is memory for it."""
