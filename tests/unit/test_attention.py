"""Attention maps: shares that add up, the very ones that the network used, and a network left as it was."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from sdcore.diffusion.attention import (
    AttentionError,
    AttentionSum,
    attention_maps,
    attention_over_run,
    attention_view,
    probed,
)
from sdcore.diffusion.fork import fork
from sdcore.diffusion.model import Model
from sdcore.diffusion.trace import Trace
from sdcore.spec.lineage import Segment
from sdcore.spec.recipe import Recipe

RECIPE = Recipe(
    prompt="ab ab fog",
    width=72,
    height=104,
    steps=3,
    seed=5,
    guidance_scale=3.0,
    batch_size=2,
    sampler="Euler a",
)


@pytest.fixture(scope="module")
def trace(model: Model) -> Trace:
    return Trace.record(model, RECIPE)


def cross_layers(model: Model) -> list[Any]:
    return [module for name, module in model.network.named_modules() if name.endswith("attn2")]


def shares_by_hand(model: Model, layer: Any, states: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
    """softmax(Q K^T / sqrt(d)) of one image, head by head: (heads, n, 77)."""
    d = layer.to_q.weight.shape[0] // layer.heads
    rows = []
    for head in range(layer.heads):
        part = slice(head * d, (head + 1) * d)
        query = states @ layer.to_q.weight[part].T
        key = text @ layer.to_k.weight[part].T
        score = torch.exp(torch.einsum("nd,pd->np", query, key) / math.sqrt(d))
        rows.append(score / score.sum(dim=1, keepdim=True))
    return torch.stack(rows)


def seen_by_layers(model: Model, trace: Trace, step: int) -> list[tuple[Any, torch.Tensor, torch.Tensor]]:
    """Each cross-attention layer with what went in (B, n, C) and came out when step `step` is run on the text alone."""
    seen: list[tuple[Any, torch.Tensor, torch.Tensor]] = []
    hooks = [
        layer.register_forward_hook(lambda module, args, out: seen.append((module, args[0], out)))
        for layer in cross_layers(model)
    ]
    given = trace[step].latents / math.sqrt(1 + trace[step].sigma ** 2)
    text = model.text_encoder.encode(RECIPE.prompt).expand(2, -1, -1)
    try:
        with torch.inference_mode():
            model.network(given, torch.tensor(trace[step].t), encoder_hidden_states=text)
    finally:
        for hook in hooks:
            hook.remove()
    return seen


def test_every_place_shares_its_attention_out(model: Model, trace: Trace) -> None:
    maps = attention_maps(model, trace, 1)
    assert maps.shape == (2, 77, 13, 9)
    assert maps.dtype == torch.float32
    assert float(maps.min()) >= 0
    torch.testing.assert_close(maps.sum(dim=1), torch.ones(2, 13, 9), rtol=1e-5, atol=1e-5)
    assert float(maps.std(dim=1).min()) > 0  # not merely an even share for all


def test_maps_are_those_of_the_layers_by_hand(model: Model, trace: Trace) -> None:
    text = model.text_encoder.encode(RECIPE.prompt)[0]
    expected = []
    for layer, states, _ in seen_by_layers(model, trace, 1):
        height, width = {13 * 9: (13, 9), 7 * 5: (7, 5)}[states.shape[1]]
        for image in range(2):
            mean = shares_by_hand(model, layer, states[image], text).mean(dim=0)  # (n, 77)
            maps = mean.T.reshape(77, 1, height, width)
            expected.append(torch.nn.functional.interpolate(maps, (13, 9), mode="bilinear")[:, 0])
    layers = len(cross_layers(model))
    assert len(expected) == 2 * layers
    assert layers > 1
    for image in range(2):
        by_hand = sum(expected[image::2]) / layers
        torch.testing.assert_close(attention_maps(model, trace, 1)[image], by_hand, rtol=1e-4, atol=1e-6)


def test_the_shares_are_those_that_the_network_mixes_values_by(model: Model, trace: Trace) -> None:
    """The layer's own output is those shares times the values: what is shown is what was used."""
    text = model.text_encoder.encode(RECIPE.prompt)[0]
    for layer, states, out in seen_by_layers(model, trace, 2):
        shares = shares_by_hand(model, layer, states[0], text)
        value = (text @ layer.to_v.weight.T).unflatten(1, (layer.heads, -1))
        mixed = torch.einsum("hnp,phd->nhd", shares, value).flatten(1)
        with torch.inference_mode():
            expected = layer.to_out[0](mixed)
        torch.testing.assert_close(out[0], expected, rtol=1e-4, atol=1e-5)


def test_the_prediction_is_the_ordinary_one(model: Model, trace: Trace) -> None:
    for index, recorded in enumerate(trace):
        predictions = []
        given = recorded.latents / math.sqrt(1 + recorded.sigma**2)
        denoiser = model.denoiser(RECIPE, guided=False)
        for context in (None, AttentionSum((13, 9))):
            with torch.inference_mode():
                if context is None:
                    predictions.append(denoiser(given, torch.tensor(recorded.t), index)[1])
                else:
                    with probed(model.network, context):
                        predictions.append(denoiser(given, torch.tensor(recorded.t), index)[1])
        assert torch.equal(*predictions)
        torch.testing.assert_close(predictions[1], recorded.noise_pred_text, rtol=1e-4, atol=1e-5)


def test_processors_are_put_back_exactly(model: Model, trace: Trace) -> None:
    before = model.network.attn_processors
    attention_maps(model, trace, 0)
    after = model.network.attn_processors
    assert list(after) == list(before)
    assert all(after[name] is before[name] for name in before)


def test_processors_are_put_back_when_the_network_fails(
    model: Model, trace: Trace, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = model.network.attn_processors
    within: dict[str, Any] = {}

    def failing(*args: Any, **kwargs: Any) -> None:
        within.update(model.network.attn_processors)
        raise RuntimeError("out of memory")

    monkeypatch.setattr(model.network, "forward", failing)
    with pytest.raises(RuntimeError, match="out of memory"):
        attention_maps(model, trace, 0)
    after = model.network.attn_processors
    assert sum(within[name] is not before[name] for name in before) == len(cross_layers(model))
    assert all(after[name] is before[name] for name in before)


def test_self_attention_is_left_alone(model: Model) -> None:
    with probed(model.network, AttentionSum((8, 8))):
        within = model.network.attn_processors
    kept = model.network.attn_processors
    assert {name for name in kept if within[name] is kept[name]} == {name for name in kept if "attn1" in name}


def test_a_run_is_the_mean_of_its_steps(model: Model, trace: Trace) -> None:
    each = torch.stack([attention_maps(model, trace, step) for step in range(3)])
    torch.testing.assert_close(attention_over_run(model, trace), each.mean(dim=0))


def test_a_run_that_changed_its_prompt_counts_the_steps_with_the_last(model: Model, trace: Trace) -> None:
    forked = fork(trace, 0, model=model, prompt="fog")
    each = torch.stack([attention_maps(model, forked, step) for step in (1, 2)])
    torch.testing.assert_close(attention_over_run(model, forked), each.mean(dim=0))
    assert attention_view(model, forked, 0, 0, 1).word == "ab"
    assert attention_view(model, forked, 1, 0, 1).word == "f"
    assert attention_view(model, forked, None, 0, 1).word == "f"
    assert torch.equal(attention_maps(model, forked, 0), attention_maps(model, trace, 0))
    relabelled = replace(forked, segments=(Segment(start=0, recipe=forked.recipe),))
    assert torch.equal(attention_maps(model, forked, 1), attention_maps(model, relabelled, 1))
    assert not torch.equal(attention_maps(model, forked, 0), attention_maps(model, relabelled, 0))


def test_words_of_a_second_chunk_have_maps_of_their_own(model: Model) -> None:
    recipe = msgspec.structs.replace(RECIPE, prompt="ab BREAK fog", guidance_scale=2.0)
    run = Trace.record(model, recipe)
    maps = attention_maps(model, run, 1)
    assert maps.shape == (2, 154, 13, 9)
    torch.testing.assert_close(maps.sum(dim=1), torch.ones(2, 13, 9), rtol=1e-5, atol=1e-5)
    assert attention_view(model, run, 1, 0, 78).word == "f"


def test_a_prompt_that_changes_on_its_way_counts_the_steps_with_the_last_words(model: Model) -> None:
    run = Trace.record(model, msgspec.structs.replace(RECIPE, prompt="[ab:fog:1] AND a"))
    each = torch.stack([attention_maps(model, run, step) for step in range(1, len(run))])
    torch.testing.assert_close(attention_over_run(model, run), each.mean(dim=0))
    assert [attention_view(model, run, step, 0, 1).word for step in (0, 1, None)] == ["ab", "f", "f"]


@pytest.mark.parametrize("step", [1, None])
@pytest.mark.parametrize("image", [0, 1])
def test_a_view_is_the_heat_of_one_token(model: Model, trace: Trace, step: int | None, image: int) -> None:
    view = attention_view(model, trace, step, image, 2)
    maps = attention_over_run(model, trace) if step is None else attention_maps(model, trace, step)
    heat = maps[image, 2].numpy()
    assert (view.position, view.word, view.step) == (2, "ab", step)
    assert view.strongest == pytest.approx(heat.max())
    shades = np.frombuffer(view.heat.rgb, np.uint8).reshape(13, 9, 3)
    assert (view.heat.width, view.heat.height) == (9, 13)
    assert np.abs(shades - heat[..., None] / heat.max() * 255).max() <= 0.501


@pytest.mark.parametrize("sampler", ["DDIM", "Heun", "DPM++ SDE"])
def test_the_step_is_run_as_the_sampler_ran_it(model: Model, sampler: str) -> None:
    """The maps of a recorded step are those that the run itself had, whatever the sampler does to its latents."""
    recipe = msgspec.structs.replace(RECIPE, sampler=sampler, guidance_scale=1.0, batch_size=1)
    during = AttentionSum((13, 9))
    with probed(model.network, during):
        run = Trace.record(model, recipe)
    assert len(run) > 2
    torch.testing.assert_close(during.mean(), attention_over_run(model, run), rtol=1e-4, atol=1e-6)


def test_a_network_without_cross_attention_says_so(model: Model, trace: Trace, monkeypatch: Any) -> None:
    for layer in cross_layers(model):
        monkeypatch.setattr(layer, "is_cross_attention", False)
    with pytest.raises(AttentionError, match="no cross-attention"):
        attention_maps(model, trace, 0)


def test_a_layer_of_another_shape_is_refused() -> None:
    with pytest.raises(AttentionError, match="36 places"):
        AttentionSum((13, 9)).add(torch.ones(1, 36, 77))


@pytest.mark.parametrize(
    ("latents", "layer"), [((13, 9), (7, 5)), ((13, 9), (4, 3)), ((16, 16), (4, 4)), ((8, 24), (1, 3))]
)
def test_layers_are_halved_latents(latents: tuple[int, int], layer: tuple[int, int]) -> None:
    """A ramp over the columns of a small layer comes out as one over those of the latents."""
    ramp = torch.arange(layer[1], dtype=torch.float32).repeat(layer[0])
    total = AttentionSum(latents)
    total.add(ramp[None, :, None].expand(1, -1, 77))
    maps = total.mean()
    assert maps.shape == (1, 77, *latents)
    torch.testing.assert_close(maps[0, 0, 0], maps[0, 76, -1])
    assert float(maps[0, 0, 0, 0]) == 0
    assert float(maps[0, 0, 0, -1]) == layer[1] - 1
    assert bool((maps[0, 0, 0].diff() >= 0).all())
