"""How files of weights are told apart, as data: the prefixes of parts, and what each kind of network has. No torch.

Tensors are named by their skeletons: every number that stands alone between dots or underscores is `#`. Sources of the
names: diffusers 0.42.1 (`loaders/single_file_utils.py`, `loaders/lora_conversion_utils.py`,
`loaders/textual_inversion.py`), ComfyUI (`comfy/model_detection.py`), and for metadata the ModelSpec of Stability AI.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from sdcore.spec.families import FAMILIES

Kind = Literal[
    "checkpoint", "network", "VAE", "text encoder", "LoRA", "textual inversion", "controlnet", "unknown"
]
"""What one file is. A checkpoint has a network and more of a model, a "network" is a UNet or transformer alone."""

PartName = Literal["network", "VAE", "CLIP-L", "OpenCLIP-H", "OpenCLIP-G", "T5", "other"]

PREFIXES: Final[dict[str, PartName]] = {
    "model.diffusion_model.": "network",
    "first_stage_model.": "VAE",
    "vae.": "VAE",
    "cond_stage_model.transformer.": "CLIP-L",
    "cond_stage_model.model.": "OpenCLIP-H",
    "conditioner.embedders.0.transformer.": "CLIP-L",
    "conditioner.embedders.0.model.": "OpenCLIP-G",
    "conditioner.embedders.1.model.": "OpenCLIP-G",
    "text_encoders.clip_l.": "CLIP-L",
    "text_encoders.clip_g.": "OpenCLIP-G",
    "text_encoders.t5xxl.": "T5",
}
"""What the names in a checkpoint begin with, and the part that they belong to."""


class Need(msgspec.Struct, frozen=True):
    """A tensor that must be there: any of `keys`, with `rank` axes and `size` along `axis` where these are given."""

    keys: tuple[str, ...]
    axis: int = 0
    size: int | None = None
    rank: int | None = None


class Fingerprint(msgspec.Struct, frozen=True, kw_only=True):
    """What a file is whose tensors meet all `needs`.

    `families` are those of `sdcore.spec.families` that it may belong to; `part` is what it consists of where its names
    have no prefix. `title` is what people call it where that is more than kind and family. What has no family, or says
    so by `foreign`, is known but not loaded.
    """

    kind: Kind
    needs: tuple[Need, ...]
    families: tuple[str, ...] = ()
    part: PartName = "other"
    title: str = ""
    variant: str = ""
    foreign: bool = False


def _has(*keys: str, axis: int = 0, size: int | None = None, rank: int | None = None) -> Need:
    return Need(keys, axis, size, rank)


_UNET: Final = _has("input_blocks.#.#.weight", "time_embedding.linear_#.weight")
UNET_INPUT: Final = ("input_blocks.#.#.weight", "conv_in.weight")
"""The first convolution of a UNet, (out, in, 3, 3), in the original layout and in that of diffusers."""
_CROSS: Final = (
    "input_blocks.#.#.transformer_blocks.#.attn2.to_k.weight",
    "down_blocks.#.attentions.#.transformer_blocks.#.attn2.to_k.weight",
)
_POOLED: Final = _has("label_emb.#.#.weight", "add_embedding.linear_#.weight")
_LINEAR: Final = _has("input_blocks.#.#.proj_in.weight", "down_blocks.#.attentions.#.proj_in.weight", rank=2)
_GUIDED: Final = _has("guidance_in.in_layer.weight", "time_text_embed.guidance_embedder.linear_#.weight")
_FLUX: Final = _has("double_blocks.#.img_attn.qkv.weight", "single_transformer_blocks.#.attn.to_q.weight")
_FLUX_INPUT: Final = ("img_in.weight", "x_embedder.weight")


def _network(
    family: str, *needs: Need, title: str = "", variant: str = "", foreign: bool = False
) -> Fingerprint:
    return Fingerprint(kind="network", needs=needs, families=(family,), part="network", title=title, variant=variant,
                       foreign=foreign)  # fmt: skip


def _foreign(title: str, *keys: str, kind: Kind = "unknown") -> Fingerprint:
    return Fingerprint(kind=kind, needs=(Need(keys),), title=title, foreign=True)


_CONTROLS: Final = (
    _foreign(
        "ControlNet", "controlnet_cond_embedding.conv_in.weight", "control_model.time_embed.#.weight",
        "input_hint_block.#.weight", "controlnet_blocks.#.weight", "controlnet_x_embedder.weight",
        kind="controlnet",
    ),
    _foreign("IP-Adapter", "image_proj.proj.weight", "image_proj.norm.weight", "ip_adapter.#.to_k_ip.weight"),
    _foreign("AnimateDiff", "down_blocks.#.motion_modules.#.temporal_transformer.norm.weight"),
    _foreign("upscaler", "conv_first.weight", "model.#.sub.#.RDB#.conv#.#.weight"),
)  # fmt: skip

_OTHER_NETWORKS: Final = tuple(
    _foreign(title, *keys, kind="network")
    for title, keys in (
        ("Playground 2.5", ("edm_mean",)),
        ("CosXL", ("edm_vpred.sigma_max",)),
        ("Flux.2", ("single_stream_modulation.lin.weight",)),
        ("Chroma", ("distilled_guidance_layer.in_proj.bias",)),
        ("HunyuanVideo", ("txt_in.individual_token_refiner.blocks.#.adaLN_modulation.#.bias",)),
        ("Lumina", ("cap_embedder.#.weight",)),
        ("AuraFlow", ("cond_seq_linear.weight",)),
        ("HiDream", ("double_stream_blocks.#.block.adaLN_modulation.#.bias",)),
        ("LTX-Video", ("patchify_proj.weight",)),
        ("Mochi", ("blocks.#.attn.qkv_x.weight",)),
        ("Wan", ("head.modulation",)),
        ("Cosmos", ("net.x_embedder.proj.#.weight",)),
        ("Sana or PixArt", ("blocks.#.cross_attn.q_linear.weight",)),
        ("Qwen-Image", ("transformer_blocks.#.img_mlp.net.#.proj.weight",)),
        ("Stable Cascade", ("clip_txt_mapper.weight", "down_blocks.#.#.channelwise.#.weight")),
    )
)

_NETWORKS: Final = (
    _network("SDXL", _UNET, _POOLED, _has(*_CROSS, axis=1, size=1280), title="SDXL refiner", foreign=True),
    _network("SD2", _UNET, _POOLED, _has(*_CROSS, axis=1, size=1024), title="unCLIP", foreign=True),
    _network("SDXL", _UNET, _POOLED),
    _network("SD2", _UNET, _LINEAR),
    _network("SD1", _UNET),
    _network("Flux", _FLUX, _has(*_FLUX_INPUT, axis=1, size=384), title="Flux Fill", foreign=True),
    _network("Flux", _FLUX, _has(*_FLUX_INPUT, axis=1, size=128), title="Flux Depth or Canny", foreign=True),
    _network("Flux", _FLUX, _GUIDED),
    _network("Flux", _FLUX, variant="Schnell"),
    _network("SD3", _has("joint_blocks.#.x_block.attn.qkv.weight")),
    _network("SD3", _has("transformer_blocks.#.attn.add_q_proj.weight"), _has("pos_embed.proj.weight")),
)

_VAES: Final = tuple(
    Fingerprint(
        kind="VAE", needs=(_has("decoder.conv_in.weight", axis=1, size=channels, rank=4),), part="VAE",
        families=tuple(family.name for family in FAMILIES if family.latent_channels == channels),
    )
    for channels in sorted({family.latent_channels for family in FAMILIES})
)  # fmt: skip


def _encoder(part: PartName, *needs: Need) -> Fingerprint:
    families = tuple(family.name for family in FAMILIES if part in family.text)
    return Fingerprint(kind="text encoder", needs=needs, families=families, part=part, title=part)


_WORDS: Final = (
    "text_model.embeddings.token_embedding.weight", "transformer.text_model.embeddings.token_embedding.weight",
    "token_embedding.weight",
)  # fmt: skip
_T5_KEYS: Final = (
    "encoder.block.#.layer.#.SelfAttention.q.weight", "transformer.encoder.block.#.layer.#.SelfAttention.q.weight",
)  # fmt: skip
_TEXTS: Final = (
    _encoder("OpenCLIP-G", _has(*_WORDS, axis=1, size=1280)),
    _encoder("OpenCLIP-H", _has(*_WORDS, axis=1, size=1024)),
    _encoder("CLIP-L", _has(*_WORDS)),
    _encoder("T5", _has(*_T5_KEYS)),
)


def _embedding(families: tuple[str, ...], *needs: Need) -> Fingerprint:
    return Fingerprint(kind="textual inversion", needs=needs, families=families)


_VECTORS: Final = ("emb_params", "string_to_param.*", "string_to_param")
_EMBEDDINGS: Final = (
    _embedding(("SD3",), _has("clip_l"), _has("clip_g"), _has("t5xxl")),
    _embedding(("SDXL",), _has("clip_l", "text_encoders_#"), _has("clip_g", "text_encoders_#")),
    _embedding(("SD1",), _has(*_VECTORS, axis=-1, size=768)),
    _embedding(("SD2",), _has(*_VECTORS, axis=-1, size=1024)),
    _embedding((), _has(*_VECTORS)),
)

FINGERPRINTS: Final[tuple[Fingerprint, ...]] = (
    *_CONTROLS, *_OTHER_NETWORKS, *_NETWORKS, *_VAES, *_TEXTS, *_EMBEDDINGS,
)  # fmt: skip
"""Every kind of file, the one whose needs are met first being meant."""

DIFFUSERS_KEYS: Final = (
    "time_embedding.linear_#.weight", "time_text_embed.timestep_embedder.linear_#.weight",
    "decoder.mid_block.resnets.#.conv1.weight",
)  # fmt: skip
"""Names that only files in the layout of diffusers have."""

INPUTS: Final[dict[int, str]] = {5: "Depth to image", 7: "Upscaler", 8: "InstructPix2Pix"}
"""Channels that the UNet of a model takes which needs more than a prompt, and what that is. 9 is inpainting."""
INPAINTING_CHANNELS: Final = 9

EMBEDDING_WIDTHS: Final[dict[int, str]] = {768: "SD1", 1024: "SD2"}
"""The widths of embeddings in files that name them by their word alone, and their families."""


class LoraMark(msgspec.Struct, frozen=True):
    """A module that only LoRA files of some families change: `part` of its name (with underscores for dots), and the
    `width` of its input, where it takes that to tell."""

    part: str
    families: tuple[str, ...]
    width: int | None = None


LORA_MARKS: Final = (
    LoraMark("joint_blocks_", ("SD3",)),
    LoraMark("double_blocks_", ("Flux",), 3072),
    LoraMark("single_blocks_", ("Flux",), 3072),
    LoraMark("single_transformer_blocks_", ("Flux",), 3072),
    LoraMark("_attn_to_", ("Flux",), 3072),
    LoraMark("_attn_to_", ("SD3",), 1536),
    LoraMark("_attn_to_", ("SD3",), 2432),
    *(LoraMark("_attn2_to_k", (family.name,), family.text_width) for family in FAMILIES if not family.flow),
    LoraMark("_attn2_to_v", ("SDXL",), 2048),
    LoraMark("lora_te2_", ("SDXL",)),
    LoraMark("text_encoder_2_", ("SDXL",)),
    LoraMark("lora_te1_", ("SDXL", "SD3", "Flux"), 768),
    LoraMark("lora_te_", ("SD1",), 768),
    LoraMark("lora_te_", ("SD2",), 1024),
)
"""By what the family of a LoRA file is told, the first that is found being meant."""

LORA_LAYOUTS: Final[tuple[tuple[str, str], ...]] = (
    (".lora_down.weight", "kohya"),
    (".lora_A.weight", "peft"),
    (".lora_A.default.weight", "peft"),
    ("lora.down.weight", "diffusers"),
    (".hada_w1_b", "LoHa"),
    (".lokr_w1", "LoKr"),
    (".lokr_w1_b", "LoKr"),
    (".oft_blocks", "OFT"),
    (".oft_diag", "OFT"),
)
"""How the names of the matrices end that a module's input goes into, (rank, width), by the layout of a LoRA file."""

ARCHITECTURES: Final[tuple[tuple[str, str], ...]] = (
    ("stable-diffusion-xl", "SDXL"),
    ("stable-diffusion-v1", "SD1"),
    ("stable-diffusion-v2", "SD2"),
    ("stable-diffusion-3", "SD3"),
    ("flux-1", "Flux"),
    ("sdxl_", "SDXL"),
    ("sd_v1", "SD1"),
    ("sd_v2", "SD2"),
    ("sd3", "SD3"),
    ("flux1", "Flux"),
)
"""What the metadata of a file (`modelspec.architecture`, `ss_base_model_version`) begins with, by family."""

QUANTISED: Final[tuple[tuple[str, str], ...]] = (
    (".bitsandbytes__nf4", "bitsandbytes NF4"),
    (".bitsandbytes__fp4", "bitsandbytes FP4"),
    (".scale_weight", "scaled FP8"),
    (".weight_scale", "scaled FP8"),
    (".comfy_quant", "ComfyUI's mixed precision"),
    ("scaled_fp8", "scaled FP8"),
    (".qweight", "GPTQ or Nunchaku"),
)
"""How names end in files whose weights are packed in ways that their dtype does not say."""
