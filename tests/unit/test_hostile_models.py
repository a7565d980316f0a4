"""Models and what lies beside them where a file is none, or never ends: refused in a sentence, and never waited for."""

from __future__ import annotations

import os
import shutil
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sdcore.diffusion import preview
from sdcore.diffusion.model import ModelError
from sdcore.diffusion.trace import Trace
from sdcore.diffusion.trace_file import TraceError
from sdcore.engine.ledger import Entry
from sdcore.engine.recovery import find_saved
from sdcore.library import checkpoints, paths
from sdcore.library.addons import find_addons
from sdcore.library.tokens import TokenCounter, vocabulary_of
from sdcore.library.wildcards import Wildcards
from sdcore.opening import open_model
from sdcore.spec.recipe import Recipe
from tests.models import make_single_file
from tests.unit.test_hostile_files import MONSTERS, nothing_is_waited_for

pytestmark = pytest.mark.usefixtures(nothing_is_waited_for.__name__)


def _linked(path: Path) -> None:
    pipe = path.with_name(f"{path.name} pipe")
    os.mkfifo(pipe)
    path.symlink_to(pipe)


def _loop(path: Path) -> None:
    """A folder in itself, without end."""
    path.mkdir()
    (path / path.name).symlink_to(path)


NO_FILES: dict[str, Callable[[Path], object]] = {
    **{name: MONSTERS[name] for name in ("a pipe", "a device", "a link to itself", "2 GB of nothing")},
    "a socket": lambda path: os.mknod(path, stat.S_IFSOCK | 0o600),
    "a link to a pipe": _linked,
    "a folder in itself": _loop,
}
PLACES = (
    "model_index.json", "unet/config.json", "vae/config.json", "text_encoder/config.json",
    "scheduler/scheduler_config.json", "tokenizer/tokenizer.json",
    "unet/diffusion_pytorch_model.safetensors", "unet/another.safetensors", "text_encoder/model.safetensors",
)  # fmt: skip
"""What a model cannot be opened without, or not beside."""
NEEDLESS = (
    "preview.json", "tokenizer/tokenizer_config.json", "tokenizer/vocab.json", "tokenizer/merges.txt",
    "tokenizer/special_tokens_map.json", "tokenizer/added_tokens.json", "tokenizer/chat_template.jinja",
    "tokenizer/additional_chat_templates",
)  # fmt: skip


@pytest.fixture
def folder(sd1_folder: Path, tmp_path: Path) -> Path:
    """A copy of the model, where the known models are."""
    return Path(shutil.copytree(sd1_folder, paths.models_dir() / "model"))


def put(folder: Path, place: str, make: Callable[[Path], object]) -> Path:
    path = folder / place
    path.unlink(missing_ok=True)
    make(path)
    return path


def look(folder: Path) -> None:
    """All that looks at a model's folder but does not open it."""
    checkpoints.models_in(folder.parent)
    words = vocabulary_of(str(folder))
    counter = TokenCounter(folder)
    counter.follow(words)
    assert counter.count("a house").tokens >= 2


@pytest.mark.parametrize("monster", NO_FILES)
@pytest.mark.parametrize("place", PLACES)
def test_a_file_that_a_model_needs(folder: Path, place: str, monster: str) -> None:
    put(folder, place, NO_FILES[monster])
    look(folder)
    with pytest.raises(ModelError) as told:
        open_model(folder, device="cpu")
    assert str(told.value).endswith(".")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("monster", NO_FILES)
def test_files_that_a_model_can_do_without(folder: Path, monster: str) -> None:
    for place in NEEDLESS:
        put(folder, place, NO_FILES[monster])
    look(folder)
    assert preview.load(folder) is None
    try:
        assert open_model(folder, device="cpu").family == "SD1"
    except ModelError as told:
        assert "too large" in str(told) or "tokenizer" in str(told)  # noqa: PT017 - it may do either


@pytest.mark.parametrize("monster", NO_FILES)
def test_what_lies_beside_a_single_file(folder: Path, sd1_folder: Path, monster: str) -> None:
    path = make_single_file(sd1_folder, folder.parent / "single.safetensors")
    put(path.parent, "single.yaml", NO_FILES[monster])
    beside = Path(shutil.copytree(sd1_folder, path.with_suffix("")))
    assert open_model(path, device="cpu").family == "SD1"
    put(beside, "vae/config.json", NO_FILES[monster])
    put(beside, "tokenizer/tokenizer.json", NO_FILES[monster])
    assert vocabulary_of(str(path)) != beside / "tokenizer"
    try:
        open_model(path, device="cpu")
    except ModelError as told:
        assert str(told).endswith(".")  # noqa: PT017 - the family's own configuration may do as well


@pytest.mark.parametrize("monster", NO_FILES)
def test_folders_of_addons_and_wildcards(tmp_path: Path, monster: str) -> None:
    make = NO_FILES[monster]
    for kind in ("loras", "embeddings", "lycoris"):
        for place in ("x.safetensors", "deep/er/x.safetensors", "x.pt", "deep/x.json"):
            path = tmp_path / kind / place
            path.parent.mkdir(parents=True, exist_ok=True)
            make(path)
        (tmp_path / kind / "deep" / "round").symlink_to(tmp_path)
    assert [found for found in find_addons([str(tmp_path)]) if not found.problem] == []
    for place in ("w.txt", "deep/w.txt"):
        path = paths.wildcards_dir() / place
        path.parent.mkdir(exist_ok=True)
        make(path)
    (paths.wildcards_dir() / "deep" / "round").symlink_to(paths.wildcards_dir())
    known = Wildcards()
    assert not any("x" in line for name in known.files() for line in known(name))


@pytest.mark.parametrize("monster", NO_FILES)
def test_a_trace_and_images_that_are_none(tmp_path: Path, monster: str) -> None:
    path = put(tmp_path, "x.trace.safetensors", NO_FILES[monster])
    with pytest.raises(TraceError):
        Trace.load(path)
    day = tmp_path / time.strftime("%Y-%m-%d")
    day.mkdir()
    put(day, "00001-x.png", NO_FILES[monster])
    entry = Entry(job="x", recipe=Recipe(), began=time.time() - 60)
    assert find_saved(entry, tmp_path) == {}
