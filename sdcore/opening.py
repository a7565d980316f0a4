"""From the name of a model to the model: where the library of models and the mathematics meet."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import torch

from sdcore.diffusion.checksum import Checksum
from sdcore.diffusion.loading.folder import FolderSource
from sdcore.diffusion.loading.own_vae import PART, plan_vae, replace_vae, vae_files
from sdcore.diffusion.loading.single_file import FileSource, Marks
from sdcore.diffusion.loading.source import Source, assemble
from sdcore.diffusion.loading.weights import Progress
from sdcore.diffusion.model import Model, ModelError
from sdcore.library import hub
from sdcore.library.checkpoints import BUNDLED, UnknownModelError, resolve, resolve_vae
from sdcore.library.folders import Place, hub_id, look_at
from sdcore.library.hashes import known_hash, sha256_of
from sdcore.library.inputs import read_input
from sdcore.library.shelf import Shelf
from sdcore.library.vocabularies import vocabularies
from sdcore.model_folder import folder_problem
from sdcore.spec.sanitise import sanitise

_MODELS = ("checkpoint", "network")

SHELF: Final = Shelf()
"""The LoRA files and textual inversions that the prompts of all models may name."""


def open_model(
    ref: str | Path = BUNDLED,
    *,
    vae: str | Path = "",
    device: str = "auto",
    dtype: torch.dtype | None = None,
    progress: Progress | None = None,
    checked: Callable[[], None] | None = None,
) -> Model:
    """Open a model: "tiny" (the bundled one), a diffusers folder, a single `.safetensors` file, the name of a model
    that `find_models` lists, or an id of the Hugging Face hub ("owner/name"), looked for in this order.

    Nothing but safetensors is read, and no code is run. Only an id that is not in the hub's cache, and a vocabulary
    that is nowhere on this machine, are downloaded, unless sdtui is offline. `vae` names another VAE: a folder, a
    file, one in the known folders, or a model's. `device` is "auto", "cpu", "cuda" or "cuda:N"; `dtype` defaults to
    float32 on a CPU (bfloat16 for a large model where that is faster), bfloat16 on a GPU that has it, else float16;
    what a file keeps in another, float8 among them, is cast.

    `progress` is called with the part's name and the share done (0..1); what it raises ends the loading. `checked` is
    called when all is well and the first weight is about to be read. Raises `ModelError` with one sentence.
    """
    report = progress or (lambda stage, fraction: None)
    path = locate(str(ref), report)
    source = _source(path, report)
    name = BUNDLED if str(ref) == BUNDLED else hub_id(path) or (path.stem if path.is_file() else path.name)
    chosen = locate_vae(str(vae)) if str(vae) else None
    own = partial(plan_vae, chosen, source.family) if chosen else None
    model = assemble(
        source, name, device=device, dtype=dtype, progress=report, vae=own, checked=checked or (lambda: None),
        checksum=_checksum,
    )  # fmt: skip
    model.addons.connect(SHELF)
    return dataclasses.replace(
        model, open_picture=read_input, vae_checksum=_checksum(vae_files(chosen) if chosen else ())
    )


def with_vae(model: Model, ref: str | Path, vae: str | Path) -> Model:
    """The `model`, which is the one that `ref` names, with the VAE that `vae` names, or where that is "" its own. All
    else is shared with `model`. Raises `ModelError`."""
    if str(vae):
        chosen = locate_vae(str(vae))
        planned = plan_vae(chosen, model.family)
        return replace_vae(model, planned, checksum=_checksum(vae_files(chosen)))

    def say_nothing(stage: str, fraction: float) -> None:
        return

    own = _source(locate(str(ref), say_nothing), say_nothing)
    return replace_vae(model, own.plan(PART), own.preview_factors)


def locate(ref: str, progress: Progress) -> Path:
    """The folder or file of the model that `ref` names, downloaded if need be. Raises `ModelError`."""
    try:
        path = resolve(ref)
    except UnknownModelError as error:
        if not hub.is_id(ref):
            raise ModelError(str(error)) from error
        return _download(ref, progress)
    # What a broken download left in the cache.
    if hub_id(path) == ref and not hub.is_offline() and folder_problem(path):
        return _download(ref, progress)
    return path


def locate_vae(ref: str) -> Path:
    """The folder or file of the VAE that `ref` names (see `resolve_vae`). Raises `ModelError`."""
    try:
        return resolve_vae(ref)
    except UnknownModelError as error:
        raise ModelError(str(error)) from error


def _checksum(files: Sequence[Path]) -> Checksum:
    """What the weights in these files are called by, as far as that was reckoned at some time before."""
    return Checksum(files, sha256_of, known_hash(files))


def _download(ref: str, progress: Progress) -> Path:
    try:
        return hub.download(ref, progress)
    except hub.HubError as error:
        raise ModelError(str(error)) from error


def _source(path: Path, progress: Progress) -> Source:
    """What is at `path`. Raises `ModelError`."""
    if path.is_dir():
        return FolderSource(path)
    found = look_at(Place(str(path), False, "checkpoint"))
    if found is None:
        raise ModelError(f"There is no file {_shown(path)}.")
    sniffed = found.sniffed
    if found.problem:
        raise ModelError(
            found.problem if path.name in found.problem else f"{_shown(path.name)}: {found.problem}"
        )
    if sniffed.kind not in _MODELS:
        raise ModelError(f"{_shown(path)} is a {sniffed.kind}; name a checkpoint or a model folder.")
    if not sniffed.family:
        raise ModelError(f"{_shown(path)} does not tell which family of models it is of.")
    marks = Marks(sniffed.family, sniffed.prediction, sniffed.zero_terminal_snr)
    return FileSource(path, marks, partial(_vocabularies, progress))


def _vocabularies(progress: Progress, kind: str) -> Iterable[Path]:
    """The folders on this machine that may hold such a vocabulary, and then the hub's, asked for once."""
    yield from vocabularies(kind)
    if not hub.is_offline():
        try:
            yield hub.download_vocabulary(kind, progress)
        except hub.HubError:
            return  # the sentence of who asked says what to do


def _shown(value: object) -> str:
    return sanitise(str(value), newlines=False)[:200]
