"""Finding texts by a few of their letters, as fzf does: near misses count, the closest come first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_STARTS_WORD: Final = 4
_TOGETHER: Final = 8
_LOOSEST: Final = 2
"""Letters that do not stand together begin a word and may be spread over so many times their number, or a prompt of any
length would hold every word."""
_STARTS: Final = 64
"""How many places of a text letters are tried from."""


class Fuzzy:
    """Texts to be searched again and again. A word of a query is found where it stands in a text, in any case of
    letters; where it does not, where its letters follow one another close by."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = [_folded(text) for text in texts]

    def search(self, query: str) -> list[int]:
        """The places of the texts that hold every word of `query`: the closest first, of equals the first."""
        words = query.casefold().split()
        ranked: list[tuple[int, int]] = []
        for index, text in enumerate(self._texts):
            score = 0
            for word in words:
                place = _place(text, word)
                if place is None:
                    break
                score -= place[0]
            else:
                ranked.append((score, index))
        return [index for _, index in sorted(ranked)]

    def letters(self, index: int, query: str) -> list[int]:
        """The places of the letters that a text was found by."""
        found = (_place(self._texts[index], word) for word in query.casefold().split())
        return sorted({letter for place in found if place is not None for letter in place[1]})


def _folded(text: str) -> str:
    """In one case of letters; as it is where that would move its letters."""
    return next((one for one in (text.casefold(), text.lower()) if len(one) == len(text)), text)


def _place(text: str, word: str) -> tuple[int, Iterable[int]] | None:
    """How well a word is found in a text, and where; None where it is not."""
    at = text.find(word)
    if at >= 0:
        begins = at if _begins(text, at) else _beginning(text, word)
        score = _TOGETHER + (_STARTS_WORD if begins is not None else 0)
        at = at if begins is None else begins
        return score, range(at, at + len(word))
    best: tuple[int, ...] | None = None
    start = text.find(word[0])
    for _ in range(_STARTS):
        if start < 0:
            break
        if _begins(text, start):
            letters = _letters(text, word, start)
            if letters is None:
                break  # nor is there any further on
            if best is None or letters[-1] - letters[0] < best[-1] - best[0]:
                best = letters
        start = text.find(word[0], start + 1)
    if best is None or best[-1] - best[0] >= _LOOSEST * len(word):
        return None
    return 0, best


def _letters(text: str, word: str, start: int) -> tuple[int, ...] | None:
    """Where the letters of a word follow one another from `start` on."""
    letters = [start]
    for letter in word[1:]:
        at = text.find(letter, letters[-1] + 1)
        if at < 0:
            return None
        letters.append(at)
    return tuple(letters)


def _begins(text: str, at: int) -> bool:
    return at == 0 or not text[at - 1].isalnum()


def _beginning(text: str, word: str) -> int | None:
    """Where the word begins one of the text, None where it never does."""
    at = text.find(word)
    for _ in range(_STARTS):
        if at < 0 or _begins(text, at):
            break
        at = text.find(word, at + 1)
    return at if at >= 0 and _begins(text, at) else None
