"""Models of every kind in the home of a test: real headers of full size, and no weights behind them (sparse files)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

Shapes = Mapping[str, tuple[int, ...]]

_UNET = "model.diffusion_model."
_CROSS = f"{_UNET}input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight"
_REST: Shapes = {"first_stage_model.decoder.conv_in.weight": (512, 4, 3, 3)}
_CLIP: Shapes = {"cond_stage_model.transformer.text_model.embeddings.token_embedding.weight": (49408, 768)}
_BOTH: Shapes = {
    "conditioner.embedders.0.transformer.text_model.embeddings.token_embedding.weight": (49408, 768),
    "conditioner.embedders.1.model.token_embedding.weight": (49408, 1280),
}


def _unet(width: int, millions: int, *, channels: int = 4, pooled: bool = False) -> Shapes:
    extra: Shapes = {f"{_UNET}label_emb.0.0.weight": (1280, 2816)} if pooled else {}
    return {
        f"{_UNET}input_blocks.0.0.weight": (320, channels, 3, 3), _CROSS: (640, width), **extra,
        f"{_UNET}out.weights": (1000, 1000 * millions),
    }  # fmt: skip


SD1: Shapes = {**_unet(768, 859), **_CLIP, **_REST}
SDXL: Shapes = {**_unet(2048, 2567, pooled=True), **_BOTH, **_REST}
FLUX: Shapes = {
    "double_blocks.0.img_attn.qkv.weight": (9216, 3072), "img_in.weight": (3072, 64),
    "guidance_in.in_layer.weight": (3072, 256), "out.weights": (1000, 11_901_000),
}  # fmt: skip
REFINER: Shapes = {**_unet(1280, 2200, pooled=True), **_REST}


def sparse(path: Path, tensors: Shapes, dtype: str = "F16") -> Path:
    """A safetensors file with these tensors, whose weights are a hole in the file."""
    end, members = 0, {}
    for name, shape in tensors.items():
        begin, end = end, end + math.prod(shape) * (1 if dtype.startswith("F8") else 2)
        members[name] = {"dtype": dtype, "shape": shape, "data_offsets": (begin, end)}
    raw = json.dumps(members).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(len(raw).to_bytes(8, "little") + raw)
        file.truncate(8 + len(raw) + end)
    return path


def fill_home() -> Path:
    """Put models where ComfyUI has them; returns the folder."""
    home = Path.home() / "ComfyUI" / "models" / "checkpoints"
    sparse(home / "SD15" / "dreamshaper_8.safetensors", SD1)
    sparse(home / "SD15" / "dreamshaper_8-inpainting.safetensors", {**SD1, **_unet(768, 859, channels=9)})
    sparse(home / "SDXL" / "sd_xl_base_1.0.safetensors", SDXL)
    sparse(home / "SDXL" / "sd_xl_refiner_1.0.safetensors", REFINER)
    sparse(home / "SDXL" / "sdxl_lightning_4step.safetensors", SDXL)
    sparse(home / "flux1-dev-fp8.safetensors", FLUX, "F8_E4M3")
    sparse(
        home / "[bold red]日本\u202e hostile \x1b[31m name that goes on and on and on [] v2.safetensors", SD1
    )
    (home / "anything-v3.ckpt").write_bytes(b"\x80\x02")
    return home
