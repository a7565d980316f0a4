"""Textual inversions: words that stand for vectors of their own (Gal et al., arXiv 2208.01618).

The tokenizer learns nothing. Where a prompt says the name of a file, ids stand that no vocabulary has, one a vector;
when the text encoder reads them, a hook on its token embedding puts the vectors in their places. A prompt that names
none is read as if there were none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from sdcore.diffusion.addons.lora import READABLE, AddonError
from sdcore.spec.families import TextPart
from sdcore.spec.sanitise import sanitise
from sdcore.spec.words import names_in
from sdcore.weights import Header, HeaderError, read_header

FIRST_ID: Final = 500_000
"""Ids from here on are vectors: far above those of any vocabulary."""
MOST_VECTORS: Final = 75
"""A file with more does not fit into one chunk of a prompt."""

_OWN_KEYS: Final[dict[TextPart, tuple[str, ...]]] = {
    "CLIP-L": ("clip_l", "text_encoders_0"),
    "OpenCLIP-G": ("clip_g", "text_encoders_1"),
}
"""What files for two text encoders call the vectors of each."""
_COMMON_KEYS: Final = ("emb_params", "string_to_param.*", "string_to_param")


class AddonFile(Protocol):
    """A file that a prompt names, as `sdcore.library.addons.Addon`."""

    @property
    def name(self) -> str: ...
    @property
    def path(self) -> str: ...


Known = Callable[[], Mapping[str, AddonFile]]
"""The textual inversions that there are now, by their names in any case of letters."""


class Inversions:
    """The textual inversions of one text encoder, of vectors of its `width`; none until it is told which there are."""

    def __init__(self) -> None:
        self._known: Known = dict
        self._part: TextPart = "CLIP-L"
        self._width = 0
        self._ids: dict[tuple[str, int, int], tuple[int, ...]] = {}
        self._vectors: list[tuple[Tensor, str, int]] = []
        """Each with the name of its file, and how many it has from this one on."""

    def connect(self, known: Known, part: TextPart, width: int) -> None:
        """Look prompts' words up among the `known` from now on, for an encoder that is the family's `part`."""
        self._known, self._part, self._width = known, part, width

    def split(self, text: str) -> list[str | tuple[int, ...]]:
        """The text in pieces: what is words as it stands, and the ids of what is named. Raises `AddonError`."""
        known = self._known()
        pieces: list[str | tuple[int, ...]] = []
        at = 0
        for start, end, name in names_in(text, known):
            ids = self._load(known[name])
            if ids:
                pieces += [text[at:start], ids]
                at = end
        pieces.append(text[at:])
        return [piece for piece in pieces if piece] or [""]

    def named_in(self, text: str) -> list[AddonFile]:
        """The files that the text names. Raises `AddonError`."""
        known = self._known()
        return [known[name] for _, _, name in names_in(text, known) if self._load(known[name])]

    def length(self, token: int) -> int:
        """How many tokens stand together from this one on: the vectors of a file are not parted."""
        return self._vectors[token - FIRST_ID][2] if token >= FIRST_ID else 1

    def word(self, token: int) -> str | None:
        """The name that an id stands for, None for one of the vocabulary."""
        return self._vectors[token - FIRST_ID][1] if token >= FIRST_ID else None

    @contextmanager
    def placed(self, network: Any, ids: Tensor) -> Iterator[Tensor]:
        """Ids (n, 77) of the vocabulary for the network to read, which puts the vectors where `ids` have theirs."""
        places = ids >= FIRST_ID
        if not bool(places.any()):
            yield ids
            return
        vectors = torch.stack([self._vectors[token - FIRST_ID][0] for token in ids[places].tolist()])

        def put(module: Any, inputs: Any, embeddings: Tensor) -> Tensor:
            embeddings = embeddings.clone()
            embeddings[places.to(embeddings.device)] = vectors.to(embeddings)
            return embeddings

        hook = network.get_input_embeddings().register_forward_hook(put)
        try:
            yield ids.masked_fill(places, 0)
        finally:
            hook.remove()

    def _load(self, file: AddonFile) -> tuple[int, ...]:
        """The ids of a file's vectors; none where they are for an encoder of another width."""
        try:
            about = Path(file.path).stat()
        except (OSError, ValueError):  # it was there a moment ago
            return ()
        key = file.path, about.st_mtime_ns, about.st_size
        if key not in self._ids:
            vectors = read_vectors(Path(file.path), file.name, self._part)
            if vectors.shape[1] != self._width:
                vectors = vectors[:0]
            first, count = FIRST_ID + len(self._vectors), len(vectors)
            self._ids[key] = tuple(range(first, first + count))
            self._vectors += [(vector, file.name, count - at) for at, vector in enumerate(vectors)]
        return self._ids[key]


def read_vectors(path: Path, name: str, part: TextPart) -> Tensor:
    """The vectors (n, D) of the embedding at `path` for a text encoder. Raises `AddonError`."""
    shown = sanitise(name, newlines=False)[:100]
    try:
        header = read_header(path)
        key = _key_for(header, part)
        if key is None:
            raise AddonError(f"{shown} is no textual inversion: it has no vectors for {part}.")
        if header.tensors[key].dtype not in READABLE:
            raise AddonError(f"{shown} holds no numbers that sdtui reads ({header.tensors[key].dtype}).")
        with safe_open(path, framework="pt", device="cpu") as file:
            vectors = file.get_tensor(key)
    except (HeaderError, OSError, SafetensorError, RuntimeError) as error:
        if isinstance(error, AddonError):
            raise
        raise AddonError(f"{shown} cannot be read: {sanitise(str(error), newlines=False)[:200]}") from error
    vectors = vectors.reshape(1, -1) if vectors.dim() == 1 else vectors
    if vectors.dim() != 2 or not 0 < len(vectors) <= MOST_VECTORS or not bool(vectors.isfinite().all()):
        raise AddonError(f"{shown} is no textual inversion of 1 to {MOST_VECTORS} vectors of numbers.")
    counts = {info.shape[0] for tensor, info in header.tensors.items() if tensor in _ALL_KEYS and info.shape}
    if len(counts) > 1:
        raise AddonError(f"{shown} is damaged: it has not as many vectors for each text encoder.")
    return vectors


_ALL_KEYS: Final = frozenset(key for keys in _OWN_KEYS.values() for key in keys)


def _key_for(header: Header, part: TextPart) -> str | None:
    """The tensor that holds an encoder's vectors: its own, else the common one, else the only one."""
    for key in (*_OWN_KEYS.get(part, ()), *_COMMON_KEYS):
        if key in header.tensors:
            return key
    return next(iter(header.tensors)) if len(header.tensors) == 1 else None
