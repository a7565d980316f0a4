"""Tensors on their way from the CPU to a GPU, without a wait for what that has still to do.

An ordinary copy from pageable memory ends when the GPU has come to it, so one small number a step has Python stand
still until the step before is over, and then the GPU until Python has launched the next.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode


def sent(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor on a device: a scalar is written there by a kernel, anything larger is copied from pinned memory."""
    if tensor.device.type == device.type:
        return tensor.to(device)
    if tensor.ndim == 0:
        return torch.full((), tensor.item(), dtype=tensor.dtype, device=device)
    return _pinned(tensor, device).to(device, non_blocking=True)


def scalars_stay(device: torch.device) -> AbstractContextManager[object]:
    """What has to be entered where a scheduler of diffusers makes its step for latents on `device`.

    Inside, what it reckons with single numbers (sigmas, the coefficients of UniPC) is reckoned on the CPU, where they
    are, though it asks for the device; and the noise that it draws on the CPU is sent as `sent` does.
    """
    return nullcontext() if device.type == "cpu" else _ScalarsStay()


class _ScalarsStay(TorchFunctionMode):
    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        if func is torch.ones and args == ((),):
            return func(*args, **given | {"device": "cpu"})
        if func is torch.Tensor.to and args[0].device.type == "cpu":
            tensor, *wanted = args
            device = next((one for one in (*wanted, *given.values()) if isinstance(one, torch.device)), None)
            if device is not None and device.type != "cpu":
                if tensor.ndim:
                    return func(_pinned(tensor, device), *wanted, **given | {"non_blocking": True})
                wanted = ["cpu" if one is device else one for one in wanted]
                given = {name: "cpu" if one is device else one for name, one in given.items()}
                return func(tensor, *wanted, **given)
        return func(*args, **given)


def _pinned(tensor: Tensor, device: torch.device) -> Tensor:
    return tensor.pin_memory() if device.type == "cuda" else tensor
