"""Every number of a view against a direct computation from the trace's own tensors."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import msgspec
import numpy as np
import pytest
import torch
from PIL import Image

from sdcore.diffusion.checksum import Checksum
from sdcore.diffusion.fork import fork
from sdcore.diffusion.model import Model
from sdcore.diffusion.recorded import Recorded
from sdcore.diffusion.scaling import network_input
from sdcore.diffusion.start import Start
from sdcore.diffusion.trace import Trace
from sdcore.diffusion.views import (
    LARGEST_SHEET,
    THUMBNAIL,
    VIEWS,
    ViewError,
    ViewRequest,
    guidance_view,
    latents_view,
    make_view,
    painted,
    sheet_view,
    step_view,
    text_view,
)
from sdcore.opening import open_model
from sdcore.spec import choices
from sdcore.spec.lineage import Segment
from sdcore.spec.recipe import Recipe
from sdcore.spec.views import (
    HISTOGRAM_BINS,
    MODEL_VIEWS,
    AnyView,
    GuidanceView,
    LatentsView,
    Picture,
    StepView,
    TextView,
    ViewKind,
)

RECIPE = Recipe(
    prompt="ab ab", negative_prompt="fog", width=72, height=96, steps=4, seed=5, guidance_scale=3.0, batch_size=2,
    sampler="Euler a",
)  # fmt: skip


@pytest.fixture(scope="module")
def trace(model: Model) -> Trace:
    return Trace.record(model, RECIPE)


def changed(**changes: Any) -> Recipe:
    return msgspec.structs.replace(RECIPE, **changes)


def array(picture: Picture) -> np.ndarray:
    return np.frombuffer(picture.rgb, np.uint8).reshape(picture.height, picture.width, 3)


# -- text


def test_the_kinds_of_positions_are_told_apart(model: Model) -> None:
    tokens = text_view(model, RECIPE).prompt.tokens
    assert [token.position for token in tokens] == list(range(77))
    assert [token.text for token in tokens[:4]] == ["<|startoftext|>", "ab", "ab", "<|endoftext|>"]
    assert [token.kind for token in tokens] == ["start", "word", "word", "end"] + ["padding"] * 73
    assert [token.attended for token in tokens] == [True] * 4 + [False] * 73
    assert tokens[3].id == tokens[4].id  # CLIP pads with its end token: the id alone does not tell them apart


def test_padding_with_a_token_of_its_own_is_told_apart_too(sd1_folder: Path) -> None:
    other = open_model(sd1_folder, device="cpu")
    other.text_encoder.tokenizer.pad_token = "!"
    tokens = text_view(other, RECIPE).prompt.tokens
    assert tokens[4].id != tokens[3].id
    assert [token.kind for token in tokens] == ["start", "word", "word", "end"] + ["padding"] * 73


def test_a_part_of_a_character_is_no_byte_letter(model: Model) -> None:
    assert [token.text for token in text_view(model, changed(prompt="ü")).prompt.tokens[1:3]] == [
        "\ufffd"
    ] * 2


def test_embeddings_are_measured_position_by_position(model: Model) -> None:
    view = text_view(model, RECIPE)
    text, uncond = (model.text_encoder.encode(prompt)[0] for prompt in ("ab ab", "fog"))
    assert view.negative is not None
    for position in range(77):
        token, against = view.prompt.tokens[position], view.negative.tokens[position]
        assert token.norm == pytest.approx(math.sqrt(sum(float(x) ** 2 for x in text[position])), rel=1e-5)
        assert against.norm == pytest.approx(
            math.sqrt(sum(float(x) ** 2 for x in uncond[position])), rel=1e-5
        )
        between = math.dist(text[position].tolist(), uncond[position].tolist())
        assert token.distance == pytest.approx(between, rel=1e-5, abs=1e-6)
        assert against.distance == 0
    assert view.prompt.tokens[0].distance == pytest.approx(0, abs=1e-5)  # nothing before it that could differ
    assert view.prompt.tokens[1].distance > 0.1


def test_without_guidance_the_empty_prompt_is_the_measure(model: Model) -> None:
    view = text_view(model, changed(guidance_scale=1.0))
    text, empty = (model.text_encoder.encode(prompt)[0] for prompt in ("ab ab", ""))
    assert view.negative is None
    distances = torch.tensor([token.distance for token in view.prompt.tokens])
    torch.testing.assert_close(
        distances, torch.cdist(text[:, None], empty[:, None])[:, 0, 0], rtol=1e-3, atol=1e-4
    )


@pytest.mark.parametrize(("scale", "halves"), [(3.0, 2), (1.0, 1)])
def test_shapes_are_those_that_go_through_the_network(model: Model, scale: float, halves: int) -> None:
    seen: list[torch.Size] = []
    hook = model.network.register_forward_pre_hook(lambda module, args: seen.append(args[0].shape))
    try:
        run = Trace.record(model, changed(guidance_scale=scale, steps=1, sampler="Euler"))
    finally:
        hook.remove()
    shapes = dict(text_view(model, run.recipe).shapes)
    assert shapes == {
        "token ids": (1, 77),
        "text embeddings": (1, 77, 32),
        "embeddings for the network": (halves, 77, 32),
        "latents": tuple(run[0].latents.shape),
        "network input": tuple(seen[0]),
        "pixels": (2, 3, *np.asarray(model.decode(run[0].denoised)[0]).shape[:2]),
    }


def test_a_long_prompt_is_shown_chunk_by_chunk(model: Model) -> None:
    view = text_view(model, changed(prompt="ab " * 76))
    assert view.negative is not None
    kinds = [token.kind for token in view.prompt.tokens]
    assert kinds == ["start", *["word"] * 75, "end", "start", "word", "end", *["padding"] * 74]
    assert [token.position for token in view.prompt.tokens] == list(range(154))
    assert len(view.negative.tokens) == 77
    assert dict(view.shapes)["embeddings for the network"] == (2, 154, 32)


def test_the_words_of_the_step_are_shown_and_what_and_adds_is_said(model: Model) -> None:
    recipe = changed(prompt="[ab:x:2] AND a fog:0.5", steps=4, sampler="Heun")
    words = [
        [token.text for token in text_view(model, recipe, step).prompt.tokens if token.kind == "word"]
        for step in range(7)
    ]
    assert words == [["ab"]] * 4 + [["x"]] * 3  # two forwards a step, one in the last
    assert text_view(model, recipe).prompt.left_out == "AND a fog :0.5"


def test_norms_are_those_of_weighted_embeddings(model: Model) -> None:
    views = [text_view(model, changed(prompt=text, emphasis="no norm")) for text in ("x ab", "x (ab:1.5)")]
    plain, weighted = ([token.norm for token in view.prompt.tokens] for view in views)
    assert weighted[1] == plain[1]
    assert weighted[2] == pytest.approx(1.5 * plain[2], rel=1e-5)


# -- latents


@pytest.mark.parametrize("what", ["noise", "scaled noise", "latents"])
@pytest.mark.parametrize("image", [0, 1])
def test_channels_in_numbers(trace: Trace, what: Any, image: int) -> None:
    noise = torch.randn((1, 4, 12, 9), generator=torch.Generator().manual_seed(5 + image))
    sigma = trace.sigmas[0]
    expected = {"noise": noise[0], "scaled noise": noise[0] * sigma, "latents": trace[2].latents[image]}[what]
    view = latents_view(trace, 2, image, what)
    bound = max(abs(float(x)) for x in expected.flatten())
    assert len(view.channels) == 4
    for seen, channel in zip(view.channels, expected.numpy(), strict=True):
        values = [float(x) for x in channel.flatten()]
        mean = sum(values) / len(values)
        assert seen.mean == pytest.approx(mean, abs=1e-5)
        assert seen.deviation == pytest.approx(
            (sum((x - mean) ** 2 for x in values) / len(values)) ** 0.5, rel=1e-5
        )
        assert (seen.minimum, seen.maximum) == pytest.approx((min(values), max(values)), rel=1e-6)
        assert (seen.low, seen.high) == pytest.approx((-bound, bound), rel=1e-6)
        bins = [0] * HISTOGRAM_BINS
        for x in values:
            bins[min(int((x + bound) / (2 * bound) * HISTOGRAM_BINS), HISTOGRAM_BINS - 1)] += 1
        assert list(seen.histogram) == bins
        shades = array(seen.picture)
        assert shades.shape == (12, 9, 3)
        assert np.array_equal(shades[..., 0], shades[..., 1])
        assert np.array_equal(shades[..., 0], shades[..., 2])
        assert np.abs(shades[..., 0] - (channel + bound) / (2 * bound) * 255).max() <= 0.501


def test_scaled_noise_is_where_the_run_began(trace: Trace) -> None:
    assert latents_view(trace, 0, 1, "scaled noise") == latents_view(trace, 0, 1, "latents")


def test_the_reduction_is_that_of_the_real_shapes(trace: Trace) -> None:
    view = latents_view(trace, 0, 0, "noise")
    assert (view.latent_shape, view.pixel_shape, view.reduction) == ((4, 12, 9), (3, 96, 72), 48.0)


def test_latents_that_blew_up_are_shown_all_the_same(model: Model) -> None:
    blown = Trace.record(model, RECIPE)
    latents = blown.passes[0].latents
    latents[1] = latents[1].clone()
    latents[1][0, 0, 0, 0] = math.inf
    latents[1][0, 1] = math.nan
    latents[2] = torch.zeros_like(latents[2])
    first, second, third, _ = latents_view(blown, 1, 0, "latents").channels
    assert math.isfinite(first.high)
    assert first.high == float(latents[1][0, 2:].abs().max().maximum(latents[1][0, 0, 1:].abs().max()))
    assert [sum(channel.histogram) for channel in (first, second, third)] == [107, 0, 108]
    assert math.isnan(second.mean)
    flat = latents_view(blown, 2, 0, "latents").channels[0]
    assert (flat.low, flat.high, flat.deviation, sum(flat.histogram)) == (0, 0, 0, 108)


# -- steps


@pytest.mark.parametrize("sampler", [sampler.name for sampler in choices.SAMPLERS])
def test_latents_are_shown_as_the_network_was_given_them(model: Model, sampler: str) -> None:
    given: list[torch.Tensor] = []
    hook = model.network.register_forward_pre_hook(lambda module, args: given.append(args[0]))
    try:
        run = Trace.record(model, changed(sampler=sampler, guidance_scale=1.0))
    finally:
        hook.remove()
    assert len(given) == len(run)
    for place, model_input in enumerate(given):
        torch.testing.assert_close(network_input(run, place), model_input, rtol=1e-5, atol=1e-6)
    last = network_input(run, len(run))
    torch.testing.assert_close(
        last, run[-1].next_latents, rtol=1e-3, atol=1e-3
    )  # no noise is left to scale away


def by_hand(model: Model, latents: torch.Tensor) -> np.ndarray:
    factors = model.preview_factors
    rgb = np.einsum("chw,cr->hwr", latents.numpy(), np.array(factors.factors)) + np.array(factors.bias)
    return (rgb.clip(-1, 1) + 1) * 127.5


@pytest.mark.parametrize("image", [0, 1])
def test_a_step_in_cheap_pixels(model: Model, trace: Trace, image: int) -> None:
    view = step_view(trace, 2, image, model.preview_factors)
    step = trace[2]
    given = step.latents[image] / math.sqrt(1 + step.sigma**2)
    assert not view.decoded
    pictures = (view.latents, view.noise, view.denoised)
    for picture, latents in zip(pictures, (given, step.noise_pred[image], step.denoised[image]), strict=True):
        assert array(picture).shape == (12, 9, 3)
        assert np.abs(array(picture) - by_hand(model, latents)).max() <= 0.51


def test_a_step_by_the_real_vae(model: Model, trace: Trace) -> None:
    view = step_view(trace, 1, 1, model)
    step = trace[1]
    assert view.decoded
    pictures = (view.latents, view.noise, view.denoised)
    for picture, latents in zip(
        pictures, (network_input(trace, 1), step.noise_pred, step.denoised), strict=True
    ):
        with torch.inference_mode():
            pixels = model.vae.decode(latents[1:2] / model.vae.config.scaling_factor).sample[0]
        expected = (pixels.clamp(-1, 1) + 1).permute(1, 2, 0).numpy() * 127.5
        assert array(picture).shape == (96, 72, 3)
        assert np.abs(array(picture) - expected).max() <= 0.51


# -- contact sheet


def test_a_contact_sheet_has_every_step_asked_for_and_the_last(model: Model) -> None:
    run = Trace.record(model, changed(steps=9, sampler="Euler"))
    view = sheet_view(run, 3, 1, model.preview_factors)
    assert view.steps == (0, 3, 6, 8)
    assert view.columns == 2
    width, height = THUMBNAIL * 9 // 12, THUMBNAIL
    assert (view.picture.width, view.picture.height) == (2 * width + 2, 2 * height + 2)
    last = Image.fromarray(array(view.picture)).crop((width + 2, height + 2, 2 * width + 2, 2 * height + 2))
    small = Image.fromarray(by_hand(model, run[8].denoised[1]).round().astype(np.uint8))
    expected = small.resize((width, height), Image.Resampling.BICUBIC)
    assert np.abs(np.asarray(last).astype(int) - np.asarray(expected)).max() <= 2


@pytest.mark.parametrize(
    ("steps", "every", "shown"), [(4, 1, 4), (4, 2, 3), (4, 99, 2), (1, 1, 1), (110, 1, 110)]
)
def test_contact_sheets_are_near_square_and_bounded(
    model: Model, trace: Trace, steps: int, every: int, shown: int
) -> None:
    recipe = changed(steps=steps, sampler="Euler", batch_size=1, guidance_scale=1.0)
    drawn = list(torch.randn(steps + 1, 1, 4, 12, 9, generator=torch.Generator().manual_seed(0)))
    kept = Recorded(0, Start(drawn[0], drawn[0]), drawn, [None] * steps, drawn[1:], drawn[1:])
    segments = (Segment(start=0, recipe=recipe),)
    run = replace(trace, segments=segments, passes=[kept], seconds=[0.0] * steps)
    view = sheet_view(run, every, 0, model.preview_factors)
    assert len(view.steps) == shown
    assert (view.columns - 1) ** 2 < shown <= view.columns**2
    assert max(view.picture.width, view.picture.height) <= LARGEST_SHEET


def test_a_contact_sheet_by_the_real_vae(model: Model, trace: Trace) -> None:
    view = sheet_view(trace, 3, 0, model)
    first = Image.fromarray(array(view.picture)).crop((0, 0, 96, 128))
    expected = model.decode(trace[0].denoised[:1])[0].resize((96, 128), Image.Resampling.BICUBIC)
    assert view.steps == (0, 3)
    assert np.array_equal(np.asarray(first), np.asarray(expected))


# -- guidance


@pytest.mark.parametrize("image", [0, 1])
def test_guidance_in_numbers(trace: Trace, image: int) -> None:
    view = guidance_view(trace, 2, image)
    assert len(view.norms) == len(view.degrees) == 4
    for step, norm, degrees in zip(trace, view.norms, view.degrees, strict=True):
        assert step.noise_pred_uncond is not None
        uncond, text = step.noise_pred_uncond[image].double(), step.noise_pred_text[image].double()
        assert norm == pytest.approx(math.dist(text.flatten().tolist(), uncond.flatten().tolist()))
        cosine = float((uncond * text).sum() / ((uncond**2).sum() * (text**2).sum()).sqrt())
        assert degrees == pytest.approx(math.degrees(math.acos(cosine)), rel=1e-4)
        assert 0 < degrees < 180


def test_where_guidance_pulls_hardest(trace: Trace) -> None:
    view, step = guidance_view(trace, 2, 1), trace[2]
    assert step.noise_pred_uncond is not None
    difference = (step.noise_pred_text - step.noise_pred_uncond)[1].numpy()
    pull = np.sqrt(sum(channel.astype(float) ** 2 for channel in difference))
    assert view.strongest == pytest.approx(pull.max())
    assert view.pull is not None
    shades = array(view.pull)[..., 0]
    assert shades.shape == (12, 9)
    assert shades.max() == 255
    assert np.abs(shades - pull / pull.max() * 255).max() <= 0.501


def test_angles_of_known_predictions(trace: Trace, model: Model) -> None:
    known = Trace.record(model, RECIPE)
    one = known.passes[0]
    one.uncond[0], one.text[0] = torch.ones(2, 4, 12, 9), -torch.ones(2, 4, 12, 9)
    across = torch.ones(2, 4, 12, 9)
    across[:, :2] = -1
    one.uncond[1], one.text[1] = torch.ones(2, 4, 12, 9), across
    one.uncond[2] = one.text[2]
    view = guidance_view(known, 2, 0)
    assert view.degrees[:3] == pytest.approx((180, 90, 0))
    assert view.norms[:3] == pytest.approx((math.sqrt(4 * 432), math.sqrt(4 * 216), 0))
    assert view.strongest == 0
    assert view.pull == Picture(width=9, height=12, rgb=bytes(9 * 12 * 3))


def test_without_guidance_there_is_nothing_to_show(model: Model) -> None:
    run = Trace.record(model, changed(guidance_scale=1.0))
    assert guidance_view(run, 0, 0) == GuidanceView(norms=(), degrees=(), pull=None, strongest=0.0)


def test_a_fork_out_of_guidance_counts_nothing_from_there(model: Model, trace: Trace) -> None:
    forked = fork(trace, 1, model=model, guidance_scale=1.0)
    view = guidance_view(forked, 3, 0)
    assert view.norms == (*guidance_view(trace, 0, 0).norms[:2], 0, 0)
    assert view.degrees == (*guidance_view(trace, 0, 0).degrees[:2], 0, 0)
    assert view.pull is None


# -- all of them


def ask(model: Model, trace: Trace, **settings: Any) -> ViewRequest:
    return ViewRequest(trace, model, **settings)


EXPECTED: dict[ViewKind, type] = {
    "text": TextView,
    "latents": LatentsView,
    "step": StepView,
    "decoded step": StepView,
}


def test_every_kind_of_view_is_made_and_survives_the_wire(model: Model, trace: Trace) -> None:
    assert set(VIEWS) == set(get_args(ViewKind))
    for what in VIEWS:
        view = make_view(what, ask(model, trace, step=1, image=1, position=2))
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(view), type=AnyView) == view
        assert isinstance(view, EXPECTED.get(what, object))


def test_cheap_views_need_no_model(model: Model, trace: Trace) -> None:
    for what in set(VIEWS) - MODEL_VIEWS:
        make_view(what, ViewRequest(trace, None, step=3))
    for what in MODEL_VIEWS:
        with pytest.raises(ViewError, match="load it first"):
            make_view(what, ViewRequest(trace, None))


def test_a_view_of_another_network_is_refused(model: Model, trace: Trace) -> None:
    other = replace(model, checksum=Checksum(known="0123456789"))
    with pytest.raises(ViewError, match="other weights"):
        make_view("attention", ViewRequest(trace, other))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"step": 4}, "no step 4 in this run; it has 0 to 3"),
        ({"step": -1}, "no step -1"),
        ({"image": 2}, "no image 2 in this run; it has 0 to 1"),
        ({"every": 0}, "every 0-th step"),
    ],
    ids=str,
)
def test_what_is_not_there_is_one_sentence(
    model: Model, trace: Trace, settings: dict[str, int], message: str
) -> None:
    with pytest.raises(ViewError, match=message):
        make_view("latents", ask(model, trace, **settings))


def test_a_token_that_is_not_there_is_one_sentence(model: Model, trace: Trace) -> None:
    with pytest.raises(ViewError, match="no token position 77 in this run; it has 0 to 76"):
        make_view("attention", ask(model, trace, position=77))


def test_a_run_without_a_step_says_so(model: Model, trace: Trace) -> None:
    empty = replace(trace, passes=[], seconds=[])
    for what in VIEWS:
        with pytest.raises(ViewError, match="No step"):
            make_view(what, ask(model, empty))


def test_after_a_fork_the_text_is_that_of_the_step(model: Model, trace: Trace) -> None:
    forked = fork(trace, 1, model=model, prompt="ü")
    texts = [make_view("text", ask(model, forked, step=step)) for step in (1, 2)]
    words = [view.prompt.tokens[1].text for view in texts if isinstance(view, TextView)]
    assert words == ["ab", "\ufffd"]


def test_one_image_is_painted_at_a_time(model: Model, trace: Trace) -> None:
    assert painted(trace[0].denoised[:1], model.preview_factors).size == (9, 12)
    assert painted(trace[0].denoised[:1], model).size == (72, 96)
