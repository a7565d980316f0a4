"""Models of the Hugging Face hub, downloaded into the cache that all programs share. No torch.

The token is the one that `hf auth login` or `HF_TOKEN` gave; it is never shown. Nothing is asked of the network where
sdtui is offline: by its setting `offline`, or by `HF_HUB_OFFLINE`.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Final

from sdcore.library import config
from sdcore.library.folders import hub_cache
from sdcore.model_folder import INDEX, LAYOUTS, read_config
from sdcore.secrecy import without_secrets
from sdcore.spec.sanitise import sanitise
from sdcore.weights import SUFFIX

_log = logging.getLogger(__name__)

Progress = Callable[[str, float], None]
"""Told what is done and its share (0..1); what it raises ends the download, which goes on from there another time."""

VOCABULARIES: Final = {"CLIP": "openai/clip-vit-large-patch14", "T5": "google-t5/t5-small"}
"""Models that are open to all and have the vocabulary of each kind of tokenizer."""

STAGE: Final = "downloading"

_WORDS: Final = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.json",
    "merges.txt",
)
_SMALL: Final = frozenset({".json", ".txt", ".model"})
_ID: Final = re.compile(r"\w[\w.-]{0,95}/\w[\w.-]{0,95}", re.ASCII)
_TRUE: Final = frozenset({"1", "on", "yes", "true"})
_VARIANTS: Final = ("fp16", "")


class HubError(RuntimeError):
    """Nothing was downloaded; the message is one sentence that says what to do."""


def is_id(ref: str) -> bool:
    """Whether this may be the id of a model: "owner/name"."""
    return _ID.fullmatch(ref) is not None


def is_offline() -> bool:
    """Whether nothing may be asked of the network."""
    told = (os.environ.get(name, "") for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"))
    return any(value.casefold() in _TRUE for value in told) or config.load()[0].offline


def download(ref: str, progress: Progress) -> Path:
    """The folder of the model `ref` in the cache, with all that is needed of it: safetensors, of the float16 variant
    where there is one, and small files of configuration and words. What is there already is not downloaded again.

    Raises `HubError`.
    """
    _ready(f"The model {ref} is not on this machine")
    return _guarded(ref, lambda: _download(ref, progress))


def download_vocabulary(kind: str, progress: Progress) -> Path:
    """The folder of a vocabulary for tokenizers of a kind, "CLIP" or "T5". Raises `HubError`."""
    ref = VOCABULARIES[kind]
    _ready(f"The vocabulary of {kind} is not on this machine")

    def fetch() -> Path:
        sizes = _sizes(ref)
        return _fetch(ref, {name: sizes[name] for name in _WORDS if name in sizes}, progress)

    return _guarded(ref, fetch)


def _ready(missing: str) -> None:
    if is_offline():
        raise HubError(
            f"{missing}, and sdtui is offline: turn off its setting offline and HF_HUB_OFFLINE to download it."
        )
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    from huggingface_hub.utils import logging as told_by_library

    # It would write to the terminal, to the letter, what the hub calls a warning.
    told_by_library.get_logger("huggingface_hub").handlers[:] = [logging.NullHandler()]


def _download(ref: str, progress: Progress) -> Path:
    progress(STAGE, 0.0)
    sizes = _sizes(ref)
    if INDEX not in sizes:
        raise HubError(
            f"{ref} on the hub is no model in the layout of diffusers; download its .safetensors file and name that."
        )
    folder = _fetch(ref, {INDEX: sizes[INDEX]}, lambda stage, fraction: None)
    pipeline = read_config(folder / INDEX).get("_class_name")
    layout = LAYOUTS.get(pipeline) if isinstance(pipeline, str) else None
    if layout is None:
        shown = sanitise(str(pipeline), newlines=False)[:60]
        raise HubError(f"{ref} is a {shown!r}, which sdtui does not load; it knows {', '.join(LAYOUTS)}.")
    return _fetch(ref, _needed(sizes, (*layout.parts, "scheduler")), progress)


def _needed(sizes: Mapping[str, int], parts: Iterable[str]) -> dict[str, int]:
    """What is downloaded of a model of these files and parts."""
    needed: dict[str, int] = {}
    for part in parts:
        inside = [name for name in sizes if PurePosixPath(name).parts[:-1] == (part,)]
        weights = [name for name in inside if name.endswith(SUFFIX)]
        variants = ([name for name in weights if _variant(name) == variant] for variant in _VARIANTS)
        chosen = next((found for found in variants if found), weights)
        small = [name for name in inside if PurePosixPath(name).suffix in _SMALL]
        needed |= {name: sizes[name] for name in (*small, *chosen)}
    return needed


def _variant(name: str) -> str:
    """fp16 in `model.fp16.safetensors` and `model.fp16-00001-of-00002.safetensors`, "" in `model.safetensors`."""
    return PurePosixPath(name).stem.partition(".")[2].partition("-")[0]


def _sizes(ref: str) -> dict[str, int]:
    """The files of a model on the hub and their sizes in bytes."""
    from huggingface_hub import HfApi

    info = HfApi().model_info(ref, files_metadata=True, timeout=30)
    return {found.rfilename: found.size or 0 for found in info.siblings or ()}


def _fetch(ref: str, sizes: Mapping[str, int], progress: Progress) -> Path:
    """Download these files, one after another; returns the folder that they are in."""
    from huggingface_hub import hf_hub_download

    meter = _Meter(progress, max(sum(sizes.values()), 1))
    folder: Path | None = None
    for name, size in sizes.items():
        path = Path(hf_hub_download(ref, name, cache_dir=hub_cache(), tqdm_class=_bar(meter)))
        meter.finish(size)
        folder = path.parents[len(PurePosixPath(name).parts) - 1]
    if folder is None:
        raise HubError(f"{ref} on the hub has no file that sdtui needs.")
    return folder


class _Meter:
    """The share of all bytes that are there. A file counts as whole when it is finished."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self._total = progress, total
        self._finished = self._partial = 0
        self._told = -1

    def add(self, count: float) -> None:
        self._partial += int(count)
        self._tell()

    def finish(self, size: int) -> None:
        self._finished, self._partial = self._finished + size, 0
        self._tell()

    def _tell(self) -> None:
        percent = min(100, (self._finished + self._partial) * 100 // self._total)
        if percent != self._told:
            self._told = percent
            self._progress(STAGE, percent / 100)


def _bar(meter: _Meter) -> Any:
    """What huggingface_hub takes for a progress bar, and shows nothing."""

    class Bar:
        def __init__(self, *args: Any, initial: float = 0, **kwargs: Any) -> None:
            self.n = initial
            self.total = kwargs.get("total")
            if initial:
                meter.add(initial)

        def update(self, count: float | None = 1) -> None:
            meter.add(count or 0)

        def __enter__(self) -> Bar:
            return self

        def __exit__(self, *fault: object) -> None:
            return None

        def __getattr__(self, name: str) -> Any:
            return lambda *args, **kwargs: None

    return Bar


def _guarded(ref: str, action: Callable[[], Path]) -> Path:
    """What an action gives; every fault of the network as one sentence without a secret."""
    from huggingface_hub import errors

    known: tuple[tuple[type[Exception], str], ...] = (
        (
            errors.GatedRepoError,
            "asks for an agreement: accept its terms on huggingface.co, then run hf auth login",
        ),
        (
            errors.RepositoryNotFoundError,
            "is not on the hub, or is private: look at the name, or run hf auth login",
        ),
        (
            errors.EntryNotFoundError,
            "lacks a file that it lists, or the hub cannot be reached: try again later",
        ),
        (errors.OfflineModeIsEnabled, "cannot be downloaded, because HF_HUB_OFFLINE forbids it"),
    )
    try:
        return action()
    except HubError:
        raise
    except Exception as error:
        _log.warning("%s: %s", ref, _scrubbed(error))
        says = next((sentence for kind, sentence in known if isinstance(error, kind)), None)
        reason = (
            says
            or f"cannot be downloaded ({_scrubbed(error)}): look at the connection and the disk, and try again"
        )
        # The error holds the request with its token: nothing may print it.
        raise HubError(f"{ref} {reason}.") from None


def _scrubbed(error: Exception) -> str:
    first = str(error).strip().partition("\n")[0] or type(error).__name__
    return sanitise(without_secrets(first), newlines=False)[:200]
