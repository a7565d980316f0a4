"""The grammar of a prompt as an editor shows it: what each range of characters means, and weights changed in place."""

from __future__ import annotations

import re
from typing import Final, Literal

import msgspec

from sdcore.spec.prompt import Bracket, WeightWalk, brackets_of, parts_of
from sdcore.spec.prompt_extras import EXTRA, change_extra, number_text, unread_extras
from sdcore.spec.prompt_schedule import groups_of

SpanKind = Literal[
    "weight", "schedule", "alternation", "and", "break", "escape", "extra", "unread", "open", "stray"
]

_BETWEEN_WORDS: Final = re.compile(r"[\s.,\\/!?%^*;:{}=`~()\[\]<>|\"]")
_NOT_WORDS: Final = frozenset({"AND", "BREAK"})
_NEAREST_TENTH: Final = 1


class Span(msgspec.Struct, frozen=True):
    """What text[start:end] means.

    "weight": words that count more or less than 1, and their brackets; `weight` says how much. "schedule" and
    "alternation": the marks that part their texts. "and" and "break": the word, and the weight that ends a part.
    "escape": a mark taken as it is. "extra": a `<lora:…>`; "unread": what was meant as one and is none, or the mark
    that begins one that never ends, which is text. "open": a bracket never closed, which counts to the end; "stray": a
    closer with nothing to close, which is text.
    """

    start: int
    end: int
    kind: SpanKind
    weight: float = 1.0


def spans(text: str) -> tuple[Span, ...]:
    """The meaning of every range of a prompt that has one, in the order of painting: later ones lie on earlier ones.

    Takes about a millisecond for 2,000 characters of an ordinary prompt.
    """
    extras = [match.span() for match in EXTRA.finditer(text)]
    words = EXTRA.sub(lambda match: " " * len(match[0]), text) if extras else text
    weighted: list[Span] = []
    marks = [Span(start, end, "extra") for start, end in extras]
    for one in unread_extras(text):
        end = one.end if text[one.end - 1] == ">" else one.start + 1
        marks.append(Span(one.start, end, "unread"))
    parts = parts_of(words)
    for index, (start, end, stop, weight) in enumerate(parts):
        _read_part(words, start, end, weighted, marks)
        last = index == len(parts) - 1
        if number := words[end:stop].strip():
            colon = words.index(":", end)
            marks.append(Span(colon, colon + len(number), "and", weight))
        if not last:
            marks.append(Span(stop, parts[index + 1][0], "and"))
    return (*weighted, *marks)


def _read_part(text: str, start: int, end: int, weighted: list[Span], marks: list[Span]) -> None:
    """The spans of one of the prompts that AND joins, text[start:end]."""
    changing: set[int] = set()
    for group in groups_of(text[start:end]):
        opener, closer = start + group.start, start + group.end - 1
        changing |= {opener, closer}
        kind: SpanKind = "alternation" if group.when is None else "schedule"
        cuts = [start + cut for cut in group.cuts]
        closing = closer if group.when is None else cuts.pop()
        marks += [Span(at, at + 1, kind) for at in (opener, *cuts)]
        marks.append(Span(closing, closer + 1, kind))
    walk, at = WeightWalk(), start
    for bracket in brackets_of(text, start, end):
        if bracket.kind == "escape" or bracket.kind == "break" or bracket.kind == "stray":
            marks.append(Span(bracket.start, bracket.end, bracket.kind))
        elif bracket.start not in changing:
            closes = bracket.kind in ")]"
            edge = bracket.end if closes else bracket.start
            _weigh(weighted, at, edge, walk.weight)
            walk.pass_by(bracket)
            at = edge
            if not closes and bracket.closer is None:
                marks.append(Span(bracket.start, bracket.end, "open"))
    _weigh(weighted, at, end, walk.weight)


def _weigh(weighted: list[Span], start: int, end: int, weight: float) -> None:
    if start == end or weight == 1:
        return
    if weighted and weighted[-1].end == start and weighted[-1].weight == weight:
        start = weighted.pop().start
    weighted.append(Span(start, end, "weight", weight))


# -- what is counted -----------------------------------------------------------------------------------------------


class Stretch(msgspec.Struct, frozen=True):
    """Words of a prompt from `start` on, letter for letter where they stand, every mark a blank."""

    start: int
    text: str


def stretches(text: str) -> list[list[Stretch | None]]:
    """What text encoders read of a prompt: for each of the prompts that AND joins its words, None for a BREAK.

    Of the texts of a schedule or an alternation it is the longest, so that no step reads much more.
    """
    words = EXTRA.sub(lambda match: " " * len(match[0]), text)
    return [_stretches(words, start, end) for start, end, _, _ in parts_of(words)]


def _stretches(text: str, start: int, end: int) -> list[Stretch | None]:
    letters = list(text[start:end])

    def blank(first: int, last: int) -> None:
        letters[first:last] = " " * (last - first)

    for group in groups_of(text[start:end]):
        first, last = max(group.options(), key=lambda option: option[1] - option[0])
        blank(group.start, first)
        blank(last, group.end)
    found: list[Stretch | None] = []
    at = 0
    for bracket in brackets_of(text, start, end):
        first, last = bracket.start - start, bracket.end - start
        if bracket.kind == "break":
            found += [Stretch(start + at, "".join(letters[at:first])), None]
            at = last
        elif bracket.kind != "stray":
            blank(first, first + 1 if bracket.kind == "escape" else last)
    return [*found, Stretch(start + at, "".join(letters[at:]))]


# -- changing weights ----------------------------------------------------------------------------------------------


class Edit(msgspec.Struct, frozen=True):
    """text[start:end] becomes `new`; what was selected is afterwards between the places of `selection`."""

    start: int
    end: int
    new: str
    selection: tuple[int, int]


def change_weight(text: str, start: int, end: int, delta: float) -> Edit | None:
    """Let what is selected, text[start:end], count `delta` more; None where there is nothing.

    Without a selection that is the `<lora:…>`, the bracket or else the word around the cursor, or the `<lora:…>` before
    it. A bracket whose weight becomes 1 is taken away.
    """
    edit = _changed_extra(text, start, delta) if start == end else None
    if edit is not None and (start < edit.end or _word_at(text, start) is None):
        return edit
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if (opener := _bracket_at(text, start, end)) and (closer := opener.closer):
        inside = text[opener.end : closer.start]
        factor = opener.factor if opener.kind == "(" else round(opener.factor, _NEAREST_TENTH)
        new, moved = _bracketed(inside, factor + delta)
        shift = opener.start + moved - opener.end
        inner = (min(max(place, opener.end), closer.start) + shift for place in (start, end))
        return Edit(opener.start, closer.end, new, (next(inner), next(inner)))
    word = (start, end) if start < end else _word_at(text, start)
    if word is None:
        return None
    new, moved = _bracketed(text[slice(*word)], 1 + delta)
    return Edit(*word, new, (start + moved, end + moved))


def _changed_extra(text: str, at: int, delta: float) -> Edit | None:
    changed = change_extra(text, at, delta)
    if changed is None:
        return None
    start, end, new = changed
    place = start + len(new) if at == end else min(at, start + len(new) - 1)
    return Edit(start, end, new, (place, place))


def _bracket_at(text: str, start: int, end: int) -> Bracket | None:
    """The innermost closed bracket for weights around a cursor, or whose inside or whole a selection is."""
    changing = {group.start for group in groups_of(text)}
    closed = (one for one in brackets_of(text) if one.closer is not None and one.start not in changing)
    return min((one for one in closed if _is_meant(one, start, end)), key=_length, default=None)


def _is_meant(opener: Bracket, start: int, end: int) -> bool:
    closer = opener.closer
    assert closer is not None  # only closed ones are asked
    if start == end:
        return opener.start < start < closer.end
    return (start, end) in ((opener.end, closer.start), (opener.start, closer.end))


def _length(opener: Bracket) -> int:
    assert opener.closer is not None
    return opener.closer.end - opener.start


def _word_at(text: str, at: int) -> tuple[int, int] | None:
    start = end = at
    while start > 0 and not _BETWEEN_WORDS.match(text, start - 1):
        start -= 1
    while end < len(text) and not _BETWEEN_WORDS.match(text, end):
        end += 1
    return None if start == end or text[start:end] in _NOT_WORDS else (start, end)


def _bracketed(inside: str, weight: float) -> tuple[str, int]:
    """The text with its weight, and how far in it begins."""
    return (inside, 0) if number_text(weight) == "1.0" else (f"({inside}:{number_text(weight)})", 1)
