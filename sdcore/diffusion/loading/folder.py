"""Opening a model from a folder in the layout of diffusers. Nothing is loaded before all of it is checked."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec
import torch
import transformers
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from sdcore.diffusion import preview
from sdcore.diffusion.devices import choose_device, default_dtype
from sdcore.diffusion.families.unet import UNetAdapter
from sdcore.diffusion.model import Model, ModelError
from sdcore.diffusion.preview import PreviewFactors
from sdcore.diffusion.text import TextEncoder
from sdcore.spec.families import family_of_text_width

Progress = Callable[[str, float], None]

_CLASSES: Final[dict[str, tuple[str, ...]]] = {
    "_class_name": ("StableDiffusionPipeline",),
    "tokenizer": ("CLIPTokenizer", "CLIPTokenizerFast"),
    "text_encoder": ("CLIPTextModel",),
    "unet": ("UNet2DConditionModel",),
    "vae": ("AutoencoderKL",),
}
"""The classes that a folder may name. Anything else is refused before any of it is loaded."""


def open_folder(
    folder: Path,
    name: str,
    *,
    device: str = "auto",
    dtype: torch.dtype | None = None,
    progress: Progress | None = None,
) -> Model:
    """Open the diffusers model in `folder`, to be called `name`; see `sdcore.open_model`. Raises `ModelError`."""
    began = time.perf_counter()
    target = choose_device(device)
    kind = dtype or default_dtype(target)
    check_folder(folder)
    transformers.utils.logging.disable_progress_bar()
    report = progress or (lambda stage, fraction: None)
    try:
        report("tokenizer", 0.0)
        tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
        report("text encoder", 0.05)
        network = _load(CLIPTextModel, folder, "text_encoder", kind, target)
        report("UNet", 0.2)
        unet = _load(UNet2DConditionModel, folder, "unet", kind, target)
        report("VAE", 0.8)
        autoencoder = _load(AutoencoderKL, folder, "vae", kind, target)
        noise = msgspec.json.decode((folder / "scheduler" / "scheduler_config.json").read_bytes())
        report("checksum", 0.9)
        model_hash = _hash_of(folder / "unet")
    except (OSError, ValueError, KeyError, RuntimeError, msgspec.DecodeError) as error:
        raise ModelError(f"The model in {folder} cannot be loaded: {_first_line(error)}") from error
    report("ready", 1.0)
    family = family_of_text_width(unet.config.cross_attention_dim)
    return Model(
        name, family.name, target, kind, UNetAdapter(TextEncoder(tokenizer, network), unet), autoencoder, noise,
        preview.load(folder) or PreviewFactors(family.preview, family.preview_bias), model_hash,
        time.perf_counter() - began,
    )  # fmt: skip


def check_folder(folder: Path) -> None:
    """Raise `ModelError` unless `folder` is a diffusers folder of known classes that holds no code and no pickle."""
    if not folder.is_dir():
        raise ModelError(f"There is no model folder at {folder}.")
    index = folder / "model_index.json"
    try:
        parts = msgspec.json.decode(index.read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.DecodeError) as error:
        raise ModelError(
            f"{folder} is not a diffusers model: its model_index.json cannot be read."
        ) from error
    if next(folder.rglob("*.py"), None):
        raise ModelError(f"{folder} holds Python code, which sdtui never runs: use a folder without it.")
    for part, allowed in _CLASSES.items():
        named = parts.get(part)
        name = named[-1] if isinstance(named, list) and named else named
        if name not in allowed:
            known = ", ".join(allowed)
            raise ModelError(
                f"{folder} names {str(name)[:60]!r} as its {part.strip('_')}; sdtui knows {known}."
            )


def _load(kind: Any, folder: Path, part: str, dtype: torch.dtype, device: torch.device) -> Any:
    network = kind.from_pretrained(folder / part, dtype=dtype, use_safetensors=True, local_files_only=True)
    return network.to(device).eval().requires_grad_(False)


def _hash_of(folder: Path) -> str:
    """Ten hex digits of the SHA-256 of the weights in `folder` (all shards, in the order of their names)."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()[:10]


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
