"""Opening models in every form that they come in: what is taken, what is refused and how that is said."""

from __future__ import annotations

import json
import shutil
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from sdcore.diffusion.checksum import Checksum
from sdcore.diffusion.loading import configs
from sdcore.diffusion.loading.conversion import CONVERSIONS
from sdcore.diffusion.loading.network import _empty, plan
from sdcore.diffusion.loading.parts import layout_of, parts_of
from sdcore.diffusion.loop import sample
from sdcore.diffusion.model import Model, ModelError
from sdcore.opening import open_model
from sdcore.spec.recipe import Recipe
from tests.models import INPAINTING, make_sd1, make_sd2, make_sdxl, make_single_file
from tests.models.single_file import original

CONFIGS = ("text_encoder", "text_encoder_2", "unet", "vae", "scheduler")


@pytest.fixture(scope="module")
def sdxl_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_sdxl(tmp_path_factory.mktemp("opening") / "xl")


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def copied(sd1_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sd1_folder, tmp_path / "model"))


def latents_of(model: Model) -> torch.Tensor:
    made = Recipe(prompt="a house", width=64, height=64, steps=2, seed=3, sampler="DDIM")
    return list(sample(model, made))[-1].next_latents


def bare(folder: Path, target: Path, *parts: str) -> Path:
    """The single file of a folder, with those parts of its folder beside it that hold no weights."""
    path = make_single_file(folder, target)
    for part in parts:
        beside = target.with_suffix("") / part
        shutil.copytree(folder / part, beside, ignore=shutil.ignore_patterns("*.safetensors"))
    return path


# -- folders -------------------------------------------------------------------------------------------------------


def test_shards_and_variants_of_a_folder_are_the_same_model(
    copied: Path, sd1_folder: Path, tmp_path: Path
) -> None:
    unet = copied / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = sorted(load_file(unet).items())
    unet.unlink()
    for number, shard in enumerate((tensors[::2], tensors[1::2]), 1):
        save_file(dict(shard), unet.with_name(f"diffusion_pytorch_model-0000{number}-of-00002.safetensors"))
    vae = copied / "vae" / "diffusion_pytorch_model.safetensors"
    save_file(
        {name: tensor.half() for name, tensor in load_file(vae).items()}, vae.with_suffix(".fp16.safetensors")
    )
    vae.unlink()
    opened, whole = open_model(copied, device="cpu"), open_model(sd1_folder, device="cpu")
    assert torch.equal(latents_of(opened), latents_of(whole))
    assert opened.vae.dtype == torch.float32
    assert opened.model_hash != whole.model_hash


def test_the_attention_of_old_autoencoders_is_known_by_its_old_names(copied: Path, sd1_folder: Path) -> None:
    path = copied / "vae" / "diffusion_pytorch_model.safetensors"
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    tensors = load_file(path)
    for new, name in old.items():
        tensors = {key.replace(f".{new}.", f".{name}."): tensor for key, tensor in tensors.items()}
    save_file(tensors, path)
    latents = torch.randn(1, 4, 8, 8)
    first, second = (open_model(folder, device="cpu").decode(latents)[0] for folder in (copied, sd1_folder))
    assert first.tobytes() == second.tobytes()


def test_a_vocabulary_that_has_lost_its_length_has_the_usual_one(copied: Path, sd1_folder: Path) -> None:
    (copied / "tokenizer" / "tokenizer_config.json").unlink()
    opened = open_model(copied, device="cpu")
    assert opened.text_encoder.tokenizer.model_max_length == 77
    assert torch.equal(latents_of(opened), latents_of(open_model(sd1_folder, device="cpu")))


def test_weights_that_are_missing_are_said(copied: Path) -> None:
    path = copied / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(path)
    del tensors["conv_out.weight"]
    save_file(tensors, path)
    with pytest.raises(ModelError, match=r"The UNet in .* lacks 1 of its 208 weights, conv_out.weight"):
        open_model(copied, device="cpu")


def test_weights_of_other_sizes_are_said(copied: Path) -> None:
    config = copied / "unet" / "config.json"
    said = json.loads(config.read_text()) | {"in_channels": 9}
    config.write_text(json.dumps(said))
    with pytest.raises(ModelError, match=r"conv_in.weight is 16 x 4 x 3 x 3, not 16 x 9 x 3 x 3"):
        open_model(copied, device="cpu")


def test_a_config_that_makes_no_network_is_said(copied: Path) -> None:
    config = copied / "unet" / "config.json"
    said = json.loads(config.read_text()) | {"down_block_types": ["NoBlock"]}
    config.write_text(json.dumps(said))
    with pytest.raises(ModelError, match=r"The configuration of the UNet in .* is wrong"):
        open_model(copied, device="cpu")


@pytest.mark.parametrize("key", ["auto_map", "quantization_config", "attn_implementation"])
def test_a_config_may_not_say_whose_code_is_run(copied: Path, key: str) -> None:
    config = copied / "text_encoder" / "config.json"
    said = json.loads(config.read_text()) | {key: {"AutoModel": "evil.Model", "quant_method": "bitsandbytes"}}
    config.write_text(json.dumps(said))
    assert open_model(copied, device="cpu").family == "SD1"


@pytest.mark.parametrize("make", [make_sd1, make_sd2, make_sdxl])
def test_inpainting_models_open_in_both_forms(make: Callable[..., Path], tmp_path: Path) -> None:
    folder = make(tmp_path / "paint", **INPAINTING)
    for ref in (folder, make_single_file(folder)):
        opened = open_model(ref, device="cpu")
        assert (opened.repaints, opened.network.config.in_channels) == (True, 9)


def test_nothing_is_said_ready_before_it_is_and_the_old_model_may_go_after_the_checks(
    copied: Path, sd1_folder: Path
) -> None:
    heard: list[str] = []
    open_model(
        sd1_folder, device="cpu",
        progress=lambda stage, fraction: heard.append(stage), checked=lambda: heard.append("-- checked"),
    )  # fmt: skip
    assert heard.index("-- checked") < heard.index("text encoder") < heard.index("UNet")
    assert heard[-1] == "ready"
    (copied / "vae" / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(ModelError):
        open_model(copied, device="cpu", checked=lambda: pytest.fail("the loaded model would be lost"))


def test_a_model_in_use_does_not_feel_what_becomes_of_its_file(copied: Path) -> None:
    opened = open_model(copied, device="cpu")
    before = latents_of(opened)
    with (copied / "unet" / "diffusion_pytorch_model.safetensors").open("r+b") as file:
        file.truncate(100)
    assert torch.equal(latents_of(opened), before)


# -- single files --------------------------------------------------------------------------------------------------


def test_a_file_with_the_configs_of_its_folder_needs_no_weights_there(
    sdxl_folder: Path, tmp_path: Path
) -> None:
    path = bare(sdxl_folder, tmp_path / "m.safetensors", *CONFIGS, "tokenizer", "tokenizer_2")
    assert torch.equal(
        latents_of(open_model(path, device="cpu")), latents_of(open_model(sdxl_folder, device="cpu"))
    )


def test_a_vocabulary_is_found_in_any_known_folder(
    sdxl_folder: Path, tmp_path: Path, private_home: Path
) -> None:
    path = bare(sdxl_folder, tmp_path / "m.safetensors", *CONFIGS)
    shutil.copytree(sdxl_folder, private_home / "models" / "other")
    opened = open_model(path, device="cpu")
    # Its second tokenizer pads as the family's do, whatever the model said that lent the words.
    assert opened.adapter.text_encoder_2.tokenizer.pad_token == "!"
    assert opened.adapter.text_encoder.tokenizer.pad_token == "<|endoftext|>"
    assert torch.equal(latents_of(opened), latents_of(open_model(sdxl_folder, device="cpu")))


def test_without_a_vocabulary_it_is_said_which_file_goes_where(sd1_folder: Path, tmp_path: Path) -> None:
    path = bare(
        sd1_folder, tmp_path / "m.safetensors", *(part for part in CONFIGS if part != "text_encoder_2")
    )
    says = rf"put tokenizer.json, or vocab.json and merges.txt of openai/clip-vit-large-patch14 into .*{tmp_path}/m/tok"
    with pytest.raises(ModelError, match=says):
        open_model(path, device="cpu")


def test_a_vocabulary_of_other_words_is_passed_over(
    sd1_folder: Path, tmp_path: Path, private_home: Path
) -> None:
    path = bare(sd1_folder, tmp_path / "m.safetensors", "text_encoder", "unet", "vae", "scheduler")
    lender = private_home / "models" / "other"
    shutil.copytree(sd1_folder, lender)
    config = tmp_path / "m" / "text_encoder" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"eos_token_id": 7}))
    with pytest.raises(ModelError, match="needs the vocabulary of CLIP"):
        open_model(path, device="cpu")


@pytest.mark.parametrize(
    ("mark", "noise"),
    [
        ({}, {"prediction_type": "epsilon"}),
        ({"extra": {"v_pred": torch.zeros(0)}}, {"prediction_type": "v_prediction"}),
        ({"metadata": {"modelspec.prediction_type": "v"}}, {"prediction_type": "v_prediction"}),
        (
            {"extra": {"v_pred": torch.zeros(0), "ztsnr": torch.zeros(0)}},
            {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True},
        ),
    ],
    ids=["plain", "tensor", "metadata", "zero-snr"],
)
def test_a_mark_in_the_file_tells_what_it_predicts(
    sdxl_folder: Path, tmp_path: Path, mark: dict[str, Any], noise: dict[str, Any]
) -> None:
    path = tmp_path / "m.safetensors"
    bare(sdxl_folder, path, *CONFIGS, "tokenizer", "tokenizer_2")
    make_single_file(sdxl_folder, path, **mark)
    said = open_model(path, device="cpu").training_noise
    assert {key: said[key] for key in noise} == noise


def test_sd2_says_by_settings_or_by_its_answer_what_it_predicts(tmp_path: Path) -> None:
    folder = make_sd2(tmp_path / "two")
    path = bare(folder, tmp_path / "m.safetensors", "text_encoder", "unet", "vae", "tokenizer")
    assert open_model(path, device="cpu").training_noise["prediction_type"] == "epsilon"
    path.with_suffix(".yaml").write_text('model:\n  params:\n    parameterization: "v"\n')
    assert open_model(path, device="cpu").training_noise["prediction_type"] == "v_prediction"
    path.with_suffix(".yaml").unlink()
    answers = load_file(folder / "unet" / "diffusion_pytorch_model.safetensors")
    answers["conv_out.bias"] -= 2
    save_file(answers, folder / "unet" / "diffusion_pytorch_model.safetensors")
    make_single_file(folder, path)
    assert open_model(path, device="cpu").training_noise["prediction_type"] == "v_prediction"


def test_a_file_in_half_precision_is_cast_and_float8_too(sd1_folder: Path, tmp_path: Path) -> None:
    for dtype in (torch.float16, torch.float8_e4m3fn):
        path = tmp_path / f"{dtype}.safetensors".removeprefix("torch.")
        parts = (part for part in (*CONFIGS, "tokenizer") if part != "text_encoder_2")
        bare(sd1_folder, path, *parts)
        make_single_file(sd1_folder, path, dtype=dtype)
        opened = open_model(path, device="cpu")
        assert {weight.dtype for weight in opened.network.parameters()} == {torch.float32}
        assert torch.isfinite(latents_of(opened)).all()


def test_a_part_that_a_file_lacks_is_taken_from_beside_it(sd1_folder: Path, copied: Path) -> None:
    path = make_single_file(copied)
    tensors = {name: tensor for name, tensor in load_file(path).items() if not name.startswith("first_stage")}
    save_file(tensors, path)
    assert torch.equal(
        latents_of(open_model(path, device="cpu")), latents_of(open_model(sd1_folder, device="cpu"))
    )
    (copied / "vae" / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(
        ModelError, match=r"model.safetensors has no VAE: use a file that is a whole checkpoint"
    ):
        open_model(path, device="cpu")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("old.ckpt", b"\x80\x02}q\x00.", "is a pickle"),
        ("new.safetensors", b"PK\x03\x04" + bytes(20), "holds a pickle"),
        ("cut.safetensors", b"\x10\x00", "cut off"),
        ("page.safetensors", b"<!DOCTYPE html><html></html>", "web page"),
    ],
)
def test_files_that_hold_no_weights_are_refused(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=says):
        open_model(tmp_path / name, device="cpu")


def test_files_that_are_no_models_are_refused(tmp_path: Path, sd1_folder: Path) -> None:
    lora = tmp_path / "style.safetensors"
    save_file({"lora_unet_down.lora_down.weight": torch.zeros(4, 8)}, lora)
    with pytest.raises(ModelError, match="is a LoRA; name a checkpoint"):
        open_model(lora, device="cpu")
    scaled = make_single_file(sd1_folder, tmp_path / "s.safetensors", extra={"scaled_fp8": torch.zeros(1)})
    with pytest.raises(ModelError, match="scaled FP8, which sdtui cannot unpack"):
        open_model(scaled, device="cpu")


@pytest.mark.parametrize(
    ("family", "parameters"),
    [
        ("SD1", {"text_encoder": 123_060_480, "unet": 859_520_964, "vae": 83_653_863}),
        ("SD2", {"text_encoder": 340_387_840, "unet": 865_910_724, "vae": 83_653_863}),
        (
            "SDXL",
            {
                "text_encoder": 123_060_480, "text_encoder_2": 694_659_840, "unet": 2_567_463_684,
                "vae": 83_653_863,
            },
        ),
    ],
)  # fmt: skip
def test_our_own_configs_are_of_the_published_sizes(family: str, parameters: dict[str, int]) -> None:
    """And files of those sizes are whole: every tensor finds its place. On the meta device, which holds no numbers."""
    parts = {part.folder: part for part in parts_of(layout_of(family)) if not part.is_tokenizer}
    said = {name: configs.config_of(family, name, []) for name in parts}
    networks = {name: _empty(part, said[name]) for name, part in parts.items()}
    sizes = {
        name: sum(weight.numel() for weight in network.parameters()) for name, network in networks.items()
    }
    assert sizes == parameters
    weights = {name: network.state_dict() for name, network in networks.items()}
    file = original(weights, said["unet"], len(said["vae"]["block_out_channels"]))
    for name, part in parts.items():
        planned = plan(part, said[name], CONVERSIONS[family][name](file, said[name]), Path("file"))
        assert {key: tensor.shape for key, tensor in planned.tensors.items()} == {
            key: tensor.shape for key, tensor in weights[name].items()
        }


# -- names ---------------------------------------------------------------------------------------------------------


def test_the_checksum_is_that_of_the_file(sd1_folder: Path) -> None:
    import hashlib

    path = sd1_folder / "unet" / "diffusion_pytorch_model.safetensors"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    first = open_model(sd1_folder, device="cpu")
    assert first.model_hash == digest[:10]
    assert first.known_hash == digest[:10]
    assert open_model(sd1_folder, device="cpu").known_hash == digest[:10]  # remembered


def test_a_checksum_is_reckoned_while_others_work(tmp_path: Path) -> None:
    go = threading.Event()

    def slowly(path: Path) -> str:
        assert go.wait(30)
        return "abcdef0123456789" * 4

    reckoned = Checksum([tmp_path], slowly)
    assert reckoned.known == ""
    go.set()
    assert (reckoned(), reckoned.known) == ("abcdef0123", "abcdef0123")


def test_a_file_that_is_gone_has_no_checksum(tmp_path: Path) -> None:
    def fail(path: Path) -> str:
        raise OSError("gone")

    assert Checksum([tmp_path], fail)() == ""
