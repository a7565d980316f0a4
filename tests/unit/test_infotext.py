"""The `parameters` text: written as others write it, read whatever is in it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdcore.spec import infotext
from sdcore.spec.recipe import Recipe
from tests.unit.recipes import recipes


def test_is_written_as_the_web_ui_does() -> None:
    recipe = Recipe(
        prompt="a house\nat night",
        negative_prompt="blurry",
        width=512,
        height=768,
        guidance_scale=7.0,
        seed=1632,
        sampler="DPM++ 2M",
        schedule="SGM uniform",
    )
    assert infotext.write(recipe, model_hash="0123456789", version="sdtui 1") == (
        "a house\nat night\n"
        "Negative prompt: blurry\n"
        "Steps: 30, Sampler: DPM++ 2M, Schedule type: SGM Uniform, CFG scale: 7, Seed: 1632, Size: 512x768, "
        "Model hash: 0123456789, Model: tiny, RNG: CPU, Version: sdtui 1"
    )


def test_what_acts_is_written_under_the_names_of_the_web_ui() -> None:
    varied = Recipe(
        vae="sdxl.vae.safetensors", clip_skip=2, rng="gpu", emphasis="no norm", guidance_rescale=0.7,
        variation_seed=9, variation_strength=0.25, hires_scale=1.5, hires_steps=12, hires_strength=0.4,
    )  # fmt: skip
    assert (
        infotext.write(varied)
        .splitlines()[-1]
        .endswith(
            "Model: tiny, VAE: sdxl.vae.safetensors, Variation seed: 9, Variation seed strength: 0.25, Clip skip: 2, "
            "RNG: NV, Denoising strength: 0.4, Hires upscale: 1.5, Hires steps: 12, Hires upscaler: Latent, "
            "Emphasis: No norm, CFG Rescale: 0.7"
        )
    )
    assert ", Model: tiny, VAE hash: 0123456789, VAE: soft, " in infotext.write(
        Recipe(vae="/a/soft.safetensors"), vae_hash="0123456789"
    )
    painted = Recipe(init_image="input:0123456789abcdef", mask_image="/a/b.png", strength=0.6, mask_blur=8)
    assert (
        infotext.write(painted)
        .splitlines()[-1]
        .endswith(
            'Model: tiny, Denoising strength: 0.6, Init image: "input:0123456789abcdef", Mask image: /a/b.png, '
            "Mask blur: 8, RNG: CPU"
        )
    )


def test_what_does_not_act_is_not_written() -> None:
    idle = Recipe(strength=0.3, mask_blur=9, hires_steps=5, hires_strength=0.9, variation_seed=4)
    assert infotext.write(idle) == infotext.write(Recipe())


def test_the_values_of_others_that_are_none_of_ours_are_kept() -> None:
    facts = infotext.read(
        "p\nSteps: 20, Sampler: Euler, Seed: 1, Denoising strength: 0.5, RNG: CPU, Hires upscale: 2, "
        "Hires upscaler: R-ESRGAN 4x+, Emphasis: Mystery"
    )
    assert facts is not None
    assert (facts.rng, facts.hires_scale, facts.hires_strength) == ("cpu", 2.0, 0.5)
    assert (facts.hires_upscaler, facts.emphasis) == (None, None)
    assert facts.extra == {"Hires upscaler": "R-ESRGAN 4x+", "Emphasis": "Mystery"}


def test_only_values_that_need_it_are_quoted() -> None:
    line = infotext.write(Recipe(model="a: b, c"))
    assert 'Model: "a: b, c"' in line
    assert line.count('"') == 2


def _plain(text: str) -> bool:
    """Whether the text form can hold this prompt: no line of it is taken for the negative one."""
    return not re.search("^Negative prompt:", text, re.MULTILINE)


@given(recipes())
def test_every_recipe_reads_back_equal(recipe: Recipe) -> None:
    facts = infotext.read(infotext.write(recipe, model_hash="0123456789", version="sdtui 1"))
    assert facts is not None
    assert facts.model_hash == "0123456789"
    assert facts.writer == "sdtui"
    again = facts.recipe()
    # What the text cannot hold; our images carry a record that can.
    same = {name: ref for name in ("model", "vae") if (ref := getattr(recipe, name)).startswith("/")}
    if not _plain(recipe.prompt):
        same |= {"prompt": recipe.prompt, "negative_prompt": recipe.negative_prompt}
    assert {**_fields(again), **same} == _fields(recipe)


@pytest.mark.parametrize(
    ("ref", "written"),
    [("/home/me/models/dream.safetensors", "dream"), ("/models/dream-xl/", "dream-xl"), ("tiny", "tiny")],
)
def test_a_model_is_named_without_its_folders(ref: str, written: str) -> None:
    assert f"Model: {written}, VAE: {written}," in infotext.write(Recipe(model=ref, vae=ref))


def test_the_web_ui_draws_as_a_gpu_unless_it_says_otherwise() -> None:
    said = "p\nSteps: 20, Sampler: Euler, Seed: 1, Size: 64x64"
    silent, named = infotext.read(said), infotext.read(f"{said}, RNG: CPU")
    assert silent is not None
    assert named is not None
    assert (silent.rng, silent.recipe().rng, named.recipe().rng) == (None, "gpu", "cpu")


def _fields(recipe: Recipe) -> dict[str, object]:
    return {name: getattr(recipe, name) for name in Recipe.__struct_fields__}


def test_a_text_of_the_web_ui() -> None:
    facts = infotext.read(
        "masterpiece, <lora:x:0.8>\nNegative prompt: bad, (worse:1.2)\nmany lines\n"
        "Steps: 28, Sampler: DPM++ 2M Karras, CFG scale: 5.5, Seed: 42, Face restoration: CodeFormer, "
        "Size: 512x768, "
        "Model hash: 6ce0161689, Model: v1-5-pruned, Denoising strength: 0.45, Clip skip: 2, ENSD: 31337, "
        'Hires upscale: 2, Lora hashes: "x: 0123, y: 4567", Version: v1.9.4'
    )
    assert facts is not None
    assert facts.prompt == "masterpiece, <lora:x:0.8>"
    assert facts.negative_prompt == "bad, (worse:1.2)\nmany lines"
    assert (facts.sampler, facts.schedule) == ("DPM++ 2M", "Karras")
    assert (facts.steps, facts.guidance_scale, facts.seed, facts.width, facts.height) == (
        28,
        5.5,
        42,
        512,
        768,
    )
    assert (facts.model, facts.model_hash) == ("v1-5-pruned", "6ce0161689")
    assert (facts.strength, facts.clip_skip) == (0.45, 2)
    assert (facts.hires_scale, facts.hires_strength, facts.hires_steps) == (2.0, 0.45, None)
    assert facts.writer == "A1111"
    assert facts.extra == {
        "Face restoration": "CodeFormer",
        "ENSD": "31337",
        "Lora hashes": "x: 0123, y: 4567",
        "Version": "v1.9.4",
    }


@pytest.mark.parametrize(
    ("sampler", "ours"),
    [
        ("Euler a", ("Euler a", None)),
        ("LMS Karras", ("LMS", "Karras")),
        ("DPM++ 2M SDE Exponential", ("DPM++ 2M SDE", "exponential")),
        ("DPM++ 3M SDE Karras", ("DPM++ 3M SDE", "Karras")),
        ("Restart", ("Restart", None)),
    ],
)
def test_older_texts_fold_the_schedule_into_the_sampler(sampler: str, ours: tuple[str, str | None]) -> None:
    facts = infotext.read(f"p\nSteps: 20, Sampler: {sampler}, Seed: 1")
    assert facts is not None
    assert (facts.sampler, facts.schedule) == ours


@pytest.mark.parametrize(
    "name", ["Karras", "Exponential", "SGM Uniform", "Align Your Steps", "Automatic", "Beta", "Simple"]
)
def test_schedules_by_their_names_there(name: str) -> None:
    facts = infotext.read(f"p\nSteps: 20, Sampler: Euler, Schedule type: {name}")
    assert facts is not None
    assert facts.schedule in {"Karras", "exponential", "SGM uniform", "Align Your Steps", "automatic", "beta"}


@pytest.mark.parametrize(
    "text", ["", "a prompt", "a\nSteps: 20, Seed: 1", "Steps: 20", "\n\n\n", ", , ,", ":::"]
)
def test_fewer_than_three_pairs_are_no_parameters(text: str) -> None:
    assert infotext.read(text) is None


def test_values_that_a_field_cannot_take_are_kept() -> None:
    facts = infotext.read(
        f"p\nSteps: many, Sampler: Euler, CFG scale: inf, Seed: {'9' * 5000}, Size: 1x, Clip skip: 1.5"
    )
    assert facts is not None
    assert facts.steps is facts.guidance_scale is facts.seed is facts.width is facts.clip_skip is None
    assert set(facts.extra) == {"Steps", "CFG scale", "Seed", "Size", "Clip skip"}


@pytest.mark.parametrize(
    ("line", "pairs"),
    [
        ('ab: "x, \\"y\\"", cd: 1', {"ab": 'x, "y"', "cd": "1"}),
        ('ab: "torn, cd: 1', {"ab": '"torn', "cd": "1"}),
        ("ab: [7, 8, 9], cd: 1", {"ab": "[7, 8, 9]", "cd": "1"}),
        ('ab: {"k": [1, "cd: 2"]}, ef: 1', {"ab": '{"k": [1, "cd: 2"]}', "ef": "1"}),
        ("ab: x, y, cd: 1", {"ab": "x, y", "cd": "1"}),
        ("junk, ab: 2020-01-01T10:20:30Z, cd: ", {"ab": "2020-01-01T10:20:30Z", "cd": ""}),
        ('ab: "x" y, cd: 1', {"ab": '"x" y', "cd": "1"}),
        ("ab: 1, cd: 2, ab: 3", {"ab": "1, 3", "cd": "2"}),
    ],
)
def test_pairs(line: str, pairs: dict[str, str]) -> None:
    assert infotext.read_pairs(line) == pairs


@pytest.mark.parametrize(
    "unit",
    ["a", ",", "a: [", 'a: "', 'a: "\\', "a: [[[[", 'a: {"b":', "a: b,", ", , ", "a-", " ", '"a: [",', "\\"],
)
def test_work_grows_linearly(unit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice the text may cost about twice the calls, never four times: counted, not timed."""
    import sys

    def calls(length: int) -> int:
        count = 0

        def see(frame: object, event: str, argument: object) -> None:
            nonlocal count
            count += event in ("call", "c_call")

        line = (unit * length)[:length]
        sys.setprofile(see)
        try:
            infotext.read_pairs(line)
        finally:
            sys.setprofile(None)
        return count

    assert calls(8000) <= 2.5 * calls(4000) + 100


@given(st.text(max_size=200) | st.text(alphabet='ab:, "\\[]{}\n', max_size=200))
def test_reading_never_fails(text: str) -> None:
    facts = infotext.read(f"p\n{text}")
    assert facts is None or facts.prompt is not None


def test_a_huge_text_is_cut_at_its_beginning() -> None:
    facts = infotext.read("x" * 1_000_000 + "\nSteps: 20, Sampler: Euler, Seed: 1")
    assert facts is not None
    assert facts.steps == 20
    assert facts.prompt is not None
    assert len(facts.prompt) < infotext.MAX_TEXT
