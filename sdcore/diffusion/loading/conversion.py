"""The names of the original layout, in which a model is one file, into those of diffusers.

UNets and autoencoders are renamed by diffusers' own functions (`loaders/single_file_utils.py`), imported only where a
file of the original layout is opened, since that takes half a second. Each function here gives the tensors of one part
of a file, none where the part is not in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, Final

from torch import Tensor

from sdcore.diffusion.loading import transformers

Tensors = Mapping[str, Tensor]
Convert = Callable[[Tensors, Mapping[str, Any]], Tensors]
"""The tensors of a part of a file under the names of diffusers, given the part's config."""

UNET: Final = "model.diffusion_model."
VAES: Final = ("first_stage_model.", "vae.")


def below(tensors: Tensors, prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): tensors[name] for name in tensors if name.startswith(prefix)}


def unet(tensors: Tensors, config: Mapping[str, Any]) -> Tensors:
    """A UNet: of a checkpoint, or alone in its file."""
    found = below(tensors, UNET)
    if not found and "input_blocks.0.0.weight" in tensors:
        found = dict(tensors)
    if "input_blocks.0.0.weight" not in found:
        return (
            found
            if "conv_in.weight" in found
            else _diffusers(tensors, "down_blocks.0.resnets.0.norm1.weight")
        )
    from diffusers.loaders import single_file_utils

    return single_file_utils.convert_ldm_unet_checkpoint(
        {UNET + name: tensor for name, tensor in found.items()}, config
    )


def unet_told(tensors: Tensors, config: Mapping[str, Any]) -> dict[str, Any]:
    """What the tensors of a UNet (names of diffusers) say of its config: whether it repaints, and takes the guidance
    scale as an input."""
    asked = {"in_channels": "conv_in.weight", "time_cond_proj_dim": "time_embedding.cond_proj.weight"}
    return {key: tensors[name].shape[1] for key, name in asked.items() if name in tensors}


def vae(tensors: Tensors, config: Mapping[str, Any]) -> Tensors:
    """A KL autoencoder: of a checkpoint, or alone in its file."""
    found = next((found for prefix in VAES if (found := below(tensors, prefix))), None)
    if found is None:
        found = dict(tensors) if "decoder.conv_in.weight" in tensors else {}
    if "decoder.mid.block_1.conv1.weight" not in found:
        return found
    from diffusers.loaders import single_file_utils

    return single_file_utils.convert_ldm_vae_checkpoint(
        {VAES[0] + name: tensor for name, tensor in found.items()}, config
    )


def clip(*prefixes: str) -> Convert:
    """A CLIP text tower as OpenAI's was kept, below the first of `prefixes` that there is."""

    def convert(tensors: Tensors, config: Mapping[str, Any]) -> Tensors:
        return next((found for prefix in prefixes if (found := below(tensors, prefix))), {})

    return convert


def openclip(prefix: str) -> Convert:
    """A CLIP text tower as OpenCLIP names it, below `prefix`."""

    def convert(tensors: Tensors, config: Mapping[str, Any]) -> Tensors:
        if prefix + "token_embedding.weight" not in tensors:
            return {}
        from diffusers.loaders import single_file_utils

        told = SimpleNamespace(config=SimpleNamespace(hidden_size=config["hidden_size"]))
        return single_file_utils.convert_open_clip_checkpoint(told, tensors, prefix)

    return convert


def first(*converts: Convert) -> Convert:
    """What the first of some functions gives that gives anything."""

    def convert(tensors: Tensors, config: Mapping[str, Any]) -> Tensors:
        return next((found for one in converts if (found := one(tensors, config))), {})

    return convert


def _diffusers(tensors: Tensors, mark: str) -> Tensors:
    return tensors if mark in tensors else {}


CONVERSIONS: Final[dict[str, dict[str, Convert]]] = {
    "SD1": {"text_encoder": clip("cond_stage_model.transformer."), "unet": unet, "vae": vae},
    "SD2": {
        "text_encoder": first(openclip("cond_stage_model.model."), clip("cond_stage_model.transformer.")),
        "unet": unet,
        "vae": vae,
    },
    "SDXL": {
        "text_encoder": clip("conditioner.embedders.0.transformer."),
        "text_encoder_2": first(
            openclip("conditioner.embedders.1.model."), clip("conditioner.embedders.1.transformer.")
        ),
        "unet": unet,
        "vae": vae,
    },
    "SD3": {
        "text_encoder": clip("text_encoders.clip_l.transformer."),
        "text_encoder_2": clip("text_encoders.clip_g.transformer."),
        "text_encoder_3": transformers.t5,
        "transformer": transformers.sd3,
        "vae": vae,
    },
    "Flux": {
        "text_encoder": clip("text_encoders.clip_l.transformer."),
        "text_encoder_2": transformers.t5,
        "transformer": transformers.flux,
        "vae": vae,
    },
}
"""For every family the parts of its single files. The text encoder that is alone in SD 1.x and 2.x is the first."""

TOLD: Final[dict[str, Callable[[Tensors, Mapping[str, Any]], dict[str, Any]]]] = {
    "UNet2DConditionModel": unet_told,
    **transformers.TOLD,
}
"""The classes whose configs are read from their tensors, as far as these tell."""
