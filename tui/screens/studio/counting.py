"""The tokens of the prompts, counted while one types."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from tui.once_begun import once_begun
from tui.screens.lists.addons import known_vectors

if TYPE_CHECKING:
    from sdcore.library.tokens import TokenCounter
    from tui.screens.studio.screen import Studio

COUNT_DELAY: Final = 0.05
"""The echo of a letter goes before its count: each draws the editor once."""


class Counting:
    """Has the studio's editors say how many tokens they hold."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._tokens: TokenCounter | None = None
        self._under_way = False
        self._uncounted = False

    async def open(self) -> None:
        """Read the vocabulary on a thread, and count for the first time."""
        self._tokens = await asyncio.to_thread(_open_counter)
        self.count()
        self.learn_words()

    def learn_words(self) -> None:
        """Count the embeddings that fit the loaded model as what they are, from now on."""
        if self._tokens is not None:
            self._studio.run_worker(
                once_begun(self._learn_words, self._tokens), group="words", exclusive=True
            )

    async def _learn_words(self, tokens: TokenCounter) -> None:
        tokens.vectors = known_vectors(await self._studio.app.stock.addons(), self._studio.view.family)
        if model := self._studio.view.model:
            await asyncio.to_thread(_follow, tokens, model)
        self.count()

    def count(self) -> None:
        """A prompt changed."""
        self._uncounted = True
        if (tokens := self._tokens) is not None and not self._under_way:
            self._under_way = True
            self._studio.set_timer(
                COUNT_DELAY, lambda: self._studio.run_worker(once_begun(self._count, tokens), group="tokens")
            )

    async def _count(self, tokens: TokenCounter) -> None:
        """Count on a thread, and again for as long as the text changes meanwhile."""
        while self._uncounted:
            self._uncounted = False
            for editor in (self._studio.prompt, self._studio.negative):
                text = editor.text
                counted = await asyncio.to_thread(tokens.count, text)
                if editor.text == text:
                    editor.show_tokens(counted.tokens, counted.chunks, counted.ends)
        self._under_way = False


def _follow(tokens: TokenCounter, model: str) -> None:
    from sdcore.library.tokens import vocabulary_of

    tokens.follow(vocabulary_of(model))


def _open_counter() -> TokenCounter:
    from sdcore.library.checkpoints import resolve
    from sdcore.library.tokens import TokenCounter

    tokens = TokenCounter(resolve("tiny"))
    tokens.load()
    return tokens
