"""A LoRA file, or one of its kin: for each layer a few matrices whose product is added to its weights.

Read are the names of kohya and LyCORIS (`lora_down`, `lora_up`, `alpha`; with `lora_mid` for convolutions split in
three; `hada_…`, `lokr_…`, `dora_scale`) and of diffusers and peft (`lora_A`, `lora_B`, or the older `lora.down`,
`lora.up`; alpha in the metadata; `lora_magnitude_vector`). What the matrices mean is in `forms`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import msgspec
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from sdcore.diffusion.addons.forms import FORMS, Form, Shape, axis_of, drawn_to
from sdcore.diffusion.addons.layers import place_of
from sdcore.spec.families import TextPart
from sdcore.spec.sanitise import sanitise
from sdcore.weights import READABLE, Header, HeaderError, read_header

Layers = Mapping[str, tuple[str, ...]]
"""Modules of a network by the names that LoRA files have for them, as `layers.layers_of` gives them."""

_NAMES: Final = (
    re.compile(
        r"(.+?)(?:\.lora_linear_layer\.|\.lora_|\.lora\.|_lora\.)(down|up|mid|A|B)(?:\.[\w-]+)?\.weight"
    ),
    re.compile(r"(.+)\.(hada_(?:w[12]_[ab]|t[12])|lokr_(?:w[12](?:_[ab])?|t2))(?:\.[\w-]+)?"),
    re.compile(r"(.+)\.(dora_scale|lora_magnitude_vector)(?:\.[\w-]+)*"),
    re.compile(r"(.+)\.(alpha)"),
)
"""The name of a layer, and what it calls a tensor."""
_ROLES: Final = {
    "A": "down",
    "B": "up",
    **{f"hada_{name}": name for name in ("w1_a", "w1_b", "w2_a", "w2_b", "t1", "t2")},
    **{f"lokr_w{name}": f"k{name}" for name in ("1", "1_a", "1_b", "2", "2_a", "2_b")},
    "lokr_t2": "kt2",
    "dora_scale": "magnitude",
    "lora_magnitude_vector": "magnitude",
}
_OTHER_FORMS: Final = (
    ("oft_", "an OFT"),
    ("hada_", "a LoHa whose matrices are not all there"),
    ("lokr_", "a LoKr whose matrices are not all there"),
)
"""Parts of names in files that change weights in other ways, and what these are called."""


class AddonError(RuntimeError):
    """A file cannot be added to a model; the message is one sentence that says why."""


@dataclass(frozen=True)
class LoraLayer:
    """What a file adds to one layer, or to several whose rows lie together.

    `tensors` make the product of its `form`, of `shape` (out, in) or (out, in, kh, kw); it counts `scale`. With a
    `magnitude` the sum is drawn to these lengths along an `axis`, see `forms.drawn_to`.
    """

    part: str
    modules: tuple[str, ...]
    form: Form
    tensors: Mapping[str, Tensor]
    shape: Shape
    scale: float
    magnitude: Tensor | None
    axis: int

    def cut(self, rank: int) -> LoraLayer:
        """The same with its first `rank` ranks alone, all of them where that is 0. What is not two plain matrices stays
        whole."""
        if not rank or set(self.tensors) != {"down", "up"}:
            return self
        down, up = self.tensors["down"], self.tensors["up"]
        return replace(self, tensors={"down": down[:rank], "up": up[:, :rank]})

    def change(self, weight: Tensor, row: int, factor: float) -> Tensor:
        """What it adds to the rows from `row` on, whose weight (float32) is given, where the file counts `factor`."""
        rows = slice(row, row + len(weight))
        of = {role: tensor.to(weight.device, torch.float32) for role, tensor in self.tensors.items()}
        product = self.form.product(of).reshape(self.shape)[rows].view_as(weight)
        if self.magnitude is None:
            return product * (factor * self.scale)
        lengths = self.magnitude.to(weight.device, torch.float32).flatten()
        lengths = lengths[rows] if self.axis == 0 else lengths
        return (drawn_to(lengths, weight + product * self.scale, self.axis) - weight) * factor


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
            f"{shown} is {other}, which sdtui does not read; use a LoRA." if other
            else f"{shown} holds no LoRA: none of its {len(header.tensors)} tensors is a pair of matrices."
        )  # fmt: skip
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
        layers = _read(path, header, found, matched, shapes)
    except (OSError, SafetensorError, RuntimeError, ValueError) as error:
        reason = sanitise(str(error), newlines=False)[:200]
        raise AddonError(f"{shown} cannot be read: {reason}.") from error
    return LoraFile(layers, len(found) - len(matched))


def _by_layer(header: Header) -> dict[str, dict[str, str]]:
    """The names of the tensors of each layer by their role; of layers alone that have all that a form needs."""
    found: dict[str, dict[str, str]] = {}
    for key in header.tensors:
        if match := next((match for pattern in _NAMES if (match := pattern.fullmatch(key))), None):
            found.setdefault(match[1], {})[_ROLES.get(match[2], match[2])] = key
    return {layer: roles for layer, roles in found.items() if _form_of(roles) is not None}


def _form_of(roles: Collection[str]) -> Form | None:
    return next((form for form in FORMS if form.has(roles)), None)


def _shapes(header: Header, roles: Mapping[str, str]) -> dict[str, Shape]:
    return {role: header.tensors[key].shape for role, key in roles.items()}


def _fits(
    header: Header,
    roles: Mapping[str, str],
    part: str,
    modules: tuple[str, ...],
    shapes: Mapping[tuple[str, str], Shape],
) -> bool:
    """Whether the product has the shape of the weights."""
    form = _form_of(roles)
    assert form is not None  # see `_by_layer`
    made = form.shape(_shapes(header, roles))
    whole = _whole(part, modules, shapes)
    return made in (whole, (whole[0], math.prod(whole[1:])))


def _whole(part: str, modules: tuple[str, ...], shapes: Mapping[tuple[str, str], Shape]) -> Shape:
    """The shape of the weights of these modules one below another."""
    wanted = [shapes[part, module] for module in modules]
    return (sum(shape[0] for shape in wanted), *wanted[0][1:])


def _read(
    path: Path,
    header: Header,
    found: Mapping[str, Mapping[str, str]],
    matched: Mapping[str, tuple[str, tuple[str, ...]]],
    shapes: Mapping[tuple[str, str], Shape],
) -> tuple[LoraLayer, ...]:
    configs = _peft_configs(header)
    layers = []
    with safe_open(path, framework="pt", device="cpu") as file:
        for key, (part, modules) in matched.items():
            form = _form_of(found[key])
            assert form is not None  # see `_by_layer`
            tensors = {role: file.get_tensor(name) for role, name in found[key].items()}
            alpha, magnitude = tensors.pop("alpha", None), tensors.pop("magnitude", None)
            whole = _whole(part, modules, shapes)
            axis = 0 if magnitude is None else axis_of(magnitude.shape, whole)
            if axis and len(modules) > 1:
                raise ValueError("the lengths of its inputs cannot be shared out among layers")
            scale = _scale(form.rank(_shapes(header, found[key])), alpha, configs, key)
            layers.append(LoraLayer(part, modules, form, tensors, whole, scale, magnitude, axis))
    return tuple(layers)


def _scale(rank: int, alpha: Tensor | None, configs: Mapping[str, Any], key: str) -> float:
    """What the product of a layer counts."""
    if not rank:
        return 1.0
    scale = _peft_scale(configs, key, rank) if alpha is None else float(alpha) / rank
    if not math.isfinite(scale):
        raise ValueError("the alpha of a layer is no number")
    return scale


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
