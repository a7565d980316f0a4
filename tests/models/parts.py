"""The parts that the tiny models are put together from."""

from __future__ import annotations

from typing import Any

from diffusers import AutoencoderKL, UNet2DConditionModel
from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

WIDTH = 32


def byte_tokenizer(pad: str = "<|endoftext|>") -> CLIPTokenizer:
    """A CLIP tokenizer without merges but one: every byte is a token, plain and at a word's end."""
    letters = sorted(ByteLevel.alphabet())
    words = [*letters, *(letter + "</w>" for letter in letters), "ab</w>", "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: number for number, word in enumerate(words)}
    return CLIPTokenizer(vocab=vocabulary, merges=[("a", "b</w>")], model_max_length=77, pad_token=pad)


def text_encoder(
    *, width: int = WIDTH, layers: int = 2, activation: str = "quick_gelu", projected: int | None = None
) -> Any:
    """A CLIP text tower for that tokenizer; with a `projected` width one that gives a pooled vector too."""
    tokenizer = byte_tokenizer()
    config = CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=width, intermediate_size=2 * width, num_hidden_layers=layers,
        num_attention_heads=2, max_position_embeddings=77, hidden_act=activation, projection_dim=projected or width,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    return CLIPTextModel(config) if projected is None else CLIPTextModelWithProjection(config)


def unet(**settings: Any) -> UNet2DConditionModel:
    """A UNet of two levels, 16 and 32 channels wide, as SD 1.x's but for the `settings`."""
    plain: dict[str, Any] = {
        "sample_size": 8, "in_channels": 4, "out_channels": 4, "layers_per_block": 1, "block_out_channels": (16, 32),
        "norm_num_groups": 8, "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"), "cross_attention_dim": WIDTH, "attention_head_dim": 2,
    }  # fmt: skip
    return UNet2DConditionModel(**plain | settings)


def vae(**settings: Any) -> AutoencoderKL:
    """A KL autoencoder: 8 pixels a latent along each side, four channels."""
    plain: dict[str, Any] = {
        "block_out_channels": (8, 8, 16, 16), "norm_num_groups": 8, "latent_channels": 4, "sample_size": 64,
        "down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4,
    }  # fmt: skip
    return AutoencoderKL(**plain | settings)
