"""The kin of LoRA in the weights of a model: LoHa, LoKr and DoRA, as peft has them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoHaConfig, LoKrConfig, LoraConfig, get_peft_model
from safetensors.torch import load_file
from torch import Tensor, nn

from sdcore.diffusion.addons.attached import use_of
from sdcore.diffusion.addons.forms import axis_of
from sdcore.diffusion.addons.lora import AddonError
from sdcore.diffusion.model import Model
from sdcore.library.addons import places
from sdcore.library.shelf import Shelf
from tests.models.addons import lora_matrices, save, save_kohya, weights_of

LINEAR = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
CONV = "down_blocks.0.resnets.0.conv1"
RANK, ALPHA = 3, 2.0


class Alone(nn.Module):
    """A layer that an adapter can be put around."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer


def adapted(layer: nn.Module, config: Any) -> Any:
    """The layer in peft's adapter, of random matrices."""
    torch.manual_seed(3)
    copied = type(layer)(*_shape_of(layer))
    copied.load_state_dict(layer.state_dict())
    inner: Any = get_peft_model(Alone(copied), config)  # type: ignore[arg-type]
    adapter = inner.base_model.model.layer
    for name, matrix in adapter.named_parameters():
        if "base_layer" not in name:
            nn.init.normal_(matrix, std=0.3)
    return adapter


def _shape_of(layer: Any) -> tuple[Any, ...]:
    if isinstance(layer, nn.Linear):
        return layer.in_features, layer.out_features, layer.bias is not None
    return layer.in_channels, layer.out_channels, layer.kernel_size, layer.stride, layer.padding


def lycoris(name: str, adapter: Any) -> dict[str, Tensor]:
    """What LyCORIS would have written of it."""
    key = "lora_unet_" + name.replace(".", "_")
    tensors = {f"{key}.alpha": torch.tensor(ALPHA)}
    for own, matrix in adapter.named_parameters():
        if "base_layer" not in own:
            tensors[f"{key}.{own.split('.')[0]}"] = matrix.detach().clone()
    return tensors


CONFIGS: dict[str, Callable[[], Any]] = {
    "LoHa": lambda: LoHaConfig(r=RANK, alpha=ALPHA, target_modules=["layer"]),  # type: ignore[arg-type]
    "LoHa, Tucker": lambda: LoHaConfig(
        r=RANK,
        alpha=ALPHA,
        target_modules=["layer"],
        use_effective_conv2d=True,  # type: ignore[arg-type]
    ),
    "LoKr": lambda: LoKrConfig(r=RANK, alpha=ALPHA, target_modules=["layer"]),  # type: ignore[arg-type]
    "LoKr, both in pairs": lambda: LoKrConfig(
        r=1,
        alpha=ALPHA,
        target_modules=["layer"],
        decompose_both=True,
        decompose_factor=4,  # type: ignore[arg-type]
    ),
    "LoKr, Tucker": lambda: LoKrConfig(
        r=1,
        alpha=ALPHA,
        target_modules=["layer"],
        use_effective_conv2d=True,  # type: ignore[arg-type]
    ),
}


@pytest.mark.parametrize("form", CONFIGS)
@pytest.mark.parametrize("name", [LINEAR, CONV])
def test_the_weights_are_those_that_peft_makes(model: Model, tmp_path: Path, form: str, name: str) -> None:
    layer = model.network.get_submodule(name)
    before = weights_of([model.network])
    adapter = adapted(layer, CONFIGS[form]())
    tensors = lycoris(name, adapter)
    path = save(tmp_path / "style.safetensors", tensors)
    delta = adapter.get_delta_weight("default").detach()
    if not any(key.endswith(("w1_b", "w2_b")) for key in tensors):
        delta = (
            delta / adapter.scaling["default"]
        )  # two whole matrices know no rank, and LyCORIS no scale for them
    expected = layer.weight + 0.7 * delta
    model.addons.attached.use([use_of(path, "style", 0.7)])
    assert torch.allclose(layer.weight, expected, atol=1e-6)
    assert not torch.allclose(layer.weight, layer.weight - 0.7 * delta, atol=1e-3)
    model.addons.attached.use([])
    assert all(map(torch.equal, weights_of([model.network]), before))


@pytest.mark.parametrize("name", [LINEAR, CONV])
def test_a_dora_is_what_peft_makes_of_it(model: Model, tmp_path: Path, name: str) -> None:
    layer = model.network.get_submodule(name)
    adapter = adapted(layer, LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=["layer"], use_dora=True))  # type: ignore[arg-type]
    down, up = (adapter.get_parameter(f"lora_{which}.default.weight").detach() for which in "AB")
    magnitude = adapter.get_parameter("lora_magnitude_vector.default.weight").detach()
    key = "lora_unet_" + name.replace(".", "_")
    path = save(
        tmp_path / "style.safetensors",
        {
            f"{key}.lora_down.weight": down, f"{key}.lora_up.weight": up, f"{key}.alpha": torch.tensor(ALPHA),
            f"{key}.dora_scale": magnitude.reshape(-1, *[1] * (layer.weight.ndim - 1)),
        },
    )  # fmt: skip
    original = layer.weight.clone()
    adapter.merge()
    expected = adapter.base_layer.weight
    model.addons.attached.use([use_of(path, "style")])
    assert torch.allclose(layer.weight, expected, atol=1e-6)
    model.addons.attached.use([use_of(path, "style", 0.5)])
    assert torch.allclose(layer.weight, (original + expected) / 2, atol=1e-6)
    model.addons.attached.use([])
    assert torch.equal(layer.weight, original)


def test_lengths_of_inputs_are_those_of_columns(model: Model, tmp_path: Path) -> None:
    """As LyCORIS had it first; by hand, for peft knows the other way alone."""
    layer = model.network.get_submodule(CONV)
    ((down, up),) = lora_matrices({"unet": model.network}, layers=lambda name: name == CONV).values()
    lengths = torch.rand(1, layer.weight.shape[1], 1, 1) + 0.5
    key = "lora_unet_" + CONV.replace(".", "_")
    tensors = {f"{key}.lora_down.weight": down, f"{key}.lora_up.weight": up, f"{key}.dora_scale": lengths}
    merged = layer.weight + (up.flatten(1) @ down.flatten(1)).view_as(layer.weight)
    model.addons.attached.use([use_of(save(tmp_path / "style.safetensors", tensors), "style")])
    for column in range(layer.weight.shape[1]):
        wanted = merged[:, column] * lengths[0, column] / merged[:, column].norm()
        assert torch.allclose(layer.weight[:, column], wanted, atol=1e-5)
    model.addons.attached.use([])


def test_which_lengths_a_file_means() -> None:
    assert axis_of((8,), (8, 4)) == axis_of((8, 1, 1, 1), (8, 4, 3, 3)) == axis_of((8, 1), (8, 8)) == 0
    assert axis_of((1, 4, 1, 1), (8, 4, 3, 3)) == axis_of((1, 8), (8, 8)) == 1
    for wrong in ((), (3,), (4,), (8, 4), (0,)):
        with pytest.raises(ValueError, match="do not fit"):
            axis_of(wrong, (8, 4))


@pytest.mark.parametrize(
    "shapes",
    [
        {"hada_w1_a": (32, 3), "hada_w1_b": (3, 32), "hada_w2_a": (32, 3), "hada_w2_b": (3, 31)},
        {"hada_w1_a": (32, 3), "hada_w1_b": (2, 32), "hada_w2_a": (32, 3), "hada_w2_b": (3, 32)},
        {"hada_w1_a": (32, 0), "hada_w1_b": (0, 32), "hada_w2_a": (32, 3), "hada_w2_b": (3, 32)},
        {"hada_w1_a": (32,), "hada_w1_b": (3, 32), "hada_w2_a": (32, 3), "hada_w2_b": (3, 32)},
        {"lokr_w1": (5, 5), "lokr_w2": (7, 7)},
        {"lokr_w1": (4, 4, 1), "lokr_w2": (8, 8)},
        {"lokr_w1": (4, 4), "lokr_w2_a": (8, 2), "lokr_w2_b": (3, 8)},
        {"lokr_w1": (4, 4), "lokr_w2_a": (2, 8), "lokr_w2_b": (2, 8), "lokr_t2": (2, 2)},
    ],
)
def test_matrices_that_do_not_go_together_are_refused(
    model: Model, tmp_path: Path, shapes: dict[str, tuple[int, ...]]
) -> None:
    key = "lora_unet_" + LINEAR.replace(".", "_")
    path = save(
        tmp_path / "style.safetensors", {f"{key}.{name}": torch.ones(size) for name, size in shapes.items()}
    )
    with pytest.raises(AddonError, match="another shape"):
        model.addons.attached.use([use_of(path, "style")])


def test_magnitudes_that_fit_nothing_are_refused(model: Model, tmp_path: Path) -> None:
    matrices = lora_matrices({"unet": model.network}, layers=lambda name: name == LINEAR)
    path = save_kohya(tmp_path / "style.safetensors", matrices)
    key = "lora_unet_" + LINEAR.replace(".", "_")
    save(path, {**load_file(path), f"{key}.dora_scale": torch.ones(7)})
    with pytest.raises(AddonError, match="magnitudes"):
        model.addons.attached.use([use_of(path, "style")])


def test_a_prompt_finds_them(model: Model, tmp_path: Path) -> None:
    adapter = adapted(model.network.get_submodule(LINEAR), CONFIGS["LoHa"]())
    save(tmp_path / "ink.safetensors", lycoris(LINEAR, adapter))
    shelf = Shelf(lambda: places([str(tmp_path)]))
    assert shelf.lora("ink", "SD1").name == "ink"
