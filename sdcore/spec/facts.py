"""What an image says about how it was made, whichever program wrote it."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from sdcore.spec import choices
from sdcore.spec.recipe import Recipe, Turn


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
    vae_hash: str | None = None
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
    earlier_variations: tuple[Turn, ...] | None = None
    writer: str | None = None
    extra: dict[str, Any] = {}
    exact: bool = False

    def told(self) -> dict[str, Any]:
        """The fields of a recipe that are known, with what the writer does where it says nothing.

        Of an image with a record of ours that is all of them. Programs that write the text of the web UI leave out
        what is at rest.
        """
        said = {name: getattr(self, name) for name in Recipe.__struct_fields__}
        told = {name: value for name, value in said.items() if value is not None}
        silent = _LEFT_OUT.get(self.writer or "", {})
        rest = _FIELDS if self.exact else _RESTING if self.writer in _WEB_UIS else ()
        return {**{name: getattr(_PLAIN, name) for name in rest}, **silent, **told}

    def recipe(self) -> Recipe:
        """The recipe that the image tells of; what it does not say is what its writer leaves out, or else as in
        `Recipe()`. Not checked."""
        return Recipe(**self.told())


_PLAIN: Final = Recipe()
_FIELDS: Final = Recipe.__struct_fields__
_WEB_UIS: Final = frozenset({"sdtui", "A1111", "Forge", "SD.Next"})
_RESTING: Final = (
    "clip_skip",
    "guidance_rescale",
    "hires_scale",
    "variation_strength",
    "earlier_variations",
    "sigmas",
    "emphasis",
)

_LEFT_OUT: Final[dict[str, dict[str, Any]]] = {
    "A1111": {"rng": choices.RNG_PHILOX},
    "Forge": {"rng": choices.RNG_PHILOX},
    "ComfyUI": {"emphasis": "ComfyUI"},
    "SwarmUI": {"emphasis": "ComfyUI"},
}
"""What programs do without saying so, where it is not what we do: the web UI names its noise unless it is a GPU's."""
