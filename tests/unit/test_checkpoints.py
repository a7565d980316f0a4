"""Which models are there, and how a prompt's tokens are counted, without torch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sdcore import tiny
from sdcore.diffusion.families import FAMILIES
from sdcore.library import checkpoints
from sdcore.library.checkpoints import UnknownModelError, describe, find_models, resolve
from sdcore.library.tokens import LIMIT, TokenCounter


def _model(folder: Path, unet: object, vae: object) -> Path:
    """A diffusers folder without its weights."""
    index = {"_class_name": "StableDiffusionPipeline"}
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
    assert model.ref == str(folder)


@pytest.mark.parametrize("content", [[], "x", 3, None, {}, {"cross_attention_dim": [1], "sample_size": "x"}])
def test_odd_configs_are_no_reason_to_fail(content: object, tmp_path: Path) -> None:
    model = describe(str(_model(tmp_path / "odd", content, content)))
    assert (model.family, model.native_size) == ("SD1", 512)


def test_families_are_those_of_the_mathematics() -> None:
    assert {family.cross_attention_dim: family.name for family in FAMILIES} == checkpoints._FAMILIES


def test_agrees_with_the_model_when_it_is_open(sd1_folder: Path) -> None:
    from sdcore.opening import open_model

    opened, told = open_model(sd1_folder, device="cpu"), describe(str(sd1_folder))
    assert (told.name, told.family, told.native_size) == (opened.name, opened.family, opened.native_size)


def test_the_bundled_model_is_listed_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundled = _model(
        tmp_path / "weights", {"cross_attention_dim": 160, "sample_size": 16}, {"block_out_channels": [1] * 4}
    )
    other = _model(tmp_path / "other", {}, {})
    (tmp_path / "empty").mkdir()
    monkeypatch.setattr(tiny, "weights_folder", lambda: bundled)
    found = find_models([other, tmp_path / "empty", tmp_path / "absent"])
    assert [(model.name, model.bundled, model.ref) for model in found] == [
        ("tiny", True, "tiny"),
        ("other", False, str(other)),
    ]
    assert found[0].native_size == 128
    assert resolve("tiny") == bundled
    assert describe("tiny") == found[0]


def test_a_bundled_model_that_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiny, "weights_folder", lambda: tmp_path / "absent")
    assert find_models() == []
    with pytest.raises(UnknownModelError, match="not installed"):
        describe("tiny")


def test_what_is_no_model_is_said(tmp_path: Path) -> None:
    (tmp_path / "stable-one").mkdir()
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
        describe(str(tmp_path / "stable-one"))


def test_tokens_are_counted_as_the_model_reads_them(sd1_folder: Path) -> None:
    from transformers import CLIPTokenizer

    counter = TokenCounter(sd1_folder)
    reference = CLIPTokenizer.from_pretrained(sd1_folder / "tokenizer")
    assert counter.exact
    assert counter.limit == LIMIT == reference.model_max_length - 2
    for text in ("", "a", "A Red House, 日本 🏠", "word " * 100, "<|endoftext|>", "tab\tline\n"):
        assert counter.count(text) == len(
            reference(text, add_special_tokens=False, truncation=False).input_ids
        )
    assert counter.count("\ud800") == 1


@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff"])
def test_without_a_tokenizer_words_are_counted(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "tokenizer").mkdir()
        (tmp_path / "tokenizer" / "tokenizer.json").write_bytes(content)
    counter = TokenCounter(tmp_path)
    assert not counter.exact
    assert counter.count("a red house, at night") == 6


def test_none_of_it_imports_torch(sd1_folder: Path) -> None:
    code = (
        "import sys, sdcore, sdcore.library.checkpoints as c, sdcore.library.tokens as t\n"
        "sdcore.Recipe, sdcore.save_image, sdcore.read_image\n"
        "c.describe(sys.argv[1]); t.TokenCounter(c.resolve(sys.argv[1])).count('a')\n"
        "assert not {'torch', 'transformers', 'diffusers'} & set(sys.modules), 'heavy'"
    )
    subprocess.run([sys.executable, "-c", code, str(sd1_folder)], check=True)
