"""Networks that wait on the CPU and come to the GPU when they are called: whole and in turn, or a layer at a time.

Between calls the weights are ordinary CPU tensors (accelerate's own `cpu_offload` leaves meta tensors behind), so
whoever asks a network for its device, its precision or its weights is told the truth, and what is put into it later,
such as a LoRA, is carried along.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from accelerate.hooks import ModelHook, add_hook_to_module, remove_hook_from_module
from accelerate.utils import send_to_device
from torch import nn


class _InTurn(ModelHook):
    """Before its network is called all others leave the device, and it comes."""

    def __init__(self, device: torch.device, others: Sequence[nn.Module]) -> None:
        self.device = device
        self._others = others

    def pre_forward(self, module: Any, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        for other in self._others:
            other.to("cpu")
        module.to(self.device)
        return send_to_device(args, self.device), send_to_device(kwargs, self.device)


class _Fetch(ModelHook):
    """A layer's own weights are on the device while it is called."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._kept: tuple[dict[str, Any], dict[str, Any]] = ({}, {})

    def pre_forward(self, module: Any, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        self.give_back(module)  # where the last call did not come to its end
        self._kept = (dict(module._parameters), dict(module._buffers))
        for name, weight in self._kept[0].items():
            if weight is not None:
                module._parameters[name] = nn.Parameter(weight.to(self.device), requires_grad=False)
        for name, buffer in self._kept[1].items():
            if buffer is not None:
                module._buffers[name] = buffer.to(self.device)
        return send_to_device(args, self.device), send_to_device(kwargs, self.device)

    def post_forward(self, module: Any, output: Any) -> Any:
        self.give_back(module)
        return output

    def detach_hook(self, module: Any) -> Any:
        self.give_back(module)
        return module

    def give_back(self, module: Any) -> None:
        """Have a layer hold its own weights again."""
        module._parameters.update(self._kept[0])
        module._buffers.update(self._kept[1])
        self._kept = ({}, {})


class _LayerByLayer(_Fetch):
    """Before its network is called every layer in it that has weights is told to fetch them when it is called."""

    def pre_forward(self, module: Any, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        for layer in module.modules():
            if (layer._parameters or layer._buffers) and not hasattr(layer, "_hf_hook"):
                add_hook_to_module(layer, _Fetch(self.device))
        return super().pre_forward(module, *args, **kwargs)


def device_of(network: Any) -> torch.device:
    """Where a network computes: the device that it is brought to, or the one that it is on."""
    return getattr(getattr(network, "_hf_hook", None), "device", network.device)


def give_back(networks: Sequence[nn.Module]) -> None:
    """Have the layers whose last call did not come to its end hold their own weights again, not those on the device."""
    for network in networks:
        for layer in network.modules():
            hook = getattr(layer, "_hf_hook", None)
            if isinstance(hook, _Fetch):
                hook.give_back(layer)


def keep_resident(networks: Sequence[nn.Module], device: torch.device) -> None:
    """Have all networks on the device, as if nothing below had been done to them."""
    _unhook(networks)
    for network in networks:
        network.to(device)


def take_turns(networks: Sequence[nn.Module], device: torch.device) -> None:
    """Have one network at a time on the device, from its call to that of another."""
    _unhook(networks)
    for network in networks:
        network.to("cpu")
        others = [other for other in networks if other is not network]
        add_hook_to_module(network, _InTurn(device, others))


def layer_by_layer(networks: Sequence[nn.Module], device: torch.device) -> None:
    """Have one layer's weights at a time on the device."""
    _unhook(networks)
    for network in networks:
        network.to("cpu")
        add_hook_to_module(network, _LayerByLayer(device))


def _unhook(networks: Sequence[nn.Module]) -> None:
    for network in networks:
        hooked = [layer for layer in network.modules() if hasattr(layer, "_hf_hook")]
        remove_hook_from_module(network, recurse=True)
        for layer in hooked:
            layer.__dict__.pop("forward", None)  # left behind by the hook; the class has the same
