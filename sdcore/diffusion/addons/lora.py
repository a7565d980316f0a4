"""A LoRA file: for each layer two matrices whose product is added to its weights (Hu et al., arXiv 2106.09685).

Read are the forms of kohya (`lora_down`, `lora_up`, `alpha`; with `lora_mid` for convolutions split in three) and of
diffusers and peft (`lora_A`, `lora_B`, or the older `lora.down`, `lora.up`; alpha in the metadata).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from sdcore.diffusion.addons.layers import place_of
from sdcore.spec.families import TextPart
from sdcore.spec.sanitise import sanitise
from sdcore.weights import Header, HeaderError, read_header

Layers = Mapping[str, tuple[str, ...]]
"""Modules of a network by the names that LoRA files have for them, as `layers.layers_of` gives them."""

_MATRIX: Final = re.compile(
    r"(.+?)(?:\.lora_linear_layer\.|\.lora_|\.lora\.|_lora\.)(down|up|mid|A|B)(?:\.[\w-]+)?\.weight"
)
_ROLES: Final = {"A": "down", "B": "up"}
_ALPHA: Final = ".alpha"
_OTHER_FORMS: Final = (
    ("hada_", "a LoHa"),
    ("lokr_", "a LoKr"),
    ("oft_", "an OFT"),
    ("dora_scale", "a DoRA"),
    ("lora_magnitude_vector", "a DoRA"),
)
"""Endings of names in files that change weights in other ways, and what these are called."""


READABLE: Final = frozenset({"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"})
"""The types of numbers (see `sdcore.weights.BITS`) that are read."""


class AddonError(RuntimeError):
    """A file cannot be added to a model; the message is one sentence that says why."""


@dataclass(frozen=True)
class LoraLayer:
    """What a file adds to one layer, or to several whose rows lie together: scale * up @ down.

    `down` is (r, in) or (r, in, kh, kw), `up` (out, r) or (out, r, 1, 1); with a `mid` (r, r, kh, kw) between them,
    `down` is (r, in, 1, 1).
    """

    part: str
    modules: tuple[str, ...]
    down: Tensor
    up: Tensor
    mid: Tensor | None
    scale: float

    def delta(self, device: torch.device) -> Tensor:
        """The product without the scale (out, in) or (out, in, kh, kw), float32."""
        down, up = self.down.to(device, torch.float32), self.up.to(device, torch.float32)
        if self.mid is not None:
            mid = self.mid.to(device, torch.float32)
            return torch.einsum("or,rshw,si->oihw", up.flatten(1), mid, down.flatten(1))
        return (up.flatten(1) @ down.flatten(1)).view(up.shape[0], *down.shape[1:])


@dataclass(frozen=True)
class LoraFile:
    """The layers of a file that a model has; `unmatched` counts those that it has not."""

    layers: tuple[LoraLayer, ...]
    unmatched: int


def read_lora(
    path: Path,
    name: str,
    networks: Mapping[str, Layers],
    shapes: Mapping[tuple[str, str], tuple[int, ...]],
    text: tuple[TextPart, ...],
) -> LoraFile:
    """Read the LoRA at `path`, called `name`, for a model whose `networks` have these layers and `shapes` of weights.

    `text` are the model's text encoders. The header is checked, and every layer matched, before any matrix is read.
    Raises `AddonError`.
    """
    shown = sanitise(name, newlines=False)[:100]
    try:
        header = read_header(path)
    except HeaderError as error:
        raise AddonError(str(error)) from error
    found = _by_layer(header)
    if not found:
        other = next((says for mark, says in _OTHER_FORMS if any(mark in key for key in header.tensors)), "")
        raise AddonError(
            f"{shown} is {other}, a form that sdtui does not read yet; use a LoRA." if other
            else f"{shown} holds no LoRA: none of its {len(header.tensors)} tensors is a pair of matrices."
        )  # fmt: skip
    if any("dora_scale" in key or "lora_magnitude_vector" in key for key in header.tensors):
        raise AddonError(f"{shown} is a DoRA, a form that sdtui does not read yet; use a LoRA.")
    places = {key: place_of(key, text) for key in found}
    matched = {key: (part, networks[part][layer]) for key, (part, layer) in places.items()
               if layer in networks.get(part, {})}  # fmt: skip
    if not matched:
        raise AddonError(
            f"{shown} is not for this kind of model: none of its {len(found)} layers is one of this model's."
        )
    wrong = [key for key in matched if not _fits(header, found[key], *matched[key], shapes)]
    if wrong:
        raise AddonError(
            f"{shown} is not for this kind of model: {len(wrong)} of its {len(found)} layers have another shape than "
            "this model's."
        )
    types = {header.tensors[found[key][role]].dtype for key in matched for role in found[key]} - READABLE
    if types:
        raise AddonError(f"{shown} holds numbers of the type {min(types)}, which sdtui does not read.")
    try:
        layers = _read(path, header, found, matched)
    except (OSError, SafetensorError, RuntimeError, ValueError) as error:
        reason = sanitise(str(error), newlines=False)[:200]
        raise AddonError(f"{shown} cannot be read: {reason}.") from error
    return LoraFile(layers, len(found) - len(matched))


def _by_layer(header: Header) -> dict[str, dict[str, str]]:
    """The names of the matrices of each layer by their role ("down", "up", "mid", "alpha"); pairs alone."""
    found: dict[str, dict[str, str]] = {}
    for key in header.tensors:
        if match := _MATRIX.fullmatch(key):
            found.setdefault(match[1], {})[_ROLES.get(match[2], match[2])] = key
        elif key.endswith(_ALPHA):
            found.setdefault(key.removesuffix(_ALPHA), {})["alpha"] = key
    return {layer: roles for layer, roles in found.items() if "down" in roles and "up" in roles}


def _fits(
    header: Header,
    roles: Mapping[str, str],
    part: str,
    modules: tuple[str, ...],
    shapes: Mapping[tuple[str, str], tuple[int, ...]],
) -> bool:
    """Whether the product has the shape of the weights."""
    down, up = (header.tensors[roles[role]].shape for role in ("down", "up"))
    mid = header.tensors[roles["mid"]].shape if "mid" in roles else None
    wanted = [shapes[part, module] for module in modules]
    columns = wanted[0][1:]
    if (
        len(down) != len(columns) + 1
        or not down[0]
        or len(up) != len(down)
        or math.prod(up) != up[0] * down[0]
    ):
        return False
    if mid is not None and (mid[:2] != (up[1], down[0]) or len(mid) != 4 or down[2:] != (1, 1)):
        return False
    given = (down[1], *(mid or down)[2:])
    return given == columns and up[0] == sum(shape[0] for shape in wanted)


def _read(
    path: Path,
    header: Header,
    found: Mapping[str, Mapping[str, str]],
    matched: Mapping[str, tuple[str, tuple[str, ...]]],
) -> tuple[LoraLayer, ...]:
    configs = _peft_configs(header)
    layers = []
    with safe_open(path, framework="pt", device="cpu") as file:
        for key, (part, modules) in matched.items():
            roles = found[key]
            tensors = {role: file.get_tensor(name) for role, name in roles.items()}
            rank = tensors["down"].shape[0]
            scale = float(tensors["alpha"]) / rank if "alpha" in tensors else _peft_scale(configs, key, rank)
            if not math.isfinite(scale):
                raise ValueError("the alpha of a layer is no number")
            layers.append(LoraLayer(part, modules, tensors["down"], tensors["up"], tensors.get("mid"), scale))
    return tuple(layers)


def _peft_configs(header: Header) -> dict[str, Any]:
    """The settings under which peft trained, "" where diffusers wrote none."""
    try:
        return msgspec.json.decode(header.metadata.get("lora_adapter_metadata", "{}"), type=dict[str, Any])
    except msgspec.DecodeError:
        return {}


def _peft_scale(configs: Mapping[str, Any], key: str, rank: int) -> float:
    """alpha / rank as the metadata have it for a layer (source: peft `LoraLayer.update_layer`), 1 without any."""
    part, _, layer = key.partition(".")
    patterns = configs.get(f"{part}.alpha_pattern")
    own = patterns if isinstance(patterns, dict) else {}
    alpha = next(
        (value for name, value in own.items() if f".{layer}".endswith(f".{name}")),
        configs.get(f"{part}.lora_alpha", rank),
    )
    if not isinstance(alpha, int | float):
        raise ValueError("the alpha of a layer is no number")
    return alpha / (math.sqrt(rank) if configs.get(f"{part}.use_rslora") else rank)
