"""Classifier-free guidance (arXiv 2207.12598): away from the unconditional prediction, towards the text's."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class ClassifierFreeGuidance:
    """uncond + scale * (text - uncond). At a scale of 1 or less the unconditional pass is not made at all."""

    scale: float

    @property
    def needs_uncond(self) -> bool:
        """Whether the network has to run on the negative prompt too."""
        return self.scale > 1

    def __call__(self, noise_pred_uncond: Tensor | None, noise_pred_text: Tensor) -> Tensor:
        """The guided prediction, of the shape of `noise_pred_text` (B, C, H, W)."""
        if noise_pred_uncond is None:
            return noise_pred_text
        return noise_pred_uncond + self.scale * (noise_pred_text - noise_pred_uncond)
