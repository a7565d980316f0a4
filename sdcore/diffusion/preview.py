"""Cheap latents -> RGB: one matrix product instead of a VAE decode, at an eighth of the image's size.

The factors of a family were fitted by others to that family's VAE (ComfyUI, comfy/latent_formats.py); those
of a model at hand are fitted here, by least squares against its own decodes, and kept beside it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import torch
from torch import Tensor

from sdcore.diffusion.landing import Landing
from sdcore.regular import open_regular

PREVIEW_FILE: Final = "preview.json"
_MAX_BYTES: Final = 64 * 1024


class PreviewFactors(msgspec.Struct, frozen=True):
    """RGB in -1..1 = latents @ factors + bias. `factors` has a row of three a latent channel."""

    factors: tuple[tuple[float, float, float], ...]
    bias: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def rgb(self, latents: Tensor) -> np.ndarray:
        """Model-space latents (B, C, H, W) as RGB bytes, a uint8 array (B, H, W, 3)."""
        flat = latents.float().cpu().permute(0, 2, 3, 1)
        pixels = flat @ torch.tensor(self.factors) + torch.tensor(self.bias)
        return ((pixels.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).numpy()


@dataclass(frozen=True)
class ComingPreview:
    """A preview of latents on their way to the CPU."""

    landing: Landing
    factors: PreviewFactors

    @property
    def done(self) -> bool:
        """Whether it is there; returns at once."""
        return self.landing.done

    def rgb(self) -> np.ndarray:
        """See `PreviewFactors.rgb`; waits for it."""
        return self.factors.rgb(self.landing.wait()[0])


def fit(pairs: Iterable[tuple[Tensor, Tensor]]) -> PreviewFactors:
    """Least-squares factors from pairs of latents (B, C, H, W) and their pixels (B, 3, kH, kW) in -1..1."""
    rows, targets = [], []
    for latents, pixels in pairs:
        height, width = latents.shape[-2:]
        pooled = torch.nn.functional.adaptive_avg_pool2d(pixels.float().clamp(-1, 1), (height, width))
        rows.append(latents.float().permute(0, 2, 3, 1).reshape(-1, latents.shape[1]))
        targets.append(pooled.permute(0, 2, 3, 1).reshape(-1, 3))
    x = torch.cat(rows)
    x = torch.cat([x, torch.ones(len(x), 1)], dim=1)
    solution = torch.linalg.lstsq(x, torch.cat(targets)).solution
    *factors, bias = [tuple(round(value, 4) for value in row) for row in solution.tolist()]
    return msgspec.convert({"factors": factors, "bias": bias}, PreviewFactors, strict=False)


def load(folder: Path) -> PreviewFactors | None:
    """The factors kept beside a model; None if there are none, or none that can be read."""
    try:
        with open_regular(folder / PREVIEW_FILE) as file:
            return msgspec.json.decode(file.read(_MAX_BYTES), type=PreviewFactors)
    except (OSError, ValueError, RecursionError):  # msgspec's and Unicode's faults are ValueErrors
        return None
