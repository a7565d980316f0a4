"""Textual inversions: words that stand for vectors of their own (Gal et al., arXiv 2208.01618).

The tokenizer learns nothing. Where a prompt says the name of a file, ids stand that no vocabulary has, one a vector;
when the text encoder reads them, a hook on its token embedding puts the vectors in their places. A prompt that names
none is read as if there were none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from sdcore.diffusion.addons.lora import AddonError
from sdcore.inversion_file import inversion_problem, vectors_key
from sdcore.spec.families import TextPart
from sdcore.spec.sanitise import sanitise
from sdcore.spec.words import names_in
from sdcore.weights import HeaderError, read_header

FIRST_ID: Final = 500_000
"""Ids from here on are vectors: far above those of any vocabulary."""


class AddonFile(Protocol):
    """A file that a prompt names, as `sdcore.library.addons.Addon`."""

    @property
    def name(self) -> str: ...
    @property
    def path(self) -> str: ...


Known = Callable[[], Mapping[str, AddonFile]]
"""The textual inversions that there are now, by their names in any case of letters."""


class _Loaded(NamedTuple):
    """The ids of a file's vectors, or a sentence that says why it has none for this encoder."""

    ids: tuple[int, ...] = ()
    problem: str = ""


class Inversions:
    """The textual inversions of one text encoder, of vectors of its `width`; none until it is told which there are."""

    def __init__(self) -> None:
        self._known: Known = dict
        self._part: TextPart = "CLIP-L"
        self._width = 0
        self._loaded: dict[tuple[str, int, int], _Loaded] = {}
        self._vectors: list[tuple[Tensor, str, int]] = []
        """Each with the name of its file, and how many it has from this one on."""

    def connect(self, known: Known, part: TextPart, width: int) -> None:
        """Look prompts' words up among the `known` from now on, for an encoder that is the family's `part`."""
        self._known, self._part, self._width = known, part, width

    def split(self, text: str) -> list[str | tuple[int, ...]]:
        """The text in pieces: what is words as it stands, and the ids of what is named and can be used."""
        known = self._known()
        pieces: list[str | tuple[int, ...]] = []
        at = 0
        for start, end, name in names_in(text, known):
            if ids := self._load(known[name]).ids:
                pieces += [text[at:start], ids]
                at = end
        pieces.append(text[at:])
        return [piece for piece in pieces if piece] or [""]

    def named_in(self, text: str) -> list[AddonFile]:
        """The files that the text names and that can be used."""
        known = self._known()
        return [known[name] for _, _, name in names_in(text, known) if self._load(known[name]).ids]

    def problems_in(self, text: str) -> dict[str, str]:
        """Why files that the text names cannot be used for this encoder, as sentences by name."""
        known = self._known()
        named = {name: self._load(known[name]).problem for _, _, name in names_in(text, known)}
        return {name: problem for name, problem in named.items() if problem}

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

    def _load(self, file: AddonFile) -> _Loaded:
        try:
            about = Path(file.path).stat()
        except (OSError, ValueError):  # it was there a moment ago
            return _Loaded()
        key = file.path, about.st_mtime_ns, about.st_size
        if key not in self._loaded:
            try:
                vectors = read_vectors(Path(file.path), file.name, self._part, self._width)
            except AddonError as error:
                self._loaded[key] = _Loaded(problem=str(error))
                return self._loaded[key]
            first, count = FIRST_ID + len(self._vectors), len(vectors)
            self._loaded[key] = _Loaded(tuple(range(first, first + count)))
            self._vectors += [(vector, file.name, count - at) for at, vector in enumerate(vectors)]
        return self._loaded[key]


def read_vectors(path: Path, name: str, part: TextPart, width: int) -> Tensor:
    """The vectors (n, `width`) of the embedding at `path` for a text encoder. Raises `AddonError`."""
    shown = sanitise(name, newlines=False)[:100]
    try:
        header = read_header(path)
        if problem := inversion_problem(path, header):
            raise AddonError(problem)
        key = vectors_key(header, part)
        if key is None:
            raise AddonError(f"{shown} has no vectors for the model's text encoder {part}.")
        with safe_open(path, framework="pt", device="cpu") as file:
            vectors = file.get_tensor(key)
    except (HeaderError, OSError, SafetensorError) as error:
        raise AddonError(f"{shown} cannot be read: {sanitise(str(error), newlines=False)[:200]}") from error
    vectors = vectors.reshape(1, -1) if vectors.dim() == 1 else vectors
    if vectors.shape[1] != width:
        raise AddonError(
            f"{shown} has vectors of {vectors.shape[1]} numbers, and those of the model's {part} have {width}."
        )
    return vectors
