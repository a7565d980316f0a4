"""The rungs on a real small model: the same image on each, and no trace of them afterwards."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import nn

from sdcore.diffusion import ladder, memory, offload
from sdcore.diffusion.addons.attached import use_of
from sdcore.diffusion.ladder import climb, settle, stand_on
from sdcore.diffusion.loop import sample
from sdcore.diffusion.model import Model
from sdcore.diffusion.readings import Readings
from sdcore.diffusion.rungs import LADDER, Rung
from sdcore.diffusion.speed import Faster
from sdcore.spec.recipe import Recipe
from tests.models.addons import lora_matrices, save_kohya

RECIPE = Recipe(prompt="a red house", width=256, height=64, steps=2, seed=3, sampler="Euler")


@pytest.fixture
def low(model: Model) -> Iterator[Model]:
    """The model, on the lowest rung before and after."""
    stand_on(model, LADDER[0], RECIPE)
    yield model
    stand_on(model, LADDER[0], RECIPE)


def rung(name: str) -> Rung:
    return next(one for one in LADDER if one.name == name)


def pixels(model: Model, recipe: Recipe = RECIPE) -> torch.Tensor:
    """The image as integers (3, H, W)."""
    *_, last = sample(model, recipe)
    image = model.decode(last.next_latents)[0]
    return torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8).int()


@pytest.mark.parametrize("name", [one.name for one in LADDER if not one.tiled])
def test_a_seed_means_the_same_image_on_every_rung(low: Model, name: str) -> None:
    whole = pixels(low)
    stand_on(low, rung(name), RECIPE)
    assert (pixels(low) - whole).abs().max() <= 1


@pytest.mark.parametrize("name", [one.name for one in LADDER if one.tiled])
def test_tiles_differ_a_little(low: Model, name: str) -> None:
    """By their own normalisation: on the whole by less than one in fifty of the range."""
    whole = pixels(low)
    stand_on(low, rung(name), RECIPE)
    difference = (pixels(low) - whole).abs().float()
    assert 0 < difference.mean() < 5


def test_afterwards_the_model_is_as_it_was(low: Model) -> None:
    whole = pixels(low)
    weights = {id(weight) for weight in low.network.parameters()}
    for one in (*LADDER, *reversed(LADDER)):
        stand_on(low, one, RECIPE)
        pixels(low)
    assert torch.equal(pixels(low), whole)
    assert {id(weight) for weight in low.network.parameters()} == weights
    assert not any(hasattr(part, "_hf_hook") for part in low.network.modules())


def test_split_guidance_takes_the_batch_alone(low: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[int] = []
    forward = low.network.forward

    def noting(sample: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        rows.append(len(sample))
        return forward(sample, *args, **kwargs)

    monkeypatch.setattr(low.network, "forward", noting)
    recipe = Recipe(prompt="x", width=64, height=64, steps=1, batch_size=2)
    list(sample(low, recipe))
    stand_on(low, rung("split guidance"), recipe)
    list(sample(low, recipe))
    assert rows == [4, 2, 2]


def test_in_turn_only_the_one_that_is_called_is_on_the_device(
    low: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The moves, noted; the device of this test is the CPU, which every network is on anyway."""
    monkeypatch.setattr(Readings, "of", lambda self, what, read: read())
    where: dict[int, str] = {}
    names = {id(low.adapter.modules["text_encoder"]): "text", id(low.network): "network", id(low.vae): "vae"}
    at_once: list[set[str]] = []
    move = nn.Module.to

    def to(module: nn.Module, *args: Any, **kwargs: Any) -> nn.Module:
        if id(module) in names:
            where[id(module)] = "waiting" if args[0] == "cpu" else "there"
            at_once.append({names[key] for key, place in where.items() if place == "there"})
        return move(module, *args, **kwargs)

    for kind in {type(part) for part in (*low.adapter.modules.values(), low.vae)}:
        monkeypatch.setattr(kind, "to", to)
    stand_on(low, rung("model offload"), RECIPE)
    at_once.clear()
    pixels(low, Recipe(prompt="x", width=64, height=64, steps=2, sampler="Euler"))
    assert max(map(len, at_once)) == 1
    called = [next(iter(there)) for there in at_once if there]
    assert [name for name, _ in itertools.groupby(called)] == ["text", "network", "vae"]


class Noting(nn.Linear):
    """Notes which weight it is called with."""

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        self.seen = (self.weight,)
        return super().forward(given)


def test_a_layer_has_its_weights_from_the_device_while_it_is_called() -> None:
    layer = Noting(2, 2)
    kept = layer.weight
    offload.layer_by_layer([nn.Sequential(layer)], torch.device("cpu"))
    with torch.no_grad():
        layer(torch.ones(1, 2))
        nn.Sequential(layer)(torch.ones(1, 2))
    assert layer.seen[0] is kept  # not hooked before its network is called
    network = nn.Sequential(layer)
    offload.layer_by_layer([network], torch.device("cpu"))
    with torch.no_grad():
        network(torch.ones(1, 2))
    assert layer.seen[0] is not kept
    assert torch.equal(layer.seen[0], kept)
    assert layer.weight is kept


def test_a_call_that_fails_loses_no_weights() -> None:
    network = nn.Sequential(nn.Linear(2, 2))
    kept = network[0].weight
    offload.layer_by_layer([network], torch.device("cpu"))
    with pytest.raises(RuntimeError):
        network(torch.ones(1, 3))
    offload.keep_resident([network], torch.device("cpu"))
    assert network[0].weight is kept


@pytest.mark.parametrize("wait", [offload.take_turns, offload.layer_by_layer])
def test_pixels_go_where_the_vae_will_be(low: Model, monkeypatch: pytest.MonkeyPatch, wait: Any) -> None:
    """`encode` is no `forward`: its hook brings the weights and leaves what is given to it where that is."""
    seen: list[torch.device] = []
    wait([low.vae], torch.device("meta"))
    monkeypatch.setattr(type(low.vae), "encode", lambda vae, pixels: seen.append(pixels.device))
    try:
        with pytest.raises(AttributeError):  # this VAE gives nothing back
            low.encode([Image.new("RGB", (64, 64))])
        assert seen == [torch.device("meta")]
        assert low.vae.device == torch.device("cpu")
    finally:
        offload.keep_resident([low.vae], torch.device("cpu"))
    assert offload.device_of(low.vae) == torch.device("cpu")


def test_a_layer_that_came_later_is_fetched_too() -> None:
    network = nn.Sequential(nn.Linear(2, 2))
    offload.layer_by_layer([network], torch.device("cpu"))
    network.append(nn.Linear(2, 2))
    network(torch.ones(1, 2))
    assert all(hasattr(layer, "_hf_hook") for layer in network)


def test_climbing_skips_what_would_not_help(low: Model) -> None:
    assert "tiles" in climb(
        low, RECIPE, "decode"
    )  # splitting the guidance helps no decode, nor does slicing one image
    assert climb(low, RECIPE, "decode") == ""  # nothing above on a CPU
    stand_on(low, LADDER[0], RECIPE)
    assert "forward pass each" in climb(low, RECIPE, "step")
    assert climb(low, RECIPE, "step") == ""
    stand_on(low, LADDER[0], RECIPE)
    assert climb(low, RECIPE, "begin") == ""


def test_recordings_are_given_up_before_the_picture_changes(low: Model) -> None:
    low.thrift.faster = Faster(low.network, "graphs", torch.device("cuda", 0), lambda text: None)
    try:
        assert climb(low, RECIPE, "decode") == rung("plain network").notice
        assert "tiles" in climb(low, RECIPE, "decode")
    finally:
        low.thrift.faster = None


def test_a_layer_that_failed_on_the_device_has_its_own_weights_for_the_next_run(
    low: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy that is left on the device would be given what a LoRA changes, and be thrown away with it."""
    monkeypatch.setattr(ladder, "rungs_for", lambda device: LADDER)
    monkeypatch.setattr(ladder.memory, "available", lambda device: 0)
    stand_on(low, rung("sequential offload"), RECIPE)
    layer = low.vae.decoder.conv_in
    own = layer.weight
    with pytest.raises(RuntimeError):
        low.vae.decode(torch.zeros(1, 99, 2, 2))
    first = low.vae.post_quant_conv
    assert any(hook._kept[0] for hook in (layer._hf_hook, first._hf_hook))
    assert settle(low, RECIPE) == rung("sequential offload").notice
    assert not any(hook._kept[0] for hook in (layer._hf_hook, first._hf_hook))
    assert layer.weight is own


def test_a_run_settles_on_a_rung_of_its_own(low: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_on(low, rung("tiled VAE"), RECIPE)
    assert settle(low, RECIPE) == ""
    assert low.thrift.rung is LADDER[0]
    assert not low.vae.use_tiling
    monkeypatch.setattr(ladder.memory, "available", lambda device: 0)
    assert settle(low, RECIPE) == rung("tiled VAE").notice
    assert low.vae.use_tiling


def test_weights_that_a_lora_has_put_aside_take_memory(
    low: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = memory.needs(memory.footprint(low), RECIPE, LADDER[0]).peak
    monkeypatch.setattr(ladder.memory, "available", lambda device: needed)
    assert settle(low, RECIPE) == ""
    matrices = lora_matrices(low.adapter.modules)
    path = save_kohya(tmp_path / "style.safetensors", matrices)
    attached = low.addons.attached
    attached.use([use_of(path, "style")])
    changed = [low.adapter.modules[part].get_submodule(layer).weight for part, layer in matrices]
    try:
        assert attached.bytes_on(low.device) == sum(weight.nbytes for weight in changed) > 0
        assert settle(low, RECIPE) == low.thrift.rung.notice
        assert low.thrift.rung is not LADDER[0]
    finally:
        attached.use([])
    assert attached.bytes_on(low.device) == 0
    assert settle(low, RECIPE) == ""


def test_there_is_a_sentence_for_every_rung() -> None:
    assert len({one.notice for one in LADDER}) == len({one.name for one in LADDER}) == len(LADDER)
    assert all(one.notice.endswith(".") for one in LADDER)
