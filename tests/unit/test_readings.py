"""Words that were read a while ago are not read again, unless the encoder's weights are others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from sdcore.diffusion.addons.attached import use_of
from sdcore.diffusion.model import Model
from sdcore.diffusion.readings import Readings
from sdcore.opening import open_model
from sdcore.spec.recipe import Recipe
from tests.models import make_sdxl
from tests.models.addons import lora_matrices, save_kohya
from tests.models.flow import make_flux, make_sd3

MAKERS: dict[str, Callable[[Path], Path]] = {"SDXL": make_sdxl, "SD3": make_sd3, "Flux": make_flux}
RECIPE = Recipe(prompt="a (lighthouse:1.2)", negative_prompt="fog", guidance_scale=3.0, width=64, height=64)


def calls_of(monkeypatch: pytest.MonkeyPatch, *networks: nn.Module) -> list[str]:
    """The kinds of networks that are called from now on."""
    calls: list[str] = []
    for network in networks:
        forward = network.forward

        def called(
            *args: Any, forward: Any = forward, kind: str = type(network).__name__, **kwargs: Any
        ) -> Any:
            calls.append(kind)
            return forward(*args, **kwargs)

        monkeypatch.setattr(network, "forward", called)
    return calls


def embeddings(model: Model, recipe: Recipe) -> list[torch.Tensor]:
    text, uncond = model.told(recipe)
    told = [one for part in (text, uncond) if part is not None for one in part.at(0)]
    return [tensor for _, one in told for tensor in (one.embeddings, one.pooled) if tensor is not None]


@pytest.mark.parametrize("name", MAKERS)
def test_the_same_words_are_read_once(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = MAKERS[name](tmp_path / name)
    model = open_model(folder, device="cpu")
    encoders = [part for key, part in model.adapter.modules.items() if key.startswith("text_encoder")]
    calls = calls_of(monkeypatch, *encoders)
    first = embeddings(model, RECIPE)
    read = len(calls)
    assert read >= len(encoders)
    again = embeddings(model, RECIPE)
    assert len(calls) == read
    assert all(map(torch.equal, again, first))
    changed = Recipe(prompt="a (lighthouse:1.2)", negative_prompt="rain", guidance_scale=3.0)
    fresh = embeddings(open_model(folder, device="cpu"), changed)
    assert all(map(torch.equal, embeddings(model, changed), fresh))


def test_what_is_read_with_other_weights_is_read_anew(model: Model, tmp_path: Path) -> None:
    path = save_kohya(tmp_path / "style.safetensors", lora_matrices(model.adapter.modules))
    use, attached = use_of(path, "style"), model.addons.attached
    plain = embeddings(model, RECIPE)
    attached.use([use])
    styled = embeddings(model, RECIPE)
    assert not torch.equal(plain[0], styled[0])
    attached.use([])
    assert all(map(torch.equal, embeddings(model, RECIPE), plain))
    attached.use([use])
    assert all(map(torch.equal, embeddings(model, RECIPE), styled))
    attached.use([])


def test_layers_are_told_apart(model: Model) -> None:
    ids = model.text_encoder.tokenize("a house").ids[:1]
    encoder: Any = model.text_encoder
    assert not torch.equal(encoder.read(ids)[0], encoder.read(ids, clip_skip=2)[0])


def test_the_oldest_go() -> None:
    readings = Readings(most=3 * 4 * 10)
    made: list[str] = []

    def read(what: str) -> None:
        readings.of(what, lambda: (made.append(what) or torch.zeros(10), None))

    for what in ("a", "b", "c", "a", "d", "a", "b"):
        read(what)
    assert made == ["a", "b", "c", "d", "b"]
    readings.of("more than there is room for", lambda: (torch.zeros(100),))
    read("b")
    assert made[-2:] == ["b", "b"]


def test_an_accident_is_not_kept() -> None:
    readings = Readings()
    assert readings.of("a", lambda: (torch.tensor(float("nan")),))[0].isnan()
    assert readings.of("a", lambda: (torch.tensor(1.0),))[0] == 1
