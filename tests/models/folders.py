"""Tiny pipelines of the UNet families, saved as diffusers saves them: 64x64 pixels, four latent channels, factor 8."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    DDIMScheduler,
    EulerDiscreteScheduler,
    PNDMScheduler,
    StableDiffusionInpaintPipeline,
    StableDiffusionPipeline,
    StableDiffusionXLInpaintPipeline,
    StableDiffusionXLPipeline,
)

from tests.models.parts import WIDTH, byte_tokenizer, text_encoder, unet, vae

INPAINTING = {"in_channels": 9}
_BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
_NO_CHECKER = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
_SECOND_WIDTH, _POOLED, _TIME = 48, 40, 8


def make_sd1(folder: Path, prediction_type: str = "epsilon", **unet_settings: Any) -> Path:
    """A Stable Diffusion 1.x pipeline of random weights (seed 0). With `in_channels=9` an inpainting one, with
    `time_cond_proj_dim` one that was distilled to take the guidance scale as an input."""
    torch.manual_seed(0)
    scheduler = PNDMScheduler(skip_prk_steps=True, steps_offset=1, prediction_type=prediction_type, **_BETAS)
    return _saved(
        _pipeline(StableDiffusionPipeline, StableDiffusionInpaintPipeline, unet_settings)(
            text_encoder=text_encoder(), unet=unet(**unet_settings), vae=vae(), tokenizer=byte_tokenizer(),
            scheduler=scheduler, **_NO_CHECKER,
        ), folder,
    )  # fmt: skip


def make_sd2(
    folder: Path, prediction_type: str = "v_prediction", *, zero_snr: bool = False, **unet_settings: Any
) -> Path:
    """A Stable Diffusion 2.x pipeline of random weights (seed 0): OpenCLIP's activation, linear projections, heads by
    level. With `zero_snr` its noise schedule ends in noise alone (`rescale_betas_zero_snr`, trailing timesteps)."""
    torch.manual_seed(0)
    scheduler = DDIMScheduler(
        clip_sample=False, set_alpha_to_one=False, steps_offset=1, prediction_type=prediction_type,
        rescale_betas_zero_snr=zero_snr, timestep_spacing="trailing" if zero_snr else "leading", **_BETAS,
    )  # fmt: skip
    return _saved(
        _pipeline(StableDiffusionPipeline, StableDiffusionInpaintPipeline, unet_settings)(
            text_encoder=text_encoder(layers=3, activation="gelu"),
            unet=unet(use_linear_projection=True, attention_head_dim=(2, 4), **unet_settings),
            vae=vae(), tokenizer=byte_tokenizer(pad="!"), scheduler=scheduler, **_NO_CHECKER,
        ), folder,
    )  # fmt: skip


def make_sdxl(folder: Path, *, force_zeros: bool = True, **unet_settings: Any) -> Path:
    """A Stable Diffusion XL pipeline of random weights (seed 0): two text encoders of different widths, and a UNet
    that is told the pooled prompt and the six `time_ids`."""
    torch.manual_seed(0)
    network = unet(
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=(1, 2), use_linear_projection=True, attention_head_dim=(2, 4),
        cross_attention_dim=WIDTH + _SECOND_WIDTH, addition_embed_type="text_time", addition_time_embed_dim=_TIME,
        projection_class_embeddings_input_dim=6 * _TIME + _POOLED, **unet_settings,
    )  # fmt: skip
    return _saved(
        _pipeline(StableDiffusionXLPipeline, StableDiffusionXLInpaintPipeline, unet_settings)(
            text_encoder=text_encoder(layers=3),
            text_encoder_2=text_encoder(width=_SECOND_WIDTH, layers=3, activation="gelu", projected=_POOLED),
            unet=network, vae=vae(scaling_factor=0.13025, force_upcast=True), tokenizer=byte_tokenizer(),
            tokenizer_2=byte_tokenizer(pad="!"), scheduler=EulerDiscreteScheduler(steps_offset=1, **_BETAS),
            force_zeros_for_empty_prompt=force_zeros, add_watermarker=False,
        ), folder,
    )  # fmt: skip


def _pipeline(plain: Any, inpainting: Any, unet_settings: dict[str, Any]) -> Any:
    return inpainting if unet_settings.get("in_channels") == INPAINTING["in_channels"] else plain


def _saved(pipeline: Any, folder: Path) -> Path:
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder
