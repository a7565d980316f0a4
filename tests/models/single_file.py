"""A pipeline folder of the tests as one file in the original layout: the names that the first authors' code gave."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

_RESNET = {
    "norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0",
    "conv2": "out_layers.3", "conv_shortcut": "skip_connection",
}  # fmt: skip
_UNET_ENDS = {
    "conv_in.": "input_blocks.0.0.", "time_embedding.linear_1.": "time_embed.0.",
    "time_embedding.linear_2.": "time_embed.2.", "add_embedding.linear_1.": "label_emb.0.0.",
    "add_embedding.linear_2.": "label_emb.0.2.", "conv_norm_out.": "out.0.", "conv_out.": "out.2.",
}  # fmt: skip
_VAE_ATTENTION = {
    "group_norm": "norm",
    "to_q": "q",
    "to_k": "k",
    "to_v": "v",
    "to_out.0": "proj_out",
}
_OPENCLIP = {
    "encoder.layers.": "transformer.resblocks.", "layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj", "self_attn.": "attn.", "final_layer_norm": "ln_final",
    "embeddings.token_embedding": "token_embedding", "embeddings.position_embedding.weight": "positional_embedding",
}  # fmt: skip
_TEXTS = {
    (False, False): {"text_encoder": "cond_stage_model.transformer."},
    (True, False): {"text_encoder": "cond_stage_model.model."},
    (True, True): {
        "text_encoder": "conditioner.embedders.0.transformer.",
        "text_encoder_2": "conditioner.embedders.1.model.",
    },
}
"""The prefixes of the text encoders: (OpenCLIP has a part, there are two) -> part -> prefix."""


def make_single_file(
    folder: Path,
    path: Path | None = None,
    *,
    dtype: torch.dtype | None = None,
    extra: Mapping[str, Tensor] | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Path:
    """The weights of a folder of `make_sd1`, `make_sd2` or `make_sdxl` as the file `<folder>.safetensors` beside it.

    `extra` are tensors to add (a mark such as `v_pred`); `dtype` is that of all weights.
    """
    texts = ("text_encoder", "text_encoder_2") if (folder / "text_encoder_2").is_dir() else ("text_encoder",)
    config = json.loads((folder / "unet" / "config.json").read_text())
    levels = len(json.loads((folder / "vae" / "config.json").read_text())["block_out_channels"])
    tensors = {"alphas_cumprod": torch.linspace(1, 0, 10)} | dict(extra or {})
    tensors |= original({part: _part(folder, part) for part in ("unet", "vae", *texts)}, config, levels)
    if dtype is not None:
        tensors = {name: tensor.to(dtype) for name, tensor in tensors.items()}
    path = path or folder.with_name(folder.name + ".safetensors")
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path, dict(metadata or {}))
    return path


def original(
    parts: Mapping[str, Mapping[str, Tensor]], config: Mapping[str, Any], levels: int
) -> dict[str, Tensor]:
    """The tensors of all parts under their original names. `config` is the UNet's; the VAE has so many `levels`."""
    tensors = {
        "model.diffusion_model." + unet_name(name, config): tensor for name, tensor in parts["unet"].items()
    }
    for name, tensor in parts["vae"].items():
        square = ".attentions." in name and name.endswith("weight") and tensor.ndim == 2
        tensors["first_stage_model." + vae_name(name, levels)] = tensor[..., None, None] if square else tensor
    for part, prefix in _TEXTS[config["use_linear_projection"], "text_encoder_2" in parts].items():
        renamed = openclip(parts[part]) if prefix.endswith("model.") else clip(parts[part])
        tensors |= {prefix + name: tensor for name, tensor in renamed.items()}
    return tensors


def unet_name(name: str, config: Mapping[str, Any]) -> str:
    """The original name of a UNet's tensor: every layer of every level counts as a block."""
    for ours, theirs in _UNET_ENDS.items():
        if name.startswith(ours):
            return theirs + name.removeprefix(ours)
    if match := re.match(r"mid_block\.(resnets|attentions)\.(\d)\.(.+)", name):
        kind, number, rest = match.groups()
        return (
            f"middle_block.1.{rest}"
            if kind == "attentions"
            else f"middle_block.{2 * int(number)}.{_resnet(rest)}"
        )
    match = re.match(r"(down|up)_blocks\.(\d+)\.(\w+)\.(\d+)\.(.+)", name)
    assert match is not None
    way, level, kind, number, rest = match[1], int(match[2]), match[3], int(match[4]), match[5]
    first = level * (config["layers_per_block"] + 1) + (1 if way == "down" else 0)
    last = first + config["layers_per_block"]
    match kind:
        case "downsamplers":
            return f"input_blocks.{last}.0.op.{rest.removeprefix('conv.')}"
        case "upsamplers":
            after = 2 if "CrossAttn" in config["up_block_types"][level] else 1
            return f"output_blocks.{last}.{after}.{rest}"
        case "resnets":
            return f"{'input' if way == 'down' else 'output'}_blocks.{first + number}.0.{_resnet(rest)}"
        case _:
            return f"{'input' if way == 'down' else 'output'}_blocks.{first + number}.1.{rest}"


def vae_name(name: str, levels: int) -> str:
    """The original name of a tensor of a KL autoencoder: its decoder's levels are counted from the image."""
    name = name.replace("conv_shortcut", "nin_shortcut").replace("conv_norm_out", "norm_out")
    name = re.sub(r"down_blocks\.(\d)\.resnets", r"down.\1.block", name)
    name = re.sub(r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample", name)
    name = re.sub(
        r"up_blocks\.(\d)\.(resnets|upsamplers\.0)",
        lambda found: f"up.{levels - 1 - int(found[1])}.{'block' if found[2] == 'resnets' else 'upsample'}",
        name,
    )
    name = re.sub(r"mid_block\.resnets\.(\d)", lambda found: f"mid.block_{int(found[1]) + 1}", name)
    if ".attentions." in name:
        name = name.replace("mid_block.attentions.0", "mid.attn_1")
        for ours, theirs in _VAE_ATTENTION.items():
            name = name.replace(f".{ours}.", f".{theirs}.")
    return name


def clip(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A CLIP text tower as OpenAI's was kept: everything below `text_model`, and the positions counted out."""
    named = {"text_model." + name.removeprefix("text_model."): tensor for name, tensor in tensors.items()}
    return named | {"text_model.embeddings.position_ids": torch.arange(77)[None]}


def openclip(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A CLIP text tower as OpenCLIP names it: queries, keys and values in one matrix, the projection transposed."""
    renamed: dict[str, Tensor] = {"logit_scale": torch.tensor(4.6)}
    for name, tensor in tensors.items():
        if name == "text_projection.weight":
            renamed["text_projection"] = tensor.T
            continue
        name = name.removeprefix("text_model.")
        for ours, theirs in _OPENCLIP.items():
            name = name.replace(ours, theirs)
        renamed[name] = tensor
    for name in [name for name in renamed if ".attn.q_proj." in name]:
        whole = [renamed.pop(name.replace("q_proj", f"{letter}_proj")) for letter in "qkv"]
        renamed[name.replace(".q_proj.", ".in_proj_")] = torch.cat(whole)
    return renamed


def _resnet(rest: str) -> str:
    layer, _, kind = rest.rpartition(".")
    return f"{_RESNET[layer]}.{kind}"


def _part(folder: Path, part: str) -> dict[str, Tensor]:
    return load_file(next((folder / part).glob("*.safetensors")))
