"""Prompt -> embeddings with T5's encoder (Raffel et al., arXiv 1910.10683): one long text, no chunks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from sdcore.diffusion.prompting import from_empty
from sdcore.diffusion.readings import Readings
from sdcore.diffusion.text import Tokens
from sdcore.spec import choices
from sdcore.spec.prompt import Piece, Weighted


@dataclass(frozen=True)
class T5Encoder:
    """T5's encoder, which reads `length` tokens: a shorter text is padded, a longer one is cut. The padding
    is attended to, as in the training of SD 3 and Flux."""

    tokenizer: Any
    network: Any
    length: int
    readings: Readings = field(default_factory=Readings)

    def tokenize(self, prompt: str | Sequence[Piece]) -> Tokens:
        """A prompt as ids (1, length): plain text, or its pieces, of which a break only parts the words beside it."""
        pieces = (Weighted(prompt),) if isinstance(prompt, str) else prompt
        weighted = [
            (token, piece.weight)
            for piece in pieces
            if isinstance(piece, Weighted)
            for token in self.tokenizer(piece.text, add_special_tokens=False, verbose=False)["input_ids"]
        ][: self.length - 1]
        spare = self.length - 1 - len(weighted)
        ids = [*(token for token, _ in weighted), self.tokenizer.eos_token_id]
        mask = [1] * len(ids) + [0] * spare
        weights = [*(weight for _, weight in weighted), *[1.0] * (spare + 1)]
        padded = ids + [self.tokenizer.pad_token_id] * spare
        return Tokens(torch.tensor([padded]), torch.tensor([mask]), torch.tensor([weights]))

    def token_text(self, token: int) -> str:
        """The text that a token stands for, without the mark of a word's beginning."""
        return self.tokenizer.decode([token]).strip()

    @torch.inference_mode()
    def read(self, pieces: Sequence[Piece], emphasis: str = choices.EMPHASIS_MEAN) -> Tensor:
        """The pieces as embeddings (1, length, D).

        Weights act as in ComfyUI whatever the `emphasis`, unless that ignores them: the other ways were made for CLIP,
        and T5's embeddings have a mean of about 0, by which nothing can be scaled.
        """
        tokens = self.tokenize(pieces)
        embeddings = self._embeddings(tokens.ids)
        if emphasis == choices.EMPHASIS_IGNORE or bool((tokens.weights == 1).all()):
            return embeddings
        acted = from_empty(
            embeddings.float(),
            tokens.weights[..., None].to(embeddings.device),
            lambda: self._embeddings(self.tokenize("").ids).float(),
        )
        return acted.to(embeddings.dtype)

    def _embeddings(self, ids: Tensor) -> Tensor:
        """Those of ids (1, length)."""
        what = tuple(ids.flatten().tolist())
        return self.readings.of(what, lambda: (self.network(ids.to(self.network.device))[0],))[0]
