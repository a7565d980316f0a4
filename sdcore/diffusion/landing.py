"""Tensors on their way from a GPU to the CPU while the GPU goes on: on a stream of their own, into pinned memory."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor


class Landing:
    """Copies of tensors, begun when it is made. Tensors that are on the CPU are taken as they are."""

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        device = tensors[0].device
        self._event: Any = None
        self._landed = list(tensors)
        if device.type == "cuda":
            stream = _side_stream(device)
            stream.wait_stream(torch.cuda.current_stream(device))
            with torch.cuda.stream(stream):
                self._landed = [_copied(tensor, stream) for tensor in tensors]
                self._event = torch.cuda.Event()
                self._event.record(stream)

    @property
    def done(self) -> bool:
        """Whether they are there; returns at once."""
        return self._event is None or self._event.query()

    def wait(self) -> list[Tensor]:
        """The tensors on the CPU, in their order, in memory that is not pinned."""
        if self._event is None:
            return self._landed
        self._event.synchronize()
        return [tensor.clone(memory_format=torch.contiguous_format) for tensor in self._landed]


@lru_cache
def _side_stream(device: torch.device) -> Any:
    return torch.cuda.Stream(device)


def _copied(tensor: Tensor, stream: Any) -> Tensor:
    pinned = torch.empty_like(tensor, device="cpu", pin_memory=True)  # strides too: one plain copy
    pinned.copy_(tensor, non_blocking=True)
    tensor.record_stream(stream)
    return pinned
