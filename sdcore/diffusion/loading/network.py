"""A network of a class and a config, given its weights: each is read, moved and cast once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from accelerate import init_empty_weights
from torch import Tensor

from sdcore.diffusion.loading.parts import Part
from sdcore.diffusion.loading.weights import Meter
from sdcore.diffusion.model import ModelError

_UNTRUSTED: Final = ("auto_map", "quantization_config", "attn_implementation", "_attn_implementation")
"""What a config may not say: whose code is run, and how the weights are packed."""

_OLD_ATTENTION: Final = {
    ".query.": ".to_q.",
    ".key.": ".to_k.",
    ".value.": ".to_v.",
    ".proj_attn.": ".to_out.0.",
}
"""The names that the attention of autoencoders had before diffusers 0.18, and those it has now."""


@dataclass(frozen=True)
class Plan:
    """A network without weights, and the tensors that will be them, by their names in the network. Nothing is wrong
    with them as far as names and shapes tell."""

    part: Part
    network: Any
    tensors: Mapping[str, Tensor]

    @property
    def nbytes(self) -> int:
        """The bytes of the tensors."""
        return sum(tensor.nbytes for tensor in self.tensors.values())


def plan(part: Part, config: Mapping[str, Any], tensors: Mapping[str, Tensor], source: Path) -> Plan:
    """A network of this config, to be given these tensors, which are named as diffusers does or did.

    Raises `ModelError` with one sentence where they do not fit; `source` is where they come from.
    """
    try:
        network = _empty(part, config)
    except (TypeError, ValueError, KeyError, AttributeError, IndexError, RuntimeError) as error:
        reason = str(error).strip().partition("\n")[0][:200] or type(error).__name__
        raise ModelError(f"The configuration of the {part.title} in {source} is wrong: {reason}.") from error
    wanted = network.state_dict()
    found = {_name_of(name, wanted): name for name in tensors}
    missing = [name for name in wanted if name not in found and name not in _tied(network)]
    if missing:
        raise ModelError(
            f"The {part.title} in {source} lacks {len(missing)} of its {len(wanted)} weights, {missing[0]} to begin "
            "with: it is not whole, or of another architecture."
        )
    chosen = {name: tensors[found[name]] for name in wanted if name in found}
    for name, tensor in chosen.items():
        if tensor.shape != wanted[name].shape:
            raise ModelError(
                f"The {part.title} in {source} does not fit its configuration: {name} is {_size(tensor)}, "
                f"not {_size(wanted[name])}."
            )
    return Plan(part, network, chosen)


def fill(planned: Plan, device: torch.device, dtype: torch.dtype, meter: Meter) -> Any:
    """The network of a plan on `device` in `dtype`, ready to be run: each weight is read, moved and cast once."""
    meter.begin(planned.part.title)
    network = planned.network
    placed = {}
    for name, tensor in planned.tensors.items():
        placed[name] = _placed(tensor, name, network, device, dtype)
        meter.add(tensor.nbytes)
    network.load_state_dict(placed, strict=False, assign=True)
    if _tied(network):
        network.tie_weights()
    return network.to(device).eval().requires_grad_(False)


def _empty(part: Part, config: Mapping[str, Any]) -> Any:
    """The network without weights; its buffers are made."""
    kind = part.resolve()
    told = {key: value for key, value in config.items() if key not in _UNTRUSTED}
    with init_empty_weights(include_buffers=False):
        if hasattr(kind, "config_class"):
            return kind(kind.config_class.from_dict(told))
        return kind.from_config(told)


def _name_of(name: str, wanted: Mapping[str, Any]) -> str:
    """What a tensor is called here: names have changed over the years."""
    if name in wanted:
        return name
    for old, new in _OLD_ATTENTION.items():
        name = name.replace(old, new)
    bare = name.removeprefix("text_model.")
    return bare if bare in wanted else name


def _tied(network: Any) -> Collection[str]:
    """The weights that are others under a second name."""
    return getattr(network, "_tied_weights_keys", None) or ()


def _placed(
    tensor: Tensor, name: str, network: Any, device: torch.device, dtype: torch.dtype
) -> torch.nn.Parameter:
    """The tensor on the device; float16 models keep in float32 what their class says overflows."""
    precise = getattr(network, "_keep_in_fp32_modules", None) or () if dtype == torch.float16 else ()
    kind = torch.float32 if any(module in name.split(".") for module in precise) else dtype
    if not tensor.is_floating_point():
        kind = tensor.dtype
    # On a CPU a copy in any case: what others do to the file must not reach a model that is in use. A GPU casts itself.
    on_cpu = device.type == "cpu"
    placed = tensor.to(kind, copy=True) if on_cpu else tensor.to(device).to(kind)
    return torch.nn.Parameter(placed, requires_grad=False)


def _size(tensor: Tensor) -> str:
    return " x ".join(str(side) for side in tensor.shape) or "a number"
