"""Latents <-> pixels, with the precision ladder: what is not finite is made again in float32."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from sdcore.diffusion.offload import device_of


class NotFiniteError(RuntimeError):
    """The latents or the decoded pixels hold infinities or NaN even in float32: there is no image to save."""


@torch.inference_mode()
def decode(vae: Any, latents: Tensor) -> Tensor:
    """Pixels (B, 3, 8H, 8W) around -1..1 of model-space latents (B, C, H, W). Raises `NotFiniteError`."""
    if not _is_finite(latents):
        raise NotFiniteError(
            "The latents are not finite: lower the guidance scale or choose another sampler."
        )
    scaled = latents / vae.config.scaling_factor + (getattr(vae.config, "shift_factor", None) or 0.0)
    pixels = _in_precision(vae, lambda dtype: vae.decode(scaled.to(dtype), return_dict=False)[0])
    if not _is_finite(pixels):
        raise NotFiniteError("The VAE made pixels that are not finite, in float32 too: try another VAE.")
    return pixels


@torch.inference_mode()
def encode(vae: Any, pixels: Tensor, noise: Tensor | None = None) -> Tensor:
    """Model-space latents (B, C, H, W) of pixels (B, 3, 8H, 8W) in -1..1: the posterior's mode, or its draw that unit
    `noise` (n, C, H, W) fixes; of one picture as many as there is noise for. Raises `NotFiniteError`."""
    precision = vae.dtype

    def posterior_in(dtype: torch.dtype) -> Tensor:
        posterior = vae.encode(pixels.to(device_of(vae), dtype)).latent_dist
        latents = posterior.mode()
        return latents if noise is None else latents + posterior.std * noise.to(latents)

    latents = _in_precision(vae, posterior_in)
    if not _is_finite(latents):
        raise NotFiniteError("The VAE made latents that are not finite, in float32 too: try another VAE.")
    shift = getattr(vae.config, "shift_factor", None) or 0.0
    return ((latents - shift) * vae.config.scaling_factor).to(precision)


def _in_precision(vae: Any, code: Callable[[torch.dtype], Tensor]) -> Tensor:
    """What `code` makes in the VAE's own precision; where that is not finite, in float32."""
    kept = vae.dtype
    made = code(kept)
    if kept == torch.float32 or _is_finite(made):
        return made
    try:
        vae.float()
        return code(torch.float32)
    finally:
        vae.to(kept)


def _is_finite(tensor: Tensor) -> bool:
    return bool(torch.isfinite(tensor).all())
