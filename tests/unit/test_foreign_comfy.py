"""ComfyUI: the graph is walked from the image back to its sampler, whatever it is made of."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdcore.spec import foreign
from sdcore.spec.facts import ImageFacts
from sdcore.spec.foreign.comfy_graph import MOST_STEPS, graph_of

Graph = dict[str, Any]


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs, "_meta": {"title": kind}}


def plain() -> Graph:
    """The graph that ComfyUI opens with."""
    return {
        "3": node(
            "KSampler", seed=1632, steps=20, cfg=7.5, sampler_name="dpmpp_2m", scheduler="karras", denoise=1.0,
            model=["4", 0], positive=["6", 0], negative=["7", 0], latent_image=["5", 0],
        ),
        "4": node("CheckpointLoaderSimple", ckpt_name="sd15\\dream shaper.safetensors"),
        "5": node("EmptyLatentImage", width=512, height=768, batch_size=1),
        "6": node("CLIPTextEncode", text="a (red:1.2) house", clip=["4", 1]),
        "7": node("CLIPTextEncode", text="fog", clip=["4", 1]),
        "8": node("VAEDecode", samples=["3", 0], vae=["4", 2]),
        "9": node("SaveImage", images=["8", 0], filename_prefix="ComfyUI"),
    }  # fmt: skip


def read(graph: Graph, **chunks: str) -> ImageFacts:
    found = foreign.read({"prompt": json.dumps(graph), "workflow": "{}", **chunks})
    assert found is not None
    assert found.writer == "ComfyUI"
    return found


def test_the_graph_that_it_opens_with() -> None:
    facts = read(plain())
    assert (facts.prompt, facts.negative_prompt) == ("a (red:1.2) house", "fog")
    assert (facts.steps, facts.guidance_scale, facts.seed) == (20, 7.5, 1632)
    assert (facts.sampler, facts.schedule) == ("DPM++ 2M", "Karras")
    assert (facts.width, facts.height, facts.model) == (512, 768, "dream shaper")
    assert facts.strength is None
    assert facts.recipe().emphasis == "ComfyUI"


def test_what_no_field_takes_is_kept_by_node() -> None:
    graph = plain() | {"30": node("FreeU_V2", model=["4", 0], b1=1.3)}
    graph["3"]["inputs"]["model"] = ["30", 0]
    extra = read(graph).extra
    assert extra["30 FreeU_V2"] == {"b1": 1.3}
    assert extra["9 SaveImage"] == {"filename_prefix": "ComfyUI"}
    assert "6 CLIPTextEncode" not in extra


def test_loras_on_the_way_to_the_model_are_named_in_the_prompt() -> None:
    graph = plain()
    graph["10"] = node("LoraLoader", lora_name="styles/ink.safetensors", strength_model=0.8, strength_clip=1,
                       model=["11", 0], clip=["4", 1])  # fmt: skip
    graph["11"] = node("LoraLoaderModelOnly", lora_name="b.safetensors", strength_model=1, model=["4", 0])
    graph["3"]["inputs"]["model"] = ["10", 0]
    facts = read(graph)
    assert facts.prompt == "a (red:1.2) house <lora:ink:0.8> <lora:b:1>"
    assert facts.model == "dream shaper"


def test_values_are_followed_to_where_they_are_written() -> None:
    graph = plain()
    graph["3"]["inputs"] |= {"seed": ["20", 0], "steps": ["21", 0]}
    graph["20"] = node("Seed (rgthree)", seed=77)
    graph["21"] = node("Reroute", value=["22", 0])
    graph["22"] = node("PrimitiveInt", value=12)
    graph["6"]["inputs"]["text"] = ["23", 0]
    graph["23"] = node("StringConcatenate", string_a="a house", string_b=["24", 0], delimiter=" at ")
    graph["24"] = node("PrimitiveString", value="night")
    facts = read(graph)
    assert (facts.seed, facts.steps, facts.prompt) == (77, 12, "a house at night")


@pytest.mark.parametrize("seed", [2**63 - 1, 2**63, 2**64 - 1])
def test_seeds_of_64_bits(seed: int) -> None:
    graph = plain()
    graph["3"]["inputs"]["seed"] = seed
    assert read(graph).seed == seed
    graph["3"]["inputs"]["seed"] = str(seed)
    assert read(graph).seed == seed
    graph["3"]["inputs"]["seed"] = 2**64
    assert read(graph).seed is None


def test_conditioning_is_joined_as_our_grammar_has_it() -> None:
    graph = plain()
    graph["31"] = node("CLIPTextEncode", text="a hill", clip=["4", 1])
    graph["32"] = node("ConditioningCombine", conditioning_1=["6", 0], conditioning_2=["31", 0])
    graph["33"] = node("ControlNetApplyAdvanced", positive=["32", 0], negative=["7", 0], strength=0.7)
    graph["3"]["inputs"] |= {"positive": ["33", 0], "negative": ["33", 1]}
    facts = read(graph)
    assert (facts.prompt, facts.negative_prompt) == ("a (red:1.2) house AND a hill", "fog")
    assert facts.extra["33 ControlNetApplyAdvanced"] == {"strength": 0.7}
    graph["32"] = node("ConditioningConcat", conditioning_to=["6", 0], conditioning_from=["31", 0])
    assert read(graph).prompt == "a (red:1.2) house BREAK a hill"


def test_the_encoders_of_sdxl() -> None:
    graph = plain()
    graph["6"] = node(
        "CLIPTextEncodeSDXL", text_g="a house", text_l="oil", width=4096, height=4096, clip=["4", 1]
    )
    graph["7"] = node(
        "CLIPTextEncodeSDXL", text_g="fog", text_l="fog", width=4096, height=4096, clip=["4", 1]
    )
    facts = read(graph)
    assert (facts.prompt, facts.negative_prompt, facts.width) == ("a house, oil", "fog", 512)


def test_a_guided_sampler_of_parts() -> None:
    """As ComfyUI's template of Flux has it."""
    facts = read(
        {
            "6": node("CLIPTextEncode", text="a lighthouse", clip=["11", 0]),
            "8": node("VAEDecode", samples=["13", 0], vae=["10", 0]),
            "9": node("SaveImage", images=["8", 0], filename_prefix="flux"),
            "10": node("VAELoader", vae_name="ae.safetensors"),
            "11": node("DualCLIPLoader", clip_name1="t5xxl.safetensors", clip_name2="clip_l.safetensors"),
            "12": node("UNETLoader", unet_name="flux1-dev.safetensors", weight_dtype="default"),
            "13": node("SamplerCustomAdvanced", noise=["25", 0], guider=["22", 0], sampler=["16", 0],
                       sigmas=["17", 0], latent_image=["27", 0]),
            "16": node("KSamplerSelect", sampler_name="euler"),
            "17": node("BasicScheduler", scheduler="simple", steps=28, denoise=1, model=["30", 0]),
            "22": node("BasicGuider", model=["30", 0], conditioning=["26", 0]),
            "25": node("RandomNoise", noise_seed=219670278747233),
            "26": node("FluxGuidance", guidance=3.5, conditioning=["6", 0]),
            "27": node("EmptySD3LatentImage", width=1024, height=768, batch_size=1),
            "30": node("ModelSamplingFlux", max_shift=1.15, base_shift=0.5, width=1024, height=768, model=["12", 0]),
        }
    )  # fmt: skip
    assert (facts.prompt, facts.negative_prompt, facts.guidance_scale) == ("a lighthouse", None, 3.5)
    assert (facts.steps, facts.seed, facts.sampler, facts.schedule) == (
        28,
        219670278747233,
        "Euler",
        "SGM uniform",
    )
    assert (facts.width, facts.height, facts.model, facts.vae) == (1024, 768, "flux1-dev", "ae")
    assert facts.extra["30 ModelSamplingFlux"]["max_shift"] == 1.15


def test_a_guider_with_both_prompts_and_a_schedule_that_is_a_node() -> None:
    graph = plain() | {
        "40": node("CFGGuider", cfg=5, model=["4", 0], positive=["6", 0], negative=["7", 0]),
        "41": node("KarrasScheduler", steps=9, sigma_max=14.6, sigma_min=0.03, rho=7),
        "42": node("SamplerEulerAncestral", eta=1, s_noise=1),
        "43": node("RandomNoise", noise_seed=5),
        "3": node("SamplerCustomAdvanced", noise=["43", 0], guider=["40", 0], sampler=["42", 0], sigmas=["41", 0],
                  latent_image=["5", 0]),
    }  # fmt: skip
    facts = read(graph)
    assert (facts.prompt, facts.negative_prompt, facts.guidance_scale) == ("a (red:1.2) house", "fog", 5.0)
    assert (facts.sampler, facts.schedule, facts.steps, facts.seed) == ("Euler a", "Karras", 9, 5)


def test_a_second_sampler_is_the_second_pass() -> None:
    graph = plain()
    graph["50"] = node("LatentUpscaleBy", upscale_method="bilinear", scale_by=1.5, samples=["3", 0])
    graph["51"] = node("KSampler", seed=9, steps=14, cfg=4, sampler_name="euler", scheduler="normal", denoise=0.55,
                       model=["4", 0], positive=["6", 0], negative=["7", 0], latent_image=["50", 0])  # fmt: skip
    graph["8"]["inputs"]["samples"] = ["51", 0]
    facts = read(graph)
    assert (facts.seed, facts.steps, facts.width) == (1632, 20, 512)
    assert (facts.hires_scale, facts.hires_steps, facts.hires_strength) == (1.5, 14, 0.55)
    assert facts.hires_upscaler == "latent"
    graph["50"] = node("LatentUpscale", upscale_method="bilinear", width=1024, height=1536, samples=["3", 0])
    assert read(graph).hires_scale == 2.0


def test_an_image_that_begins_from_another() -> None:
    graph = plain()
    graph["5"] = node("VAEEncode", pixels=["60", 0], vae=["4", 2])
    graph["60"] = node("LoadImage", image="cat.png", upload="image")
    graph["3"]["inputs"]["denoise"] = 0.6
    facts = read(graph)
    assert (facts.strength, facts.width) == (0.6, None)
    assert facts.extra["60 LoadImage"]["image"] == "cat.png"


def test_skipped_layers_and_a_silent_negative() -> None:
    graph = plain()
    graph["70"] = node("CLIPSetLastLayer", stop_at_clip_layer=-2, clip=["4", 1])
    graph["6"]["inputs"]["clip"] = ["70", 0]
    graph["71"] = node("ConditioningZeroOut", conditioning=["6", 0])
    graph["3"]["inputs"]["negative"] = ["71", 0]
    facts = read(graph)
    assert (facts.clip_skip, facts.negative_prompt) == (2, "")


def test_numbers_that_json_has_not() -> None:
    text = json.dumps(plain()).replace('"denoise": 1.0', '"denoise": NaN, "is_changed": [Infinity]')
    found = foreign.read({"prompt": text})
    assert found is not None
    assert found.prompt == "a (red:1.2) house"
    json.dumps(found.extra, allow_nan=False)


def test_a_graph_without_a_sampler_still_tells_its_writer() -> None:
    facts = read({"1": node("LoadImage", image="x.png"), "2": node("SaveImage", images=["1", 0])})
    assert facts.prompt is None
    assert facts.extra == {"1 LoadImage": {"image": "x.png"}}


def test_the_exif_texts_of_webp() -> None:
    found = foreign.read({"Model": f"prompt:{json.dumps(plain())}", "Make": "workflow:{}"})
    assert found is not None
    assert found.seed == 1632


def test_circles_end() -> None:
    graph = plain()
    for key, name in (("5", "pixels"), ("4", "model"), ("6", "conditioning"), ("8", "samples")):
        graph[key]["inputs"][name] = [key, 0]
    graph["3"]["inputs"] |= {"seed": ["3", 0], "latent_image": ["8", 0]}
    assert read(graph).seed is None


def test_walks_are_bounded() -> None:
    """Each node of a wide graph is linked to all others: the walk sees each once."""
    keys = [str(number) for number in range(120)]
    graph = graph_of({key: node("X", **{f"i{other}": [other, 0] for other in keys}) for key in keys})
    assert graph is not None
    assert len(list(graph.upstream(graph.nodes["0"], lambda node, name: True))) == len(keys)
    chain = graph_of({str(n): node("X", model=[str(n + 1), 0]) for n in range(5_000)})
    assert chain is not None
    assert len(list(chain.upstream(chain.nodes["0"], lambda node, name: True))) <= MOST_STEPS


_IDS = st.sampled_from(["1", "2", "3", "4"])
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
)
_INPUTS = st.dictionaries(
    st.sampled_from(["seed", "steps", "cfg", "sampler_name", "scheduler", "denoise", "positive", "negative", "model",
                     "latent_image", "samples", "text", "text_g", "lora_name", "strength_model", "ckpt_name", "width",
                     "guider", "sigmas", "noise", "conditioning", "string_a", "value", "scale_by", "vae"]),
    st.tuples(_IDS, st.integers(0, 2)).map(list) | _SCALARS | st.lists(_SCALARS, max_size=3),
)  # fmt: skip
_KINDS = st.sampled_from(["KSampler", "CLIPTextEncode", "SaveImage", "LatentUpscaleBy", "VAEDecode", "LoraLoader",
                          "ConditioningCombine", "LoadImage", "Reroute"])  # fmt: skip
_NODES = st.fixed_dictionaries({"class_type": _KINDS, "inputs": _INPUTS})


@given(st.dictionaries(_IDS, _NODES | _SCALARS, max_size=4))
def test_any_graph_is_read(graph: Graph) -> None:
    found = foreign.read({"prompt": json.dumps(graph)})
    assert found is None or isinstance(found.recipe().prompt, str)


@pytest.mark.parametrize(
    "text", ["", "null", "[]", '{"a": 1}', '{"a": {"class_type": 1, "inputs": []}}', "[" * 99_999]
)
def test_what_is_no_graph(text: str) -> None:
    assert foreign.read({"prompt": text}) is None
