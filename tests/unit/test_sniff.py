"""What a file of weights is, told from its header alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdcore.library.fingerprints import FINGERPRINTS
from sdcore.library.sniff import Sniffed, sniff
from sdcore.spec.families import FAMILIES, VARIANTS
from sdcore.weights import BITS, Header, TensorInfo, read_header
from tests.models import make_sd1, make_sd2, make_sdxl, make_single_file

Shapes = Mapping[str, tuple[int, ...]]


def header(tensors: Shapes, metadata: Mapping[str, str] | None = None, dtype: str = "F16") -> Header:
    """A header with tensors of these shapes."""
    end, infos = 0, {}
    for name, shape in tensors.items():
        begin, end = end, end + math.prod(shape) * BITS[dtype] // 8
        infos[name] = TensorInfo(dtype, shape, begin, end)
    return Header(tensors=infos, metadata=dict(metadata or {}), data_start=8, file_bytes=8 + end)


def told(tensors: Shapes, **metadata: str) -> Sniffed:
    return sniff(header(tensors, {f"modelspec.{name}": value for name, value in metadata.items()}))


def prefixed(prefix: str, tensors: Shapes) -> dict[str, tuple[int, ...]]:
    return {prefix + name: shape for name, shape in tensors.items()}


def unet(width: int, *, channels: int = 4, pooled: bool = False, linear: bool = False) -> Shapes:
    """The tensors of a UNet in the original layout that tell most, with the shapes of the real ones."""
    block = "input_blocks.4.1."
    return {
        "input_blocks.0.0.weight": (320, channels, 3, 3), "time_embed.0.weight": (1280, 320),
        f"{block}proj_in.weight": (640, 640) if linear else (640, 640, 1, 1),
        f"{block}transformer_blocks.0.attn2.to_k.weight": (640, width),
        **({"label_emb.0.0.weight": (1280, 2816)} if pooled else {}),
    }  # fmt: skip


def diffusers_unet(width: int, *, channels: int = 4, pooled: bool = False, linear: bool = False) -> Shapes:
    block = "down_blocks.1.attentions.0."
    return {
        "conv_in.weight": (320, channels, 3, 3), "time_embedding.linear_1.weight": (1280, 320),
        f"{block}proj_in.weight": (640, 640) if linear else (640, 640, 1, 1),
        f"{block}transformer_blocks.0.attn2.to_k.weight": (640, width),
        **({"add_embedding.linear_1.weight": (1280, 2816)} if pooled else {}),
    }  # fmt: skip


UNETS = {
    "SD1": {"width": 768},
    "SD2": {"width": 1024, "linear": True},
    "SDXL": {"width": 2048, "pooled": True, "linear": True},
}
SD3 = {"joint_blocks.0.x_block.attn.qkv.weight": (4608, 1536), "x_embedder.proj.weight": (1536, 16, 2, 2)}
SD3_DIFFUSERS = {
    "transformer_blocks.0.attn.add_q_proj.weight": (1536, 1536), "pos_embed.proj.weight": (1536, 16, 2, 2),
    "time_text_embed.timestep_embedder.linear_1.weight": (1536, 256),
}  # fmt: skip
FLUX = {
    "double_blocks.0.img_attn.qkv.weight": (9216, 3072), "img_in.weight": (3072, 64),
    "guidance_in.in_layer.weight": (3072, 256),
}  # fmt: skip
FLUX_DIFFUSERS = {
    "single_transformer_blocks.0.attn.to_q.weight": (3072, 3072), "x_embedder.weight": (3072, 64),
    "transformer_blocks.0.attn.add_q_proj.weight": (3072, 3072),
    "time_text_embed.timestep_embedder.linear_1.weight": (3072, 256),
    "time_text_embed.guidance_embedder.linear_1.weight": (3072, 256),
}  # fmt: skip
VAE = {"encoder.conv_in.weight": (128, 3, 3, 3), "decoder.conv_in.weight": (512, 4, 3, 3)}
CLIP_L = {"text_model.embeddings.token_embedding.weight": (49408, 768)}
OPENCLIP = {"token_embedding.weight": (49408, 1280), "transformer.resblocks.0.ln_1.weight": (1280,)}
T5 = {"shared.weight": (32128, 4096), "encoder.block.0.layer.0.SelfAttention.q.weight": (4096, 4096)}

NETWORKS = {
    **{(name, "original"): unet(**what) for name, what in UNETS.items()},
    **{(name, "diffusers"): diffusers_unet(**what) for name, what in UNETS.items()},
    ("SD3", "original"): SD3,
    ("SD3", "diffusers"): SD3_DIFFUSERS,
    ("Flux", "original"): FLUX,
    ("Flux", "diffusers"): FLUX_DIFFUSERS,
}


@pytest.mark.parametrize(("family", "layout"), NETWORKS)
@pytest.mark.parametrize("prefix", ["", "model.diffusion_model."])
def test_networks_of_every_family(family: str, layout: str, prefix: str) -> None:
    found = told(prefixed(prefix, NETWORKS[family, layout]))
    assert (found.kind, found.family, found.layout, found.problem) == ("network", family, layout, "")
    assert found.has("network")
    assert found.prediction == ("flow" if family in ("SD3", "Flux") else "")
    assert (found.inpainting, found.variant, found.zero_terminal_snr) == (False, "", False)
    assert found.bytes == 2 * found.parameters == 2 * sum(map(math.prod, NETWORKS[family, layout].values()))


CHECKPOINTS = {
    "SD1": ("SD1", {"cond_stage_model.transformer.": CLIP_L}, {"CLIP-L"}),
    "SD2": ("SD2", {"cond_stage_model.model.": OPENCLIP}, {"OpenCLIP-H"}),
    "SDXL": (
        "SDXL",
        {"conditioner.embedders.0.transformer.": CLIP_L, "conditioner.embedders.1.model.": OPENCLIP},
        {"CLIP-L", "OpenCLIP-G"},
    ),
    "SD3": (
        "SD3",
        {"text_encoders.clip_l.": CLIP_L, "text_encoders.clip_g.": OPENCLIP, "text_encoders.t5xxl.": T5},
        {"CLIP-L", "OpenCLIP-G", "T5"},
    ),
    "Flux": (
        "Flux",
        {"text_encoders.clip_l.": CLIP_L, "text_encoders.t5xxl.transformer.": T5},
        {"CLIP-L", "T5"},
    ),
}


@pytest.mark.parametrize("name", CHECKPOINTS)
@pytest.mark.parametrize("vae", ["first_stage_model.", "vae."])
def test_checkpoints_of_every_family(name: str, vae: str) -> None:
    family, texts, parts = CHECKPOINTS[name]
    tensors = {"alphas_cumprod": (1000,), "model_ema.decay": (), **prefixed(vae, VAE)}
    tensors |= prefixed("model.diffusion_model.", NETWORKS[family, "original"])
    for prefix, encoder in texts.items():
        tensors |= prefixed(prefix, encoder)
    found = told(tensors)
    assert (found.kind, found.family, found.layout, found.problem) == ("checkpoint", family, "original", "")
    assert {part.name for part in found.parts} == {"network", "VAE", "other", *parts}
    assert parts == set(next(one for one in FAMILIES if one.name == family).text)


@pytest.mark.parametrize("family", UNETS)
@pytest.mark.parametrize("make", [unet, diffusers_unet])
def test_inpainting_is_told_by_nine_channels(family: str, make: object) -> None:
    assert told(make(**UNETS[family], channels=9)).inpainting  # type: ignore[operator]


def test_what_a_network_predicts() -> None:
    tensors = unet(**UNETS["SDXL"])
    marked = told({**tensors, "v_pred": (0,), "ztsnr": (0,)})
    assert (marked.prediction, marked.zero_terminal_snr) == ("v_prediction", True)
    assert told(tensors, prediction_type="v").prediction == "v_prediction"
    assert told(tensors, predict_key="epsilon").prediction == "epsilon"
    assert told(tensors, architecture="stable-diffusion-v2-768-v").prediction == "v_prediction"


def test_a_flux_without_guidance_is_schnell() -> None:
    schnell = {name: shape for name, shape in FLUX.items() if "guidance" not in name}
    assert told(schnell).variant == "Schnell"
    assert told(schnell).variant in [variant.name for variant in VARIANTS]


FOREIGN = {
    "SDXL refiner": unet(1280, pooled=True, linear=True),
    "unCLIP": unet(1024, pooled=True, linear=True),
    "InstructPix2Pix": unet(768, channels=8),
    "Depth to image": unet(1024, channels=5, linear=True),
    "Flux Fill": {**FLUX, "img_in.weight": (3072, 384)},
    "Flux Depth or Canny": {**FLUX, "img_in.weight": (3072, 128)},
    "Chroma": {**FLUX, "distilled_guidance_layer.in_proj.bias": (5120,)},
    "Playground 2.5": {"edm_mean": (4,), **prefixed("model.diffusion_model.", unet(**UNETS["SDXL"]))},
    "bitsandbytes NF4": {**FLUX, "double_blocks.0.img_attn.qkv.weight.quant_state.bitsandbytes__nf4": (5,)},
    "scaled FP8": {**FLUX, "scaled_fp8": (2,)},
    "ControlNet": {
        "control_model.time_embed.0.weight": (1280, 320),
        "control_model.input_blocks.0.0.weight": (1,),
    },
    "IP-Adapter": {"image_proj.proj.weight": (3072, 1024)},
}


@pytest.mark.parametrize("name", FOREIGN)
def test_what_is_not_loaded_is_named(name: str) -> None:
    found = told(FOREIGN[name])
    assert name in found.problem
    assert found.problem.endswith(".")


def test_parts_alone() -> None:
    for tensors, kind, families, part in (
        (VAE, "VAE", ("SD1", "SD2", "SDXL"), "VAE"),
        (prefixed("first_stage_model.", VAE), "VAE", ("SD1", "SD2", "SDXL"), "VAE"),
        ({**VAE, "decoder.conv_in.weight": (512, 16, 3, 3)}, "VAE", ("SD3", "Flux"), "VAE"),
        (CLIP_L, "text encoder", ("SD1", "SDXL", "SD3", "Flux"), "CLIP-L"),
        (OPENCLIP, "text encoder", ("SDXL", "SD3"), "OpenCLIP-G"),
        (T5, "text encoder", ("SD3", "Flux"), "T5"),
    ):
        found = told(tensors)
        assert (found.kind, found.families, found.problem) == (kind, families, "")
        assert [one.name for one in found.parts] == [part]
    assert told({**VAE, "decoder.conv_in.weight": (512, 16, 3, 3, 3)}).kind == "unknown"
    assert told(VAE, architecture="stable-diffusion-xl-v1-base/vae").family == "SDXL"


_TEXT = "text_model_encoder_layers_0_mlp_fc1.lora_down.weight"
_CROSS = "down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight"
LORAS: dict[str, tuple[Shapes, str, tuple[str, ...]]] = {
    "SD1": ({f"lora_unet_{_CROSS}": (8, 768)}, "kohya", ("SD1",)),
    "SD2": ({f"lora_unet_{_CROSS}": (8, 1024)}, "kohya", ("SD2",)),
    "SDXL": (
        {"lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k.lora_down.weight": (8, 2048)}, "kohya", ("SDXL",)
    ),
    "SDXL by its second text encoder": ({f"lora_te2_{_TEXT}": (8, 1280)}, "kohya", ("SDXL",)),
    "SD1 by its text encoder": ({f"lora_te_{_TEXT}": (8, 768)}, "kohya", ("SD1",)),
    "peft": (
        {"unet.down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.lora_A.weight": (8, 2048)}, "peft", ("SDXL",)
    ),
    "before peft": (
        {"unet.down_blocks.1.attentions.0.transformer_blocks.0.attn2.processor.to_k_lora.down.weight": (8, 768)},
        "diffusers", ("SD1",),
    ),
    "Flux of kohya": ({"lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight": (8, 3072)}, "kohya", ("Flux",)),
    "Flux of diffusers": (
        {"transformer.single_transformer_blocks.0.attn.to_q.lora_A.weight": (8, 3072)}, "peft", ("Flux",)
    ),
    "SD3 of diffusers": ({"transformer.transformer_blocks.0.attn.to_q.lora_A.weight": (8, 1536)}, "peft", ("SD3",)),
    "SD3 of kohya": (
        {"lora_unet_joint_blocks_0_x_block_attn_qkv.lora_down.weight": (8, 1536), f"lora_te2_{_TEXT}": (8, 1280)},
        "kohya", ("SD3",),
    ),
    "LoHa": ({"lora_unet_down_blocks_0_attn2_to_k.hada_w1_b": (8, 768)}, "LoHa", ("SD1",)),
    "nothing that tells": ({"lora_unet_mid_block_proj_in.lora_down.weight": (8, 1280)}, "kohya", ()),
}  # fmt: skip


def _upper(key: str) -> str:
    """The other matrix of the pair."""
    for down, up in (
        ("lora_down", "lora_up"),
        ("lora.down", "lora.up"),
        ("lora_A", "lora_B"),
        ("w1_b", "w1_a"),
    ):
        key = key.replace(down, up)
    return key


@pytest.mark.parametrize("name", LORAS)
def test_lora_files(name: str) -> None:
    tensors, layout, families = LORAS[name]
    up = {_upper(key): shape[::-1] for key, shape in tensors.items()}
    found = told({**up, **tensors})
    assert (found.kind, found.layout, found.families, found.problem) == ("LoRA", layout, families, "")


def test_metadata_say_what_shapes_leave_open() -> None:
    tensors, _, _ = LORAS["nothing that tells"]
    for told_by in ({"modelspec.architecture": "flux-1-dev/lora"}, {"ss_base_model_version": "flux1"}):
        assert sniff(header(tensors, told_by)).families == ("Flux",)
    contradicted = sniff(header(LORAS["SD1"][0], {"ss_base_model_version": "sdxl_base_v1-0"}))
    assert contradicted.families == ("SD1",)


@pytest.mark.parametrize(
    ("tensors", "families"),
    [
        ({"emb_params": (4, 768)}, ("SD1",)),
        ({"emb_params": (4, 1024)}, ("SD2",)),
        ({"emb_params": (4, 32)}, ()),
        ({"string_to_param.*": (4, 768)}, ("SD1",)),
        ({"clip_l": (4, 768), "clip_g": (4, 1280)}, ("SDXL",)),
        ({"clip_l": (4, 768), "clip_g": (4, 1280), "t5xxl": (4, 4096)}, ("SD3",)),
        ({"<cat-toy>": (768,)}, ("SD1",)),
        ({"a [b]": (3, 1024)}, ("SD2",)),
    ],
)
def test_textual_inversions(tensors: Shapes, families: tuple[str, ...]) -> None:
    found = told(tensors)
    assert (found.kind, found.families, found.problem) == ("textual inversion", families, "")


@pytest.mark.parametrize(
    "tensors", [{}, {"a": ()}, {"a": (3, 5)}, {"model.layers.0.mlp.weight": (768, 768), "b": (2,)}]
)
def test_what_is_not_known_is_said(tensors: Shapes) -> None:
    found = told(tensors)
    assert found.kind == "unknown"
    assert found.families == ()
    assert found.problem


def test_the_largest_part_and_its_commonest_dtype() -> None:
    first, second = header(unet(768), dtype="F8_E4M3"), header(VAE, dtype="F32")
    tensors = {f"model.diffusion_model.{name}": info for name, info in first.tensors.items()}
    tensors |= {f"vae.{name}": info for name, info in second.tensors.items()}
    found = sniff(Header(tensors=tensors, metadata={}, data_start=8, file_bytes=8))
    assert [(part.name, part.dtype) for part in found.parts] == [("network", "F8_E4M3"), ("VAE", "F32")]
    assert found.dtype == max(found.parts, key=lambda part: part.bytes).dtype


@pytest.mark.parametrize(("family", "make"), [("SD1", make_sd1), ("SD2", make_sd2), ("SDXL", make_sdxl)])
def test_the_models_of_the_tests_as_one_file(
    family: str, make: Callable[[Path], Path], tmp_path: Path
) -> None:
    found = sniff(read_header(make_single_file(make(tmp_path / "model"))))
    assert (found.kind, found.family, found.problem) == ("checkpoint", family, "")
    assert found.has("network", "VAE", *next(one.text for one in FAMILIES if one.name == family))


_NAMES = st.sampled_from(
    [key for mark in FINGERPRINTS for need in mark.needs for key in need.keys]
) | st.text(max_size=20)
_FUZZ = st.dictionaries(
    st.tuples(st.sampled_from(["", "model.diffusion_model.", "vae.", "lora_unet_"]), _NAMES).map(
        lambda both: (both[0] + both[1]).replace("#", "0")
    ),
    st.lists(st.sampled_from([0, 1, 4, 9, 768, 1024, 2048]), max_size=4).map(tuple),
    max_size=6,
)


@given(tensors=_FUZZ, metadata=st.dictionaries(st.just("modelspec.architecture"), st.text(max_size=9)))
def test_no_names_and_shapes_are_a_reason_to_fail(tensors: Shapes, metadata: dict[str, str]) -> None:
    found = sniff(header(tensors, metadata))
    assert set(found.families) <= {family.name for family in FAMILIES}
    assert found.parameters == sum(map(math.prod, tensors.values()))
