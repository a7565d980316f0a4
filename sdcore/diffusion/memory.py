"""What a run needs of its device's memory, reckoned before it begins.

A run holds the weights and, for a moment, what one call of a network makes on its way. The second was measured: peaks
of live tensors under `torch.inference_mode`, traced with fake tensors at full size (tests/unit/test_memory.py does it
again). They are linear in the latents and in the rows of a batch, because attention that never writes its matrix down
(scaled_dot_product_attention) leaves nothing that is quadratic; and they do not depend on the depth of a network.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import nn

from sdcore.diffusion.guidance import guidance_for
from sdcore.diffusion.model import Model
from sdcore.diffusion.rungs import Rung
from sdcore.spec.prompt import compose, take_extras
from sdcore.spec.recipe import Recipe

PIXELS_DECODED: Final = 6.0
"""Values that a KL autoencoder holds for each pixel and each channel of its first block while it decodes."""

PIXELS_ENCODED: Final = 5.0
"""The same while it encodes."""

_UNET_ATTENDS: Final = 26.0
_UNET_PLAIN: Final = 15.75
"""Values that a UNet holds for each latent and each channel of its first block, where that attends (SD 1.x, 2.x), and
where it does not (SDXL)."""

_TRANSFORMERS: Final = {"SD3Transformer2DModel": (12.3, 333), "FluxTransformer2DModel": (17.2, 512)}
"""Values for each token and each channel of the hidden states, and how many tokens the text adds to the image's."""

_CUDA_RESERVE: Final = 1 << 29
"""What CUDA's context and the workspaces of its libraries take."""

_SLACK: Final = 1.1
"""The allocator rounds, splits and keeps."""


@dataclass(frozen=True)
class Footprint:
    """A model's part in the reckoning, in bytes.

    `texts` are the weights of each text encoder, `largest_layer` those of the largest single layer of all. A forward
    pass of one row holds `by_latent` for each latent position and `always`; a decode `by_pixel` for each pixel. Where
    passes are `recorded`, what one holds stays taken.
    """

    texts: tuple[int, ...]
    network: int
    vae: int
    largest_layer: int
    by_latent: float
    always: float
    by_pixel: float
    downscale: int
    family: str
    on_gpu: bool
    recorded: bool = False

    @property
    def weights(self) -> int:
        """All of them."""
        return sum(self.texts) + self.network + self.vae


@dataclass(frozen=True)
class Needs:
    """The most bytes that a run needs at a time, in each of its stages."""

    begin: int
    step: int
    decode: int

    @property
    def peak(self) -> int:
        """The most of all."""
        return max(self.begin, self.step, self.decode)


def footprint(model: Model) -> Footprint:
    """The footprint of an opened model; reads shapes alone."""
    network, vae = model.network, model.vae
    parts = [*model.adapter.modules.values(), vae]
    size = model.dtype.itemsize
    by_latent, always = _pass_values(network)
    overflows = bool(getattr(vae.config, "force_upcast", False)) and model.dtype == torch.float16
    return Footprint(
        texts=tuple(_weigh(part).whole for part in parts if part not in (network, vae)),
        network=_weigh(network).whole,
        vae=_weigh(vae).whole * (2 if overflows else 1),
        largest_layer=max(_weigh(part).largest_layer for part in parts),
        by_latent=by_latent * size,
        always=always * size,
        by_pixel=PIXELS_DECODED * vae.config.block_out_channels[0] * (4 if overflows else size),
        downscale=model.downscale,
        family=model.family,
        on_gpu=model.device.type != "cpu",
        recorded=model.thrift.faster is not None and model.thrift.faster.holds_memory,
    )


def needs(model: Footprint, recipe: Recipe, rung: Rung, images: int = 1) -> Needs:
    """What a run of the recipe takes on a rung of the ladder; `images` are decoded together.

    The text encoders' own passes are left out: beside the weights they are nothing."""
    width, height = recipe.final_size()
    rows = recipe.batch_size * (1 if rung.split else _rows(recipe, model.family))
    latents = width / model.downscale * height / model.downscale
    tile = rung.tile_for(recipe)
    decoded = min(width, tile) * min(height, tile) if tile else width * height
    at_once = 1 if rung.sliced else images
    encoded = decoded * model.by_pixel * PIXELS_ENCODED / PIXELS_DECODED if recipe.init_image else 0.0
    resident = {
        "resident": (model.weights,) * 3,
        "in turn": (max((*model.texts, model.vae if recipe.init_image else 0)), model.network, model.vae),
        "layer by layer": (2 * model.largest_layer,) * 3,
    }[rung.placement]
    stepping = rows * (latents * model.by_latent + model.always)
    if recipe.enlarges:  # what the first pass made is decoded and encoded on the way to the second
        stepping = max(stepping, recipe.batch_size * decoded * model.by_pixel)
    kept = stepping if model.recorded and rung.faster else 0.0
    held = (kept + encoded, stepping, kept + at_once * decoded * model.by_pixel)
    reserve = _CUDA_RESERVE if model.on_gpu else 0
    stages = (
        round(weights + reserve + activations * _SLACK)
        for weights, activations in zip(resident, held, strict=True)
    )
    return Needs(*stages)


def _rows(recipe: Recipe, family: str) -> int:
    """Predictions for one image in a forward pass: one for each prompt that AND joins, and the unconditional one where
    guidance needs it, or AND, whose prompts are added to it."""
    parts = len(compose(take_extras(recipe.prompt)[0]))
    return parts + (parts > 1 or guidance_for(recipe, family).needs_uncond)


def total(device: torch.device) -> int:
    """Bytes of memory that the device has in all."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[1])
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def available(device: torch.device) -> float:
    """Bytes that this process has on the device or may still take there; without end on a CPU, whose memory nobody
    can tell beforehand."""
    if device.type != "cuda":
        return math.inf
    return int(torch.cuda.mem_get_info(device)[0]) + torch.cuda.memory_reserved(device)


class _Weight(NamedTuple):
    """Bytes of a network's weights, and of those of its largest single layer."""

    whole: int
    largest_layer: int


_WEIGHED: Final[WeakKeyDictionary[nn.Module, _Weight]] = WeakKeyDictionary()
"""A network has thousands of layers to go through, and keeps its weights' sizes while it lives."""


def _weigh(network: nn.Module) -> _Weight:
    if (known := _WEIGHED.get(network)) is None:
        layers = (_bytes_of(layer, recurse=False) for layer in network.modules())
        known = _WEIGHED[network] = _Weight(_bytes_of(network), max(layers))
    return known


def _bytes_of(module: nn.Module, *, recurse: bool = True) -> int:
    held = [*module.parameters(recurse=recurse), *module.buffers(recurse=recurse)]
    return sum(tensor.nbytes for tensor in held)


def _pass_values(network: Any) -> tuple[float, float]:
    """Values held for each latent position, and whatever their number, by a forward pass of one row."""
    config = network.config
    if type(network).__name__ in _TRANSFORMERS:
        factor, text = _TRANSFORMERS[type(network).__name__]
        width = factor * config.num_attention_heads * config.attention_head_dim
        return width / 4, width * text  # a token is a patch of 2x2 latents
    attends = "CrossAttn" in config.down_block_types[0]
    return (_UNET_ATTENDS if attends else _UNET_PLAIN) * config.block_out_channels[0], 0.0
