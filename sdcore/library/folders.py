"""Where files of models lie: the folders that are looked into, and what is found below them. No torch."""

from __future__ import annotations

import itertools
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from sdcore.library import config, paths
from sdcore.library.sniff import Kind, Sniffed, sniff
from sdcore.regular import open_regular
from sdcore.weights import PICKLES, SUFFIX, HeaderError, read_header

MAX_DEPTH: Final = 6
MAX_ENTRIES: Final = 100_000
"""So deep folders are looked into, and after so many names a search ends: a whole disk may lie below."""
INDEX: Final = "model_index.json"
"""What makes a folder a model in the layout of diffusers."""

PROGRAM_FOLDERS: Final = (
    "models/Stable-diffusion", "models/checkpoints", "models/diffusion_models", "models/unet", "models/diffusers",
    "models/VAE", "models/vae", "models/text_encoder", "models/text_encoders", "models/clip", "models/Lora",
    "models/loras", "models/embeddings", "embeddings",
)  # fmt: skip
"""Where A1111, Forge and ComfyUI keep models, below their own folders."""

PROGRAMS: Final = (
    "stable-diffusion-webui", "stable-diffusion-webui-forge", "stable-diffusion-webui-reForge", "ComfyUI",
)  # fmt: skip
HOMES: Final = ("", "src", "git", "code", "projects", "apps", "ai", "AI")
"""What these programs' folders are called, and the folders of a person's home that they may be in."""

_KINDS: Final[dict[str, Kind]] = {
    "stable-diffusion": "checkpoint", "checkpoints": "checkpoint", "diffusion_models": "network", "unet": "network",
    "vae": "VAE", "text_encoder": "text encoder", "text_encoders": "text encoder", "clip": "text encoder",
    "lora": "LoRA", "loras": "LoRA", "embeddings": "textual inversion",
}  # fmt: skip
"""What a file that does not say so itself is, by a folder that it is in."""

_SKIPPED: Final = frozenset({"venv", "__pycache__", "node_modules", "site-packages"})
_WEIGHTS: Final = PICKLES | {SUFFIX}
_SHARD: Final = re.compile(r"-\d{5}-of-\d{5}\.safetensors$")
_HUB_FOLDER: Final = "models--"

Stop = Callable[[], bool]
"""Says whether a search is to end now."""


class Root(msgspec.Struct, frozen=True):
    """A folder to look into, so many folders deep."""

    path: str
    depth: int = MAX_DEPTH


class Place(msgspec.Struct, frozen=True):
    """Something found: a file of weights, or a `folder` in the layout of diffusers. `kind` is what a file that does
    not say so itself would be in that place."""

    path: str
    folder: bool
    kind: Kind = "unknown"


class FoundFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of weights, `changed` last at that time (nanoseconds). `problem` is a sentence that says why it is not
    opened, "" if it may be."""

    path: str
    bytes: int
    changed: int
    sniffed: Sniffed
    problem: str = ""

    @property
    def name(self) -> str:
        """The name of the file without its suffix, as prompts and metadata have it."""
        return Path(self.path).stem


def find_files(
    kind: Kind, *, folders: Iterable[str] | None = None, stop: Stop | None = None
) -> list[FoundFile]:
    """The files of this kind below the folders of the settings and the usual ones, in the order of their names.

    `folders` stands for those of the settings. Reads headers alone, in milliseconds a file: call it on a thread.
    Never fails; what cannot be read is left out.
    """
    found = (look_at(place) for place in walk(roots(folders), stop) if not place.folder)
    files = {file.path: file for file in found if file is not None and file.sniffed.kind == kind}
    return sorted(files.values(), key=lambda file: (file.name.casefold(), file.path))


def roots(folders: Iterable[str] | None = None) -> list[Root]:
    """The folders to look into: our own, those of the settings (or `folders`), and those of other programs."""
    chosen = config.load()[0].model_folders if folders is None else folders
    usual = [Path.home() / folder / program for folder in HOMES for program in PROGRAMS]
    own: tuple[Path | str, ...] = (paths.models_dir(), *chosen)
    named = [root for folder in own for root in expand(folder)]
    return [*named, *(root for folder in (*usual, hub_cache()) for root in _foreign(folder))]


def expand(folder: Path | str) -> list[Root]:
    """Where to look for models in a folder that was named: another program's, the cache of the hub, or any other."""
    path = _absolute(folder)
    found = _foreign(path)
    # A folder of models may have one of embeddings, too, without being another program's.
    return found if any(root.path != str(path / "embeddings") for root in found) else [Root(str(path))]


def hub_cache() -> Path:
    """Where models from the Hugging Face hub are kept (source: huggingface_hub, `constants.py`)."""
    if folder := os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE"):
        return Path(folder).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.environ.get("HF_HOME") or f"{cache}/huggingface").expanduser() / "hub"


def hub_id(path: Path | str) -> str:
    """The id ("org/name") of the model of the Hugging Face hub that lies at `path` in its cache, "" elsewhere."""
    folder = next((part for part in Path(path).parts if part.startswith(_HUB_FOLDER)), "")
    return folder.removeprefix(_HUB_FOLDER).replace("--", "/")


def walk(where: Iterable[Root], stop: Stop | None = None) -> Iterator[Place]:
    """The files of weights and model folders in these folders, each once, links being followed. Never fails."""
    seen: set[tuple[int, int]] = set()
    waiting: list[tuple[Path, int, Kind]] = [(Path(root.path), root.depth, "unknown") for root in where][::-1]
    left = MAX_ENTRIES
    while waiting and left > 0 and not (stop and stop()):
        path, depth, above = waiting.pop()
        kind = _KINDS.get(path.name.casefold(), above)
        entries = _enter(path, seen)
        left -= len(entries)
        if any(entry.name == INDEX for entry in entries):
            yield Place(str(path), True)
            continue
        for entry in entries:
            if Path(entry.name).suffix.casefold() in _WEIGHTS and not _SHARD.search(entry.name):
                yield Place(entry.path, False, kind)
        if depth > 0:
            below = [entry for entry in entries if entry.name not in _SKIPPED and _leads_on(entry)]
            waiting += [(Path(entry.path), depth - 1, kind) for entry in below[::-1]]


def look_at(place: Place) -> FoundFile | None:
    """What a file is; None if it is gone or is no file."""
    try:
        about = Path(place.path).stat()
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(about.st_mode):
        return None
    key = (place.path, about.st_size, about.st_mtime_ns, place.kind)
    if key not in _LOOKED_AT:
        if len(_LOOKED_AT) >= MAX_ENTRIES:
            _LOOKED_AT.clear()
        _LOOKED_AT[key] = _look_at(place, about)
    return _LOOKED_AT[key]


_LOOKED_AT: Final[dict[tuple[str, int, int, str], FoundFile]] = {}
"""What this process has looked at, by path, size and time of the last change."""


def _look_at(place: Place, about: os.stat_result) -> FoundFile:
    try:
        sniffed = sniff(read_header(place.path))
    except HeaderError as fault:
        # Who looks for a checkpoint learns here why it is not among them.
        unread = place.kind
        if unread == "unknown" and place.path.casefold().endswith((SUFFIX, ".ckpt")):
            unread = "checkpoint"
        sniffed, problem = Sniffed(kind=unread), str(fault)
    else:
        problem = sniffed.problem
    return FoundFile(
        path=place.path, bytes=about.st_size, changed=about.st_mtime_ns, sniffed=sniffed, problem=problem
    )


def _absolute(folder: Path | str) -> Path:
    try:
        return Path(folder).expanduser().absolute()
    except RuntimeError:  # the home of a user whom nobody knows
        return Path(folder).absolute()


def _foreign(folder: Path) -> list[Root]:
    """The folders to look into where `folder` is that of another program, or the cache of the hub."""
    below = [folder / name for name in PROGRAM_FOLDERS]
    return [Root(str(path)) for path in below if _is_folder(path)] or [
        Root(str(snapshot), 0) for snapshot in _snapshots(folder)
    ]


def _snapshots(cache: Path) -> list[Path]:
    """The newest state of each model in a cache of the hub."""
    try:
        models = [entry for entry in sorted(cache.iterdir()) if entry.name.startswith(_HUB_FOLDER)]
    except OSError:
        return []
    return [found for model in models if (found := _snapshot(model)) is not None]


def _snapshot(model: Path) -> Path | None:
    try:
        with open_regular(model / "refs" / "main") as file:
            commit = file.read(80).decode("ascii").strip()
        found = model / "snapshots" / Path(commit).name
        if commit and _is_folder(found):
            return found
    except (OSError, ValueError):
        pass
    try:
        return max((model / "snapshots").iterdir(), key=lambda path: path.stat().st_mtime, default=None)
    except OSError:
        return None


def _enter(path: Path, seen: set[tuple[int, int]]) -> list[os.DirEntry[str]]:
    """What is in the folder at `path`, in the order of the names; nothing where one has been already."""
    try:
        about = path.stat()
        if (about.st_dev, about.st_ino) in seen:
            return []
        seen.add((about.st_dev, about.st_ino))
        with os.scandir(path) as entries:
            found = [
                entry for entry in itertools.islice(entries, MAX_ENTRIES) if not entry.name.startswith(".")
            ]
    except (OSError, ValueError):
        return []
    return sorted(found, key=lambda entry: entry.name)


def _leads_on(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # below a folder that may not be entered
        return False
