"""LoRA files and embeddings of random numbers for the tiny models, in the forms that people have them in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.models.single_file import unet_name

Matrices = dict[tuple[str, str], tuple[Tensor, Tensor]]
"""(part, layer) -> (down, up) of a LoRA, part being "unet", "text_encoder" or "text_encoder_2"."""


def lora_matrices(
    networks: Mapping[str, Any],
    *,
    rank: int = 3,
    seed: int = 5,
    layers: Callable[[str], bool] = lambda name: ".attn" in name or "self_attn" in name or ".ff." in name,
) -> Matrices:
    """Random matrices for the layers of `networks` that `layers` picks, as large as a trained LoRA's at most."""
    draw = torch.Generator().manual_seed(seed)
    found: Matrices = {}
    for part, network in networks.items():
        for name, module in network.named_modules():
            weight = getattr(module, "weight", None)
            if weight is None or weight.dim() not in (2, 4) or not layers(name):
                continue
            out, into, *kernel = weight.shape
            down = torch.randn(rank, into, *kernel, generator=draw) * 0.1
            up = torch.randn(out, rank, *[1] * len(kernel), generator=draw) * 0.3
            found[part, name] = (down, up)
    return found


def save_kohya(path: Path, matrices: Matrices, *, alpha: float | None = None, original: Any = None) -> Path:
    """The LoRA as kohya's trainer writes it; with an `original` UNet's config its layers are named as the original
    code names them, as for SDXL."""
    two = any(part == "text_encoder_2" for part, _ in matrices)
    texts = {"text_encoder": "lora_te1" if two else "lora_te", "text_encoder_2": "lora_te2"}
    tensors: dict[str, Tensor] = {}
    for (part, layer), (down, up) in matrices.items():
        if part == "unet":
            named = unet_name(f"{layer}.weight", original).removesuffix(".weight") if original else layer
            key = f"lora_unet_{named}".replace(".", "_")
        else:
            key = f"{texts[part]}_text_model_{layer.removeprefix('text_model.')}".replace(".", "_")
        tensors |= {f"{key}.lora_down.weight": down, f"{key}.lora_up.weight": up}
        if alpha is not None:
            tensors[f"{key}.alpha"] = torch.tensor(alpha)
    return save(path, tensors)


def save_peft(path: Path, matrices: Matrices, *, old: bool = False) -> Path:
    """The LoRA as diffusers writes it, with peft's names or (`old`) with those from before peft."""
    ends = ("lora.down", "lora.up") if old else ("lora_A", "lora_B")
    tensors = {}
    for (part, layer), pair in matrices.items():
        inner = ("" if part == "unet" else "text_model.") + layer.removeprefix("text_model.")
        tensors |= {f"{part}.{inner}.{end}.weight": one for end, one in zip(ends, pair, strict=True)}
    return save(path, tensors)


def save(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> Path:
    """Any tensors as a safetensors file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(
        {name: tensor.contiguous() for name, tensor in tensors.items()}, path, dict(metadata or {}) or None
    )
    return path


def weights_of(networks: Iterable[Any]) -> list[Tensor]:
    """A copy of all weights, to be compared with later."""
    return [weight.detach().clone() for network in networks for weight in network.parameters()]
