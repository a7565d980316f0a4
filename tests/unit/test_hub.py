"""The Hugging Face hub: what is downloaded of a model, what is said when nothing is, and that offline means it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from sdcore.diffusion.model import ModelError
from sdcore.library import config, hub
from sdcore.opening import open_model
from tests.hub_server import Hub, serve
from tests.models import make_single_file
from tui.commands.console import CommandError
from tui.commands.fetching import described

TOKEN = "hf_abcdefghijklmnop"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with serve() as hub_here:
        monkeypatch.setattr(constants, "ENDPOINT", hub_here.url)
        monkeypatch.setattr(
            constants,
            "HUGGINGFACE_CO_URL_TEMPLATE",
            hub_here.url + "/{repo_id}/resolve/{revision}/{filename}",
        )
        yield hub_here


@pytest.fixture
def model_there(server: Hub, sd1_folder: Path, tmp_path: Path) -> Path:
    """A model on the hub, with what nobody needs beside it."""
    folder = Path(shutil.copytree(sd1_folder, tmp_path / "there"))
    (folder / "README.md").write_text("read me")
    (folder / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"\x80\x02")
    unet = folder / "unet" / "diffusion_pytorch_model.safetensors"
    shutil.copy(unet, unet.with_suffix(".fp16.safetensors"))
    make_single_file(folder, folder / "whole.safetensors")
    (folder / "feature_extractor").mkdir()
    (folder / "feature_extractor" / "preprocessor_config.json").write_text("{}")
    server.models["them/small"] = folder
    return folder


def test_a_model_is_downloaded_once_and_no_more_of_it_than_is_needed(server: Hub, model_there: Path) -> None:
    heard: list[tuple[str, float]] = []
    opened = open_model("them/small", device="cpu", progress=lambda *said: heard.append(said))
    assert (opened.name, opened.family) == ("them/small", "SD1")
    shares = [share for stage, share in heard if stage == hub.STAGE]
    assert (shares[0], shares[-1], shares) == (0.0, 1.0, sorted(shares))
    assert "diffusion_pytorch_model.fp16.safetensors" in server.fetched
    unwanted = {"README.md", "diffusion_pytorch_model.bin", "whole.safetensors", "preprocessor_config.json"}
    assert not unwanted & set(server.fetched)
    assert (
        len(server.fetched) == len(set(server.fetched)) + 2
    )  # configs and weights of two parts have one name
    asked = len(server.fetched)
    assert open_model("them/small", device="cpu").name == "them/small"
    assert len(server.fetched) == asked


def test_a_download_that_was_broken_off_goes_on(server: Hub, model_there: Path) -> None:
    class EnoughError(BaseException):
        pass

    def stop(stage: str, share: float) -> None:
        if share > 0.5:
            raise EnoughError

    with pytest.raises(EnoughError):
        open_model("them/small", device="cpu", progress=stop)
    before = len(server.fetched)
    assert open_model("them/small", device="cpu").family == "SD1"
    assert "model_index.json" not in server.fetched[before:]


@pytest.mark.parametrize(
    ("ref", "says"),
    [
        ("them/nothing", "them/nothing is not on the hub, or is private"),
        ("them/gated", "accept its terms on huggingface.co"),
        ("them/odd", "'AudioPipeline', which sdtui does not load"),
        ("them/bare", r"no model in the layout of diffusers; download its .safetensors file"),
    ],
)
def test_what_cannot_be_had_is_a_sentence(server: Hub, tmp_path: Path, ref: str, says: str) -> None:
    for name in ("odd", "bare"):
        (tmp_path / name).mkdir()
        server.models[f"them/{name}"] = tmp_path / name
    (tmp_path / "odd" / "model_index.json").write_text(json.dumps({"_class_name": "AudioPipeline"}))
    (tmp_path / "bare" / "a.safetensors").write_bytes(b"")
    server.gated.add("them/gated")
    with pytest.raises(ModelError, match=says) as caught:
        open_model(ref, device="cpu")
    assert TOKEN not in str(caught.value)
    assert caught.value.__cause__ is None or TOKEN not in repr(caught.value.__cause__)


def test_without_a_network_there_is_one_sentence(server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ModelError, match=r"them/small cannot be downloaded \(.*look at the connection"):
        open_model("them/small", device="cpu")


@pytest.mark.parametrize("way", ["variable", "setting"])
def test_offline_nothing_is_asked(
    server: Hub, model_there: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    if way == "variable":
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    else:
        config.save(config.Settings(offline=True))
    with pytest.raises(ModelError, match="them/small is not on this machine, and sdtui is offline"):
        open_model("them/small", device="cpu")
    assert server.fetched == []


def test_a_vocabulary_is_asked_of_the_hub_once(server: Hub, sd1_folder: Path, tmp_path: Path) -> None:
    server.models[hub.VOCABULARIES["CLIP"]] = sd1_folder / "tokenizer"
    path = make_single_file(sd1_folder, tmp_path / "m.safetensors")
    for part in ("text_encoder", "unet", "vae", "scheduler"):
        shutil.copytree(
            sd1_folder / part, tmp_path / "m" / part, ignore=shutil.ignore_patterns("*.safetensors")
        )
    assert open_model(path, device="cpu").family == "SD1"
    asked = sorted(server.fetched)
    assert asked == ["tokenizer.json", "tokenizer_config.json"]
    assert open_model(path, device="cpu").family == "SD1"
    assert sorted(server.fetched) == asked


@pytest.mark.parametrize("ref", ["a", "a/b/c", "/a/b", "./a", "a/../b", "~/a", "a b/c", "a/b\n", "ä/b"])
def test_what_is_no_id(ref: str) -> None:
    assert not hub.is_id(ref)


def test_secrets_are_taken_out_of_what_is_said() -> None:
    said = hub._scrubbed(RuntimeError(f"401 for Authorization: Bearer x.y.z and {TOKEN}\x1b[2J"))
    assert said == "401 for Authorization: Bearer … and …�[2J"


def test_a_command_downloads_the_model_that_it_needs(
    server: Hub, model_there: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    found = described("them/small")
    assert (found.name, found.ref, found.native_size, found.problem) == ("them/small", "them/small", 64, "")
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "downloading them/small: 0 %"
    assert told[-1] == "downloading them/small: 100 %"
    assert len(told) <= 11
    assert described("them/small") == found
    assert capsys.readouterr().err == ""
    with pytest.raises(CommandError, match="is not on the hub"):
        described("them/nothing")
