"""Where weights are looked for, and that nothing found there makes the search fail or last for ever."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from sdcore.library import config, folders, paths
from sdcore.library.folders import Place, Root, find_files, hub_id, look_at, roots, walk


def lora(path: Path, width: int = 768) -> Path:
    """A small LoRA file of SD1."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({"lora_unet_attn2_to_k.lora_down.weight": np.zeros((2, width), np.float16)}, path)
    return path


def embedding(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({"emb_params": np.zeros((2, 768), np.float32)}, path)
    return path


def found(where: Path, depth: int = 6) -> list[str]:
    """What is found below a folder, as paths from there."""
    return [str(Path(place.path).relative_to(where)) for place in walk([Root(str(where), depth)])]


def test_our_own_folder_and_those_of_the_settings_are_looked_into(tmp_path: Path) -> None:
    mine = lora(paths.models_dir() / "deep" / "er" / "mine.safetensors")
    chosen = lora(tmp_path / "chosen" / "Chosen.safetensors", 2048)
    assert [file.path for file in find_files("LoRA")] == [str(mine)]
    config.save(config.Settings(model_folders=(str(tmp_path / "chosen"), str(tmp_path / "absent"))))
    assert [(file.name, file.sniffed.family) for file in find_files("LoRA")] == [
        ("Chosen", "SDXL"),
        ("mine", "SD1"),
    ]
    assert find_files("LoRA", folders=[str(chosen.parent)])[0].path == str(chosen)
    assert find_files("textual inversion") == []


@pytest.mark.parametrize("home", [("ComfyUI",), ("src", "stable-diffusion-webui"), ("given",)])
def test_other_programs_are_looked_into_where_they_keep_models(
    home: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    program = tmp_path.joinpath(*home)
    lora(program / "models" / "loras" / "a.safetensors")
    lora(program / "models" / "Lora" / "people" / "b.safetensors")
    embedding(program / "embeddings" / "c.safetensors")
    lora(program / "venv" / "not-a-model.safetensors")
    given = [str(program)] if home == ("given",) else []
    assert [file.name for file in find_files("LoRA", folders=given)] == ["a", "b"]
    assert [file.name for file in find_files("textual inversion", folders=given)] == ["c"]


def snapshot(cache: Path, name: str, commit: str) -> Path:
    folder = cache / f"models--{name.replace('/', '--')}" / "snapshots" / commit
    folder.mkdir(parents=True)
    return folder


def test_the_cache_of_the_hub_is_read_at_its_newest_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache" / "hub"
    blob = lora(tmp_path / "cache" / "blob")
    old, new = snapshot(cache, "org/name", "aaa"), snapshot(cache, "org/name", "bbb")
    for folder in (old, new):
        (folder / "lora.safetensors").symlink_to(blob)
    (new / "unet").mkdir()
    lora(new / "unet" / "a-part.safetensors")
    os.utime(old, (2e9, 2e9))
    plain = snapshot(cache, "plain", "ccc")
    (plain / "model_index.json").write_text("{}")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))

    def listed() -> list[str]:
        return [str(Path(place.path).relative_to(cache)) for place in walk(roots([]))]

    assert listed() == ["models--org--name/snapshots/aaa/lora.safetensors", "models--plain/snapshots/ccc"]
    (cache / "models--org--name" / "refs").mkdir()
    (cache / "models--org--name" / "refs" / "main").write_text("bbb\n")
    assert listed()[0] == "models--org--name/snapshots/bbb/lora.safetensors"
    (cache / "models--org--name" / "refs" / "main").write_text("../../../../elsewhere")
    assert listed()[0] == "models--org--name/snapshots/aaa/lora.safetensors"
    assert hub_id(plain) == "plain"
    assert hub_id(new) == "org/name"
    assert hub_id(tmp_path) == ""
    monkeypatch.delenv("HF_HOME")
    assert list(walk(roots([]))) == []
    assert [place.path for place in walk(roots([str(cache)]))][1] == str(plain)


def test_a_folder_that_is_a_model_is_not_looked_into(tmp_path: Path) -> None:
    lora(tmp_path / "model" / "unet" / "part.safetensors")
    (tmp_path / "model" / "model_index.json").write_text("{}")
    assert list(walk([Root(str(tmp_path))])) == [Place(str(tmp_path / "model"), True)]
    assert list(walk([Root(str(tmp_path / "model"))])) == [Place(str(tmp_path / "model"), True)]


def test_loops_of_links_depth_and_odd_names_are_survived(tmp_path: Path) -> None:
    deep = tmp_path
    for _ in range(9):
        deep = deep / "d"
    lora(deep / "too-deep.safetensors")
    (tmp_path / "d" / "loop").symlink_to(tmp_path)
    (tmp_path / "d" / "self").symlink_to(tmp_path / "d" / "self")
    (tmp_path / "gone.safetensors").symlink_to(tmp_path / "absent")
    (tmp_path / "folder.safetensors").mkdir()
    os.mkfifo(tmp_path / "pipe.safetensors")
    hostile = "\x1b[31m\n[bold]\u202e"
    lora(tmp_path / hostile / f"{hostile}.safetensors")
    with_bytes = os.fsdecode(b"\xff\xfe.safetensors")
    lora(tmp_path / "d" / "x").rename(tmp_path / with_bytes)
    for name in (".hidden.safetensors", "model-00001-of-00002.safetensors", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    assert found(tmp_path) == [
        "folder.safetensors", "gone.safetensors", "pipe.safetensors", with_bytes, f"{hostile}/{hostile}.safetensors",
    ]  # fmt: skip
    names = [file.name for file in find_files("LoRA", folders=[str(tmp_path)])]
    assert names == [hostile, os.fsdecode(b"\xff\xfe")]
    assert found(tmp_path, 0) == found(tmp_path)[:4]


def test_a_search_ends_when_it_is_told_to_and_after_so_many_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        lora(tmp_path / str(number) / "a.safetensors")
    assert list(walk([Root(str(tmp_path))], stop=lambda: True)) == []
    monkeypatch.setattr(folders, "MAX_ENTRIES", 8)
    assert len(found(tmp_path)) == 2


def test_what_a_file_is_that_does_not_say_so_is_told_by_its_folder(tmp_path: Path) -> None:
    for name in (
        "models/Lora/old.pt",
        "models/Stable-diffusion/old.ckpt",
        "embeddings/old.bin",
        "old.pth",
        "old.ckpt",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\x80\x02")
    (tmp_path / "models" / "Lora" / "broken.safetensors").write_bytes(b"\x01")
    looked_at = {place.path: look_at(place) for place in walk([Root(str(tmp_path))])}
    kinds = {
        str(Path(path).relative_to(tmp_path)): file.sniffed.kind for path, file in looked_at.items() if file
    }
    assert kinds == {
        "old.ckpt": "checkpoint", "old.pth": "unknown", "embeddings/old.bin": "textual inversion",
        "models/Lora/broken.safetensors": "LoRA", "models/Lora/old.pt": "LoRA",
        "models/Stable-diffusion/old.ckpt": "checkpoint",
    }  # fmt: skip
    assert all(file.problem.endswith(".") for file in looked_at.values() if file)


def test_a_file_is_looked_at_again_when_it_has_changed(tmp_path: Path) -> None:
    path = lora(tmp_path / "a.safetensors")
    assert find_files("LoRA", folders=[str(tmp_path)])[0].sniffed.family == "SD1"
    lora(path, 2048)
    assert find_files("LoRA", folders=[str(tmp_path)])[0].sniffed.family == "SDXL"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may enter every folder")
def test_a_folder_that_may_not_be_entered_is_passed_over(tmp_path: Path) -> None:
    lora(tmp_path / "open" / "a.safetensors")
    (tmp_path / "closed").mkdir(mode=0)
    assert found(tmp_path) == ["open/a.safetensors"]
    assert roots([str(tmp_path / "closed" / "inner")])[-1].path.endswith("inner")
