"""The tokenizers of a model: a folder brings its own, a single file has no room for their vocabularies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from sdcore.diffusion.loading.parts import Part
from sdcore.diffusion.model import ModelError
from sdcore.model_folder import words_problem

Vocabularies = Callable[[str], Iterable[Path]]
"""Given "CLIP" or "T5", the folders that may hold the files of such a tokenizer, the likeliest first."""

FILES: Final = {"CLIP": "tokenizer.json, or vocab.json and merges.txt", "T5": "tokenizer.json"}
CLIP_LENGTH: Final = 77
"""Positions of every CLIP text encoder."""

HOMES: Final = {"CLIP": "openai/clip-vit-large-patch14", "T5": "google-t5/t5-small"}
"""A model of the Hugging Face hub, open to all, that has each vocabulary."""


def open_tokenizer(part: Part, folder: Path, settings: Mapping[str, Any] | None = None) -> Any:
    """The tokenizer whose files are in `folder`, with `settings` of its `tokenizer_config.json` replaced. No code of a
    folder is run. Raises `ModelError`."""
    if problem := words_problem(folder, _kind(part)):
        raise ModelError(problem)
    try:
        tokenizer = part.resolve().from_pretrained(folder, local_files_only=True, **(settings or {}))
    except Exception as error:  # the readers of vocabularies raise exceptions of every kind, some bare
        reason = str(error).strip().partition("\n")[0][:200] or type(error).__name__
        raise ModelError(f"The {part.title} in {folder} cannot be loaded: {reason}.") from error
    if part.kind.startswith("CLIP"):
        # Where only the words are kept the length is lost, and the class makes it endless.
        tokenizer.model_max_length = min(tokenizer.model_max_length, CLIP_LENGTH)
    return tokenizer


def find_tokenizer(
    part: Part,
    path: Path,
    beside: Iterable[Path],
    vocabularies: Vocabularies,
    settings: Mapping[str, Any],
    encoder: Mapping[str, Any],
) -> Any:
    """The tokenizer of a single file at `path`, for the text encoder of the config `encoder`.

    It is that of the folders `beside` the file, as it is, or one from `vocabularies` with the family's `settings`.
    Those that have other words than the encoder are passed over. Raises `ModelError` that says which file to put where.
    """
    kind = _kind(part)
    own: list[tuple[Path, Mapping[str, Any]]] = [(folder / part.folder, {}) for folder in beside]
    lent = ((folder, settings) for folder in _lenders(path, beside, kind, vocabularies))
    for folder, told in (*own, *lent):
        if not folder.is_dir():
            continue
        try:
            tokenizer = open_tokenizer(part, folder, told)
        except ModelError:
            continue
        if _fits(tokenizer, encoder):
            return tokenizer
    raise ModelError(
        f"{path.name} needs the vocabulary of {kind}, which no single file holds and which was found nowhere: put "
        f"{FILES[kind]} of {HOMES[kind]} into the folder {path.with_suffix('') / part.folder}."
    )


def _kind(part: Part) -> str:
    return "T5" if part.kind.startswith("T5") else "CLIP"


def _lenders(path: Path, beside: Iterable[Path], kind: str, vocabularies: Vocabularies) -> Iterable[Path]:
    """Folders whose words are meant, whatever their settings are."""
    for folder in (*beside, path.parent):
        yield from sorted(folder.glob("tokenizer*"))
    yield from vocabularies(kind)


def _fits(tokenizer: Any, encoder: Mapping[str, Any]) -> bool:
    """Whether the words of a tokenizer are those of an encoder, which may have spare ones."""
    end = encoder.get("eos_token_id")
    # CLIP's first configs say 2 and mean the last word.
    return len(tokenizer) <= encoder["vocab_size"] and end in (None, 2, tokenizer.eos_token_id)
