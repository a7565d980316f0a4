"""A network's forward pass made faster: its kernels recorded once and replayed (CUDA graphs), or compiled first.

A UNet of SD 1.5 launches some 4,000 kernels a pass, and a fast GPU is through with them before Python has launched
them. Recording costs two passes for each size and batch; compiling costs a minute. Whatever goes wrong on the way, the
network goes on as it was, and says so. Replaying repeats the very kernels that were recorded, so a seed's image stays;
compiled kernels round otherwise.

What is not set, so that a seed means the same bits tomorrow: `cudnn.benchmark`, which chooses its algorithms by the
clock, and TF32 for matrix products, which only float32 networks would feel.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from sdcore.diffusion.recordings import Recording

Mode = Literal["off", "graphs", "compile"]

_MOST_GRAPHS: Final = 4
"""Together they hold the memory of the largest of their forward passes, and each its inputs and its output."""

_FULL: Final = (torch.OutOfMemoryError, MemoryError)

_STARTS: Final = {
    "graphs": "The network is recorded for this size; its first step takes longer.",
    "compile": "The network is compiled for this size; its first step may take minutes.",
}


def use_channels_last(*networks: nn.Module) -> None:
    """Have the weights of convolutions lie as a GPU's matrix units read them; the results are the same numbers."""
    for network in networks:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


class Faster:
    """Stands in for the `forward` of a network while it is `enable`d. `tell` is given sentences for a person."""

    def __init__(
        self, network: nn.Module, mode: Mode, device: torch.device, tell: Callable[[str], None]
    ) -> None:
        self._network = network
        self._device = device
        self.mode = mode
        self._graphed = device.type == "cuda"
        self._tell = tell
        self.problem = ""
        """Why the network runs as it is: one sentence, nothing where all is well."""
        self._failed = mode == "off" or (mode == "graphs" and not self._graphed)
        self._call: Callable[..., Any] = network.forward
        self._known: OrderedDict[Any, Any] = OrderedDict()
        self._pool: Any = None

    @property
    def possible(self) -> bool:
        """Whether there is something that it can do here, as far as is known."""
        return not self._failed

    @property
    def enabled(self) -> bool:
        """Whether it stands in."""
        return self._network.__dict__.get("forward") is self

    @property
    def holds_memory(self) -> bool:
        """Whether the memory of a forward pass stays taken between two of them while it is enabled."""
        return self._graphed and self.possible

    @property
    def idle_bytes(self) -> int:
        """Bytes of a GPU that recordings hold while none is replayed, which its statistics count as free."""
        if self._pool is None or not self._known:
            return 0
        segments = torch.cuda.memory_snapshot(self._pool)
        return sum(segment["total_size"] - segment["allocated_size"] for segment in segments)

    def enable(self, wanted: bool) -> None:
        """Begin, or end and give back all memory that it took."""
        self._known.clear()
        self._network.__dict__.pop("forward", None)
        if not wanted or self._failed:
            return
        plain = self._network.forward
        self._call = torch.compile(plain, dynamic=False) if self.mode == "compile" else plain
        self._pool = torch.cuda.graph_pool_handle() if self._graphed else None
        self._network.forward = self  # type: ignore[assignment]

    @contextmanager
    def standing_in(self) -> Iterator[None]:
        """Stand in inside alone; what it learned is kept for the next time."""
        if not self._known:
            self.enable(True)
        elif not self._failed:
            self._network.forward = self  # type: ignore[assignment]
        try:
            yield
        finally:
            self._network.__dict__.pop("forward", None)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The network's prediction."""
        try:
            return self._fast(args, kwargs)
        except _FULL:
            raise
        except Exception as failed:
            error = failed.__context__ or failed  # what went wrong in a recording has its end go wrong too
            if isinstance(error, _FULL):
                raise error from None
            why = str(error).strip().partition("\n")[0][:120] or type(error).__name__
        # Outside of the handler, whose traceback held on to the tensors of every frame.
        self._failed = True
        self.enable(False)
        self.problem = f"The network runs as it is: it could not be made faster here ({why})."
        self._tell(self.problem)
        return self._network.forward(*args, **kwargs)

    def _fast(self, args: Any, kwargs: Any) -> Any:
        leaves, shape = pytree.tree_flatten((args, kwargs))
        key = (shape, *map(_kind_of, leaves))
        if key not in self._known:
            self._tell(_STARTS[self.mode])
            while len(self._known) >= _MOST_GRAPHS:
                self._known.popitem(last=False)
            self._known[key] = self._recorded(leaves, shape) if self._graphed else None
        self._known.move_to_end(key)
        recording = self._known[key]
        return self._call(*args, **kwargs) if recording is None else recording(leaves)

    def _recorded(self, leaves: Any, shape: Any) -> Recording:
        return Recording(self._call, leaves, shape, self._device, self._pool)


@contextmanager
def plainly(network: nn.Module) -> Iterator[None]:
    """Have the network run its own Python code inside, for those who look into its layers."""
    faster = network.__dict__.get("forward")
    if not isinstance(faster, Faster):
        yield
        return
    del network.__dict__["forward"]
    try:
        yield
    finally:
        network.forward = faster  # type: ignore[assignment]


def _kind_of(leaf: Any) -> Any:
    """What a recording is made for: a tensor's shape, or the value of anything else."""
    return (leaf.shape, leaf.dtype, leaf.device) if isinstance(leaf, Tensor) else leaf
