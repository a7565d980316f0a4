"""The metadata of other programs, written here as each of them writes it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdcore.spec import choices, foreign
from sdcore.spec.facts import ImageFacts
from sdcore.spec.foreign.names import NEAREST, sampler_named, schedule_named
from sdcore.spec.recipe import Recipe


def read(**texts: str) -> ImageFacts:
    found = foreign.read(texts)
    assert found is not None
    return found


INVOKE: dict[str, Any] = {
    "app_version": "5.4.2", "generation_mode": "sdxl_txt2img", "positive_prompt": "a robot",
    "negative_prompt": "blurry",
    "width": 1184, "height": 888, "seed": 591741300, "rand_device": "cpu", "cfg_scale": 5.0,
    "cfg_rescale_multiplier": 0.0, "steps": 30, "scheduler": "dpmpp_2m_sde_k", "clip_skip": 0,
    "model": {"key": "db73", "hash": "blake3:8967", "name": "dream", "base": "sdxl", "type": "main"},
    "loras": [{"model": {"key": "1", "name": "ink", "base": "sdxl"}, "weight": 0.75}], "positive_style_prompt": "oil",
}  # fmt: skip


def test_invokeai() -> None:
    facts = read(invokeai_metadata=json.dumps(INVOKE), invokeai_graph="{}")
    assert (facts.writer, facts.prompt, facts.negative_prompt) == (
        "InvokeAI",
        "a robot <lora:ink:0.75>",
        "blurry",
    )
    assert (facts.width, facts.height, facts.seed, facts.steps) == (1184, 888, 591741300, 30)
    assert (facts.sampler, facts.schedule, facts.guidance_scale) == ("DPM++ 2M SDE", "Karras", 5.0)
    assert (facts.model, facts.clip_skip, facts.rng) == ("dream", 1, "cpu")
    assert facts.extra["model"]["hash"] == "blake3:8967"
    assert facts.extra["positive_style_prompt"] == "oil"
    assert "seed" not in facts.extra


def test_invokeai_3_names_its_models_otherwise() -> None:
    about = {
        **INVOKE,
        "model": {"model_name": "amixx", "base_model": "sd-1"},
        "vae": {"model_name": "ft-mse"},
        "loras": [{"lora": {"model_name": "ink"}, "weight": 1}],
    }
    facts = read(invokeai_metadata=json.dumps(about))
    assert (facts.model, facts.vae, facts.prompt) == ("amixx", "ft-mse", "a robot <lora:ink:1>")


def test_invokeai_2() -> None:
    about = {
        "model": "stable diffusion", "model_weights": "stable-diffusion-1.5", "model_hash": "cc6cb271",
        "app_version": "2.2",
        "image": {"prompt": [{"prompt": "a house [fog, rain]", "weight": 1.0}], "steps": 50, "cfg_scale": 7.5,
                  "width": 512, "height": 640, "seed": 42, "sampler": "k_euler_a", "threshold": 0, "type": "txt2img"},
    }  # fmt: skip
    facts = read(**{"sd-metadata": json.dumps(about), "Dream": '"a house" -s 1 -S 2'})
    assert (facts.writer, facts.prompt, facts.negative_prompt) == ("InvokeAI", "a house", "fog, rain")
    assert (facts.steps, facts.seed, facts.sampler, facts.model) == (
        50,
        42,
        "Euler a",
        "stable-diffusion-1.5",
    )
    assert facts.extra["type"] == "txt2img"
    assert facts.extra["app_version"] == "2.2"


@pytest.mark.parametrize(
    "line",
    [
        '"a house [fog]" -s 50 -S 42 -W 512 -H 640 -C 7.5 -A k_lms --perlin 0.1',
        '"a house [fog]" -s50 -S42 -W512 -H640 -C7.5 -Ak_lms --perlin 0.1',
    ],
)
def test_the_command_line_of_invokeai_1(line: str) -> None:
    facts = read(Dream=line)
    assert (facts.prompt, facts.negative_prompt, facts.steps, facts.seed) == ("a house", "fog", 50, 42)
    assert (facts.width, facts.height, facts.guidance_scale, facts.sampler) == (512, 640, 7.5, "LMS")
    assert "--perlin" in facts.extra


SWARM: dict[str, Any] = {
    "sui_image_params": {
        "prompt": "a cat", "model": "Official/sd_xl_base_1.0", "seed": "1", "steps": 20, "cfgscale": "7.0",
        "aspectratio": "1:1", "width": 1024, "height": 1024, "sampler": "dpmpp_2m_sde_gpu", "scheduler": "karras",
        "negativeprompt": "", "loras": ["ink", "oil"], "loraweights": "0.5,1", "swarm_version": "0.9.3.1",
        "clipstopatlayer": -2,
    },
    "sui_extra_data": {"date": "2024-11-13", "generation_time": "6 seconds"},
    "sui_models": [{"name": "sd_xl_base_1.0.safetensors", "param": "model", "hash": "0x31e35c80fc4829d14f90"}],
}  # fmt: skip


@pytest.mark.parametrize("chunk", ["parameters", "UserComment"])
def test_swarm(chunk: str) -> None:
    facts = read(**{chunk: json.dumps(SWARM, indent=2)})
    assert (facts.writer, facts.prompt) == ("SwarmUI", "a cat <lora:ink:0.5> <lora:oil:1>")
    assert (facts.negative_prompt, facts.seed, facts.steps, facts.guidance_scale) == ("", 1, 20, 7.0)
    assert (facts.sampler, facts.schedule, facts.clip_skip) == ("DPM++ 2M SDE", "Karras", 2)
    assert (facts.model, facts.model_hash) == ("sd_xl_base_1.0", "31e35c80fc")
    assert facts.extra["swarm_version"] == "0.9.3.1"
    assert facts.extra["date"] == "2024-11-13"
    assert facts.recipe().emphasis == "ComfyUI"


FOOOCUS: dict[str, Any] = {
    "adm_guidance": "(1.5, 0.8, 0.3)", "base_model": "juggernautXL_v8", "base_model_hash": "aeb7e9e689",
    "created_by": "me",
    "full_negative_prompt": ["unreal"], "full_prompt": ["cinematic a cat"], "guidance_scale": 4.0,
    "lora_combined_1": "offset : 0.1", "loras": [["offset", 0.1, "4852686128"]], "negative_prompt": "ugly",
    "performance": "Speed", "prompt": "a cat", "refiner_model": "None", "refiner_switch": 0.5,
    "resolution": "(896, 1152)", "sampler": "dpmpp_2m_sde_gpu", "scheduler": "karras", "seed": "4159895726312427221",
    "sharpness": 2.0, "steps": 30, "styles": "['Fooocus V2']", "vae": "Default (model)", "version": "Fooocus v2.3.1",
}  # fmt: skip


def test_fooocus() -> None:
    facts = read(parameters=json.dumps(FOOOCUS), fooocus_scheme="fooocus")
    assert (facts.writer, facts.prompt, facts.negative_prompt) == (
        "Fooocus",
        "a cat <lora:offset:0.1>",
        "ugly",
    )
    assert (facts.width, facts.height, facts.seed, facts.steps) == (896, 1152, 4159895726312427221, 30)
    assert (facts.sampler, facts.schedule, facts.guidance_scale) == ("DPM++ 2M SDE", "Karras", 4.0)
    assert (facts.model, facts.model_hash, facts.vae) == ("juggernautXL_v8", "aeb7e9e689", None)
    assert facts.extra["full_prompt"] == ["cinematic a cat"]
    assert facts.extra["vae"] == "Default (model)"
    assert (
        read(UserComment=json.dumps(FOOOCUS), MakerNote="fooocus", Software="Fooocus v2").prompt
        == facts.prompt
    )


def test_fooocus_in_the_scheme_of_the_web_ui() -> None:
    text = (
        "cinematic a cat\nNegative prompt: unreal, ugly\n"
        "Steps: 30, Sampler: DPM++ 2M SDE Karras, Seed: 7, Size: 896x1152, CFG scale: 4.0, Sharpness: 2.0, "
        'ADM Guidance: "(1.5, 0.8, 0.3)", Model: juggernautXL_v8, Model hash: aeb7e9e689, Performance: Speed, '
        'Scheduler: karras, VAE: Default (model), Raw prompt: "a cat,\\na dog", Raw negative prompt: ugly, '
        'Lora hashes: "offset: 4852686128", Lora weights: "offset: 0.1", Version: Fooocus v2.3.1'
    )
    facts = read(parameters=text, fooocus_scheme="a1111")
    assert (facts.writer, facts.prompt) == ("Fooocus", "a cat,\na dog <lora:offset:0.1>")
    assert (facts.negative_prompt, facts.sampler, facts.schedule) == ("ugly", "DPM++ 2M SDE", "Karras")
    assert facts.extra["full_prompt"] == "cinematic a cat"
    assert facts.extra["Sharpness"] == "2.0"
    assert read(parameters=text).writer == "Fooocus"


def test_the_titles_of_older_fooocus() -> None:
    said = {"Prompt": "a cat", "Negative Prompt": "ugly", "Resolution": "(896, 1152)", "Sharpness": 2.0, "Seed": 7,
            "Performance": "Speed", "Styles": "[]", "Base Model": "j.safetensors",
            "LoRA 1": "x.safetensors : 0.5"}  # fmt: skip
    facts = read(Comment=json.dumps(said))
    assert (facts.writer, facts.prompt, facts.model) == ("Fooocus", "a cat <lora:x:0.5>", "j")
    assert (facts.width, facts.height, facts.seed) == (896, 1152, 7)


NAI: dict[str, Any] = {
    "prompt": "{castle}, hill", "steps": 28, "height": 1216, "width": 832, "scale": 5.0, "uncond_scale": 1.0,
    "cfg_rescale": 0.2, "seed": 3816166865, "n_samples": 1, "noise_schedule": "native", "sampler": "k_euler_ancestral",
    "sm": False, "uc": "lowres, {bad}", "strength": 0.6, "request_type": "PromptGenerateRequest",
}  # fmt: skip


def test_novelai() -> None:
    source = "Stable Diffusion XL C1E1DE52"
    facts = read(Software="NovelAI", Source=source, Description="{castle}, hill", Comment=json.dumps(NAI))
    assert (facts.writer, facts.prompt, facts.negative_prompt) == (
        "NovelAI",
        "{castle}, hill",
        "lowres, {bad}",
    )
    assert (facts.sampler, facts.schedule, facts.seed, facts.steps) == (
        "Euler a",
        "automatic",
        3816166865,
        28,
    )
    assert (facts.guidance_scale, facts.guidance_rescale) == (5.0, 0.2)
    assert (facts.width, facts.height, facts.model) == (832, 1216, source)
    assert (facts.strength, facts.extra["strength"]) == (None, 0.6)
    assert facts.extra["sm"] is False


def test_novelai_1_has_its_prompt_beside_and_4_a_prompt_for_each_character() -> None:
    first = {"steps": 28, "sampler": "plms", "seed": 1, "strength": 0.69, "scale": 11.0, "uc": "lowres"}
    facts = read(Software="NovelAI", Description="a hill", Comment=json.dumps(first))
    assert (facts.prompt, facts.sampler, facts.strength) == ("a hill", "PLMS", 0.69)
    caption = {
        "caption": {
            "base_caption": "two girls",
            "char_captions": [{"char_caption": "red"}, {"char_caption": "blue"}],
        }
    }
    fourth = {**NAI, "v4_prompt": caption, "v4_negative_prompt": {"caption": {"base_caption": "bad"}}}
    facts = read(Software="NovelAI", Comment=json.dumps(fourth))
    assert (facts.prompt, facts.negative_prompt) == ("two girls | red | blue", "bad")


def test_novelai_in_webp_has_all_chunks_in_one() -> None:
    whole = {"Software": "NovelAI", "Source": "NovelAI V4", "Description": "d", "Comment": json.dumps(NAI)}
    facts = read(UserComment=json.dumps(whole))
    assert (facts.writer, facts.model, facts.seed) == ("NovelAI", "NovelAI V4", 3816166865)


def test_stable_diffusion_cpp() -> None:
    facts = read(
        parameters="A field\nNegative prompt: Blue sky\nSteps: 30, CFG scale: 5.000000, SLG scale: 5.0, "
        "Skip layers: [7, 8, 9, ], Skip layer start: 0.01, Guidance: 3.500000, Eta: 0.000000, Seed: 197583933, "
        "Size: 512x512, Model: v1-5-pruned.safetensors, RNG: cuda, Sampler: dpm++2m karras, TE: clip_l.safetensors, "
        "TE: t5.safetensors, VAE: ae.safetensors, Clip skip: 2, Version: stable-diffusion.cpp, "
        'SDCPP: {"seed": 197583933, "extra": ["a, b: c"]}'
    )
    assert (facts.writer, facts.prompt, facts.negative_prompt) == (
        "stable-diffusion.cpp",
        "A field",
        "Blue sky",
    )
    assert (facts.sampler, facts.schedule, facts.rng) == ("DPM++ 2M", "Karras", "gpu")
    assert (facts.steps, facts.guidance_scale, facts.seed, facts.clip_skip) == (30, 5.0, 197583933, 2)
    assert (facts.model, facts.vae) == ("v1-5-pruned", "ae")
    assert facts.extra["Skip layers"] == "[7, 8, 9, ]"
    assert facts.extra["TE"] == "clip_l.safetensors, t5.safetensors"
    assert facts.extra["SDCPP"] == {"seed": 197583933, "extra": ["a, b: c"]}


@pytest.mark.parametrize(
    ("version", "writer", "rng"),
    [("v1.9.4", "A1111", "gpu"), ("f2.0.1v1.10.1-previous-1", "Forge", "gpu"), ("ComfyUI", "ComfyUI", "cpu")],
)
def test_who_wrote_the_text_of_the_web_ui(version: str, writer: str, rng: str) -> None:
    facts = read(parameters=f"a\nSteps: 20, Sampler: Euler, Seed: 1, Version: {version}")
    assert (facts.writer, facts.recipe().rng) == (writer, rng)


def test_scripts_around_diffusers() -> None:
    one = {"prompt": "a dog", "negative_prompt": "", "num_inference_steps": 25, "guidance_scale": 6.5, "seed": 4,
           "model_id": "stabilityai/sdxl-turbo", "scheduler": {"_class_name": "EulerDiscreteScheduler"}, "eta": 0.0,
           "clip_skip": 1, "lora_scale": None}  # fmt: skip
    for chunk in ("metadata", "parameters", "Comment", "UserComment"):
        facts = read(**{chunk: json.dumps(one)})
        assert (facts.writer, facts.prompt, facts.steps, facts.guidance_scale) == (
            "diffusers",
            "a dog",
            25,
            6.5,
        )
        assert (facts.model, facts.sampler, facts.clip_skip) == ("stabilityai/sdxl-turbo", "Euler", 2)
        assert facts.extra == {"eta": 0.0}
    apart = read(prompt="a dog", steps="25", seed="4", model="/models/dream.safetensors", author="me")
    assert (apart.writer, apart.steps, apart.model, apart.extra) == (
        "diffusers",
        25,
        "dream",
        {"author": "me"},
    )


def test_draw_things() -> None:
    said = {"c": "a lake", "uc": "people", "steps": 20, "scale": 4.5, "seed": 9, "sampler": "DPM++ 2M Karras",
            "model": "sd_xl_base_1.0_f16.ckpt", "size": "1024x768", "v2": {"hiresFix": False}}  # fmt: skip
    facts = read(**{"XMP UserComment": json.dumps(said)})
    assert (facts.writer, facts.prompt, facts.negative_prompt) == ("Draw Things", "a lake", "people")
    assert (facts.sampler, facts.schedule, facts.model) == ("DPM++ 2M", "Karras", "sd_xl_base_1.0_f16")
    assert (facts.width, facts.height, facts.extra) == (1024, 768, {"v2": {"hiresFix": False}})


@pytest.mark.parametrize(
    "texts",
    [{}, {"Software": "GIMP"}, {"Comment": "Created with GIMP"}, {"prompt": "a caption"}, {"Description": "a cat"},
     {"Comment": '{"title": "x"}'}, {"parameters": "a caption"}, {"ImageDescription": "OLYMPUS DIGITAL CAMERA"},
     {"parameters": json.dumps({"prompt": "alone"})}],
)  # fmt: skip
def test_what_says_nothing_of_how_it_was_made(texts: dict[str, str]) -> None:
    assert foreign.read(texts) is None


def test_every_name_of_a_sampler_leads_to_one_of_ours() -> None:
    ours = {choice.name for choice in choices.SAMPLERS}
    assert set(NEAREST.values()) <= ours
    assert not any(sampler_named(name) for name in NEAREST)


@pytest.mark.parametrize(
    ("name", "meant"),
    [("DPM++ 2M Karras", ("DPM++ 2M", "Karras")), ("k_euler_a", ("Euler a", None)), ("dpmpp_2m", ("DPM++ 2M", None)),
     ("lms_k", ("LMS", "Karras")), ("euler karras", ("Euler", "Karras")),
     ("dpm++2m sgm_uniform", ("DPM++ 2M", "SGM uniform")),
     ("DPM++ 2M AYS", ("DPM++ 2M", "Align Your Steps")), ("Euler A Trailing", None), ("", None), ("_k", None)],
)  # fmt: skip
def test_names_of_samplers(name: str, meant: tuple[str, str | None] | None) -> None:
    assert sampler_named(name) == meant


@pytest.mark.parametrize(
    ("name", "meant"),
    [("normal", "automatic"), ("karras", "Karras"), ("sgm_uniform", "SGM uniform"), ("simple", "SGM uniform"),
     ("ays", "Align Your Steps"), ("polyexponential", "exponential"), ("kl_optimal", None)],
)  # fmt: skip
def test_names_of_schedules(name: str, meant: str | None) -> None:
    assert schedule_named(name) == meant


_CHUNKS = st.sampled_from(
    [name for name, _ in foreign.READERS] + ["Software", "fooocus_scheme", "MakerNote", "Source"]
)
_KEYS = st.sampled_from(sorted({*INVOKE, *SWARM, *SWARM["sui_image_params"], *FOOOCUS, *NAI, "image", "Comment",
                                "v4_prompt", "caption", "c", "uc", "scheduler", "hash", "param", "lora"}))  # fmt: skip
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=10)
    | st.sampled_from(["1e999", "9" * 400, "\ud800", "k_euler", "(1, 2)", "NovelAI"])
)
_JSON = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(_KEYS | st.text(max_size=4), inner, max_size=6)
    ),
    max_leaves=20,
)


@given(st.dictionaries(_CHUNKS, _JSON.map(json.dumps) | st.text(max_size=60), max_size=4))
def test_any_texts_are_read(texts: dict[str, str]) -> None:
    found = foreign.read(texts)
    if found is not None:
        json.dumps(found.extra, allow_nan=False)
        assert isinstance(found.recipe(), Recipe)
        for name in ("steps", "seed", "width"):
            assert isinstance(getattr(found, name), int | None)


@pytest.mark.parametrize("chunk", sorted({name for name, _ in foreign.READERS}))
@pytest.mark.parametrize(
    "text",
    ["[" * 500_000, '{"a":' * 200_000, '"' * 900_000, "[" + "9" * 900_000, "- " * 300_000],
    ids=["lists", "objects", "quotes", "digits", "flags"],
)
def test_hostile_texts_are_read(chunk: str, text: str) -> None:
    assert foreign.read({chunk: text}) is None
