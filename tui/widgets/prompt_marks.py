"""The grammar of a prompt while it is written: which letters are painted how, kept up with every key."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from sdcore.spec.prompt_marks import Span, SpanKind, spans

AT_ONCE: Final = 4_000
MARKS_AT_ONCE: Final = 800
"""Characters and marks up to which a prompt is read at every key; a longer one when the keys rest."""

STRONG: Final = ((1.4, "prompt--strongest"), (1.2, "prompt--stronger"), (1.0, "prompt--strong"))
"""Component classes of words by the weight that they exceed, the heaviest first."""
WEAK: Final = ((0.7, "prompt--weakest"), (1.0, "prompt--weak"))
"""Component classes of words by the weight that they stay below, the lightest first."""
MARKS: Final[dict[SpanKind, str]] = {
    "schedule": "prompt--change", "alternation": "prompt--change", "and": "prompt--command",
    "break": "prompt--command", "escape": "prompt--escape", "extra": "prompt--extra",
    "unread": "prompt--unread", "open": "prompt--open", "stray": "prompt--stray",
}  # fmt: skip
CHUNK_END: Final = "prompt--chunk"
PARTS: Final = frozenset({name for _, name in (*STRONG, *WEAK)} | {*MARKS.values(), CHUNK_END})


def part_of(span: Span) -> str:
    """The component class that paints a span."""
    if span.kind != "weight":
        return MARKS[span.kind]
    strong = (name for least, name in STRONG if span.weight > least)
    weak = (name for most, name in WEAK if span.weight < most)
    return next(strong, None) or next(weak, CHUNK_END)


class Painted(msgspec.Struct, frozen=True):
    """Letters start to end of a text, and the component class that paints them."""

    start: int
    end: int
    part: str


class PromptMarks:
    """What is painted in a text. Positions count its letters, a line break being one."""

    def __init__(self) -> None:
        self._weights: list[Painted] = []
        self._marks: list[Painted] = []
        self._ends: list[int] = []
        self._text = ""
        self.never_closed: int | None = None
        """Where the first bracket stands that is never closed."""

    def read(self, text: str, found: Sequence[Span]) -> None:
        """Take up what a text says: the spans that were found in it."""
        self._text = text
        self._weights = [Painted(one.start, one.end, part_of(one)) for one in found if one.kind == "weight"]
        marks = sorted((one for one in found if one.kind != "weight"), key=lambda one: one.start)
        self._marks = [Painted(one.start, one.end, part_of(one)) for one in marks]
        self.never_closed = next((one.start for one in marks if one.kind == "open"), None)

    def edited(self, text: str, cursor: int) -> bool:
        """Follow an edit that ended at `cursor`. Whether the text has to be `read` once the keys rest: in a long one
        what was painted moves along only."""
        by = len(text) - len(self._text)
        place = cursor - by
        self._ends = [end + by if end > place else end for end in self._ends]
        if len(text) <= AT_ONCE and sum(map(text.count, "()[]:|\\")) <= MARKS_AT_ONCE:
            self.read(text, spans(text))
            return False
        self._text = text
        self._weights, self._marks = _moved(self._weights, place, by), _moved(self._marks, place, by)
        opened = MARKS["open"]
        self.never_closed = next((one.start for one in self._marks if one.part == opened), None)
        return True

    def end_chunks(self, ends: Sequence[int]) -> bool:
        """Mark where chunks of tokens end; whether that is news."""
        changed = self._ends != list(ends)
        self._ends = list(ends)
        return changed

    def between(self, start: int, end: int) -> Iterator[Painted]:
        """What is painted of text[start:end], in the order of painting."""
        for layer in (self._weights, self._marks):
            at = bisect_right(layer, start, key=lambda painted: painted.end)
            while at < len(layer) and layer[at].start < end:
                yield layer[at]
                at += 1
        for place in self._ends[bisect_left(self._ends, start) : bisect_left(self._ends, end)]:
            yield Painted(place, place + 1, CHUNK_END)


def _moved(layer: list[Painted], place: int, by: int) -> list[Painted]:
    """What was painted, where it stands once everything from `place` on has moved."""
    moved = (
        Painted(one.start + by * (one.start >= place), one.end + by * (one.end > place), one.part)
        for one in layer
    )
    return [one for one in moved if 0 <= one.start < one.end]
