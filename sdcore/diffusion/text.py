"""Prompt -> tokens -> embeddings, with CLIP's tokenizer and text encoder, in chunks of 75 tokens.

Where a chunk ends is in `sdcore.spec.chunks`. Each is read by itself, with its own start and end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import torch
from torch import Tensor

from sdcore.diffusion.addons.inversion import Inversions
from sdcore.diffusion.readings import Readings
from sdcore.spec.chunks import into_chunks
from sdcore.spec.prompt import Break, Piece, Weighted

_ENDS: Final = 2


@dataclass(frozen=True)
class Tokens:
    """A tokenized prompt of n chunks: `ids`, `attention_mask` (1 for all but padding) and `weights` are (n, 77)."""

    ids: Tensor
    attention_mask: Tensor
    weights: Tensor


@dataclass(frozen=True)
class TextEncoder:
    """CLIP's text tower: what the denoiser is conditioned on (Rombach et al., arXiv 2112.10752).

    A family that reads another layer than the last `skips` so many from its end, and takes them as they are where they
    are not `normed` by the final layer norm: SDXL skips one and takes it as it is.
    """

    tokenizer: Any
    network: Any
    skips: int = 0
    normed: bool = True
    inversions: Inversions = field(default_factory=Inversions)
    readings: Readings = field(default_factory=Readings)

    def tokenize(self, prompt: str | Sequence[Piece]) -> Tokens:
        """A prompt as ids: plain text, or the pieces that `sdcore.spec.prompt.weights` makes of one."""
        pieces = (Weighted(prompt),) if isinstance(prompt, str) else prompt
        room = self.tokenizer.model_max_length - _ENDS
        chunks = into_chunks(self._weighted_ids(pieces), self._comma, room, self.inversions.length)
        start, end = self.tokenizer.bos_token_id, self.tokenizer.eos_token_id
        pad = self.tokenizer.pad_token_id
        ids, mask, weights = [], [], []
        for chunk in chunks:
            spare = room - len(chunk)
            ids.append([start, *(id for id, _ in chunk), end, *[pad] * spare])
            mask.append([1] * (len(chunk) + _ENDS) + [0] * spare)
            weights.append([1.0, *(weight for _, weight in chunk), *[1.0] * (spare + 1)])
        return Tokens(torch.tensor(ids), torch.tensor(mask), torch.tensor(weights))

    def _weighted_ids(self, pieces: Sequence[Piece]) -> list[list[tuple[int, float]] | None]:
        """The tokens of each piece with its weight; None for a break."""
        return [
            None if isinstance(piece, Break) else [(token, piece.weight) for token in self._ids(piece.text)]
            for piece in pieces
        ]

    def _ids(self, text: str) -> Iterator[int]:
        for said in self.inversions.split(text):
            if isinstance(said, str):
                yield from self.tokenizer(said, add_special_tokens=False, verbose=False)["input_ids"]
            else:
                yield from said

    @property
    def _comma(self) -> int | None:
        token = self.tokenizer.convert_tokens_to_ids(",</w>")
        return None if token == self.tokenizer.unk_token_id else token

    def token_text(self, token: int) -> str:
        """The text that a token stands for, without the mark of a word's end; U+FFFD for a part of a character."""
        return self.inversions.word(token) or self.tokenizer.decode([token]).strip()

    @torch.inference_mode()
    def read(self, ids: Tensor, clip_skip: int = 1) -> tuple[Tensor, Tensor | None]:
        """One chunk (1, 77) as embeddings (1, 77, D), and pooled (1, P) where the network projects its end token.

        The padding is attended to, as in SD 1.x's training. `clip_skip` 1 reads the layer that the family reads, 2 the
        one before, at most the first; the final layer norm is applied to all alike. What was read a while ago is known.
        """
        what = tuple(ids.flatten().tolist()), clip_skip, self.skips, self.normed
        return self.readings.of(what, lambda: self._read(ids, clip_skip))

    def _read(self, ids: Tensor, clip_skip: int) -> tuple[Tensor, Tensor | None]:
        skipped = clip_skip - 1 + self.skips
        plain = skipped == 0 and self.normed
        with self.inversions.placed(self.network, ids) as known:
            out = self.network(known.to(self.network.device), output_hidden_states=not plain)
        pooled = getattr(out, "text_embeds", None)
        if plain:
            return out.last_hidden_state, pooled
        layers = out.hidden_states[1:]
        embeddings = layers[max(0, len(layers) - 1 - skipped)]
        if self.normed:
            embeddings = getattr(self.network, "text_model", self.network).final_layer_norm(embeddings)
        return embeddings, pooled

    def encode(self, text: str) -> Tensor:
        """Embeddings (1, 77 * n, D) of plain text, without any grammar."""
        return torch.cat([self.read(chunk[None])[0] for chunk in self.tokenize(text).ids], dim=1)
