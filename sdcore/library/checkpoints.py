"""Which models are there, told from small files and headers alone: no weight is read, and nothing imports torch."""

from __future__ import annotations

import difflib
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from sdcore import tiny
from sdcore.library.fingerprints import INPAINTING_CHANNELS
from sdcore.library.folders import (
    FoundFile,
    Place,
    Root,
    Stop,
    expand,
    find_files,
    hub_id,
    look_at,
    roots,
    walk,
)
from sdcore.model_folder import (
    INDEX,
    LAYOUTS,
    Layout,
    entries_below,
    family_in,
    folder_problem,
    read_config,
    weights_of,
)
from sdcore.spec.families import FAMILIES, variant_of
from sdcore.spec.found import ModelFile
from sdcore.spec.sanitise import sanitise
from sdcore.weights import SUFFIX, HeaderError, read_header

BUNDLED: Final = "tiny"
_MODEL_KINDS: Final = frozenset({"checkpoint", "network"})
_NATIVE_SIZES: Final = {family.name: family.native_size for family in FAMILIES}
_MAX_SIDE: Final = 1024
"""The largest side in latents that a config is believed to say."""
_SHOWN: Final = 3
_NEAR: Final = 10
"""So many names that are near one are looked at for a model."""


class UnknownModelError(LookupError):
    """There is no such model; the message is one sentence that says what to do."""


def find_models(folders: Iterable[Path | str] = ()) -> list[ModelFile]:
    """The models in `folders` and in every folder that is known, by name, the bundled one first; see `iter_models`."""
    return sorted(
        iter_models(folders), key=lambda model: (not model.bundled, model.name.casefold(), model.path)
    )


def models_in(folder: Path | str) -> list[ModelFile]:
    """The models in one folder and below it, by name; never fails."""
    found = (_describe(place) for place in _walk(expand(folder), None))
    return sorted(
        (model for model in found if model is not None), key=lambda model: (model.name.casefold(), model.path)
    )


def iter_models(folders: Iterable[Path | str] = (), stop: Stop | None = None) -> Iterator[ModelFile]:
    """The bundled model, where it is installed, then those in `folders` and in every folder that is known, as found.

    Those that cannot be loaded are among them, with their problem. Takes milliseconds a model; never fails.
    """
    bundled = tiny.weights_folder()
    seen = {str(bundled)}
    if (model := _folder(BUNDLED, bundled)) is not None:
        yield model
    for place in _places(folders, stop):
        if place.path not in seen and (model := _describe(place)) is not None:
            seen.add(place.path)
            yield model


def describe(ref: str) -> ModelFile:
    """The model that `ref` names (see `resolve`); raises `UnknownModelError` if there is none, or no model."""
    path = resolve(ref)
    place = Place(str(path), path.is_dir(), "checkpoint")
    model = _folder(BUNDLED, path) if path == tiny.weights_folder() else _describe(place)
    if model is not None:
        return model
    if ref == BUNDLED:
        raise UnknownModelError(
            "The bundled model is not installed; install sdtui again from the whole repository."
        )
    if place.folder:
        raise UnknownModelError(f"{_shown(path)} is no diffusers model: it has no readable {INDEX}.")
    found = look_at(place)
    kind = "file that is no model" if found is None or found.sniffed.kind == "unknown" else found.sniffed.kind
    raise UnknownModelError(f"{_shown(path)} is a {kind}; name a checkpoint or a model folder.")


def resolve(ref: str) -> Path:
    """The absolute path of the model that `ref` names. Raises `UnknownModelError`.

    It is "tiny" (the bundled one), the path of a folder or file, or the name of one of the models that `find_models`
    lists, or the end of its path, if only one that can be loaded has it; a model in the cache of the Hugging Face hub
    has its id there.
    """
    if ref == BUNDLED:
        return tiny.weights_folder()
    if (found := path_at(ref) or _model_called(ref)) is not None:
        return found
    near = _nearest_model(ref)
    advice = f"did you mean {_shown(near)}?" if near else f"name {BUNDLED} or the path of a model."
    raise UnknownModelError(f"There is no model {_shown(ref)!r}; {advice}")


def resolve_vae(ref: str) -> Path:
    """The absolute path of what has the VAE that `ref` names. Raises `UnknownModelError`.

    It is the path of a folder or file, the name of a VAE's file in a known folder, or what `resolve` takes for a model:
    then its own is meant.
    """
    if ref == BUNDLED:
        return tiny.weights_folder()
    if (path := path_at(ref)) is not None:
        return path
    wanted = ref.casefold().removesuffix(SUFFIX)
    known = find_files("VAE")
    if file := next((file for file in known if file.name.casefold() == wanted), None):
        return Path(file.path)
    if (model := _model_called(ref)) is not None:
        return model
    names = ", ".join(_shown(file.name) for file in known[:_SHOWN])
    advice = f"there are {names}, and the models' own" if known else "name a folder, a file or a model"
    raise UnknownModelError(f"There is no VAE {_shown(ref)!r}: {advice}.")


def path_at(ref: str) -> Path | None:
    """The absolute path of the folder or file at `ref`; None where there is none."""
    try:
        path = Path(ref).expanduser().absolute()
        return path if path.is_dir() or path.is_file() else None
    except (OSError, ValueError, RuntimeError):  # too long, a NUL, no such user
        return None


def _model_called(ref: str) -> Path | None:
    """The model of that name, or with that end of its path: of several the one that can be loaded. Raises
    `UnknownModelError` where several can."""
    named = (_describe(place) for place in _known_places() if _answers_to(place, ref))
    models = {model.path: model for model in named if model is not None}
    found = sorted([path for path, model in models.items() if not model.problem] or models)
    if len(found) > 1:
        many = ", ".join(_shown(path) for path in found[:_SHOWN])
        raise UnknownModelError(f"{_shown(ref)!r} means {len(found)} models: {many}; name one by its path.")
    return Path(found[0]) if found else None


def _nearest_model(ref: str) -> str:
    """The name of a model that `ref` may have meant, "" where none is near."""
    # A path is compared with its neighbours, a bare word with the models that have names.
    places = _neighbours(ref) if "/" in ref else {_name(place): place for place in _known_places()}
    names = [*places, *([] if "/" in ref else [BUNDLED])]
    close = difflib.get_close_matches(Path(ref).name[:200], names, n=_NEAR)
    return next((name for name in close if name == BUNDLED or _describe(places[name]) is not None), "")


def _neighbours(ref: str) -> dict[str, Place]:
    """What lies beside the path `ref`, by name."""
    try:
        folder = Path(ref).expanduser().absolute().parent
        return {path.name: Place(str(path), path.is_dir(), "checkpoint") for path in folder.iterdir()}
    except (OSError, ValueError, RuntimeError):
        return {}


def hashed_files(model: ModelFile) -> list[Path]:
    """The weights whose hash names the model: the file, or those of the folder's network."""
    if model.kind == "file":
        return [Path(model.path)]
    layout = _layout_in(Path(model.path))
    return weights_of(Path(model.path) / layout.network) if layout else []


def _places(folders: Iterable[Path | str], stop: Stop | None) -> Iterator[Place]:
    """Where models may be: `folders` themselves, those that are files, and what lies below all known folders."""
    given = [Path(folder).absolute() for folder in folders]
    yield from (Place(str(path), False, "checkpoint") for path in given if path.suffix.casefold() == SUFFIX)
    yield from _walk((*(root for path in given for root in expand(path)), *roots()), stop)


def _walk(where: Iterable[Root], stop: Stop | None) -> Iterator[Place]:
    return (place for place in walk(where, stop) if not _says_more_of_a_file(place))


def _says_more_of_a_file(place: Place) -> bool:
    """Whether a folder is no model, but says more of the single file beside it (see `configs.beside`): it has that
    file's name, and no weights of a network."""
    file = Path(f"{place.path.removesuffix('.config')}{SUFFIX}")
    if not place.folder or not file.is_file():
        return False
    layout = _layout_in(Path(place.path))
    return layout is not None and not weights_of(Path(place.path) / layout.network)


def _layout_in(folder: Path) -> Layout | None:
    pipeline = read_config(folder / INDEX).get("_class_name")
    return LAYOUTS.get(pipeline) if isinstance(pipeline, str) else None


def _known_places() -> Iterator[Place]:
    """Where models with names may be."""
    return (place for place in _places((), None) if place.folder or place.kind in ("unknown", *_MODEL_KINDS))


def _name(place: Place) -> str:
    path = Path(place.path)
    return (hub_id(path) or path.name) if place.folder else path.stem


def _answers_to(place: Place, ref: str) -> bool:
    wanted = ref.casefold().removesuffix(SUFFIX)
    path = place.path.casefold().removesuffix(SUFFIX)
    return bool(wanted) and (wanted == _name(place).casefold() or path.endswith(f"/{wanted}"))


def _shown(value: Path | str) -> str:
    return sanitise(str(value), newlines=False)[:200]


def _describe(place: Place) -> ModelFile | None:
    if place.folder:
        return _folder(_name(place), Path(place.path))
    found = look_at(place)
    return None if found is None or found.sniffed.kind not in _MODEL_KINDS else _file(found)


def _file(found: FoundFile) -> ModelFile:
    sniffed = found.sniffed
    variant = variant_of(found.name)
    named = variant.name if variant else ""
    return ModelFile(
        name=found.name,
        path=found.path,
        family=sniffed.family,
        bytes=found.bytes,
        bundled=False,
        native_size=_NATIVE_SIZES.get(sniffed.family, _NATIVE_SIZES["SD1"]),
        kind="file",
        variant=sniffed.variant or named,
        inpainting=sniffed.inpainting,
        parameters=sniffed.parameters,
        dtype=sniffed.dtype,
        whole=sniffed.has("VAE") and any(part.name in _TEXTS for part in sniffed.parts),
        title=sniffed.title,
        problem=found.problem,
    )


_TEXTS: Final = frozenset(text for family in FAMILIES for text in family.text)


def _folder(name: str, folder: Path) -> ModelFile | None:
    if "_class_name" not in read_config(folder / INDEX):
        return None
    layout = _layout_in(folder)
    network = read_config(folder / layout.network / "config.json") if layout else {}
    family = family_in(layout, network) if layout else ""
    variant = variant_of(name)
    parameters, dtype = _measure([folder / part for part in layout.parts] if layout else [])
    return ModelFile(
        name=name,
        path=str(folder.absolute()),
        family=family,
        bytes=sum(map(_size, entries_below(folder))),
        bundled=folder == tiny.weights_folder(),
        native_size=_native_size(family, network, read_config(folder / "vae" / "config.json")),
        variant=variant.name if variant else "",
        inpainting=network.get("in_channels") == INPAINTING_CHANNELS,
        parameters=parameters,
        dtype=dtype,
        hub=bool(hub_id(folder)) and name == hub_id(folder),
        problem=folder_problem(folder),
    )


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_size if entry.is_file() else 0
    except OSError:  # a link to nothing
        return 0


def _native_size(family: str, network: dict[str, Any], vae: dict[str, Any]) -> int:
    latent_side = network.get("sample_size")
    if not isinstance(latent_side, int) or not 0 < latent_side <= _MAX_SIDE:
        return _NATIVE_SIZES.get(family, _NATIVE_SIZES["SD1"])
    channels = vae.get("block_out_channels")
    blocks = len(channels) if isinstance(channels, list) and channels else 4
    return latent_side * 2 ** (min(blocks, 8) - 1)


def _measure(parts: Iterable[Path]) -> tuple[int, str]:
    """How many numbers the weights in these folders hold, and of which dtype most bytes of them are."""
    parameters, sizes = 0, Counter[str]()
    for path in (path for part in parts for path in weights_of(part)):
        try:
            tensors = read_header(path).tensors.values()
        except HeaderError:
            continue  # the folder's problem says so
        parameters += sum(info.elements for info in tensors)
        for info in tensors:
            sizes[info.dtype] += info.end - info.begin
    commonest = sizes.most_common(1)
    return parameters, commonest[0][0] if commonest else ""
