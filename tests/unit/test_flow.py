"""The flow families, SD3 and Flux: equal to the official pipelines, exact to fork, and honest about their limits."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from diffusers import (
    DPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    FlowMatchHeunDiscreteScheduler,
    FluxImg2ImgPipeline,
    FluxPipeline,
    StableDiffusion3Img2ImgPipeline,
    StableDiffusion3Pipeline,
    UniPCMultistepScheduler,
)
from PIL import Image

from sdcore.diffusion import flow, preview
from sdcore.diffusion.families.flux import packed, places, unpacked
from sdcore.diffusion.fork import ForkError, fork
from sdcore.diffusion.images import to_images
from sdcore.diffusion.loop import Step, sample
from sdcore.diffusion.model import Model
from sdcore.diffusion.samplers import Sampler, make_sampler
from sdcore.diffusion.scaling import latents_at, network_input
from sdcore.diffusion.trace import Trace, start
from sdcore.diffusion.views import ViewError, ViewRequest, make_view
from sdcore.opening import open_model
from sdcore.spec import choices
from sdcore.spec.prompt import Weighted
from sdcore.spec.recipe import Recipe, RecipeError
from sdcore.spec.views import LatentsView, TextView
from tests.models.flow import T5_LENGTH, make_flux, make_sd3

MAKERS: dict[str, Callable[[Path], Path]] = {
    "sd3": make_sd3,
    "sd3.5": lambda folder: make_sd3(folder, t5=False, dual_attention_layers=(0,), qk_norm="rms_norm"),
    "flux-dev": make_flux,
    "flux-schnell": lambda folder: make_flux(folder, schnell=True),
}
MULTISTEP = {"DPM++ 2M": DPMSolverMultistepScheduler, "UniPC": UniPCMultistepScheduler}
FLOW = [choice for choice in choices.SAMPLERS if choice.flow_schedules]
PAIRS = [(choice.name, schedule) for choice in FLOW for schedule in choice.flow_schedules]
CUSTOM_SIGMAS = (1.0, 0.8, 0.5, 0.2)
TENSORS = ("latents", "noise_pred_text", "noise_pred_uncond", "noise_pred", "denoised", "next_latents")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    home = tmp_path_factory.mktemp("flow")
    return {name: make(home / name) for name, make in MAKERS.items()}


@pytest.fixture(scope="module")
def models(folders: dict[str, Path]) -> dict[str, Model]:
    return {name: open_model(folder, device="cpu") for name, folder in folders.items()}


@pytest.fixture(scope="module")
def pipelines(folders: dict[str, Path]) -> dict[str, Any]:
    made = {}
    for name, path in folders.items():
        kind = FluxPipeline if name.startswith("flux") else StableDiffusion3Pipeline
        left_out = {"text_encoder_3": None, "tokenizer_3": None} if name == "sd3.5" else {}
        made[name] = kind.from_pretrained(path, **left_out)
    for pipe in made.values():
        pipe.set_progress_bar_config(disable=True)
    return made


def recipe(**changes: Any) -> Recipe:
    plain = Recipe(
        prompt="a red house", negative_prompt="light", width=64, height=96, steps=4, guidance_scale=3.0, seed=5,
        sampler="Euler",
    )  # fmt: skip
    return msgspec.structs.replace(plain, **changes)


def planned(model: Model, asked: Recipe) -> Sampler:
    size = asked.width, asked.height
    return make_sampler(asked.sampler, asked.schedule, asked.steps, asked.sigmas, model.training_noise, size)


def last(model: Model, asked: Recipe) -> Step:
    return list(sample(model, asked))[-1]


def official(pipe: Any, asked: Recipe, scheduler: Any = None) -> torch.Tensor:
    """The final latents of diffusers' own pipeline, unpacked."""
    own, pipe.scheduler = pipe.scheduler, scheduler or type(pipe.scheduler).from_config(pipe.scheduler.config)
    sd3 = isinstance(pipe, StableDiffusion3Pipeline)
    try:
        latents = pipe(
            asked.prompt, **({"negative_prompt": asked.negative_prompt} if sd3 else {}), width=asked.width,
            height=asked.height, num_inference_steps=asked.steps, guidance_scale=asked.guidance_scale,
            num_images_per_prompt=asked.batch_size, output_type="latent",
            generator=[torch.Generator().manual_seed(asked.seed + j) for j in range(asked.batch_size)],
            max_sequence_length=256 if sd3 and pipe.text_encoder_3 is None else T5_LENGTH,
        ).images  # fmt: skip
    finally:
        pipe.scheduler = own
    return latents if sd3 else pipe._unpack_latents(latents, asked.height, asked.width, pipe.vae_scale_factor)


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize(
    "changes",
    [
        {}, {"guidance_scale": 1.0}, {"negative_prompt": ""}, {"batch_size": 2}, {"width": 80, "height": 64},
        {"steps": 1}, {"prompt": ""}, {"prompt": "a house of light, " * 3},
    ],
    ids=["guided", "unguided", "no-negative", "batch", "odd-size", "one-step", "empty", "past-t5"],
)  # fmt: skip
def test_equal_to_the_official_pipeline(
    models: dict[str, Model], pipelines: dict[str, Any], name: str, changes: dict[str, Any]
) -> None:
    asked = recipe(**changes)
    assert torch.equal(last(models[name], asked).next_latents, official(pipelines[name], asked))


def test_the_picture_is_the_official_one(models: dict[str, Model], pipelines: dict[str, Any]) -> None:
    for name, model in models.items():
        latents = last(model, recipe()).next_latents
        vae = pipelines[name].vae
        with torch.inference_mode():
            pixels = vae.decode(latents / vae.config.scaling_factor + vae.config.shift_factor).sample
        assert vae.config.shift_factor > 0
        assert model.decode(latents)[0].tobytes() == to_images(pixels)[0].tobytes()
        again = (model.encode(to_images(pixels)) / vae.config.scaling_factor) + vae.config.shift_factor
        assert torch.isfinite(again).all()
        assert again.shape == (1, 16, 12, 8)


def scheduler_of(pipe: Any, sampler: str) -> Any:
    """diffusers' scheduler for a flow sampler, set up here by hand."""
    own = pipe.scheduler.config
    if sampler == "Heun":
        return FlowMatchHeunDiscreteScheduler(shift=own.shift)
    return MULTISTEP[sampler](
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=own.shift,
        use_dynamic_shifting=own.use_dynamic_shifting,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "sampler"),
    [(name, sampler) for name in ("sd3", "flux-dev") for sampler in MULTISTEP] + [("sd3", "Heun")],
)
def test_equal_with_every_scheduler_that_the_pipelines_can_take(
    models: dict[str, Model], pipelines: dict[str, Any], name: str, sampler: str
) -> None:
    asked = recipe(sampler=sampler, steps=6)
    expected = official(pipelines[name], asked, scheduler_of(pipelines[name], sampler))
    assert torch.equal(last(models[name], asked).next_latents, expected)


@pytest.mark.parametrize("name", ["sd3", "flux-dev", "flux-schnell"])
@pytest.mark.parametrize("schedule", ["Karras", "exponential", "beta"])
def test_equal_on_every_schedule_that_the_scheduler_knows(
    models: dict[str, Model], pipelines: dict[str, Any], name: str, schedule: str
) -> None:
    pipe, asked = pipelines[name], recipe(schedule=schedule, steps=5)
    flag = {f"use_{schedule.casefold()}_sigmas": True}
    expected = official(pipe, asked, type(pipe.scheduler).from_config(pipe.scheduler.config, **flag))
    assert torch.equal(last(models[name], asked).next_latents, expected)


def test_the_shift_of_dev_grows_with_the_image_and_that_of_sd3_does_not(models: dict[str, Model]) -> None:
    def sigmas(name: str, **size: int) -> list[float]:
        return planned(models[name], recipe(**size)).sigmas

    small, large = sigmas("flux-dev", width=256, height=256), sigmas("flux-dev", width=1024, height=1024)
    assert all(a > b for a, b in zip(large[1:-1], small[1:-1], strict=True))
    # mu is 1.15 at 4096 tokens
    assert large[1] == pytest.approx(math.exp(1.15) / (math.exp(1.15) + 1 / 0.75 - 1), abs=1e-6)
    assert sigmas("sd3", width=256) == sigmas("sd3", width=1024)
    assert sigmas("flux-schnell") == pytest.approx([1.0, 0.75, 0.5, 0.25, 0.0])
    assert sigmas("sd3")[1:3] != pytest.approx([0.75, 0.5], abs=0.05)


@pytest.mark.parametrize(("sampler", "schedule"), PAIRS)
@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("steps", [1, 2, 20, 100])
def test_every_schedule_falls_from_all_noise_to_none(
    models: dict[str, Model], name: str, sampler: str, schedule: str, steps: int
) -> None:
    custom = tuple(1 - k / steps for k in range(steps)) if schedule == choices.CUSTOM else ()
    asked = recipe(sampler=sampler, schedule=schedule, steps=steps, sigmas=custom)
    made = planned(models[name], asked)
    starts = made.sigmas[: -1 : made.evals_per_step]
    assert starts == sorted(set(starts), reverse=True)
    assert 0.998 < made.sigmas[0] <= 1
    assert made.sigmas[-1] == 0
    assert made.alphas == pytest.approx([1 - sigma for sigma in made.sigmas[:-1]])
    assert made.timesteps == pytest.approx([1000 * sigma for sigma in made.sigmas[:-1]], abs=1)
    assert len(made.timesteps) == (steps if made.evals_per_step == 1 else 2 * steps - 1)
    assert made.init_noise_sigma == 1


@pytest.mark.parametrize("sampler", [choice.name for choice in FLOW])
@pytest.mark.parametrize("name", ["sd3", "flux-dev"])
def test_a_step_says_what_its_velocity_implies(models: dict[str, Model], name: str, sampler: str) -> None:
    steps = list(sample(models[name], recipe(sampler=sampler)))
    noise = torch.randn(1, 16, 12, 8, generator=torch.Generator().manual_seed(5))
    assert torch.equal(steps[0].latents, noise)
    for step in steps:
        assert torch.equal(step.denoised, step.latents - step.sigma * step.noise_pred)
    torch.testing.assert_close(steps[-1].next_latents, steps[-1].denoised)
    assert all((step.noise_pred_uncond is None) == (name == "flux-dev") for step in steps)


def test_clean_latents_are_noised_as_the_scheduler_does(models: dict[str, Model]) -> None:
    x0, noise = torch.randn(2, 1, 16, 8, 8, generator=torch.Generator().manual_seed(0))
    made = planned(models["sd3"], recipe(steps=8))
    theirs = FlowMatchEulerDiscreteScheduler(shift=3.0)
    theirs.set_timesteps(8)
    for index in range(8):
        theirs.set_begin_index(index)
        expected = theirs.scale_noise(x0, theirs.timesteps[index : index + 1], noise)
        torch.testing.assert_close(made.noised(x0, noise, index), expected)


@pytest.mark.parametrize("sampler", [choice.name for choice in FLOW])
@pytest.mark.parametrize("name", ["sd3", "flux-dev", "flux-schnell"])
def test_a_fork_with_nothing_changed_is_the_same_run_also_from_disk(
    models: dict[str, Model], tmp_path: Path, name: str, sampler: str
) -> None:
    whole = Trace.record(models[name], recipe(sampler=sampler, batch_size=2))
    read = Trace.load(whole.save(tmp_path / "run.safetensors"))
    assert read.sigmas == whole.sigmas
    assert all(same(one, other) for one, other in zip(read, whole, strict=True))
    for step in range(len(whole) - 1):
        for source in (whole, read):
            again = fork(source, step, model=models[name])
            assert all(same(one, other) for one, other in zip(again, whole, strict=True))


def same(first: Step, second: Step) -> bool:
    pairs = [(getattr(first, name), getattr(second, name)) for name in TENSORS]
    return all(a is b is None or torch.equal(a, b) for a, b in pairs)


def test_a_fork_to_another_prompt_and_sampler_goes_on(models: dict[str, Model]) -> None:
    whole = Trace.record(models["sd3"], recipe(steps=5))
    other = fork(whole, 2, prompt="a light")
    assert torch.equal(other[3].latents, whole[3].latents)
    assert not torch.equal(other[3].noise_pred_text, whole[3].noise_pred_text)
    with pytest.raises(ForkError, match="would be at sigma"):
        fork(whole, 2, sampler="UniPC")


def test_latents_are_shown_as_the_network_takes_them(models: dict[str, Model]) -> None:
    trace = Trace.record(models["sd3"], recipe())
    for place in range(len(trace) + 1):
        assert torch.equal(network_input(trace, place), latents_at(trace, place))


@pytest.mark.parametrize("name", ["sd3", "flux-dev"])
def test_what_a_flow_model_cannot_do_is_said_before_the_first_step(
    models: dict[str, Model], name: str
) -> None:
    model = models[name]
    able = "Euler, Heun, DPM\\+\\+ 2M and UniPC can"
    for choice in choices.SAMPLERS:
        if not choice.flow_schedules:
            assert problem(model, recipe(sampler=choice.name), f"cannot sample .*; {able}") == "sampler"
    assert problem(model, recipe(sampler="UniPC", schedule="Karras"), "knows automatic") == "schedule"
    assert problem(model, recipe(schedule="Align Your Steps"), "automatic, Karras") == "schedule"
    assert problem(model, recipe(width=72), "multiple of 16 for .*: 64 or 80, not 72") == "width"
    above = recipe(schedule="custom", sigmas=(14.0, 7.0, 1.0, 0.5))
    assert problem(model, above, "from 1 down, not from 14") == "sigmas"


def test_an_image_with_more_places_than_the_model_has_is_refused(models: dict[str, Model]) -> None:
    with pytest.raises(RecipeError, match="Height must be at most 192 pixels for this model, not 208"):
        sample(models["sd3"], recipe(height=208))


def problem(model: Model, asked: Recipe, sentence: str) -> str:
    for begin in (sample, start):
        with pytest.raises(RecipeError, match=sentence) as raised:
            begin(model, asked)
    return raised.value.problems[0].field


def test_sigmas_of_ones_own_are_taken_as_they_are(models: dict[str, Model]) -> None:
    asked = recipe(schedule="custom", sigmas=CUSTOM_SIGMAS)
    steps = list(sample(models["sd3"], asked))
    assert [step.sigma for step in steps] == pytest.approx(CUSTOM_SIGMAS)


def test_the_lists_offer_what_a_family_can_do() -> None:
    assert [choice.name for choice in choices.samplers_for("Flux")] == ["Euler", "Heun", "DPM++ 2M", "UniPC"]
    assert choices.samplers_for("SD1") == choices.samplers_for("unheard of") == choices.SAMPLERS
    assert set(flow.MAKERS) == {choice.name for choice in FLOW}
    unipc = choices.find_sampler("UniPC")
    assert unipc is not None
    assert choices.schedules_for(unipc, "SD3") == ("automatic",)
    assert choices.schedules_for(unipc, "SDXL") == unipc.schedules


# -- what is told --------------------------------------------------------------------------------------------------


def test_packing_is_that_of_the_pipeline_and_can_be_undone() -> None:
    latents = torch.randn(2, 16, 6, 4)
    tokens = packed(latents)
    assert torch.equal(tokens, FluxPipeline._pack_latents(latents, 2, 16, 6, 4))
    assert torch.equal(unpacked(tokens, 6, 4), latents)
    theirs = FluxPipeline._prepare_latent_image_ids(1, 3, 2, torch.device("cpu"), torch.float32)
    assert torch.equal(places(3, 2, torch.device("cpu"), torch.float32), theirs)


def test_dev_is_told_the_guidance_and_schnell_is_not(models: dict[str, Model]) -> None:
    def drawn(name: str, guidance: float) -> torch.Tensor:
        return last(models[name], recipe(guidance_scale=guidance)).next_latents

    assert not torch.equal(drawn("flux-dev", 1.0), drawn("flux-dev", 8.0))
    assert torch.equal(drawn("flux-schnell", 1.0), drawn("flux-schnell", 8.0))


@pytest.mark.parametrize("name", MAKERS)
def test_weights_schedules_and_and_reach_the_network(models: dict[str, Model], name: str) -> None:
    model = models[name]

    def drawn(prompt: str, **changes: Any) -> list[Step]:
        return list(sample(model, recipe(prompt=prompt, **changes)))

    plain = drawn("a red house")
    weighted = drawn("a (red:1.5) house")
    assert not torch.equal(weighted[0].noise_pred, plain[0].noise_pred)
    ignored = drawn("a (red:1.5) house", emphasis="ignore")
    assert torch.equal(ignored[-1].next_latents, plain[-1].next_latents)
    later = drawn("a [red:light:2] house")
    assert torch.equal(later[1].noise_pred, plain[1].noise_pred)
    assert not torch.equal(later[2].noise_pred_text, plain[2].noise_pred_text)
    both = drawn("a red house AND light")
    assert not torch.equal(both[0].noise_pred, plain[0].noise_pred)
    assert torch.isfinite(both[-1].next_latents).all()


def test_a_long_prompt_is_read_to_its_end_by_clip(models: dict[str, Model]) -> None:
    long = "a red house " * 30
    ends = [last(models["sd3"], recipe(prompt=long + word)).next_latents for word in ("light", "house")]
    assert not torch.equal(*ends)


def test_clip_skip_reads_an_earlier_layer(models: dict[str, Model], pipelines: dict[str, Any]) -> None:
    with torch.inference_mode():
        embeddings = pipelines["sd3"].encode_prompt(
            "a red house", None, None, clip_skip=1, do_classifier_free_guidance=False,
            max_sequence_length=T5_LENGTH,
        )[0]  # fmt: skip
    told = models["sd3"].adapter.told("a red house", recipe(clip_skip=2))
    assert torch.equal(told.at(0)[0][1].embeddings, embeddings)


def test_t5_reads_so_many_tokens_and_no_more(models: dict[str, Model]) -> None:
    t5: Any = models["flux-dev"].text_encoder
    tokens = t5.tokenize((Weighted("a "), Weighted("red", 1.3), Weighted(" house " * 40)))
    assert tokens.ids.shape == tokens.weights.shape == tokens.attention_mask.shape == (1, T5_LENGTH)
    assert (int(tokens.ids[0, -1]), float(tokens.weights[0, -1])) == (t5.tokenizer.eos_token_id, 1.0)
    assert [round(float(weight), 1) for weight in tokens.weights[0, :3]] == [1.0, 1.3, 1.0]
    short = t5.tokenize("a red house")
    theirs = t5.tokenizer("a red house", padding="max_length", max_length=T5_LENGTH)
    assert short.ids[0].tolist() == theirs["input_ids"]
    assert short.attention_mask[0].tolist() == theirs["attention_mask"]
    assert t5.token_text(int(short.ids[0, 1])) == "red"


# -- sixteen channels ----------------------------------------------------------------------------------------------


def test_sixteen_channels_are_previewed_and_fitted(models: dict[str, Model]) -> None:
    for model in models.values():
        rgb = model.preview(torch.randn(2, 16, 12, 8))
        assert (rgb.shape, str(rgb.dtype)) == ((2, 12, 8, 3), "uint8")
        assert (model.native_size, model.downscale) == ({"SD3": 64, "Flux": 1024}[model.family], 8)
    torch.manual_seed(0)
    latents, factors = torch.randn(6, 16, 8, 8), torch.randn(16, 3) * 0.02
    pixels = (latents.permute(0, 2, 3, 1) @ factors).permute(0, 3, 1, 2)
    fitted = preview.fit([(latents, pixels)])
    torch.testing.assert_close(torch.tensor(fitted.factors), factors, atol=1e-3, rtol=0)


def test_sixteen_channels_are_seen_and_attention_says_why_it_is_not(models: dict[str, Model]) -> None:
    for model in models.values():
        trace = Trace.record(model, recipe())
        latents = make_view("latents", ViewRequest(trace))
        assert isinstance(latents, LatentsView)
        assert (len(latents.channels), latents.latent_shape, latents.reduction) == (16, (16, 12, 8), 12.0)
        for what in ("noise", "scaled noise", "step", "guidance", "sheet"):
            make_view(what, ViewRequest(trace))
        make_view("decoded step", ViewRequest(trace, model))
        text = make_view("text", ViewRequest(trace, model))
        assert isinstance(text, TextView)
        assert [token.text for token in text.prompt.tokens if token.text == "red"] == ["red"] * (
            model.family == "Flux"
        )
        with pytest.raises(ViewError, match="one attention"):
            make_view("attention", ViewRequest(trace, model))


# -- from a picture ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("pictures") / "picture.png"
    Image.effect_noise((64, 96), 80).convert("RGB").save(path)
    return str(path)


@pytest.mark.parametrize("strength", [0.3, 0.6, 1.0])
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("sd3", StableDiffusion3Img2ImgPipeline),
        ("flux-dev", FluxImg2ImgPipeline),
        ("flux-schnell", FluxImg2ImgPipeline),
    ],
)
def test_image_to_image_equals_the_official_pipeline(
    models: dict[str, Model], pipelines: dict[str, Any], picture: str, name: str, kind: Any, strength: float
) -> None:
    asked = recipe(init_image=picture, strength=strength, steps=6)
    pipe = kind(**pipelines[name].components)
    pipe.set_progress_bar_config(disable=True)
    sd3 = name == "sd3"
    theirs = pipe(
        asked.prompt, **({"negative_prompt": asked.negative_prompt} if sd3 else {}), image=Image.open(picture),
        strength=strength, width=64, height=96, num_inference_steps=6, guidance_scale=asked.guidance_scale,
        output_type="latent", max_sequence_length=T5_LENGTH, generator=torch.Generator().manual_seed(asked.seed),
    ).images  # fmt: skip
    theirs = theirs if sd3 else unpacked(theirs, 12, 8)
    assert torch.equal(last(models[name], asked).next_latents, theirs)


@pytest.mark.parametrize("sampler", [choice.name for choice in FLOW])
@pytest.mark.parametrize("name", ["sd3", "flux-dev"])
def test_a_picture_that_is_repainted_and_enlarged_can_be_forked_anywhere(
    models: dict[str, Model], picture: str, tmp_path: Path, name: str, sampler: str
) -> None:
    mask = tmp_path / "mask.png"
    half = Image.new("L", (64, 96))
    half.paste(255, (32, 0, 64, 96))
    half.save(mask)
    masked = recipe(init_image=picture, mask_image=str(mask), mask_blur=0, steps=5, sampler=sampler)
    enlarged = recipe(hires_scale=1.5, hires_steps=3, sampler=sampler)
    for asked in (masked, enlarged):
        whole = Trace.record(models[name], asked)
        assert torch.isfinite(whole[-1].next_latents).all()
        for step in range(len(whole) - 1):
            again = fork(whole, step, model=models[name])
            assert all(same(one, other) for one, other in zip(again, whole, strict=True))
    assert whole[-1].next_latents.shape == (1, 16, 18, 12)


@pytest.mark.parametrize(
    "said",
    [
        {"shift": 0}, {"shift": -3.0}, {"num_train_timesteps": 10**13}, {"num_train_timesteps": 0},
        {"num_train_timesteps": "many"}, {"use_dynamic_shifting": True, "max_image_seq_len": 256},
        {"time_shift_type": "none"}, {"shift": "x"}, {"shift": None}, {"use_dynamic_shifting": True, "max_shift": "x"},
        {"use_dynamic_shifting": True, "max_image_seq_len": 256.0001}, {"shift_terminal": 1},
    ],
    ids=lambda said: next(iter(said)),
)  # fmt: skip
def test_a_scheduler_config_that_cannot_be_is_refused(said: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w+ \w+"):
        make_sampler("Euler", steps=4, noise={"shift": 3.0, "base_image_seq_len": 256} | said)


@pytest.mark.parametrize("name", ["sd3", "flux-dev"])
def test_half_precision_stays_what_it_is_and_finite(folders: dict[str, Path], name: str) -> None:
    model = open_model(folders[name], device="cpu", dtype=torch.bfloat16)
    for choice in FLOW:
        steps = list(sample(model, recipe(sampler=choice.name, prompt="a (red:1.4) house", steps=3)))
        for step in steps:
            for tensor in (step.latents, step.noise_pred, step.denoised, step.next_latents):
                assert tensor.dtype == torch.bfloat16
                assert torch.isfinite(tensor).all()
