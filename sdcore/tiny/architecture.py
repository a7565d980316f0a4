"""The bundled model as data: four networks' configurations and the noise schedule they share.

The layout is Stable Diffusion 1.x made small: a CLIP text encoder, a UNet with cross-attention, a KL
autoencoder of factor 8 with four latent channels, and scaled-linear betas. Every constructor here
returns a freshly initialised network of diffusers or transformers; the caller seeds.
"""

from __future__ import annotations

from typing import Any

from diffusers import AutoencoderKL, PNDMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

IMAGE_SIZE = 128
LATENT_CHANNELS = 4
LATENT_FACTOR = 8
LATENT_SIZE = IMAGE_SIZE // LATENT_FACTOR
TEXT_WIDTH = 128
MAX_TOKENS = 77

VAE: dict[str, Any] = {
    "in_channels": 3,
    "out_channels": 3,
    "latent_channels": LATENT_CHANNELS,
    "block_out_channels": (24, 48, 96, 128),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 1,
    "norm_num_groups": 8,
    "mid_block_add_attention": False,
    "act_fn": "silu",
    "sample_size": IMAGE_SIZE,
    # The latents are whitened inside quant_conv, so they need no further scaling.
    "scaling_factor": 1.0,
}

UNET: dict[str, Any] = {
    "sample_size": LATENT_SIZE,
    "in_channels": LATENT_CHANNELS,
    "out_channels": LATENT_CHANNELS,
    "block_out_channels": (64, 128, 256),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "layers_per_block": 1,
    "attention_head_dim": (2, 4, 8),  # heads per block: 32 channels each
    "cross_attention_dim": TEXT_WIDTH,
    # Beside the cross-attention, the whole caption's pooled embedding joins the timestep's and modulates every
    # block. It says what a picture shows long before attention has learned where to look.
    "addition_embed_type": "text",
    "addition_embed_type_num_heads": 4,
    "resnet_time_scale_shift": "scale_shift",
    "norm_num_groups": 16,
}

TEXT_ENCODER: dict[str, Any] = {
    "hidden_size": TEXT_WIDTH,
    "intermediate_size": 4 * TEXT_WIDTH,
    "projection_dim": TEXT_WIDTH,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "max_position_embeddings": MAX_TOKENS,
    "hidden_act": "quick_gelu",
    "attention_dropout": 0.0,
}

SCHEDULER: dict[str, Any] = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "prediction_type": "epsilon",
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "steps_offset": 1,
}


def new_vae() -> AutoencoderKL:
    """A fresh autoencoder: RGB in [-1, 1], sides multiples of 8, to 4-channel latents an eighth as large."""
    return AutoencoderKL(**VAE)


def new_unet() -> UNet2DConditionModel:
    """A fresh noise predictor for latents of 4 channels, conditioned on (batch, 77, TEXT_WIDTH) embeddings."""
    return UNet2DConditionModel(**UNET)


def new_text_encoder(vocabulary_size: int, bos: int, eos: int, pad: int) -> CLIPTextModel:
    """A fresh CLIP text encoder over a vocabulary whose special tokens have the given ids."""
    config = CLIPTextConfig(
        vocab_size=vocabulary_size,
        bos_token_id=bos,
        eos_token_id=eos,
        pad_token_id=pad,
        **TEXT_ENCODER,
    )
    return CLIPTextModel(config)


def new_scheduler() -> PNDMScheduler:
    """The scheduler that the model folder names by default, as in Stable Diffusion 1.x."""
    return PNDMScheduler(**SCHEDULER)
