"""What the machine can do and what a network asks of it, measured in the same run as all else."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Any, Final

import torch
from accelerate import init_empty_weights
from torch import Tensor, nn
from torch.utils import _pytree as pytree
from torch.utils.flop_counter import FlopCounterMode

from sdcore.bench.sides import wait_for
from sdcore.diffusion.loop import sample
from sdcore.diffusion.model import Model
from sdcore.regular import open_regular
from sdcore.spec.recipe import Recipe

_SIDES: Final = {"cuda": 8192, "cpu": 1024}
_TIMES: Final = 5
_PREVIEWS: Final = 20
_CHUNK: Final = 1 << 24


def matrix_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Floating-point operations a second of a product of two large square matrices, the best of some. They are random:
    ones cost a GPU less power, and it reckons faster with them than it ever does."""
    side = _SIDES[device.type]
    matrix = torch.randn(side, side, generator=torch.Generator().manual_seed(0)).to(device, dtype)
    seconds = []
    for _ in range(_TIMES):
        wait_for(device)
        began = time.perf_counter()
        torch.mm(matrix, matrix)
        wait_for(device)
        seconds.append(time.perf_counter() - began)
    return 2 * side**3 / min(seconds)


class _CalledError(Exception):
    """Ends a run at the first call of its network."""


def pass_flops(model: Model, recipe: Recipe) -> int:
    """Floating-point operations of a forward pass of a run of the recipe, both halves of the guidance, counted on
    tensors without content."""
    network = model.network
    call: list[Any] = []

    def note(*given: Any, **named: Any) -> Any:
        call.append((given, named))
        raise _CalledError

    network.forward = note
    try:
        next(sample(model, recipe))
    except _CalledError:
        pass
    finally:
        del network.forward
    given, named = pytree.tree_map_only(Tensor, lambda tensor: tensor.to("meta"), call[0])
    with init_empty_weights(include_buffers=True):
        empty = nn.Module.to(type(network).from_config(network.config), model.dtype)
    with torch.no_grad(), FlopCounterMode(display=False) as counted:
        empty(*given, **named)
    return counted.get_total_flops()


def preview_seconds(model: Model, latents: Tensor) -> float:
    """The median time of a preview, waited for."""
    seconds = []
    for _ in range(_PREVIEWS):
        wait_for(model.device)
        began = time.perf_counter()
        model.preview(latents)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def read_rate(folder: Path) -> float:
    """Bytes a second at which the weights below `folder` are read, and do nothing else; from the cache of the disk as
    far as they are in it."""
    buffer = bytearray(_CHUNK)
    total = 0
    began = time.perf_counter()
    for path in folder.rglob("*.safetensors"):
        with open_regular(path) as file:
            while count := file.readinto(buffer):
                total += count
    return total / (time.perf_counter() - began)
