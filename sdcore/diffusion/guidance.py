"""Classifier-free guidance (arXiv 2207.12598): away from the unconditional prediction, towards the text's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from sdcore.spec.families import family
from sdcore.spec.recipe import Recipe


class Guidance(Protocol):
    """How the two predictions of a forward pass become one."""

    @property
    def needs_uncond(self) -> bool:
        """Whether the network has to run on the negative prompt too."""

    def __call__(self, noise_pred_uncond: Tensor | None, noise_pred_text: Tensor) -> Tensor:
        """The guided prediction, of the shape of `noise_pred_text` (B, C, H, W)."""


@dataclass(frozen=True)
class ClassifierFreeGuidance:
    """uncond + scale * (text - uncond). At a scale of 1 or less the unconditional pass is not made at all.

    With a `rescale` of phi above 0 the result is drawn, by that share, to the deviation of the text's prediction:
    what keeps models with zero terminal SNR from burning (arXiv 2305.08891, section 3.4).
    """

    scale: float
    rescale: float = 0.0

    @property
    def needs_uncond(self) -> bool:
        """Whether the network has to run on the negative prompt too."""
        return self.scale > 1

    def __call__(self, noise_pred_uncond: Tensor | None, noise_pred_text: Tensor) -> Tensor:
        """The guided prediction, of the shape of `noise_pred_text` (B, C, H, W)."""
        if noise_pred_uncond is None:
            return noise_pred_text
        guided = noise_pred_uncond + self.scale * (noise_pred_text - noise_pred_uncond)
        if self.rescale == 0:
            return guided
        factor = _deviation(noise_pred_text) / _deviation(guided)
        return self.rescale * (guided * factor) + (1 - self.rescale) * guided


def _deviation(predicted: Tensor) -> Tensor:
    """Of each image, (B, 1, 1, 1); the same to the last bit in whichever order the numbers lie."""
    return predicted.contiguous().std(dim=tuple(range(1, predicted.ndim)), keepdim=True)


def guidance_for(recipe: Recipe, family_name: str) -> Guidance:
    """The guidance of a recipe for a model of a family. Where the scale is an input of the network (distilled
    guidance, as in Flux), there is one forward pass and nothing to combine."""
    scale = 1.0 if family(family_name).distilled_guidance else recipe.guidance_scale
    return ClassifierFreeGuidance(scale, recipe.guidance_rescale)
