"""Walking the prompts that were used before, as a shell walks its commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sdcore.library.history import Entry, PromptHistory


class HistoryWalk:
    """A place among the prompts of a history. The text being written is the newest of them.

    Until `history` is set, which takes a file to be read, there is nothing to walk.
    """

    def __init__(self) -> None:
        self.history: PromptHistory | None = None
        self._walk: list[str] = []
        self._place = 0

    def entries(self) -> list[Entry]:
        """Every prompt once, as it was used last, newest first."""
        newest: dict[str, Entry] = {}
        for entry in reversed(self.history.entries if self.history else []):
            if entry.prompt:
                newest.setdefault(entry.prompt, entry)
        return list(newest.values())

    def prompts(self) -> list[str]:
        """Every prompt once, as it was used last, oldest first."""
        return [entry.prompt for entry in reversed(self.entries())]

    def older(self, current: str) -> str | None:
        """The prompt before the one shown, None at the oldest. `current` is kept when the walk begins."""
        if not self._walk:
            self._walk = [prompt for prompt in self.prompts() if prompt != current]
            self._walk.append(current)
            self._place = len(self._walk) - 1
        if self._place == 0:
            return None
        self._place -= 1
        return self._walk[self._place]

    def newer(self) -> str | None:
        """The prompt after the one shown, at last the text that was being written; None when there is none."""
        if self._place + 1 >= len(self._walk):
            return None
        self._place += 1
        return self._walk[self._place]

    def rest(self) -> None:
        """End the walk: the next one begins at the newest prompt."""
        self._walk, self._place = [], 0
