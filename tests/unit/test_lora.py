"""LoRA files in the weights of a model: as the official pipeline has them, and out again to the last bit."""

from __future__ import annotations

import contextlib
import dataclasses
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from diffusers import DiffusionPipeline, FluxTransformer2DModel, LMSDiscreteScheduler, SD3Transformer2DModel
from diffusers.loaders.lora_conversion_utils import _convert_kohya_flux_lora_to_diffusers
from torch import Tensor

from sdcore.diffusion.addons.attached import Attached, use_of
from sdcore.diffusion.addons.layers import layers_of
from sdcore.diffusion.addons.lora import AddonError
from sdcore.diffusion.loop import sample
from sdcore.diffusion.model import Model
from sdcore.library.addons import places
from sdcore.library.shelf import Shelf
from sdcore.opening import open_model
from sdcore.spec.recipe import Recipe, RecipeError
from tests.models import make_sdxl, make_single_file
from tests.models.addons import Matrices, lora_matrices, save, save_kohya, save_peft, weights_of

RECIPE = Recipe(prompt="a house", width=64, height=64, steps=2, seed=3, model="random-sd1")


def everything(name: str) -> bool:
    """Which layers a LoRA over all of a model changes; convolutions are among them."""
    return "embed" not in name and "text_projection" not in name


def attention_alone(name: str) -> bool:
    return ".attn" in name or "self_attn" in name


Layers = Callable[[str], bool]


@pytest.fixture(scope="module")
def sdxl_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_sdxl(tmp_path_factory.mktemp("models") / "random-sdxl")


@pytest.fixture
def lora(model: Model, tmp_path: Path) -> Path:
    return save_kohya(tmp_path / "style.safetensors", lora_matrices(model.adapter.modules), alpha=1.5)


def matrices_for(model: Model, layers: Layers, **settings: Any) -> Matrices:
    return lora_matrices(model.adapter.modules, layers=layers, **settings)


def modules_of(pipe: Any, model: Model) -> list[Any]:
    return [getattr(pipe, name) for name in model.adapter.modules]


def same(left: list[Tensor], right: list[Tensor]) -> bool:
    return len(left) == len(right) and all(map(torch.equal, left, right))


@pytest.mark.parametrize("layers", [attention_alone, everything])
@pytest.mark.parametrize("form", ["kohya", "peft"])
@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_the_weights_are_those_that_diffusers_fuses(
    family: str, form: str, layers: Layers, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    folder = request.getfixturevalue(f"{family}_folder")
    model = open_model(folder, device="cpu")
    matrices = matrices_for(model, layers)
    path = tmp_path / "style.safetensors"
    if form == "kohya":
        original = model.network.config if family == "sdxl" else None
        save_kohya(path, matrices, alpha=1.5, original=original)
    else:
        save_peft(path, matrices)
    official = DiffusionPipeline.from_pretrained(folder)
    official.load_lora_weights(tmp_path, weight_name=path.name, adapter_name="style")
    official.set_adapters(["style"], [0.7])
    official.fuse_lora(components=list(model.adapter.modules))
    official.unload_lora_weights()
    untouched = weights_of(model.adapter.modules.values())
    model.addons.attached.use([use_of(path, "style", 0.7, 0.7)])
    ours = weights_of(model.adapter.modules.values())
    assert same(ours, weights_of(modules_of(official, model)))
    changed = sum(not torch.equal(before, after) for before, after in zip(untouched, ours, strict=True))
    assert changed == len(matrices)


@pytest.mark.filterwarnings("ignore:Already found a `peft_config`")
def test_two_at_once_draw_what_the_official_pipeline_draws_with_both(
    sd1_folder: Path, tmp_path: Path
) -> None:
    model = open_model(sd1_folder, device="cpu")
    save_kohya(tmp_path / "one.safetensors", matrices_for(model, attention_alone, seed=1), alpha=2.0)
    save_peft(tmp_path / "two.safetensors", matrices_for(model, attention_alone, seed=2, rank=5))
    model.addons.connect(Shelf(lambda: places([str(tmp_path)])))
    prompt = "a house<lora:one:0.8><lora:two:-0.5>"
    *_, ours = sample(model, Recipe(prompt=prompt, width=64, height=64, steps=4, seed=3, guidance_scale=3.0))

    pipe = DiffusionPipeline.from_pretrained(sd1_folder)
    pipe.set_progress_bar_config(disable=True)
    pipe.scheduler = LMSDiscreteScheduler.from_config(pipe.scheduler.config, timestep_spacing="linspace")
    for name in ("one", "two"):
        pipe.load_lora_weights(tmp_path, weight_name=f"{name}.safetensors", adapter_name=name)
    pipe.set_adapters(["one", "two"], [0.8, -0.5])
    theirs = pipe(
        "a house", num_inference_steps=4, width=64, height=64, guidance_scale=3.0, output_type="latent",
        generator=torch.Generator().manual_seed(3),
    ).images  # fmt: skip
    plain = next(iter(sample(model, RECIPE))).noise_pred_text
    # Not to the last bit: it computes W x + B (A x), and ours (W + B A) x, in float32.
    torch.testing.assert_close(ours.next_latents, theirs, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(plain, ours.noise_pred_text, atol=1e-2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_taken_off_every_weight_is_what_it_was(sd1_folder: Path, dtype: torch.dtype, tmp_path: Path) -> None:
    model = open_model(sd1_folder, device="cpu", dtype=dtype)
    path = save_kohya(tmp_path / "style.safetensors", matrices_for(model, everything), alpha=1.5)
    networks, attached = model.adapter.modules.values(), model.addons.attached
    before = weights_of(networks)
    attached.use([use_of(path, "style", 0.8)])
    assert not same(before, weights_of(networks))
    attached.use([])
    assert same(before, weights_of(networks))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_changed_weight_is_as_if_it_had_been_the_first(
    sd1_folder: Path, dtype: torch.dtype, tmp_path: Path
) -> None:
    model, fresh = (open_model(sd1_folder, device="cpu", dtype=dtype) for _ in range(2))
    one = save_kohya(tmp_path / "one.safetensors", matrices_for(model, everything, seed=1))
    two = save_peft(tmp_path / "two.safetensors", matrices_for(model, attention_alone, seed=2))
    attached = model.addons.attached
    attached.use([use_of(one, "one", 0.8), use_of(two, "two", 1.0)])
    attached.use([use_of(two, "two", 1.2)])
    attached.use([use_of(one, "one", 0.6), use_of(two, "two", 0.3, 0.4)])
    fresh.addons.attached.use([use_of(two, "two", 0.3, 0.4), use_of(one, "one", 0.6)])
    assert same(weights_of(model.adapter.modules.values()), weights_of(fresh.adapter.modules.values()))


def test_the_same_again_costs_nothing(model: Model, lora: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    attached, uses = model.addons.attached, [use_of(lora, "style", 0.5)]
    attached.use(uses)
    with monkeypatch.context() as patch:
        patch.setattr("sdcore.diffusion.addons.attached.read_lora", None)  # called, it would fail
        attached.use(uses)
    attached.use([])


def test_another_file_under_the_same_name_is_taken_up(model: Model, lora: Path) -> None:
    attached = model.addons.attached
    attached.use([use_of(lora, "style")])
    before = weights_of(model.adapter.modules.values())
    save_kohya(lora, lora_matrices(model.adapter.modules, rank=4, seed=9))
    attached.use([use_of(lora, "style")])
    assert not same(before, weights_of(model.adapter.modules.values()))
    attached.use([])


def test_text_encoder_and_network_have_weights_of_their_own(model: Model, lora: Path) -> None:
    attached, modules = model.addons.attached, model.adapter.modules
    plain = {name: weights_of([module]) for name, module in modules.items()}
    attached.use([use_of(lora, "style", network=0.0, text=1.0)])
    assert same(plain["unet"], weights_of([modules["unet"]]))
    assert not same(plain["text_encoder"], weights_of([modules["text_encoder"]]))
    attached.use([use_of(lora, "style", network=1.0, text=0.0)])
    assert same(plain["text_encoder"], weights_of([modules["text_encoder"]]))
    attached.use([])


def test_of_its_ranks_the_first_count_alone(model: Model, tmp_path: Path) -> None:
    matrices = lora_matrices(model.adapter.modules, rank=3, layers=everything)
    first = {place: (down[:2], up[:, :2]) for place, (down, up) in matrices.items()}
    save_kohya(tmp_path / "whole.safetensors", matrices, alpha=1.5)
    save_kohya(tmp_path / "first.safetensors", first, alpha=1.0)
    model.addons.connect(Shelf(lambda: places([str(tmp_path)])))
    model.addons.put_in(msgspec.structs.replace(RECIPE, prompt="<lora:whole:0.5:dyn=2>"))
    cut = weights_of(model.adapter.modules.values())
    model.addons.put_in(msgspec.structs.replace(RECIPE, prompt="<lora:first:0.5>"))
    assert same(cut, weights_of(model.adapter.modules.values()))
    model.addons.put_in(RECIPE)


def test_tags_that_are_read_as_words_are_told_once(model: Model, lora: Path) -> None:
    own = dataclasses.replace(model, _addons=None)
    own.addons.connect(Shelf(lambda: places([str(lora.parent)])))
    asked = msgspec.structs.replace(RECIPE, prompt="a<lora:style:0,8>", negative_prompt="<hypernet:\x1b:1>")
    for _ in range(2):
        assert own.addons.put_in(asked) == ()
    assert own.addons.notices() == [
        "<lora:style:0,8> in the prompt is read as words: a weight is written with a point, as 0.8.",
        "<hypernet:\ufffd:1> in the prompt is read as words: sdtui has no hypernetworks.",
    ]


def test_the_weights_stay_where_they_are(model: Model, lora: Path) -> None:
    addresses = [weight.data_ptr() for weight in model.network.parameters()]
    kinds = [type(module) for module in model.network.modules()]
    model.addons.attached.use([use_of(lora, "style")])
    assert [weight.data_ptr() for weight in model.network.parameters()] == addresses
    assert [type(module) for module in model.network.modules()] == kinds
    model.addons.attached.use([])


@pytest.mark.parametrize("form", ["folder", "single file"])
def test_the_model_s_own_files_stay_as_they_are(sdxl_folder: Path, tmp_path: Path, form: str) -> None:
    """Weights that are mapped from a file are changed in memory alone."""
    source = Path(shutil.copytree(sdxl_folder, tmp_path / "models" / "copied"))
    if form == "single file":
        source = make_single_file(source)
    files = [path for path in (tmp_path / "models").rglob("*") if path.is_file()]
    before = [path.read_bytes() for path in files]
    model = open_model(source, device="cpu")
    path = save_kohya(tmp_path / "style.safetensors", matrices_for(model, everything))
    model.addons.attached.use([use_of(path, "style")])
    assert [path.read_bytes() for path in files] == before
    model.addons.attached.use([])


def test_a_run_has_its_own_weights_while_others_go_on(model: Model, lora: Path) -> None:
    model.addons.connect(Shelf(lambda: places([str(lora.parent)])))
    named = Recipe(prompt="a house<lora:style:0.8>", width=64, height=64, steps=2, seed=3)
    alone = [step.next_latents for step in sample(model, named)]
    plain = [step.next_latents for step in sample(model, RECIPE)]
    first, second = sample(model, named), sample(model, RECIPE)
    taken = [(next(first).next_latents, next(second).next_latents) for _ in range(2)]
    assert same([one for one, _ in taken], alone)
    assert same([one for _, one in taken], plain)


# -- what is refused -----------------------------------------------------------------------------------------------


def refused(model: Model, path: Path) -> str:
    """The sentence; the weights are as they were."""
    before = weights_of(model.adapter.modules.values())
    with pytest.raises(AddonError) as caught:
        model.addons.attached.use([use_of(path, "style")])
    assert same(before, weights_of(model.adapter.modules.values()))
    assert model.addons.attached.uses == ()
    message = str(caught.value)
    assert message.count("\n") == 0
    assert message.endswith(".")
    return message


def test_a_lora_of_another_family_is_refused(model: Model, sdxl_folder: Path, tmp_path: Path) -> None:
    other = open_model(sdxl_folder, device="cpu")
    path = save_peft(tmp_path / "style.safetensors", lora_matrices({"unet": other.network}))
    assert "not for this kind of model" in refused(model, path)


def test_one_none_of_whose_layers_is_known_is_refused(model: Model, tmp_path: Path) -> None:
    pair = {
        "lora_unet_nowhere.lora_down.weight": torch.ones(2, 4),
        "lora_unet_nowhere.lora_up.weight": torch.ones(4, 2),
    }
    assert "none of its 1 layers" in refused(model, save(tmp_path / "style.safetensors", pair))


def test_one_that_has_more_layers_is_used_and_says_so(model: Model, tmp_path: Path) -> None:
    matrices = lora_matrices(model.adapter.modules, layers=attention_alone)
    down, up = next(iter(matrices.values()))
    path = save_kohya(tmp_path / "style.safetensors", {**matrices, ("unet", "nowhere"): (down + 1, up + 1)})
    model.addons.attached.use([use_of(path, "style")])
    every = len(matrices) + 1
    said = f"1 of the {every} layers of style are none of this model's; the others are used."
    assert (model.addons.notices(), model.addons.notices()) == ([said], [])
    model.addons.attached.use([])


@pytest.mark.parametrize(
    ("key", "said"), [("x.hada_w1_a", "LoHa"), ("x.lokr_w1", "LoKr"), ("x.diff", "none of its 1 tensors")]
)
def test_other_forms_are_refused_by_name(model: Model, tmp_path: Path, key: str, said: str) -> None:
    assert said in refused(model, save(tmp_path / "style.safetensors", {key: torch.ones(2, 2)}))


def test_a_rank_of_nothing_and_numbers_of_no_use_are_refused(model: Model, tmp_path: Path) -> None:
    (part, layer), (down, up) = next(iter(lora_matrices({"unet": model.network}).items()))
    empty = save_peft(tmp_path / "style.safetensors", {(part, layer): (down[:0], up[:, :0])})
    assert "another shape" in refused(model, empty)
    whole = save_peft(tmp_path / "style.safetensors", {(part, layer): (down.long(), up.long())})
    assert "type I64" in refused(model, whole)


def test_numbers_that_are_none_are_refused_and_taken_back(model: Model, lora: Path) -> None:
    matrices = lora_matrices(model.adapter.modules)
    last = list(matrices)[-1]
    matrices[last][1].fill_(torch.nan)
    save_kohya(lora, matrices)
    assert "no numbers" in refused(model, lora)


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_file_is_refused_or_read_but_never_harms(model: Model, lora: Path, seed: int) -> None:
    """Whatever bytes of a file are other ones, there is a sentence, or it counts as the LoRA that it then is."""
    draw = random.Random(seed)
    damaged = bytearray(lora.read_bytes())
    for _ in range(draw.choice((1, 20))):
        damaged[draw.randrange(min(len(damaged), 3000))] = draw.randrange(256)
    lora.write_bytes(damaged[: draw.choice((len(damaged), draw.randrange(len(damaged))))])
    before = weights_of(model.adapter.modules.values())
    with contextlib.suppress(AddonError):
        model.addons.attached.use([use_of(lora, "style")])
    model.addons.attached.use([])
    assert same(before, weights_of(model.adapter.modules.values()))


def test_an_unknown_name_is_a_fault_of_the_prompt(model: Model, lora: Path) -> None:
    model.addons.connect(Shelf(lambda: places([str(lora.parent)])))
    with pytest.raises(RecipeError) as caught:
        sample(model, Recipe(prompt="a house <lora:stile:1>"))
    (problem,) = caught.value.problems
    assert problem.field == "prompt"
    assert "did you mean style?" in problem.message


# -- what the layers are called ------------------------------------------------------------------------------------


def test_a_layer_that_lies_with_others_in_the_original_code_is_found_with_them() -> None:
    flux = FluxTransformer2DModel(
        num_layers=1, num_single_layers=1, attention_head_dim=8, num_attention_heads=2, in_channels=4,
        joint_attention_dim=8, pooled_projection_dim=8, axes_dims_rope=(2, 2, 4),
    )  # fmt: skip
    names = layers_of(flux)
    attention = "transformer_blocks.0.attn"
    assert names["double_blocks_0_txt_attn_qkv"] == tuple(
        f"{attention}.add_{letter}_proj" for letter in "qkv"
    )
    assert names["single_blocks_0_linear1"][-1] == "single_transformer_blocks.0.proj_mlp"
    sd3 = SD3Transformer2DModel(
        sample_size=4, patch_size=2, in_channels=4, num_layers=2, attention_head_dim=4, num_attention_heads=2,
        joint_attention_dim=8, caption_projection_dim=8, pooled_projection_dim=8, out_channels=4,
        pos_embed_max_size=8,
    )  # fmt: skip
    assert layers_of(sd3)["joint_blocks_1_x_block_attn_qkv"][2] == "transformer_blocks.1.attn.to_v"


def test_flux_has_the_rows_where_diffusers_has_them(tmp_path: Path) -> None:
    """The original code keeps queries, keys and values in one matrix, and the first layers of a single block, too."""
    torch.manual_seed(0)
    flux, official = (
        FluxTransformer2DModel(
            num_layers=1, num_single_layers=1, attention_head_dim=8, num_attention_heads=2, in_channels=4,
            joint_attention_dim=8, pooled_projection_dim=8, axes_dims_rope=(2, 2, 4),
        ).requires_grad_(False)
        for _ in range(2)
    )  # fmt: skip
    official.load_state_dict(flux.state_dict())
    tensors = {}
    for name, modules in layers_of(flux).items():
        if name.startswith(("double_blocks", "single_blocks")):
            weights = [flux.get_submodule(module).weight for module in modules]
            down, up = torch.randn(2, weights[0].shape[1]), torch.randn(sum(map(len, weights)), 2)
            tensors |= {f"lora_unet_{name}.lora_down.weight": down, f"lora_unet_{name}.lora_up.weight": up}
    assert len(tensors) == 2 * 13
    path = save(tmp_path / "style.safetensors", tensors)
    Attached({"transformer": flux}, "Flux").use([use_of(path, "style", 0.5)])
    # diffusers knows the sizes of Flux itself alone for these rows.
    first = "lora_unet_single_blocks_0_linear1"
    down, up = (tensors.pop(f"{first}.lora_{end}.weight") for end in ("down", "up"))
    rows = torch.split(0.5 * (up @ down), [16, 16, 16, 64])
    attention = official.single_transformer_blocks[0].attn
    layers = (attention.to_q, attention.to_k, attention.to_v, official.single_transformer_blocks[0].proj_mlp)
    for layer, change in zip(layers, rows, strict=True):
        layer.weight += change
    official.load_lora_adapter(_convert_kohya_flux_lora_to_diffusers(dict(tensors)), prefix="transformer")
    official.set_adapters("default_0", 0.5)
    official.fuse_lora()
    official.unload_lora()
    # A product of all rows at once is rounded otherwise than those of a third of them.
    torch.testing.assert_close(list(flux.parameters()), list(official.parameters()), rtol=1e-5, atol=1e-5)
