"""Tiny pipelines of the flow families, saved as diffusers saves them: 64x64 pixels, 16 latent channels, factor 8."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
)
from transformers import T5Config, T5EncoderModel, T5TokenizerFast

from tests.models.parts import WIDTH, byte_tokenizer, text_encoder, vae

T5_LENGTH = 24
"""Tokens that the tiny T5 reads: fewer than a real one, to be quick."""

_SECOND_WIDTH, _SECOND_POOLED, _JOINT = 24, 24, 64
_CLIP = {"layers": 3}


def make_sd3(folder: Path, *, t5: bool = True, **transformer: Any) -> Path:
    """A Stable Diffusion 3 pipeline of random weights (seed 0), with or without its third text encoder. With
    `dual_attention_layers` and `qk_norm` it is one of the 3.5 family."""
    torch.manual_seed(0)
    plain: dict[str, Any] = {
        "sample_size": 8, "patch_size": 2, "in_channels": 16, "out_channels": 16, "num_layers": 2,
        "attention_head_dim": 8, "num_attention_heads": 4, "joint_attention_dim": _JOINT,
        "caption_projection_dim": 32, "pooled_projection_dim": WIDTH + _SECOND_POOLED, "pos_embed_max_size": 12,
    }  # fmt: skip
    pipeline = StableDiffusion3Pipeline(
        transformer=SD3Transformer2DModel(**plain | transformer), scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=_vae(scaling_factor=1.5305, shift_factor=0.0609), tokenizer=byte_tokenizer(),
        tokenizer_2=byte_tokenizer(pad="!"), tokenizer_3=t5_tokenizer() if t5 else None,
        text_encoder=text_encoder(projected=WIDTH, **_CLIP),
        text_encoder_2=text_encoder(width=_SECOND_WIDTH, projected=_SECOND_POOLED, activation="gelu", **_CLIP),
        text_encoder_3=_t5() if t5 else None,
    )  # fmt: skip
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


def make_flux(folder: Path, *, schnell: bool = False, **transformer: Any) -> Path:
    """A Flux.1 pipeline of random weights (seed 0): dev, which takes the guidance scale as an input and shifts its
    noise levels by the image's size, or `schnell`, which does neither."""
    torch.manual_seed(0)
    plain: dict[str, Any] = {
        "patch_size": 1, "in_channels": 64, "num_layers": 1, "num_single_layers": 1, "attention_head_dim": 16,
        "num_attention_heads": 2, "joint_attention_dim": _JOINT, "pooled_projection_dim": WIDTH,
        "guidance_embeds": not schnell, "axes_dims_rope": (4, 4, 8),
    }  # fmt: skip
    scheduler = FlowMatchEulerDiscreteScheduler(
        shift=1.0 if schnell else 3.0, use_dynamic_shifting=not schnell, base_shift=0.5, max_shift=1.15
    )
    pipeline = FluxPipeline(
        transformer=FluxTransformer2DModel(**plain | transformer), scheduler=scheduler,
        vae=_vae(scaling_factor=0.3611, shift_factor=0.1159), tokenizer=byte_tokenizer(), tokenizer_2=t5_tokenizer(),
        text_encoder=text_encoder(**_CLIP), text_encoder_2=_t5(),
    )  # fmt: skip
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


def t5_tokenizer() -> T5TokenizerFast:
    """A T5 tokenizer of letters and a few words, made without sentencepiece."""
    special = ["<pad>", "</s>", "<unk>"]
    letters = ["▁", *(chr(code) for code in range(33, 127))]
    words = ["▁a", "▁red", "▁house", "▁light"]
    scores = [(token, 0.0) for token in special] + [(letter, -4.0) for letter in letters]
    vocabulary = scores + [(word, -2.0) for word in words]
    return T5TokenizerFast(vocab=vocabulary, extra_ids=0, model_max_length=T5_LENGTH)


def _t5() -> T5EncoderModel:
    return T5EncoderModel(
        T5Config(
            vocab_size=len(t5_tokenizer()), d_model=_JOINT, d_kv=8, d_ff=32, num_layers=2, num_heads=2,
            feed_forward_proj="gated-gelu", pad_token_id=0, eos_token_id=1, decoder_start_token_id=0,
            is_encoder_decoder=False, use_cache=False,
        )
    )  # fmt: skip


def _vae(**settings: Any) -> AutoencoderKL:
    return vae(latent_channels=16, use_quant_conv=False, use_post_quant_conv=False, **settings)
