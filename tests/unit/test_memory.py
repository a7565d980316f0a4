"""The reckoning of memory against what full-size networks hold, traced with fake tensors that take none."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import torch
from diffusers import AutoencoderKL, FluxTransformer2DModel, SD3Transformer2DModel, UNet2DConditionModel
from torch._subclasses import FakeTensorMode

from sdcore.diffusion import memory
from sdcore.diffusion.ladder import first_rung, rungs_for
from sdcore.diffusion.loop import sample
from sdcore.diffusion.memory import Footprint, Needs
from sdcore.diffusion.model import Model
from sdcore.diffusion.rungs import LADDER
from sdcore.spec.recipe import Recipe
from tests.live_bytes import LiveBytes

GIB = 1 << 30
CUDA, CPU = torch.device("cuda", 0), torch.device("cpu")

SD15: dict[str, Any] = {
    "sample_size": 64, "cross_attention_dim": 768, "attention_head_dim": 8,
    "block_out_channels": (320, 640, 1280, 1280),
    "down_block_types": (*("CrossAttnDownBlock2D",) * 3, "DownBlock2D"),
    "up_block_types": ("UpBlock2D", *("CrossAttnUpBlock2D",) * 3),
}  # fmt: skip
SDXL: dict[str, Any] = {
    "sample_size": 128, "cross_attention_dim": 2048, "attention_head_dim": (5, 10, 20),
    "block_out_channels": (320, 640, 1280), "transformer_layers_per_block": (1, 2, 10),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "addition_embed_type": "text_time", "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816, "use_linear_projection": True,
}  # fmt: skip
SD3: dict[str, Any] = {
    "sample_size": 128, "num_layers": 2, "num_attention_heads": 24, "attention_head_dim": 64,
    "joint_attention_dim": 4096, "caption_projection_dim": 1536, "pooled_projection_dim": 2048,
    "in_channels": 16, "out_channels": 16, "pos_embed_max_size": 192,
}  # fmt: skip
VAE: dict[str, Any] = {
    "block_out_channels": (128, 256, 512, 512), "layers_per_block": 2, "latent_channels": 4, "sample_size": 512,
    "down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4,
}  # fmt: skip


@pytest.fixture(autouse=True)
def half_precision() -> Iterator[None]:
    """What large models run in; in float32 a few values, which are float32 anyway, count for less."""
    torch.set_default_dtype(torch.bfloat16)
    yield
    torch.set_default_dtype(torch.float32)


def unet_inputs(config: dict[str, Any], side: int, rows: int) -> dict[str, Any]:
    added = {"text_embeds": torch.zeros(rows, 1280), "time_ids": torch.zeros(rows, 6)}
    return {
        "sample": torch.zeros(rows, 4, side, side),
        "timestep": torch.tensor(1.0),
        "encoder_hidden_states": torch.zeros(rows, 77, config["cross_attention_dim"]),
        "added_cond_kwargs": added if "addition_embed_type" in config else None,
    }


def sd3_inputs(config: dict[str, Any], side: int, rows: int) -> dict[str, Any]:
    return {
        "hidden_states": torch.zeros(rows, 16, side, side),
        "encoder_hidden_states": torch.zeros(rows, 333, 4096),
        "pooled_projections": torch.zeros(rows, 2048),
        "timestep": torch.zeros(rows),
    }


def flux_inputs(config: dict[str, Any], side: int, rows: int) -> dict[str, Any]:
    return {
        "hidden_states": torch.zeros(rows, side * side // 4, 64),
        "encoder_hidden_states": torch.zeros(rows, 512, 4096),
        "pooled_projections": torch.zeros(rows, 768),
        "timestep": torch.zeros(rows),
        "guidance": torch.zeros(rows),
        "img_ids": torch.zeros(side * side // 4, 3),
        "txt_ids": torch.zeros(512, 3),
    }


FLUX = {"num_layers": 2, "num_single_layers": 2, "guidance_embeds": True}


@pytest.mark.parametrize(
    ("kind", "config", "inputs", "side", "rows"),
    [
        (UNet2DConditionModel, SD15, unet_inputs, 64, 2),
        (UNet2DConditionModel, SD15, unet_inputs, 96, 1),
        (UNet2DConditionModel, SDXL, unet_inputs, 128, 2),
        (SD3Transformer2DModel, SD3, sd3_inputs, 128, 2),
        (FluxTransformer2DModel, FLUX, flux_inputs, 64, 1),
        (FluxTransformer2DModel, FLUX, flux_inputs, 128, 1),
    ],
)
def test_a_forward_pass_of_full_size_holds_what_is_reckoned(
    kind: Any, config: dict[str, Any], inputs: Any, side: int, rows: int
) -> None:
    """Within a twentieth: the factors are rounded, and SD 3's depends a little on the share of text."""
    with FakeTensorMode():
        network = kind(**config).eval().requires_grad_(False)
        given = inputs(config, side, rows)
        with torch.inference_mode(), LiveBytes(network, *tensors_of(given)) as live:
            network(**given)
        by_latent, always = memory._pass_values(network)
    reckoned = 2 * rows * (side * side * by_latent + always)
    assert reckoned == pytest.approx(live.peak, rel=0.05)


@pytest.mark.parametrize("side", [64, 128])
def test_coding_of_full_size_holds_what_is_reckoned(side: int) -> None:
    with FakeTensorMode():
        vae = AutoencoderKL(**VAE).eval().requires_grad_(False)
        latents, pixels = torch.zeros(1, 4, side, side), torch.zeros(1, 3, 8 * side, 8 * side)
        with torch.inference_mode(), LiveBytes(vae, latents) as decoding:
            vae.decode(latents)
        with torch.inference_mode(), LiveBytes(vae, pixels) as encoding:
            vae.encode(pixels)
    values = 2 * 64 * side * side * 128
    assert decoding.peak == pytest.approx(values * memory.PIXELS_DECODED, rel=0.01)
    assert encoding.peak == pytest.approx(values * memory.PIXELS_ENCODED, rel=0.01)


def test_a_real_run_of_a_small_model_stays_within_the_reckoning(model: Model) -> None:
    recipe = Recipe(prompt="x", width=128, height=128)
    taken = memory.needs(memory.footprint(model), recipe, LADDER[0])
    networks = [*model.adapter.modules.values(), model.vae]
    latents = torch.zeros(1, 4, 16, 16, dtype=torch.float32)
    with LiveBytes(*networks, latents) as live:
        model.decode(latents)
    assert live.peak + memory.footprint(model).weights == pytest.approx(taken.decode, rel=0.25)


def tensors_of(given: dict[str, Any]) -> list[torch.Tensor]:
    added = given.get("added_cond_kwargs") or {}
    return [one for one in (*given.values(), *added.values()) if isinstance(one, torch.Tensor)]


def sdxl_footprint(**changes: Any) -> Footprint:
    """SDXL in half precision, from its published parameter counts."""
    facts = {
        "texts": (246_000_000, 1_389_000_000), "network": 5_135_000_000, "vae": 167_000_000,
        "largest_layer": 130_000_000, "by_latent": 15.75 * 320 * 2, "always": 0.0, "by_pixel": 6.0 * 128 * 2,
        "downscale": 8, "family": "SDXL", "on_gpu": True,
    }  # fmt: skip
    return Footprint(**{**facts, **changes})


SQUARE = Recipe(prompt="x", width=1024, height=1024, guidance_scale=5.0)


def on_rung(name: str, recipe: Recipe = SQUARE) -> Needs:
    return memory.needs(sdxl_footprint(), recipe, next(rung for rung in LADDER if rung.name == name))


def test_each_rung_needs_no_more_than_the_one_below_it() -> None:
    needs = [memory.needs(sdxl_footprint(recorded=True), SQUARE, rung, images=4) for rung in LADDER]
    for below, above in itertools.pairwise(needs):
        assert (above.begin, above.step, above.decode) <= (below.begin, below.step, below.decode)
        assert above != below
    assert needs[0].peak > 3 * needs[-1].peak


def test_what_a_rung_gives_up_is_what_it_saves() -> None:
    whole, split, tiled = on_rung("whole"), on_rung("split guidance"), on_rung("tiled VAE")
    assert (split.step < whole.step, split.decode == whole.decode) == (True, True)
    assert (tiled.decode < whole.decode, tiled.step == split.step) == (True, True)
    offloaded = on_rung("model offload")
    assert offloaded.step - on_rung("sequential offload").step == 5_135_000_000 - 2 * 130_000_000


def test_recordings_hold_the_memory_of_a_pass_in_every_stage() -> None:
    whole, plain = on_rung("whole"), on_rung("plain network")
    assert whole == plain
    recorded = memory.needs(sdxl_footprint(recorded=True), SQUARE, LADDER[0])
    passing = whole.step - sdxl_footprint().weights - memory._CUDA_RESERVE
    assert recorded.step == whole.step
    assert recorded.decode - whole.decode == pytest.approx(passing, abs=2)
    assert recorded.begin - whole.begin == pytest.approx(passing, abs=2)
    assert memory.needs(sdxl_footprint(recorded=True), SQUARE, LADDER[1]) == plain


def test_without_guidance_there_is_nothing_to_split() -> None:
    free = Recipe(prompt="x", width=1024, height=1024, guidance_scale=1.0)
    assert on_rung("split guidance", free) == on_rung("whole", free)


@pytest.mark.parametrize(
    ("prompt", "guidance", "rows"),
    [
        ("x", 1.0, 1),
        ("x", 5.0, 2),
        ("x AND y:0.5 AND z", 5.0, 4),
        ("x AND y", 1.0, 3),
        ("x<lora:a AND b:1>", 5.0, 2),
        ("a sand y", 5.0, 2),
    ],
)
def test_every_prompt_that_and_joins_is_a_row(prompt: str, guidance: float, rows: int) -> None:
    fixed = sdxl_footprint().weights + memory._CUDA_RESERVE
    recipe = msgspec.structs.replace(SQUARE, prompt=prompt, guidance_scale=guidance, batch_size=2)
    one = on_rung("split guidance", recipe).step - fixed
    assert on_rung("whole", recipe).step - fixed == pytest.approx(rows * one, abs=8)
    assert one == pytest.approx(on_rung("split guidance").step * 2 - 2 * fixed, abs=8)


def test_that_many_rows_are_what_a_network_is_given(model: Model) -> None:
    rows: list[int] = []
    hook = model.network.register_forward_pre_hook(lambda module, inputs: rows.append(len(inputs[0])))
    try:
        for prompt, guidance in (("x", 1.0), ("x", 5.0), ("x AND y:0.5 AND z", 5.0), ("x AND y", 1.0)):
            recipe = Recipe(prompt=prompt, width=64, height=64, steps=1, guidance_scale=guidance)
            list(sample(model, recipe))
            assert rows.pop() == memory._rows(recipe, model.family)
            rows.clear()
    finally:
        hook.remove()


@pytest.mark.parametrize(
    ("gigabytes", "name"),
    [(24, "whole"), (8, "tiled VAE"), (7, "model offload"), (2, "sequential offload"), (0.1, "sequential offload")],
)  # fmt: skip
def test_a_run_begins_on_the_lowest_rung_that_fits(gigabytes: float, name: str) -> None:
    rung, needs = first_rung(sdxl_footprint(), SQUARE, CUDA, gigabytes * GIB)
    assert rung.name == name
    assert (needs.peak <= gigabytes * GIB) == (gigabytes > 1)


def test_a_cpu_has_nowhere_else_to_put_weights() -> None:
    names = [rung.name for rung in rungs_for(CPU)]
    assert names == ["whole", "plain network", "split guidance", "sliced VAE", "tiled VAE"]
    assert rungs_for(CUDA) == LADDER
