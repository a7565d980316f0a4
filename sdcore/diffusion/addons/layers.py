"""What LoRA files call the layers that they change.

Trainers write the names of diffusers or those of the original code, with dots or with underscores. All are brought to
one form: underscores, without the prefix that says which network is meant. Sources: kohya-ss/sd-scripts
(`networks/lora.py`, `networks/lora_flux.py`, `library/sdxl_model_util.py`) and diffusers 0.42.1
(`loaders/lora_conversion_utils.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from sdcore.spec.families import TextPart

NETWORK: Final = "network"
"""The UNet or transformer; text encoders are known by the names of their folders."""

_TEXT_FOLDERS: Final = ("text_encoder", "text_encoder_2", "text_encoder_3")

_TEXT_PARTS: Final[tuple[tuple[str, TextPart], ...]] = (
    ("lora_te1_", "CLIP-L"),
    ("lora_te2_", "OpenCLIP-G"),
    ("lora_te3_", "T5"),
    ("text_encoders.clip_l.transformer.", "CLIP-L"),
    ("text_encoders.clip_g.transformer.", "OpenCLIP-G"),
)
"""Prefixes that name a text encoder by what it is."""

_PREFIXES: Final[tuple[tuple[str, str], ...]] = (
    ("lora_te_", "text_encoder"),
    *((f"{folder}.", folder) for folder in _TEXT_FOLDERS),
    ("lora_unet_", NETWORK),
    ("lora_transformer_", NETWORK),
    ("unet.", NETWORK),
    ("transformer.", NETWORK),
    ("model.diffusion_model.", NETWORK),
    ("diffusion_model.", NETWORK),
    ("", NETWORK),
)

_IN_RESNET: Final = {
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_OUTSIDE: Final = {
    "conv_in": "input_blocks.0.0",
    "conv_out": "out.2",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
}
"""The layers of a UNet that the original code names otherwise: in a residual block, and outside of all blocks."""

_IN_BLOCK: Final = re.compile(
    r"(down_blocks|mid_block|up_blocks)\.(?:(\d+)\.)?(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.+)"
)


def _row(name: str, block: str, *layers: str) -> tuple[str, tuple[str, ...]]:
    return name.replace(".", "_"), tuple(f"{block}.#.{layer}" for layer in layers)


_BOTH: Final = "transformer_blocks"
_SINGLE: Final = "single_transformer_blocks"
_TRANSFORMER_LAYERS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    _row("joint_blocks.#.x_block.attn.qkv", _BOTH, "attn.to_q", "attn.to_k", "attn.to_v"),
    _row("joint_blocks.#.x_block.attn.proj", _BOTH, "attn.to_out.0"),
    _row("joint_blocks.#.x_block.attn2.qkv", _BOTH, "attn2.to_q", "attn2.to_k", "attn2.to_v"),
    _row("joint_blocks.#.x_block.attn2.proj", _BOTH, "attn2.to_out.0"),
    _row("joint_blocks.#.x_block.mlp.fc1", _BOTH, "ff.net.0.proj"),
    _row("joint_blocks.#.x_block.mlp.fc2", _BOTH, "ff.net.2"),
    _row(
        "joint_blocks.#.context_block.attn.qkv",
        _BOTH,
        "attn.add_q_proj",
        "attn.add_k_proj",
        "attn.add_v_proj",
    ),
    _row("joint_blocks.#.context_block.attn.proj", _BOTH, "attn.to_add_out"),
    _row("joint_blocks.#.context_block.mlp.fc1", _BOTH, "ff_context.net.0.proj"),
    _row("joint_blocks.#.context_block.mlp.fc2", _BOTH, "ff_context.net.2"),
    _row("double_blocks.#.img_attn.qkv", _BOTH, "attn.to_q", "attn.to_k", "attn.to_v"),
    _row("double_blocks.#.img_attn.proj", _BOTH, "attn.to_out.0"),
    _row("double_blocks.#.img_mlp.0", _BOTH, "ff.net.0.proj"),
    _row("double_blocks.#.img_mlp.2", _BOTH, "ff.net.2"),
    _row("double_blocks.#.img_mod.lin", _BOTH, "norm1.linear"),
    _row("double_blocks.#.txt_attn.qkv", _BOTH, "attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"),
    _row("double_blocks.#.txt_attn.proj", _BOTH, "attn.to_add_out"),
    _row("double_blocks.#.txt_mlp.0", _BOTH, "ff_context.net.0.proj"),
    _row("double_blocks.#.txt_mlp.2", _BOTH, "ff_context.net.2"),
    _row("double_blocks.#.txt_mod.lin", _BOTH, "norm1_context.linear"),
    _row("single_blocks.#.linear1", _SINGLE, "attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"),
    _row("single_blocks.#.linear2", _SINGLE, "proj_out"),
    _row("single_blocks.#.modulation.lin", _SINGLE, "norm.linear"),
)
"""Layers of SD3 (`joint_blocks`) and Flux in the original code, and the ones of diffusers that hold their rows, in
their order."""


def place_of(key: str, text: tuple[TextPart, ...]) -> tuple[str, str]:
    """(part, layer) that a LoRA file's name of a layer, without its ending, means where `text` are the text encoders.

    The part is `NETWORK` or the folder of a text encoder; it may be one that the model does not have.
    """
    for prefix, encoder in _TEXT_PARTS:
        if key.startswith(prefix):
            part = _TEXT_FOLDERS[text.index(encoder)] if encoder in text else encoder
            return part, _flat(key.removeprefix(prefix))
    prefix, part = next(one for one in _PREFIXES if key.startswith(one[0]))
    return part, _flat(key.removeprefix(prefix))


def layers_of(network: Any) -> dict[str, tuple[str, ...]]:
    """The linear and convolutional layers of a network by all names that LoRA files have for them.

    A name stands for one layer, or for several that lie together in the original code, in the order of their rows.
    """
    layers = [name for name, module in network.named_modules() if _has_matrix(module)]
    names: dict[str, tuple[str, ...]] = {_flat(layer): (layer,) for layer in layers}
    names |= {_flat(layer)[:-2]: (layer,) for layer in layers if layer.endswith(".to_out.0")}
    if hasattr(network, "down_blocks"):
        names |= {_flat(name): (layer,) for layer in layers for name in _original_unet_names(network, layer)}
    if hasattr(network, "transformer_blocks"):
        names |= dict(_original_transformer_names(set(layers)))
    return names


def _has_matrix(module: Any) -> bool:
    weight = getattr(module, "weight", None)
    return weight is not None and weight.dim() in (2, 4) and not hasattr(module, "num_embeddings")


def _flat(name: str) -> str:
    """A layer's name with underscores, and without what only some versions of the libraries have in it."""
    flat = name.replace(".", "_").replace("_processor_to_", "_to_")
    return flat.removeprefix("base_model_model_").removeprefix("text_model_")


def _original_unet_names(unet: Any, layer: str) -> Iterator[str]:
    """What the original code calls a layer of diffusers' UNet."""
    if layer in _OUTSIDE:
        yield _OUTSIDE[layer]
    found = _IN_BLOCK.fullmatch(layer)
    if found is None:
        return
    side, number, kind, index, rest = found[1], int(found[2] or 0), found[3], int(found[4]), found[5]
    rest = _IN_RESNET.get(rest, rest) if kind == "resnets" else rest
    if side == "mid_block":
        yield f"middle_block.{2 * index if kind == 'resnets' else 2 * index + 1}.{rest}"
        return
    before = number * (_layers_per_block(unet) + 1)
    if kind == "downsamplers":
        yield f"input_blocks.{before + _layers_per_block(unet) + 1}.0.op"
    elif kind == "upsamplers":
        after = 2 if hasattr(unet.up_blocks[number], "attentions") else 1
        yield f"output_blocks.{before + _layers_per_block(unet)}.{after}.{rest}"
    else:
        within = 0 if kind == "resnets" else 1
        first = ("input_blocks", 1 + before) if side == "down_blocks" else ("output_blocks", before)
        yield f"{first[0]}.{first[1] + index}.{within}.{rest}"


def _layers_per_block(unet: Any) -> int:
    """Residual blocks a level; the original code has the same number on all."""
    layers = unet.config.layers_per_block
    return int(layers if isinstance(layers, int) else layers[0])


def _original_transformer_names(layers: set[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for name, parts in _TRANSFORMER_LAYERS:
        number = 0
        while layers.issuperset(numbered := tuple(part.replace("#", str(number)) for part in parts)):
            yield name.replace("#", str(number)), numbered
            number += 1
