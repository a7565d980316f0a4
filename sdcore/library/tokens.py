"""How many tokens is a prompt, and where do its chunks end? Counted with a model's own tokenizer, without torch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from sdcore.library.checkpoints import UnknownModelError, resolve
from sdcore.library.vocabularies import vocabularies
from sdcore.model_folder import words_problem
from sdcore.spec.chunks import CHUNK, into_chunks
from sdcore.spec.prompt_marks import Stretch, stretches
from sdcore.spec.words import names_in

if TYPE_CHECKING:
    from tokenizers import Tokenizer

LIMIT: Final = CHUNK
"""Tokens that CLIP reads in one go: 77 positions less the start and the end."""

_CLIP_WORDS: Final = 49_408
_CLIP_WORD: Final = (
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
)
_ROUGHLY: Final = re.compile(r"\w+|[^\w\s]")
_COMMA: Final = -1
_WORD: Final = 0
_VECTOR: Final = -1
"""Less as many as follow of the same file, itself counted: the token of a textual inversion."""


class Counted(msgspec.Struct, frozen=True):
    """`tokens` of a prompt without starts and ends, and the `chunks` that they fill; of prompts that AND joins those of
    the longest. `ends` are the places in the text where a chunk ends and another follows."""

    tokens: int = 0
    chunks: int = 1
    ends: tuple[int, ...] = ()


class TokenCounter:
    """Counts the tokens of a prompt as the model in `folder` (diffusers layout) will read it, its grammar included, or
    later as another one that it is told to `follow`.

    The tokenizer is loaded by `load`, or by the first count. Where there is none, words and marks are counted
    and `exact` is False.
    """

    limit: int = LIMIT

    def __init__(self, folder: Path) -> None:
        self.vectors: Mapping[str, int] = {}
        """The textual inversions that prompts may name, and how many tokens each takes."""
        self._folder: Path | None = folder / "tokenizer"
        self._tokenizer: Tokenizer | None = None
        self._tried = False

    def follow(self, folder: Path | None) -> None:
        """Count with the tokenizer whose files are in `folder` from now on, see `vocabulary_of`; roughly where None.
        Takes as long as `load`."""
        if folder != self._folder:
            tokenizer = None if folder is None else _open(folder)
            self._folder, self._tokenizer, self._tried = folder, tokenizer, True

    @property
    def exact(self) -> bool:
        """Whether counts come from the model's tokenizer."""
        self.load()
        return self._tokenizer is not None

    def load(self) -> None:
        """Read the tokenizer, once. Takes some tens of milliseconds: call it in a thread if that matters."""
        if not self._tried:
            self._tokenizer = None if self._folder is None else _open(self._folder)
            self._tried = True

    def count(self, text: str) -> Counted:
        """The tokens and chunks of a prompt."""
        self.load()
        comma = _COMMA if self._tokenizer is None else self._tokenizer.token_to_id(",</w>")
        parts = [
            into_chunks(
                [None if piece is None else self._tokens(piece) for piece in part], comma, length=_length
            )
            for part in stretches(text)
        ]
        longest = max(parts, key=lambda chunks: sum(map(len, chunks)))
        ends = tuple(chunk[-1][1] for chunks in parts for chunk in chunks[:-1] if chunk)
        return Counted(sum(map(len, longest)), len(longest), ends)

    def _tokens(self, stretch: Stretch) -> list[tuple[int, int]]:
        """Each token with the place in the prompt where it ends."""
        found: list[tuple[int, int]] = []
        at = 0
        for start, end, name in names_in(stretch.text, self.vectors):
            found += self._words(stretch.text[at:start], stretch.start + at)
            found += [(_VECTOR - left, stretch.start + end) for left in range(self.vectors[name], 0, -1)]
            at = end
        return found + self._words(stretch.text[at:], stretch.start + at)

    def _words(self, text: str, start: int) -> list[tuple[int, int]]:
        if self._tokenizer is None:
            return [
                (_COMMA if found[0] == "," else _WORD, start + found.end())
                for found in _ROUGHLY.finditer(text)
            ]
        plain = text.encode("utf-8", "replace").decode()
        read = self._tokenizer.encode(plain, add_special_tokens=False)
        return [(token, start + end) for token, (_, end) in zip(read.ids, read.offsets, strict=True)]


def _length(token: int) -> int:
    """How many tokens stand together from this one on."""
    return max(1, _VECTOR - token)


def vocabulary_of(model: str) -> Path | None:
    """The folder of the tokenizer that the model of this name reads prompts with, None where none is found. A single
    file brings none: it is one beside it, or of another model here that knows all of CLIP's words."""
    try:
        path = resolve(model)
    except UnknownModelError:
        return None
    if path.is_dir():
        return path / "tokenizer"
    beside = [path.with_suffix("") / "tokenizer", *sorted(path.parent.glob("tokenizer*"))]
    lent = (folder for folder in vocabularies("CLIP") if _words(_open(folder)) >= _CLIP_WORDS)
    return next(chain((folder for folder in beside if _open(folder) is not None), lent), None)


def _words(tokenizer: Tokenizer | None) -> int:
    return 0 if tokenizer is None else int(tokenizer.get_vocab_size())


def _open(folder: Path) -> Tokenizer | None:
    """The tokenizer whose files are in `folder`; None where there are none, or none that can be read."""
    from tokenizers import Tokenizer

    whole, words, merges = (folder / name for name in ("tokenizer.json", "vocab.json", "merges.txt"))
    if words_problem(folder, "CLIP"):
        return None
    try:
        tokenizer = Tokenizer.from_file(str(whole)) if whole.is_file() else _from_words(words, merges)
    except Exception:  # the library raises bare Exception for a file that it cannot read
        return None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _from_words(words: Path, merges: Path) -> Tokenizer:
    """CLIP's tokenizer from the two files of older folders (transformers, `CLIPTokenizer`)."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

    model = models.BPE.from_file(
        str(words), str(merges), unk_token="<|endoftext|>", end_of_word_suffix="</w>",
        continuing_subword_prefix="", fuse_unk=False,
    )  # fmt: skip
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_CLIP_WORD), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    return tokenizer
