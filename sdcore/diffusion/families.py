"""What is common to all models of a family, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sdcore.diffusion.preview import PreviewFactors

_SD_PREVIEW: Final = PreviewFactors(
    (
        (0.3512, 0.2297, 0.3227),
        (0.3250, 0.4974, 0.2350),
        (-0.2829, 0.1762, 0.2721),
        (-0.2120, -0.2616, -0.7177),
    )
)
"""Linear latents -> RGB of the SD 1.x and 2.x VAE. Source: ComfyUI, comfy/latent_formats.py."""


@dataclass(frozen=True)
class Family:
    """A family of models. `cross_attention_dim` is the width of its text embeddings, by which it is told."""

    name: str
    cross_attention_dim: int
    preview: PreviewFactors


FAMILIES: Final[tuple[Family, ...]] = (
    Family("SD1", 768, _SD_PREVIEW),
    Family("SD2", 1024, _SD_PREVIEW),
)


def family_of(cross_attention_dim: int) -> Family:
    """The family whose text embeddings have this width; SD1, the common ancestor, for a width of one's own."""
    return next(
        (family for family in FAMILIES if family.cross_attention_dim == cross_attention_dim), FAMILIES[0]
    )
