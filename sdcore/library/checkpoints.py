"""Which models are there, told from their small files alone: no weights are read."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import msgspec

from sdcore import tiny
from sdcore.spec.sanitise import sanitise

BUNDLED: Final = "tiny"
MAX_CONFIG: Final = 1024 * 1024

_FAMILIES: Final = {768: "SD1", 1024: "SD2"}
_COMMON_FAMILY: Final = "SD1"


class ModelFile(msgspec.Struct, frozen=True, kw_only=True):
    """A model on disk. `path` is a folder in the layout of diffusers, `bytes` the size of all its files.

    `native_size` is the side in pixels of the images that it was trained on.
    """

    name: str
    path: str
    family: str
    bytes: int
    bundled: bool
    native_size: int

    @property
    def ref(self) -> str:
        """What a `Recipe` calls it: a name that means the same on every machine, or its folder."""
        return self.name if self.bundled else self.path


class UnknownModelError(LookupError):
    """There is no such model; the message is one sentence that says what to do."""


def find_models(folders: Iterable[Path | str] = ()) -> list[ModelFile]:
    """The bundled model, where it is installed, and those in `folders` that hold one."""
    named = [(BUNDLED, tiny.weights_folder()), *((Path(folder).name, Path(folder)) for folder in folders)]
    found = (_describe(name, folder) for name, folder in named)
    return [model for model in found if model is not None]


def describe(ref: str) -> ModelFile:
    """The model that `ref` names; raises `UnknownModelError`."""
    folder = resolve(ref)
    model = _describe(ref if ref == BUNDLED else folder.name, folder)
    if model is None and ref == BUNDLED:
        raise UnknownModelError(
            "The bundled model is not installed; install sdtui again from the whole repository."
        )
    if model is None:
        raise UnknownModelError(
            f"{_shown(folder)} is no diffusers model: it has no readable model_index.json."
        )
    return model


def resolve(ref: str) -> Path:
    """The absolute folder of the model that `ref` names: "tiny" or a path. Raises `UnknownModelError`."""
    if ref == BUNDLED:
        return tiny.weights_folder()
    try:
        folder = Path(ref).expanduser().absolute()
        if folder.is_dir():
            return folder
        siblings = [entry.name for entry in folder.parent.iterdir()] if folder.parent.is_dir() else []
    except (OSError, ValueError, RuntimeError):  # too long, a NUL, no such user
        siblings = []
    # A path is compared with its neighbours, a bare word with the models that have names.
    known = siblings if "/" in ref else [BUNDLED]
    close = difflib.get_close_matches(Path(ref).name, known, n=1)
    advice = (
        f"did you mean {_shown(close[0])}?"
        if close
        else f"name {BUNDLED} or a folder that diffusers can load."
    )
    raise UnknownModelError(f"There is no model {_shown(ref)!r}; {advice}")


def _shown(value: Path | str) -> str:
    return sanitise(str(value), newlines=False)[:200]


def _describe(name: str, folder: Path) -> ModelFile | None:
    index, unet, vae = (
        _config(folder / part) for part in ("model_index.json", "unet/config.json", "vae/config.json")
    )
    if "_class_name" not in index:
        return None
    width = unet.get("cross_attention_dim")
    return ModelFile(
        name=name,
        path=str(folder.absolute()),
        family=_FAMILIES.get(width, _COMMON_FAMILY) if isinstance(width, int) else _COMMON_FAMILY,
        bytes=sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
        bundled=folder == tiny.weights_folder(),
        native_size=_native_size(unet, vae),
    )


def _native_size(unet: dict[str, Any], vae: dict[str, Any]) -> int:
    latent_side = unet.get("sample_size")
    channels = vae.get("block_out_channels")
    blocks = len(channels) if isinstance(channels, list) and channels else 4
    return (latent_side if isinstance(latent_side, int) else 64) * 2 ** (min(blocks, 8) - 1)


def _config(path: Path) -> dict[str, Any]:
    """The JSON object in a small file, empty where there is none."""
    try:
        if path.stat().st_size > MAX_CONFIG:
            return {}
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
