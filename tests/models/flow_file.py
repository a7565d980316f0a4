"""A flow pipeline folder of the tests as one file in the original layout, the way that people share it: the transformer
as its authors named it, text encoders below `text_encoders`, the autoencoder as in older checkpoints."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tests.models.single_file import vae_name

_SD3_ENDS = {
    "pos_embed.pos_embed": "pos_embed", "pos_embed.proj": "x_embedder.proj", "proj_out": "final_layer.linear",
    "time_text_embed.timestep_embedder.linear_1": "t_embedder.mlp.0",
    "time_text_embed.timestep_embedder.linear_2": "t_embedder.mlp.2",
    "time_text_embed.text_embedder.linear_1": "y_embedder.mlp.0",
    "time_text_embed.text_embedder.linear_2": "y_embedder.mlp.2", "norm_out.linear": "final_layer.adaLN_modulation.1",
}  # fmt: skip
_SD3_LAYERS = {
    "attn.to_out.0": "x_block.attn.proj", "attn2.to_out.0": "x_block.attn2.proj",
    "attn.to_add_out": "context_block.attn.proj", "norm1.linear": "x_block.adaLN_modulation.1",
    "norm1_context.linear": "context_block.adaLN_modulation.1", "ff.net.0.proj": "x_block.mlp.fc1",
    "ff.net.2": "x_block.mlp.fc2", "ff_context.net.0.proj": "context_block.mlp.fc1",
    "ff_context.net.2": "context_block.mlp.fc2", "attn.norm_q": "x_block.attn.ln_q",
    "attn.norm_k": "x_block.attn.ln_k", "attn2.norm_q": "x_block.attn2.ln_q", "attn2.norm_k": "x_block.attn2.ln_k",
    "attn.norm_added_q": "context_block.attn.ln_q", "attn.norm_added_k": "context_block.attn.ln_k",
}  # fmt: skip
_SD3_JOINED = {
    "x_block.attn.qkv": ("attn.to_q", "attn.to_k", "attn.to_v"),
    "x_block.attn2.qkv": ("attn2.to_q", "attn2.to_k", "attn2.to_v"),
    "context_block.attn.qkv": ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"),
}
_FLUX_ENDS = {
    "x_embedder": "img_in", "context_embedder": "txt_in", "proj_out": "final_layer.linear",
    "time_text_embed.timestep_embedder.linear_1": "time_in.in_layer",
    "time_text_embed.timestep_embedder.linear_2": "time_in.out_layer",
    "time_text_embed.text_embedder.linear_1": "vector_in.in_layer",
    "time_text_embed.text_embedder.linear_2": "vector_in.out_layer",
    "time_text_embed.guidance_embedder.linear_1": "guidance_in.in_layer",
    "time_text_embed.guidance_embedder.linear_2": "guidance_in.out_layer",
    "norm_out.linear": "final_layer.adaLN_modulation.1",
}  # fmt: skip
_FLUX_LAYERS = {
    "norm1.linear": "img_mod.lin", "norm1_context.linear": "txt_mod.lin", "attn.norm_q": "img_attn.norm.query_norm",
    "attn.norm_k": "img_attn.norm.key_norm", "attn.norm_added_q": "txt_attn.norm.query_norm",
    "attn.norm_added_k": "txt_attn.norm.key_norm", "attn.to_out.0": "img_attn.proj", "attn.to_add_out": "txt_attn.proj",
    "ff.net.0.proj": "img_mlp.0", "ff.net.2": "img_mlp.2", "ff_context.net.0.proj": "txt_mlp.0",
    "ff_context.net.2": "txt_mlp.2",
}  # fmt: skip
_FLUX_JOINED = {
    "img_attn.qkv": ("attn.to_q", "attn.to_k", "attn.to_v"),
    "txt_attn.qkv": ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"),
}
_FLUX_SINGLE_LAYERS = {
    "norm.linear": "modulation.lin", "proj_out": "linear2", "attn.norm_q": "norm.query_norm",
    "attn.norm_k": "norm.key_norm",
}  # fmt: skip
_FLUX_SINGLE_JOINED = {"linear1": ("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp")}

_ENCODERS = {
    "StableDiffusion3Pipeline": {
        "text_encoder": "clip_l",
        "text_encoder_2": "clip_g",
        "text_encoder_3": "t5xxl",
    },
    "FluxPipeline": {"text_encoder": "clip_l", "text_encoder_2": "t5xxl"},
}


def make_flow_file(folder: Path, path: Path | None = None, *, alone: bool = False) -> Path:
    """The weights of a folder of `make_sd3` or `make_flux` as the file `<folder>.safetensors` beside it; `alone` has
    the transformer without prefix and without the other parts, as Flux was published."""
    kind = json.loads((folder / "model_index.json").read_text())["_class_name"]
    original = (sd3_names if kind == "StableDiffusion3Pipeline" else flux_names)(_part(folder, "transformer"))
    path = path or folder.with_name(folder.name + ".safetensors")
    if alone:
        save_file(original, path)
        return path
    tensors = {f"model.diffusion_model.{name}": tensor for name, tensor in original.items()}
    levels = len(json.loads((folder / "vae" / "config.json").read_text())["block_out_channels"])
    for name, tensor in _part(folder, "vae").items():
        square = ".attentions." in name and name.endswith("weight") and tensor.ndim == 2
        tensors["first_stage_model." + vae_name(name, levels)] = tensor[..., None, None] if square else tensor
    for part, short in _ENCODERS[kind].items():
        if (folder / part).is_dir():
            prefix = f"text_encoders.{short}.transformer."
            named = _part(folder, part).items()
            tensors |= {prefix + _clip_name(name, short): tensor for name, tensor in named}
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
    return path


def sd3_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A transformer of SD 3 under its authors' names."""
    last = max(int(name.split(".")[1]) for name in tensors if name.startswith("transformer_blocks."))
    turned = {"norm_out.linear", f"transformer_blocks.{last}.norm1_context.linear"}
    blocks = {"transformer_blocks": ("joint_blocks", _SD3_LAYERS, _SD3_JOINED)}
    return _original(tensors, _SD3_ENDS, blocks, turned)


def flux_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A transformer of Flux under its authors' names."""
    blocks = {
        "transformer_blocks": ("double_blocks", _FLUX_LAYERS, _FLUX_JOINED),
        "single_transformer_blocks": ("single_blocks", _FLUX_SINGLE_LAYERS, _FLUX_SINGLE_JOINED),
    }
    renamed = _original(tensors, _FLUX_ENDS, blocks, {"norm_out.linear"})
    return {name.replace("_norm.weight", "_norm.scale"): tensor for name, tensor in renamed.items()}


def _original(
    tensors: Mapping[str, Tensor],
    ends: Mapping[str, str],
    blocks: Mapping[str, tuple[str, Mapping[str, str], Mapping[str, tuple[str, ...]]]],
    turned: set[str],
) -> dict[str, Tensor]:
    named: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        stem, _, kind = name.rpartition(".")
        if stem in turned:
            tensor = torch.cat(tensor.chunk(2)[::-1])
        match = re.fullmatch(r"(\w+)\.(\d+)\.(.+)", stem)
        if match is None or match[1] not in blocks:
            named[ends[name] if name in ends else f"{ends.get(stem, stem)}.{kind}"] = tensor
            continue
        block, layers, joined = blocks[match[1]]
        whole = next((one for one, parts in joined.items() if match[3] in parts), None)
        if whole is None:
            named[f"{block}.{match[2]}.{layers[match[3]]}.{kind}"] = tensor
        elif match[3] == joined[whole][0]:
            rows = [tensors[f"{match[1]}.{match[2]}.{part}.{kind}"] for part in joined[whole]]
            named[f"{block}.{match[2]}.{whole}.{kind}"] = torch.cat(rows)
    return named


def _clip_name(name: str, short: str) -> str:
    if short == "t5xxl" or name.startswith(("text_model.", "text_projection.")):
        return name
    return "text_model." + name


def _part(folder: Path, part: str) -> dict[str, Tensor]:
    return load_file(next((folder / part).glob("*.safetensors")))
