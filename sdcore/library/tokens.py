"""How many tokens is a prompt? Counted with a model's own tokenizer, without torch."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tokenizers import Tokenizer

LIMIT: Final = 75
"""Tokens that CLIP reads in one go: 77 positions less the start and the end."""

_ROUGHLY: Final = re.compile(r"\w+|[^\w\s]")


class TokenCounter:
    """Counts the tokens of a prompt as the model in `folder` (diffusers layout) will read it.

    The tokenizer is loaded by `load`, or by the first count. Where there is none, words and marks are counted
    and `exact` is False.
    """

    limit: int = LIMIT

    def __init__(self, folder: Path) -> None:
        self._file = folder / "tokenizer" / "tokenizer.json"
        self._tokenizer: Tokenizer | None = None
        self._tried = False

    @property
    def exact(self) -> bool:
        """Whether counts come from the model's tokenizer."""
        self.load()
        return self._tokenizer is not None

    def load(self) -> None:
        """Read the tokenizer, once. Takes some tens of milliseconds: call it in a thread if that matters."""
        if self._tried:
            return
        if self._file.is_file():
            from tokenizers import Tokenizer

            try:
                tokenizer = Tokenizer.from_file(str(self._file))
            except Exception:  # the library raises bare Exception for a file that it cannot read
                tokenizer = None
            if tokenizer is not None:
                tokenizer.no_truncation()
                tokenizer.no_padding()
            self._tokenizer = tokenizer
        self._tried = True

    def count(self, text: str) -> int:
        """The number of tokens of `text`, without the start and end tokens."""
        self.load()
        plain = text.encode("utf-8", "replace").decode()
        if self._tokenizer is None:
            return len(_ROUGHLY.findall(plain))
        return len(self._tokenizer.encode(plain, add_special_tokens=False).ids)
