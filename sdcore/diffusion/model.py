"""A model on one device: tokenizer, text encoder, denoiser network and VAE, opened from a diffusers folder."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec
import numpy as np
import torch
import transformers
from diffusers import AutoencoderKL, UNet2DConditionModel
from PIL import Image
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from sdcore.diffusion import families, preview, vae
from sdcore.diffusion.images import to_images, to_pixels
from sdcore.diffusion.text import TextEncoder

Progress = Callable[[str, float], None]

_CLASSES: Final[dict[str, tuple[str, ...]]] = {
    "_class_name": ("StableDiffusionPipeline",),
    "tokenizer": ("CLIPTokenizer", "CLIPTokenizerFast"),
    "text_encoder": ("CLIPTextModel",),
    "unet": ("UNet2DConditionModel",),
    "vae": ("AutoencoderKL",),
}
"""The classes that a folder may name. Anything else is refused before any of it is loaded."""


class ModelError(RuntimeError):
    """A model cannot be opened; the message is one sentence that says what to do."""


class Denoiser(Protocol):
    """The network with its conditioning bound: what the loop calls."""

    def __call__(self, model_input: Tensor, t: Tensor) -> tuple[Tensor | None, Tensor]:
        """(unconditional prediction or None, text prediction), each of the shape of `model_input`."""


@dataclass(frozen=True)
class UNetDenoiser:
    """A UNet with text embeddings (1, 77, D). Both halves of guidance go through one forward pass."""

    unet: Any
    text: Tensor
    uncond: Tensor | None

    def __call__(self, model_input: Tensor, t: Tensor) -> tuple[Tensor | None, Tensor]:
        count = model_input.shape[0]
        text = self.text.expand(count, -1, -1)
        if self.uncond is None:
            return None, self.unet(model_input, t, encoder_hidden_states=text, return_dict=False)[0]
        both = torch.cat([self.uncond.expand(count, -1, -1), text])
        doubled = torch.cat([model_input, model_input])
        uncond, conditioned = self.unet(doubled, t, encoder_hidden_states=both, return_dict=False)[0].chunk(2)
        return uncond, conditioned


@dataclass(frozen=True)
class Model:
    """Everything that turns a recipe into pixels, on one device."""

    name: str
    family: str
    device: torch.device
    dtype: torch.dtype
    text_encoder: TextEncoder
    unet: Any
    vae: Any
    training_noise: dict[str, Any]
    """The scheduler config that the model was trained under (betas, prediction type)."""
    preview_factors: preview.PreviewFactors
    model_hash: str
    """The first ten hex digits of the SHA-256 of the UNet's weights."""
    load_seconds: float

    @property
    def parameters(self) -> int:
        """How many weights the networks have together."""
        networks = (self.text_encoder.network, self.unet, self.vae)
        return sum(weight.numel() for network in networks for weight in network.parameters())

    @property
    def downscale(self) -> int:
        """How many pixels one latent stands for along each side (8 for Stable Diffusion)."""
        return 2 ** (len(self.vae.config.block_out_channels) - 1)

    @property
    def native_size(self) -> int:
        """The side in pixels of the images that the model was trained on."""
        return int(self.unet.config.sample_size) * self.downscale

    def latent_shape(self, width: int, height: int) -> tuple[int, int, int]:
        """(channels, height, width) of the latents of an image of width x height pixels."""
        return self.unet.config.in_channels, height // self.downscale, width // self.downscale

    def denoiser(self, prompt: str, negative_prompt: str | None) -> Denoiser:
        """The network bound to its prompts; without a negative prompt (None) there is no unconditional pass."""
        uncond = None if negative_prompt is None else self.text_encoder.encode(negative_prompt)
        return UNetDenoiser(self.unet, self.text_encoder.encode(prompt), uncond)

    def decode(self, latents: Tensor) -> list[Image.Image]:
        """Latents (B, C, H/8, W/8) as RGB images. Raises `vae.NotFiniteError`."""
        return to_images(vae.decode(self.vae, latents))

    def encode(self, images: Sequence[Image.Image]) -> Tensor:
        """RGB images of one size, sides multiples of 8, as latents (B, C, H/8, W/8)."""
        return vae.encode(self.vae, to_pixels(images))

    def preview(self, latents: Tensor) -> np.ndarray:
        """Latents as cheap RGB, a uint8 array (B, H/8, W/8, 3)."""
        return self.preview_factors.rgb(latents)


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
    family = families.family_of(unet.config.cross_attention_dim)
    return Model(
        name, family.name, target, kind, TextEncoder(tokenizer, network), unet, autoencoder, noise,
        preview.load(folder) or family.preview, model_hash, time.perf_counter() - began,
    )  # fmt: skip


def choose_device(wanted: str = "auto") -> torch.device:
    """The torch device that a setting means. Raises `ModelError` if it is not there."""
    if wanted == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    kind, _, number = wanted.partition(":")
    if kind == "cpu" and not number:
        return torch.device("cpu")
    if kind != "cuda" or not (number or "0").isdecimal():
        raise ModelError(f"There is no device called {wanted!r}: say auto, cpu, cuda or cuda:N.")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if int(number or 0) >= count:
        found = f"this machine has {count}" if count else "torch finds no CUDA GPU on this machine"
        raise ModelError(f"{wanted} cannot be used: {found}; say --device cpu, or run sdtui doctor.")
    return torch.device("cuda", int(number or 0))


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


def default_dtype(device: torch.device) -> torch.dtype:
    """float32 on a CPU; on a GPU bfloat16 where it has that, else float16."""
    if device.type == "cpu":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


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
