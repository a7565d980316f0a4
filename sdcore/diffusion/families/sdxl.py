"""SDXL: a UNet that attends to two text encoders side by side, and is told the prompt as one vector and the image's
size (Podell et al., arXiv 2307.01952)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, Final

import torch
from torch import Tensor

from sdcore.diffusion.conditioning import Conditioning, Told
from sdcore.diffusion.denoiser import Network
from sdcore.diffusion.families.unet import UNetNetwork, guidance_embedding
from sdcore.diffusion.offload import device_of
from sdcore.diffusion.prompting import clip_reader, told
from sdcore.diffusion.text import TextEncoder
from sdcore.spec.families import family
from sdcore.spec.prompt import Piece
from sdcore.spec.recipe import Recipe

_DOWNSCALE: Final = family("SDXL").downscale


@dataclass(frozen=True)
class SDXLNetwork(UNetNetwork):
    """The UNet as a `Network`. `time_ids` (1, 6) are original height and width, top and left of the crop, target
    height and width, in pixels."""

    _: KW_ONLY
    time_ids: Tensor

    def added(self, model_input: Tensor, told: Conditioning) -> dict[str, Tensor]:
        """Pooled prompts (n, P) and `time_ids` (n, 6)."""
        assert told.pooled is not None
        return {"text_embeds": told.pooled, "time_ids": self.time_ids.repeat(len(model_input), 1)}


@dataclass(frozen=True)
class SDXLAdapter:
    """The `Adapter` of the family: both encoders are read a layer before their last, without the final norm.

    An empty negative prompt is all zeros where `zeros` says that the model was trained so
    (`force_zeros_for_empty_prompt`). diffusers does that where `negative_prompt` is None and encodes an empty string;
    a person who typed nothing means the former, and A1111's web UI does the same.
    """

    text_encoder: TextEncoder
    text_encoder_2: TextEncoder
    network: Any
    zeros: bool = True

    @property
    def modules(self) -> dict[str, Any]:
        """The networks by the names of their folders."""
        return {
            "text_encoder": self.text_encoder.network,
            "text_encoder_2": self.text_encoder_2.network,
            "unet": self.network,
        }

    def told(self, prompt: str, recipe: Recipe, *, negative: bool = False) -> Told:
        """A prompt of the recipe, as the network is told it."""
        reader = clip_reader(recipe, self.text_encoder, self.text_encoder_2)
        if not (negative and self.zeros and prompt == ""):
            return told(prompt, recipe, reader, negative=negative, filler=reader.filler)

        def nothing(pieces: tuple[Piece, ...]) -> Conditioning:
            said = reader(pieces)
            pooled = None if said.pooled is None else torch.zeros_like(said.pooled)
            return Conditioning(torch.zeros_like(said.embeddings), pooled)

        return told(
            prompt, recipe, nothing, negative=negative, filler=lambda: torch.zeros_like(reader.filler())
        )

    def bind(self, recipe: Recipe, beside: Tensor | None = None) -> Network:
        """The network for a run of the recipe. It is told that the image is whole: as large as it is made, and cropped
        nowhere."""
        height, width = (side // _DOWNSCALE * _DOWNSCALE for side in (recipe.height, recipe.width))
        # Here and not at every pass: a copy to a GPU waits until that has come to it.
        ids = torch.tensor([[height, width, 0, 0, height, width]], dtype=self.text_encoder.network.dtype)
        guidance = guidance_embedding(self.network, recipe.guidance_scale)
        return SDXLNetwork(self.network, beside, guidance, time_ids=ids.to(device_of(self.network)))


def make_adapter(parts: Mapping[str, Any], index: Mapping[str, Any]) -> SDXLAdapter:
    """The adapter of a model of these parts; `index` is what its `model_index.json` says."""
    first = TextEncoder(parts["tokenizer"], parts["text_encoder"], skips=1, normed=False)
    second = TextEncoder(parts["tokenizer_2"], parts["text_encoder_2"], skips=1, normed=False)
    return SDXLAdapter(first, second, parts["unet"], bool(index.get("force_zeros_for_empty_prompt", True)))
