"""Latents <-> pixels, with the precision ladder: a decode that is not finite is made again in float32."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class NotFiniteError(RuntimeError):
    """The latents or the decoded pixels hold infinities or NaN even in float32: there is no image to save."""


@torch.inference_mode()
def decode(vae: Any, latents: Tensor) -> Tensor:
    """Pixels (B, 3, 8H, 8W) around -1..1 of model-space latents (B, C, H, W). Raises `NotFiniteError`."""
    if not bool(torch.isfinite(latents).all()):
        raise NotFiniteError(
            "The latents are not finite: lower the guidance scale or choose another sampler."
        )
    scaled = latents / vae.config.scaling_factor + (getattr(vae.config, "shift_factor", None) or 0.0)
    pixels = vae.decode(scaled, return_dict=False)[0]
    if bool(torch.isfinite(pixels).all()):
        return pixels
    kept = vae.dtype
    try:
        pixels = vae.float().decode(scaled.float(), return_dict=False)[0]
    finally:
        vae.to(kept)
    if not bool(torch.isfinite(pixels).all()):
        raise NotFiniteError("The VAE made pixels that are not finite, in float32 too: try another VAE.")
    return pixels


@torch.inference_mode()
def encode(vae: Any, pixels: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Model-space latents (B, C, H, W) of pixels (B, 3, 8H, 8W) in -1..1: the posterior's mode, or a draw
    from it when a generator is given."""
    posterior = vae.encode(pixels.to(vae.device, vae.dtype)).latent_dist
    latents = posterior.mode() if generator is None else posterior.sample(generator)
    return (latents - (getattr(vae.config, "shift_factor", None) or 0.0)) * vae.config.scaling_factor
