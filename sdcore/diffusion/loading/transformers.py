"""The transformers of SD 3 and Flux as their first authors kept them, under the names of diffusers.

Queries, keys and values lie in one matrix there; and where a layer norm has a scale and a shift, the shift comes first.
What a config says of their sizes is read from the tensors: SD 3, 3.5 medium and 3.5 large differ in nothing else.
Source: diffusers, `loaders/single_file_utils.py`, `convert_sd3_transformer_checkpoint_to_diffusers` and
`convert_flux_transformer_checkpoint_to_diffusers`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import torch
from torch import Tensor

PREFIX: Final = "model.diffusion_model."
"""Below what a whole checkpoint has its network; a network that is alone in its file has no prefix."""

Tensors = Mapping[str, Tensor]
Stems = Mapping[str, tuple[str, ...]]
"""The layers of the original by their new names; one that holds several is cut, from the first row on."""

_SD3_ENDS: Final[Stems] = {
    "x_embedder.proj": ("pos_embed.proj",),
    "t_embedder.mlp.0": ("time_text_embed.timestep_embedder.linear_1",),
    "t_embedder.mlp.2": ("time_text_embed.timestep_embedder.linear_2",),
    "y_embedder.mlp.0": ("time_text_embed.text_embedder.linear_1",),
    "y_embedder.mlp.2": ("time_text_embed.text_embedder.linear_2",),
    "context_embedder": ("context_embedder",),
    "final_layer.linear": ("proj_out",),
    "final_layer.adaLN_modulation.1": ("norm_out.linear",),
    "": ("pos_embed",),
}
_SD3_BLOCK: Final[Stems] = {
    "x_block.attn.qkv": ("attn.to_q", "attn.to_k", "attn.to_v"),
    "x_block.attn.ln_q": ("attn.norm_q",),
    "x_block.attn.ln_k": ("attn.norm_k",),
    "x_block.attn.proj": ("attn.to_out.0",),
    "x_block.attn2.qkv": ("attn2.to_q", "attn2.to_k", "attn2.to_v"),
    "x_block.attn2.ln_q": ("attn2.norm_q",),
    "x_block.attn2.ln_k": ("attn2.norm_k",),
    "x_block.attn2.proj": ("attn2.to_out.0",),
    "x_block.adaLN_modulation.1": ("norm1.linear",),
    "x_block.mlp.fc1": ("ff.net.0.proj",),
    "x_block.mlp.fc2": ("ff.net.2",),
    "context_block.attn.qkv": ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"),
    "context_block.attn.ln_q": ("attn.norm_added_q",),
    "context_block.attn.ln_k": ("attn.norm_added_k",),
    "context_block.attn.proj": ("attn.to_add_out",),
    "context_block.adaLN_modulation.1": ("norm1_context.linear",),
    "context_block.mlp.fc1": ("ff_context.net.0.proj",),
    "context_block.mlp.fc2": ("ff_context.net.2",),
}
_FLUX_ENDS: Final[Stems] = {
    "img_in": ("x_embedder",),
    "txt_in": ("context_embedder",),
    "time_in.in_layer": ("time_text_embed.timestep_embedder.linear_1",),
    "time_in.out_layer": ("time_text_embed.timestep_embedder.linear_2",),
    "vector_in.in_layer": ("time_text_embed.text_embedder.linear_1",),
    "vector_in.out_layer": ("time_text_embed.text_embedder.linear_2",),
    "guidance_in.in_layer": ("time_text_embed.guidance_embedder.linear_1",),
    "guidance_in.out_layer": ("time_text_embed.guidance_embedder.linear_2",),
    "final_layer.linear": ("proj_out",),
    "final_layer.adaLN_modulation.1": ("norm_out.linear",),
}
_FLUX_DOUBLE: Final[Stems] = {
    "img_mod.lin": ("norm1.linear",),
    "img_attn.qkv": ("attn.to_q", "attn.to_k", "attn.to_v"),
    "img_attn.norm.query_norm": ("attn.norm_q",),
    "img_attn.norm.key_norm": ("attn.norm_k",),
    "img_attn.proj": ("attn.to_out.0",),
    "img_mlp.0": ("ff.net.0.proj",),
    "img_mlp.2": ("ff.net.2",),
    "txt_mod.lin": ("norm1_context.linear",),
    "txt_attn.qkv": ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"),
    "txt_attn.norm.query_norm": ("attn.norm_added_q",),
    "txt_attn.norm.key_norm": ("attn.norm_added_k",),
    "txt_attn.proj": ("attn.to_add_out",),
    "txt_mlp.0": ("ff_context.net.0.proj",),
    "txt_mlp.2": ("ff_context.net.2",),
}
_FLUX_SINGLE: Final[Stems] = {
    "modulation.lin": ("norm.linear",),
    "linear1": ("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"),
    "linear2": ("proj_out",),
    "norm.query_norm": ("attn.norm_q",),
    "norm.key_norm": ("attn.norm_k",),
}
_SD3_BLOCKS: Final[Mapping[str, tuple[str, Stems]]] = {"joint_blocks": ("transformer_blocks", _SD3_BLOCK)}
_FLUX_BLOCKS: Final[Mapping[str, tuple[str, Stems]]] = {
    "double_blocks": ("transformer_blocks", _FLUX_DOUBLE),
    "single_blocks": ("single_transformer_blocks", _FLUX_SINGLE),
}
_SD3_ASKED: Final = (
    "pos_embed.pos_embed", "pos_embed.proj.weight", "context_embedder.weight", "proj_out.weight",
    "time_text_embed.text_embedder.linear_1.weight",
)  # fmt: skip
_FLUX_ASKED: Final = (
    "x_embedder.weight", "context_embedder.weight", "time_text_embed.text_embedder.linear_1.weight"
)  # fmt: skip
_BLOCK: Final = re.compile(r"(\w+)\.(\d{1,4})\.(.+)")


def sd3(tensors: Tensors, config: Mapping[str, Any]) -> Tensors:
    """The transformer of SD 3 or 3.5 in a file, none where it is not in it; as it is where diffusers kept it."""
    found = _below(tensors, "joint_blocks.0.x_block.attn.qkv.weight")
    if not found:
        return dict(tensors) if "transformer_blocks.0.attn.to_q.weight" in tensors else {}
    last = max(int(match[2]) for name in found if (match := _BLOCK.fullmatch(name)))
    turned = {"norm_out.linear", f"transformer_blocks.{last}.norm1_context.linear"}
    return _renamed(found, _SD3_ENDS, _SD3_BLOCKS, turned)


def flux(tensors: Tensors, config: Mapping[str, Any]) -> Tensors:
    """The transformer of Flux.1 in a file, none where it is not in it; as it is where diffusers kept it."""
    found = _below(tensors, "double_blocks.0.img_attn.qkv.weight")
    if not found:
        return dict(tensors) if "single_transformer_blocks.0.attn.to_q.weight" in tensors else {}
    return _renamed(found, _FLUX_ENDS, _FLUX_BLOCKS, {"norm_out.linear"})


def t5(tensors: Tensors, config: Mapping[str, Any]) -> Tensors:
    """T5's encoder in a file, none where it is not in it."""
    prefix = "text_encoders.t5xxl.transformer."
    return {name.removeprefix(prefix): tensors[name] for name in tensors if name.startswith(prefix)}


def sd3_told(tensors: Tensors, config: Mapping[str, Any]) -> dict[str, Any]:
    """What the tensors of a transformer of SD 3 (names of diffusers) say of its config."""
    if not all(name in tensors for name in _SD3_ASKED):
        return {}
    embed, text = tensors["pos_embed.proj.weight"].shape, tensors["context_embedder.weight"].shape
    return {
        "num_layers": _count(tensors, "transformer_blocks"),
        "num_attention_heads": embed[0] // config["attention_head_dim"],
        "in_channels": embed[1],
        "patch_size": embed[2],
        "out_channels": tensors["proj_out.weight"].shape[0] // embed[2] ** 2,
        "pos_embed_max_size": math.isqrt(tensors["pos_embed.pos_embed"].shape[1]),
        "caption_projection_dim": text[0],
        "joint_attention_dim": text[1],
        "pooled_projection_dim": tensors["time_text_embed.text_embedder.linear_1.weight"].shape[1],
        "dual_attention_layers": sorted(
            int(name.split(".")[1]) for name in tensors if name.endswith(".attn2.to_q.weight")
        ),
        "qk_norm": "rms_norm" if "transformer_blocks.0.attn.norm_q.weight" in tensors else None,
    }


def flux_told(tensors: Tensors, config: Mapping[str, Any]) -> dict[str, Any]:
    """What the tensors of a transformer of Flux.1 (names of diffusers) say of its config."""
    if not all(name in tensors for name in _FLUX_ASKED):
        return {}
    embed = tensors["x_embedder.weight"].shape
    return {
        "num_layers": _count(tensors, "transformer_blocks"),
        "num_single_layers": _count(tensors, "single_transformer_blocks"),
        "num_attention_heads": embed[0] // config["attention_head_dim"],
        "in_channels": embed[1],
        "joint_attention_dim": tensors["context_embedder.weight"].shape[1],
        "pooled_projection_dim": tensors["time_text_embed.text_embedder.linear_1.weight"].shape[1],
        "guidance_embeds": "time_text_embed.guidance_embedder.linear_1.weight" in tensors,
    }


TOLD: Final[Mapping[str, Callable[[Tensors, Mapping[str, Any]], dict[str, Any]]]] = {
    "SD3Transformer2DModel": sd3_told,
    "FluxTransformer2DModel": flux_told,
}
"""The classes whose configs are read from their tensors. Each gives nothing where one that it asks for is missing."""


def _below(tensors: Tensors, mark: str) -> dict[str, Tensor]:
    """The tensors of the network whose name `mark` is, below `PREFIX` or alone in their file; none without it."""
    if PREFIX + mark in tensors:
        return {name.removeprefix(PREFIX): tensors[name] for name in tensors if name.startswith(PREFIX)}
    return dict(tensors) if mark in tensors else {}


def _renamed(
    tensors: Tensors, ends: Stems, blocks: Mapping[str, tuple[str, Stems]], turned: set[str]
) -> dict[str, Tensor]:
    """The tensors under their new names; those that have none keep theirs, and are refused with it. Of the layers that
    are `turned` the second half comes first."""
    renamed: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        stem, _, kind = name.rpartition(".")
        prefix, stems = "", ends
        if (match := _BLOCK.fullmatch(stem)) and match[1] in blocks:
            new, stems = blocks[match[1]]
            prefix, stem = f"{new}.{match[2]}.", match[3]
        layers = stems.get(stem, (stem,))
        kind = "weight" if kind == "scale" else kind
        for layer, rows in zip(layers, _cut(tensor, len(layers)), strict=True):
            renamed[f"{prefix}{layer}.{kind}"] = _turned(rows) if prefix + layer in turned else rows
    return renamed


def _cut(tensor: Tensor, count: int) -> tuple[Tensor, ...]:
    """The rows of a tensor as `count` layers: alike, but the fourth beside queries, keys and values."""
    if count < 4:
        return tensor.chunk(count)
    # Both the matrix and its bias have 3 d + 4 d rows.
    width = len(tensor) // 7
    return tensor.split([width, width, width, len(tensor) - 3 * width])


def _turned(tensor: Tensor) -> Tensor:
    first, second = tensor.chunk(2)
    return torch.cat([second, first])


def _count(tensors: Tensors, blocks: str) -> int:
    return len({name.split(".")[1] for name in tensors if name.startswith(blocks + ".")})
