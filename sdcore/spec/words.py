"""Where a text says certain names: those of textual inversions, which stand for tokens of their own. No torch."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

_START: Final = re.compile(r"\w+|[^\w\s]")


def names_in(text: str, names: Iterable[str]) -> list[tuple[int, int, str]]:
    """(start, end, name) of the names that `text` says as words of their own, in any case of letters.

    Of names that begin at one place the longest is meant. Linear in the text for names that begin differently.
    """
    by_start: defaultdict[str, list[str]] = defaultdict(list)
    for name in names:
        if begins := _START.match(name):
            by_start[begins[0].lower()].append(name)
    found: list[tuple[int, int, str]] = []
    end = 0
    for match in _START.finditer(text) if by_start else ():
        start = match.start()
        said = [name for name in by_start.get(match[0].lower(), ()) if _says(text, start, name)]
        if said and start >= end:
            name = max(said, key=len)
            end = start + len(name)
            found.append((start, end, name))
    return found


def _says(text: str, start: int, name: str) -> bool:
    end = start + len(name)
    if text[start:end].lower() != name.lower():
        return False
    return not (end < len(text) and _is_letter(text[end - 1]) and _is_letter(text[end]))


def _is_letter(character: str) -> bool:
    return character.isalnum() or character == "_"
