"""Where the vocabularies of tokenizers lie, which single-file models do not hold. No torch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sdcore.library.folders import roots, walk
from sdcore.model_folder import read_config, words_problem

_COMFY: Final[dict[str, str]] = {"CLIP": "comfy/sd1_tokenizer", "T5": "comfy/text_encoders/t5_tokenizer"}
"""Where ComfyUI keeps each, below its own folder."""


def vocabularies(kind: str) -> Iterator[Path]:
    """The folders on this machine that hold the files of a tokenizer of this kind ("CLIP" or "T5"): those of the models
    in every folder that is known, the Hugging Face hub's cache among them, and ComfyUI's own. Never fails."""
    for folder in _folders(kind):
        if _holds(folder, kind):
            yield folder


def _folders(kind: str) -> Iterator[Path]:
    known = roots()
    for place in walk(known):
        if place.folder:
            yield from sorted(Path(place.path).glob("tokenizer*"))
    for root in known:
        # A snapshot of the hub's cache is a root itself; one of a text encoder alone has its words at the top.
        yield Path(root.path)
        for above in Path(root.path).parents[:2]:
            yield above / _COMFY[kind]


def _holds(folder: Path, kind: str) -> bool:
    if words_problem(folder, kind):
        return False
    named = read_config(folder / "tokenizer_config.json").get("tokenizer_class")
    return named.startswith(kind) if isinstance(named, str) else True
