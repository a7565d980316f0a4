"""What is recorded of a forward pass is all of it: replayed kernel by kernel, a run is the same to the last bit.

A recording of torch's tracer takes the place of the GPU's own. It, too, holds operations on tensors and no Python: what
a network took from anywhere but its arguments would be repeated with every step as it was in the first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils import _pytree as pytree

from sdcore.diffusion import speed
from sdcore.diffusion.loop import sample
from sdcore.diffusion.model import Model
from sdcore.diffusion.speed import Faster
from sdcore.library.addons import places
from sdcore.library.shelf import Shelf
from sdcore.opening import open_model
from sdcore.spec.recipe import Recipe
from tests.models import INPAINTING, make_sd1, make_sdxl
from tests.models.addons import lora_matrices, save_kohya
from tests.models.flow import make_flux, make_sd3

MAKERS: dict[str, Callable[..., Path]] = {
    "SD1, inpainting": lambda folder: make_sd1(folder, in_channels=INPAINTING["in_channels"]),
    "SD1, LCM": lambda folder: make_sd1(folder, time_cond_proj_dim=33),
    "SDXL": make_sdxl,
    "SD3": make_sd3,
    "Flux": make_flux,
}


class Traced:
    """Stands in for a `Recording`."""

    made = 0

    def __init__(
        self, call: Callable[..., Any], leaves: Sequence[Any], shape: Any, device: torch.device, pool: Any
    ) -> None:
        Traced.made += 1

        def passed(*tensors: Tensor) -> Any:
            given = iter(tensors)
            filled = [next(given) if isinstance(leaf, Tensor) else leaf for leaf in leaves]
            args, kwargs = pytree.tree_unflatten(filled, shape)
            return call(*args, **kwargs)

        with torch.inference_mode(False), torch.no_grad():
            self._traced = make_fx(passed)(*(leaf.clone() for leaf in leaves if isinstance(leaf, Tensor)))

    def __call__(self, leaves: Sequence[Any]) -> Any:
        return self._traced(*(leaf for leaf in leaves if isinstance(leaf, Tensor)))


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> Callable[[Model], Any]:
    """Has a model's network recorded inside."""
    monkeypatch.setattr(speed, "Recording", Traced)
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: None)
    Traced.made = 0

    @contextmanager
    def inside(model: Model) -> Iterator[Faster]:
        faster = Faster(model.network, "graphs", torch.device("cuda", 0), lambda text: None)
        with faster.standing_in():
            yield faster
        assert faster.problem == ""

    return inside


def last(model: Model, **changes: Any) -> Tensor:
    settings: dict[str, Any] = {
        "prompt": "a house", "negative_prompt": "fog", "width": 64, "height": 64, "steps": 3, "guidance_scale": 3.0,
        "sampler": "Euler",
    }  # fmt: skip
    return list(sample(model, Recipe(**settings | changes)))[-1].next_latents


@pytest.mark.parametrize("name", MAKERS)
def test_a_recorded_network_makes_the_same_images(
    name: str, traced: Callable[[Model], Any], tmp_path: Path
) -> None:
    model = open_model(MAKERS[name](tmp_path / "model"), device="cpu")
    runs: list[dict[str, Any]] = [{}, {"prompt": "a boat", "seed": 4}, {"sampler": "Heun"}]
    expected = [last(model, **changes) for changes in runs]
    with traced(model):
        made = [last(model, **changes) for changes in runs]
    assert all(map(torch.equal, made, expected))
    assert Traced.made == 1


def test_what_a_lora_changes_is_seen_by_a_recording(
    model: Model, traced: Callable[[Model], Any], tmp_path: Path
) -> None:
    save_kohya(tmp_path / "style.safetensors", lora_matrices({"unet": model.network}))
    model.addons.connect(Shelf(lambda: places([str(tmp_path)])))
    prompts = ["a house", "a house<lora:style:1>", "a house"]
    expected = [last(model, prompt=prompt) for prompt in prompts]
    assert not torch.equal(expected[0], expected[1])
    with traced(model):
        made = [last(model, prompt=prompt) for prompt in prompts]
    assert all(map(torch.equal, made, expected))
    assert Traced.made == 1


def test_other_shapes_are_recorded_anew(model: Model, traced: Callable[[Model], Any]) -> None:
    runs: list[dict[str, Any]] = [{}, {"guidance_scale": 1.0}, {"prompt": "a house AND a boat"}]
    expected = [last(model, **changes) for changes in runs]
    with traced(model):
        made = [last(model, **changes) for changes in runs]
    assert all(map(torch.equal, made, expected))
    assert Traced.made == len(runs)
