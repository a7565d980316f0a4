"""Prompt -> tokens -> embeddings, with CLIP's tokenizer and text encoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Tokens:
    """A tokenized prompt: `ids` and `attention_mask` are (1, 77); `truncated` is the text past the end."""

    ids: Tensor
    attention_mask: Tensor
    truncated: str


@dataclass(frozen=True)
class TextEncoder:
    """CLIP's text tower: what the denoiser is conditioned on (Rombach et al., arXiv 2112.10752)."""

    tokenizer: Any
    network: Any

    def tokenize(self, prompt: str) -> Tokens:
        """The prompt as ids, padded or cut to the tokenizer's length (77)."""
        length = self.tokenizer.model_max_length
        padded = self.tokenizer(
            prompt, padding="max_length", max_length=length, truncation=True, return_tensors="pt"
        )
        whole = self.tokenizer(prompt, truncation=False, verbose=False)["input_ids"]
        lost = self.tokenizer.decode(whole[length - 1 : -1]) if len(whole) > length else ""
        return Tokens(padded["input_ids"], padded["attention_mask"], lost)

    def token_text(self, token: int) -> str:
        """The text that a token stands for, without the mark of a word's end; U+FFFD for a part of a character."""
        return self.tokenizer.decode([token]).strip()

    @torch.inference_mode()
    def encode(self, prompt: str) -> Tensor:
        """Embeddings (1, 77, D) of the prompt: the last hidden states after the final layer norm.

        The padding is attended to, as in SD 1.x's training.
        """
        ids = self.tokenize(prompt).ids.to(self.network.device)
        return self.network(ids)[0]
