"""What an image says about how it was made, whichever program wrote it."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from sdcore.spec import choices
from sdcore.spec.recipe import Recipe


class ImageFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of a `Recipe` and some more, None where the image does not say.

    `strength` is 0..1. `writer` names the program that made the image. `extra` holds what no field of ours
    knows, under the names that its writer used. `exact` is True when the fields come from our own record.
    """

    prompt: str | None = None
    negative_prompt: str | None = None
    width: int | None = None
    height: int | None = None
    steps: int | None = None
    guidance_scale: float | None = None
    seed: int | None = None
    batch_size: int | None = None
    sampler: str | None = None
    schedule: str | None = None
    sigmas: tuple[float, ...] | None = None
    model: str | None = None
    model_hash: str | None = None
    clip_skip: int | None = None
    emphasis: str | None = None
    guidance_rescale: float | None = None
    vae: str | None = None
    rng: str | None = None
    init_image: str | None = None
    strength: float | None = None
    mask_image: str | None = None
    mask_blur: int | None = None
    hires_scale: float | None = None
    hires_steps: int | None = None
    hires_strength: float | None = None
    hires_upscaler: str | None = None
    variation_seed: int | None = None
    variation_strength: float | None = None
    writer: str | None = None
    extra: dict[str, Any] = {}
    exact: bool = False

    def recipe(self) -> Recipe:
        """The recipe that the image tells of; what it does not say is what its writer leaves out, or else as in
        `Recipe()`. Not checked."""
        said = {name: getattr(self, name) for name in Recipe.__struct_fields__}
        told = {name: value for name, value in said.items() if value is not None}
        return Recipe(**{**_LEFT_OUT.get(self.writer or "", {}), **told})


_LEFT_OUT: Final[dict[str, dict[str, Any]]] = {"A1111": {"rng": choices.RNG_PHILOX}}
"""What programs do without saying so, where it is not what we do: the web UI names its noise unless it is a GPU's."""
