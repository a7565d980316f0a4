"""What goes on with the word being written: LoRAs, embeddings, wildcards, words used before. No widgets here."""

from __future__ import annotations

import re
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable, Iterator
from heapq import nsmallest
from typing import Final, Literal

import msgspec

Kind = Literal["LoRA", "wildcard", "embedding", "word"]

LEAST: Final = 2
"""Letters of a word before others are suggested for it."""
MOST: Final = 6
_READ: Final = 200
"""Characters before the cursor that are looked at."""
_LONGEST: Final = 40
_LORA: Final = re.compile(r"<lora:([^<>:]*)$", re.IGNORECASE)
_WILDCARD: Final = re.compile(r"(?<!\w)__((?:(?!__)[\w/.-])*)$")
_WORD: Final = re.compile(r"(?<![\w'-])[^\W\d_][\w'-]*$")
_WORDS: Final = re.compile(r"[^\W\d_](?:[\w'-]*\w)?")
_EXTRA: Final = re.compile(r"<[^<>]*>|__[\w/.-]+?__")


class Begun(msgspec.Struct, frozen=True):
    """What is being written at the cursor: its kind, what there is of it, and how many characters before the cursor
    it begins, with its brackets or underscores."""

    kind: Kind
    typed: str
    length: int


class Suggestion(msgspec.Struct, frozen=True):
    """One way to go on: its name, what it is, and what is written for it, in place of what was begun."""

    name: str
    kind: Kind
    text: str


def begun(before: str, after: str) -> Begun | None:
    """What is being written between `before` and `after`, the line's text on both sides of the cursor; None inside a
    word and where nothing was begun."""
    before = before[-_READ:]
    if match := _LORA.search(before):
        return Begun("LoRA", match[1], len(match[0]))
    if match := _WILDCARD.search(before):
        return Begun("wildcard", match[1], len(match[0]))
    if (match := _WORD.search(before)) and not (after[:1].isalnum() or after[:1] == "_"):
        return Begun("word", match[0], len(match[0]))
    return None


class Vocabulary:
    """What can be suggested. Looking something up takes microseconds, however much there is."""

    def __init__(self) -> None:
        self.loras: tuple[str, ...] = ()
        self.embeddings: tuple[str, ...] = ()
        self.wildcards: tuple[str, ...] = ()
        self._words: list[str] = []
        self._counts: Counter[str] = Counter()

    def learn(self, prompts: Iterable[str]) -> None:
        """Count the words of prompts that were used."""
        for prompt in prompts:
            for match in _WORDS.finditer(_EXTRA.sub(" ", prompt)):
                word = match[0].casefold()
                if LEAST < len(word) <= _LONGEST:
                    self._add(word, 1)

    def know(self, words: Iterable[str]) -> None:
        """Suggest these, too, behind all that were used."""
        for word in words:
            self._add(word.casefold(), 0)

    def _add(self, word: str, times: int) -> None:
        if word not in self._counts:
            insort(self._words, word)
        self._counts[word] += times

    def suggest(self, before: str, after: str, *, asked: bool = False) -> list[Suggestion]:
        """How what stands between `before` and `after` (see `begun`) may go on, the likeliest first.

        Unless it is `asked` for, a single letter goes on with nothing, nor does what is a word already: whoever has
        written it may well be done, and means the key that takes a suggestion for something else.
        """
        now = begun(before, after)
        if now is None or not (asked or now.kind != "word" or self._is_unfinished(now.typed)):
            return []
        found = [
            one for one in self._found(now, after) if one.text.casefold() != before[-now.length :].casefold()
        ]
        return found[:MOST]

    def _is_unfinished(self, word: str) -> bool:
        return len(word) >= LEAST and word.casefold() not in self._counts

    def _found(self, now: Begun, after: str) -> Iterator[Suggestion]:
        if now.kind == "LoRA":
            end = "" if after[:1] in (":", ">") else ":1>"
            for name in _named(self.loras, now.typed):
                yield Suggestion(name, "LoRA", f"<lora:{name}{end}")
        elif now.kind == "wildcard":
            end = "" if after.startswith("__") else "__"
            for name in _named(self.wildcards, now.typed):
                yield Suggestion(name, "wildcard", f"__{name}{end}")
        else:
            for name in _named(self.embeddings, now.typed):
                yield Suggestion(name, "embedding", name)
            for word in self._beginning(now.typed.casefold()):
                yield Suggestion(word, "word", now.typed + word[len(now.typed) :])

    def _beginning(self, typed: str) -> list[str]:
        start = bisect_left(self._words, typed)
        end = bisect_left(self._words, typed + "\U0010ffff")
        likeliest = nsmallest(MOST + 1, self._words[start:end], key=lambda word: (-self._counts[word], word))
        return [word for word in likeliest if word != typed]


def _named(names: Iterable[str], typed: str) -> list[str]:
    """The names that hold what was typed, those that begin with it first."""
    wanted = typed.casefold()
    held = [name for name in names if wanted in name.casefold()]
    return sorted(held, key=lambda name: not name.casefold().startswith(wanted))[: MOST + 1]
