"""Which models are there, and how a prompt's tokens are counted, without torch."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from sdcore import tiny
from sdcore.library import config, paths
from sdcore.library.checkpoints import (
    UnknownModelError,
    describe,
    find_models,
    models_in,
    resolve,
    resolve_vae,
)
from sdcore.library.tokens import LIMIT, TokenCounter
from tests.models import make_sd1, make_sd2, make_sdxl, make_single_file


def _model(folder: Path, unet: object, vae: object, pipeline: object = "StableDiffusionPipeline") -> Path:
    """A diffusers folder without its weights."""
    index = {"_class_name": pipeline}
    for part, content in (("model_index.json", index), ("unet/config.json", unet), ("vae/config.json", vae)):
        (folder / part).parent.mkdir(parents=True, exist_ok=True)
        (folder / part).write_text(json.dumps(content))
    return folder


def test_a_folder_is_described_from_its_small_files(tmp_path: Path) -> None:
    folder = _model(
        tmp_path / "mine", {"cross_attention_dim": 1024, "sample_size": 96}, {"block_out_channels": [1] * 4}
    )
    model = describe(str(folder))
    assert (model.name, model.path, model.family, model.native_size) == ("mine", str(folder), "SD2", 768)
    assert model.bytes == sum(path.stat().st_size for path in folder.rglob("*.json"))
    assert not model.bundled
    assert model.kind == "folder"
    assert model.ref == str(folder)


@pytest.mark.parametrize("content", [[], "x", 3, None, {}, {"cross_attention_dim": [1], "sample_size": "x"}])
def test_odd_configs_are_no_reason_to_fail(content: object, tmp_path: Path) -> None:
    model = describe(str(_model(tmp_path / "odd", content, content)))
    assert (model.family, model.native_size) == ("SD1", 512)


@pytest.mark.parametrize("pipeline", [[], 3, None, "CustomPipeline"])
def test_a_folder_of_another_kind_says_what_it_is(pipeline: object, tmp_path: Path) -> None:
    model = describe(str(_model(tmp_path / "odd", {}, {}, pipeline)))
    assert (model.family, model.parameters) == ("", 0)
    assert "does not load" in model.problem


def test_agrees_with_the_model_when_it_is_open(sd1_folder: Path) -> None:
    from sdcore.opening import open_model

    opened, told = open_model(sd1_folder, device="cpu"), describe(str(sd1_folder))
    assert (told.name, told.family, told.native_size) == (opened.name, opened.family, opened.native_size)
    assert (told.parameters, told.dtype, told.problem) == (opened.parameters, "F32", "")


@pytest.mark.parametrize(("family", "make"), [("SD1", make_sd1), ("SD2", make_sd2), ("SDXL", make_sdxl)])
def test_a_file_is_told_as_its_folder_is(family: str, make: Callable[..., Path], tmp_path: Path) -> None:
    folder = make(tmp_path / "a lightning model", in_channels=9)
    file = describe(str(make_single_file(folder)))
    told = describe(str(folder))
    assert (told.family, told.variant, told.inpainting, told.problem) == (family, "Lightning", True, "")
    assert (file.family, file.variant, file.inpainting, file.problem) == (family, "Lightning", True, "")
    assert (file.kind, file.whole, file.name) == ("file", True, "a lightning model")
    assert file.bytes == Path(file.path).stat().st_size
    assert file.ref == file.path


def test_the_bundled_model_is_listed_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundled = _model(
        tmp_path / "weights", {"cross_attention_dim": 160, "sample_size": 16}, {"block_out_channels": [1] * 4}
    )
    other = _model(tmp_path / "other", {}, {})
    (tmp_path / "empty").mkdir()
    monkeypatch.setattr(tiny, "weights_folder", lambda: bundled)
    found = find_models([other, tmp_path / "empty", tmp_path / "absent", bundled])
    assert [(model.name, model.bundled, model.ref) for model in found] == [
        ("tiny", True, "tiny"),
        ("other", False, str(other)),
    ]
    assert found[0].native_size == 128
    assert resolve("tiny") == bundled
    assert describe("tiny") == found[0]
    assert describe(str(bundled)) == found[0]


def test_a_bundled_model_that_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiny, "weights_folder", lambda: tmp_path / "absent")
    assert find_models() == []
    with pytest.raises(UnknownModelError, match="not installed"):
        describe("tiny")


def _file(path: Path, tensors: dict[str, tuple[int, ...]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: np.zeros(shape, np.float16) for name, shape in tensors.items()}, path)
    return path


_UNET = {
    "model.diffusion_model.input_blocks.0.0.weight": (8, 4, 3, 3),
    "model.diffusion_model.input_blocks.1.1.proj_in.weight": (8, 8, 1, 1),
}


def test_files_and_folders_are_found_and_what_is_wrong_with_them(tmp_path: Path) -> None:
    models = paths.models_dir()
    _file(models / "SDXL" / "Good.safetensors", _UNET)
    _file(models / "a-lora.safetensors", {"lora_unet_attn2_to_k.lora_down.weight": (2, 768)})
    (models / "old.ckpt").write_bytes(b"\x80\x02")
    (models / "cut.safetensors").write_bytes(b"\x80")
    _model(tmp_path / "set" / "with-code", {}, {})
    (tmp_path / "set" / "with-code" / "pipeline.py").write_text("")
    config.save(config.Settings(model_folders=(str(tmp_path / "set"),)))
    found = {model.name: model for model in find_models()}
    assert list(found) == ["tiny", "cut", "Good", "old", "with-code"]
    assert {name: bool(model.problem) for name, model in found.items()} == {
        "tiny": False, "cut": True, "Good": False, "old": True, "with-code": True,
    }  # fmt: skip
    assert "Python code" in found["with-code"].problem
    assert not found["Good"].whole
    assert (found["Good"].parameters, found["Good"].dtype) == (8 * 4 * 9 + 64, "F16")


def test_a_model_answers_to_its_name_and_to_the_end_of_its_path() -> None:
    models = paths.models_dir()
    good = _file(models / "SDXL" / "Good.safetensors", _UNET)
    _file(models / "lora" / "good.safetensors", {"lora_unet_attn2_to_k.lora_down.weight": (2, 768)})
    folder = _model(models / "a-folder", {}, {})
    for ref in ("Good", "good", "Good.safetensors", "SDXL/Good", "sdxl/good.safetensors", str(good)):
        assert resolve(ref) == good
    assert resolve("A-folder") == folder
    assert describe("a-folder").ref == str(folder)
    with pytest.raises(UnknownModelError, match="did you mean Good"):
        resolve("Goood")
    _file(models / "SD1" / "good.safetensors", _UNET)
    with pytest.raises(UnknownModelError, match=r"means 2 models: .*SD1.*SDXL.*by its path"):
        resolve("good")
    assert resolve("sdxl/good") == good


def test_a_folder_that_says_more_of_a_file_is_no_model_of_its_own() -> None:
    models = paths.models_dir()
    file = _file(models / "mine.safetensors", _UNET)
    for name in ("mine", "mine.config"):
        _model(models / name, {}, {})
    assert resolve("mine") == file
    assert [model.path for model in models_in(models)] == [str(file)]
    assert [model.path for model in find_models()][1:] == [str(file)]
    assert describe(str(models / "mine")).kind == "folder"  # who names it by its path learns what it lacks
    _file(models / "mine" / "unet" / "diffusion_pytorch_model.safetensors", _UNET)
    assert {model.kind for model in models_in(models)} == {"file", "folder"}


def test_of_models_of_one_name_those_that_can_be_loaded_are_meant() -> None:
    models = paths.models_dir()
    good = _file(models / "a" / "good.safetensors", _UNET)
    (models / "a" / "good.ckpt").write_bytes(b"\x80\x02")
    _model(models / "b" / "good", {}, {})
    assert resolve("good") == good
    good.unlink()
    with pytest.raises(UnknownModelError, match="means 2 models"):
        resolve("good")


def test_a_model_of_the_hub_is_called_by_its_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    folder = _model(
        tmp_path / "models--org--sdxl-turbo" / "snapshots" / "abc", {}, {}, "StableDiffusionXLPipeline"
    )
    _, model = find_models()
    assert (model.name, model.ref, model.variant, model.hub) == (
        "org/sdxl-turbo",
        "org/sdxl-turbo",
        "Turbo",
        True,
    )
    assert resolve("org/sdxl-turbo") == folder
    assert describe("org/sdxl-turbo") == describe(str(folder)) == model


def test_what_is_no_model_is_said(tmp_path: Path) -> None:
    _model(tmp_path / "stable-one", {}, {})
    (tmp_path / "stable-onn").mkdir()
    for ref, says in {
        "tyny": "did you mean tiny",
        f"{tmp_path}/stable-on": "did you mean stable-one",
        "qqqq": "name tiny or",
        "nul\0": "name tiny or",
        "x" * 5000: "name tiny or",
        "~nobody-at-all/x": "name tiny or",
        "\x1b[31m\ud800": "name tiny or",
    }.items():
        with pytest.raises(UnknownModelError, match=says) as caught:
            resolve(ref)
        assert "\x1b" not in str(caught.value)
        assert len(str(caught.value)) < 400
    with pytest.raises(UnknownModelError, match="no diffusers model"):
        describe(str(tmp_path / "stable-onn"))
    lora = _file(tmp_path / "l.safetensors", {"lora_unet_attn2_to_k.lora_down.weight": (2, 768)})
    with pytest.raises(UnknownModelError, match="is a LoRA"):
        describe(str(lora))
    with pytest.raises(UnknownModelError, match="no model"):
        describe(str(_file(tmp_path / "x.safetensors", {"x": (1,)})))


def test_no_name_is_suggested_that_is_no_model() -> None:
    models = paths.models_dir()
    _file(models / "embed.safetensors", {"emb_params": (1, 768)})
    with pytest.raises(UnknownModelError, match="There is no model 'embed'; name tiny or"):
        resolve("embed")
    good = _file(models / "embedded.safetensors", _UNET)
    with pytest.raises(UnknownModelError, match="did you mean embedded"):
        resolve("embed")
    with pytest.raises(UnknownModelError, match=r"did you mean embedded\.safetensors"):
        resolve(str(good.with_name("embe.safetensors")))


def test_a_vae_is_named_by_its_file_or_by_the_model_that_it_is_in() -> None:
    models = paths.models_dir()
    own = _file(models / "VAE" / "soft.safetensors", {"decoder.conv_in.weight": (8, 4, 3, 3)})
    model = _model(models / "a-folder", {}, {})
    _model(models / "soft", {}, {})
    assert resolve_vae("Soft.safetensors") == resolve_vae(str(own)) == own  # a VAE's name before a model's
    assert resolve_vae("a-folder") == resolve_vae(str(model)) == model
    assert resolve_vae("tiny") == resolve("tiny")
    with pytest.raises(UnknownModelError, match="There is no VAE 'sof': there are soft, and the models' own"):
        resolve_vae("sof")
    _model(models / "b" / "a-folder", {}, {})
    with pytest.raises(UnknownModelError, match="means 2 models"):
        resolve_vae("a-folder")


def test_tokens_are_counted_as_the_model_reads_them(sd1_folder: Path) -> None:
    from transformers import CLIPTokenizer

    counter = TokenCounter(sd1_folder)
    reference = CLIPTokenizer.from_pretrained(sd1_folder / "tokenizer")
    assert counter.exact
    assert counter.limit == LIMIT == reference.model_max_length - 2
    for text in ("", "a", "A Red House, 日本 🏠", "word " * 100, "<|endoftext|>", "tab\tline\n"):
        assert counter.count(text).tokens == len(
            reference(text, add_special_tokens=False, truncation=False).input_ids
        )
    assert counter.count("\ud800").tokens == 1


@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff"])
def test_without_a_tokenizer_words_are_counted(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "tokenizer").mkdir()
        (tmp_path / "tokenizer" / "tokenizer.json").write_bytes(content)
    counter = TokenCounter(tmp_path)
    assert not counter.exact
    assert counter.count("a red house, at night").tokens == 6


def test_none_of_it_imports_torch(sd1_folder: Path) -> None:
    code = (
        "import sys, sdcore, sdcore.library.checkpoints as c, sdcore.library.tokens as t\n"
        "sdcore.Recipe, sdcore.save_image, sdcore.read_image\n"
        "c.describe(sys.argv[1]); t.TokenCounter(c.resolve(sys.argv[1])).count('a')\n"
        "assert not {'torch', 'transformers', 'diffusers'} & set(sys.modules), 'heavy'"
    )
    subprocess.run([sys.executable, "-c", code, str(sd1_folder)], check=True)
