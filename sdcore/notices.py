"""What a person should know, each sentence once."""

from __future__ import annotations


class Notices:
    """Sentences that wait to be told. One that has been told is not told again."""

    def __init__(self) -> None:
        self._told: dict[str, bool] = {}

    def add(self, sentence: str) -> None:
        """Have a sentence told, unless it was."""
        self._told.setdefault(sentence, False)

    def take(self) -> list[str]:
        """Those that wait, in the order in which they came."""
        fresh = [sentence for sentence, told in self._told.items() if not told]
        self._told.update(dict.fromkeys(fresh, True))
        return fresh
