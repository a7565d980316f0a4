"""One forward pass of a network as a GPU's own list of kernels (a CUDA graph), which is launched at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

_WARM_UPS: Final = 2
"""Passes before the recording: libraries make their plans and workspaces in the first."""


class Recording:
    """One forward pass, recorded for inputs of these kinds.

    `leaves` and `shape` are its arguments, flattened. Recordings of one `pool` share the memory that a pass takes, so
    they are replayed one after another, and what one has made is copied before the next.
    """

    def __init__(
        self, call: Callable[..., Any], leaves: Sequence[Any], shape: Any, device: torch.device, pool: Any
    ) -> None:
        # All on the device: what the network copied there itself would be recorded with its present value.
        self._inputs = [leaf.to(device, copy=True) if isinstance(leaf, Tensor) else leaf for leaf in leaves]
        args, kwargs = pytree.tree_unflatten(self._inputs, shape)
        aside = torch.cuda.Stream(device)
        aside.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(aside):
            for _ in range(_WARM_UPS):
                call(*args, **kwargs)
        torch.cuda.current_stream(device).wait_stream(aside)
        self._graph = torch.cuda.CUDAGraph()
        # Of this thread alone: others may ask for the device's memory meanwhile.
        with (
            _left_as_found(device, pool),
            torch.cuda.graph(self._graph, pool=pool, capture_error_mode="thread_local"),
        ):
            self._output = call(*args, **kwargs)

    def __call__(self, leaves: Sequence[Any]) -> Any:
        """The pass for these arguments."""
        for kept, leaf in zip(self._inputs, leaves, strict=True):
            if isinstance(leaf, Tensor):
                kept.copy_(leaf, non_blocking=True)
        self._graph.replay()
        # A copy: the next replay writes into the same memory.
        return pytree.tree_map_only(Tensor, Tensor.clone, self._output)


@contextmanager
def _left_as_found(device: torch.device, pool: Any) -> Iterator[None]:
    """Inside, a recording can be made on the device. Where it fails, `torch.cuda.graph` leaves this thread on its own
    stream, and torch before 2.13 leaves the pool open.

    cuBLAS keeps a workspace for each stream, and all recordings are made on one: it is given up before and after, so
    that each has its own, which does not go with another (as torch's `cudagraph_trees` does).
    """
    before = torch.cuda.current_stream(device)
    with torch.cuda.device(device):  # a recording is made on the present device
        torch._C._cuda_clearCublasWorkspaces()
        try:
            yield
        except BaseException:
            with suppress(RuntimeError):  # that it is closed already
                torch._C._cuda_endAllocateToPool(device.index, pool)
            raise
        finally:
            torch.cuda.set_stream(before)
            torch._C._cuda_clearCublasWorkspaces()
