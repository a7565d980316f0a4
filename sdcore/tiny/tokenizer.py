"""A CLIP tokenizer with a vocabulary of our own.

Byte-pair encoding over the world's words: every one of them is a single token, and any other text falls
back to shorter pieces and in the end to bytes, so nothing is ever unknown. Each byte is in the vocabulary
twice, plain and with `</w>`, because CLIP marks the last symbol of a word.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import torch
from tokenizers import pre_tokenizers
from transformers import CLIPTokenizer

from sdcore.tiny.architecture import MAX_TOKENS

BOS, EOS = "<|startoftext|>", "<|endoftext|>"
END_OF_WORD = "</w>"

# Words people write in prompts that the world does not draw: known to the tokenizer so that they cost one
# token each, and sprinkled over training captions so that the model learns to paint on regardless.
PROMPT_WORDS = Path(__file__).with_name("prompt_words.txt").read_text(encoding="ascii").split()


def learn_merges(words: Iterable[str]) -> list[tuple[str, str]]:
    """The merges, in order, that make every one of `words` a single token.

    The most frequent pair first, of equals the first in the alphabet: the same words always give the same merges.
    """
    splitter = pre_tokenizers.Sequence(
        [pre_tokenizers.Whitespace(), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    pieces = {piece for word in words for piece, _ in splitter.pre_tokenize_str(word.lower())}
    spellings = [[*piece[:-1], piece[-1] + END_OF_WORD] for piece in sorted(pieces)]
    merges: list[tuple[str, str]] = []
    while pairs := Counter(pair for spelling in spellings for pair in pairwise(spelling)):
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        spellings = [_merged(spelling, best) for spelling in spellings if len(spelling) > 1]
    return merges


def _merged(spelling: list[str], pair: tuple[str, str]) -> list[str]:
    result: list[str] = []
    for symbol in spelling:
        if result and (result[-1], symbol) == pair:
            result[-1] += symbol
        else:
            result.append(symbol)
    return result


def build_tokenizer(world_words: Iterable[str]) -> CLIPTokenizer:
    """The tokenizer of 77 positions for a world that is described with `world_words`."""
    merges = learn_merges([*world_words, *PROMPT_WORDS])
    symbols = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [*symbols, *(symbol + END_OF_WORD for symbol in symbols)]
    tokens += [left + right for left, right in merges]
    tokens += [BOS, EOS]
    vocabulary = {token: index for index, token in enumerate(dict.fromkeys(tokens))}
    return CLIPTokenizer(
        vocab=vocabulary,
        merges=merges,
        unk_token=EOS,
        bos_token=BOS,
        eos_token=EOS,
        pad_token=EOS,
        model_max_length=MAX_TOKENS,
    )


def tokenize(tokenizer: CLIPTokenizer, captions: list[str]) -> torch.Tensor:
    """Token ids (batch, 77), padded and cut as the pipeline does it."""
    encoded = tokenizer(
        captions,
        padding="max_length",
        truncation=True,
        max_length=tokenizer.model_max_length,
        return_tensors="pt",
    )
    tokens: torch.Tensor = encoded["input_ids"]
    return tokens
