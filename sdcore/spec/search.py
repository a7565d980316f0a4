"""What a person types to find images.

    lighthouse storm        words of the prompt or the negative prompt, each the beginning of one
    "red house"             these very words, in this order; before the second quote the last may go on
    model:dream             part of a name: also sampler:, writer:, folder: and tag:; with quotes all of it
    steps:>20  cfg:5..8     a number or a range (> >= < <= a..b): also seed:, width: and height:
    size:512x768            pixels of the image
    date:2026-03            a year, a month or a day, today, yesterday, a range of them; before:, after:
    star                    those with a star
    -word  -model:dream     without those; a word in the negative prompt is no word of the image, and does not count

All that is asked for must hold. What makes no sense as a field is words.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Final

import msgspec

MAX_LENGTH: Final = 2_000
"""Characters that are looked at."""
MAX_TERMS: Final = 40

_ONE: Final = re.compile(r'(-?)(?:([A-Za-z]+):)?(?:"([^"]*)("?)|([^\s"]*))')
_NUMBER: Final = re.compile(r"[-+]?(?:[0-9]{1,25}(?:\.[0-9]{0,25})?|\.[0-9]{1,25})")
_BOUND: Final = re.compile(r"(>=|<=|>|<|=|)\s*(.+)", re.S)
_SIZE: Final = re.compile(r"([0-9]{1,6})[x×*]([0-9]{1,6})", re.I)
_DATE: Final = re.compile(r"([0-9]{4})(?:[-/.]([0-9]{1,2})(?:[-/.]([0-9]{1,2}))?)?-?")


class Words(msgspec.Struct, frozen=True, tag=True):
    """Words that follow one another in `within` ("prompt", "negative_prompt", or "" for either); the last may be the
    beginning of one unless they are meant `whole`."""

    text: str
    whole: bool = False
    within: str = ""


class Named(msgspec.Struct, frozen=True, tag=True):
    """A name that `text` is part of, or all of (`whole`), in any case. `field` is one of `NAMES`."""

    field: str
    text: str
    whole: bool = False


class Range(msgspec.Struct, frozen=True, tag=True):
    """A number from `low` to `high`, None for no bound; an `open` bound is not in it itself. `field` is one of
    `NUMBERS` or "created", which is epoch seconds."""

    field: str
    low: int | float | None = None
    high: int | float | None = None
    low_open: bool = False
    high_open: bool = False


class Size(msgspec.Struct, frozen=True, tag=True):
    """An image of so many pixels."""

    width: int
    height: int


class Starred(msgspec.Struct, frozen=True, tag=True):
    """An image with a star."""


Term = Words | Named | Range | Size | Starred


class Query(msgspec.Struct, frozen=True):
    """Images for which every term of `wanted` holds and none of `unwanted`: all images when there are none.

    `notes` are sentences about what was not understood, fit for a hint line; what was typed is quoted in them.
    """

    wanted: tuple[Term, ...] = ()
    unwanted: tuple[Term, ...] = ()
    notes: tuple[str, ...] = ()


NUMBERS: Final = {
    "steps": "steps",
    "cfg": "guidance_scale",
    "guidance": "guidance_scale",
    "seed": "seed",
    "width": "width",
    "height": "height",
}
"""Fields that take numbers, and what a `Range` calls them."""

NAMES: Final = ("model", "sampler", "writer", "folder", "tag")
_TEXTS: Final = {"prompt": "prompt", "negative": "negative_prompt"}
_STAR: Final = "star"


def parse(text: str, *, today: date | None = None) -> Query:
    """What `text` asks for; `today` is that of the clock when None. Dates are those of the local time zone.

    Never raises, whatever `text` is.
    """
    day = today or date.today()
    wanted: list[Term] = []
    unwanted: list[Term] = []
    notes: list[str] = []
    if len(text) > MAX_LENGTH:
        notes.append(f"Only the first {MAX_LENGTH:,} characters are looked at.")
    for match in _ONE.finditer(text[:MAX_LENGTH].replace("\0", " ")):
        minus, field, quoted, closed, plain = match.groups()
        value = plain if quoted is None else quoted
        if not match[0] or (not value and not field):
            continue
        if len(wanted) + len(unwanted) == MAX_TERMS:
            notes.append(f"Only the first {MAX_TERMS} terms are looked at.")
            break
        term, note = _term(field, value, bool(closed), bool(minus), day)
        if note and note not in notes:
            notes.append(note)
        if term is not None:
            (unwanted if minus else wanted).append(term)
    return Query(tuple(wanted), tuple(unwanted), tuple(notes))


def _term(field: str | None, value: str, quoted: bool, negated: bool, day: date) -> tuple[Term | None, str]:
    """What one term means, None where it asks for nothing, and what is to be said of it."""
    # Of words that are not wanted the beginning is no reason to leave an image out.
    whole = quoted or negated
    if field is None:
        if value.casefold() == _STAR and not quoted:
            return Starred(), ""
        return _words(value, whole, "prompt" if negated else "")
    name = field.casefold()
    if name in _TEXTS:
        return _words(value, whole, _TEXTS[name]) if value else (None, f"{name}: takes words of that text.")
    if name in NAMES:
        return (Named(name, value, quoted), "") if value.strip() else (None, f"{name}: takes part of a name.")
    if name not in _READERS:
        return _words(f"{field}:{value}", whole)
    reader, example = _READERS[name]
    if not value.strip():
        return None, f"{name}: takes {example}."
    term = reader(name, value.strip(), day)
    if term is not None:
        return term, ""
    note = f'"{value[:40]}" is not {example}: {name}: is searched as words.'
    return _words(f"{field}:{value}", whole)[0], note


def _words(text: str, whole: bool, within: str = "") -> tuple[Term | None, str]:
    if not any(map(str.isalnum, text)):
        return None, f'"{text[:40]}" holds no letter and no digit to search for.' if text.strip() else ""
    return Words(text, whole, within), ""


def _number(name: str, value: str, day: date) -> Term | None:
    low, separator, high = value.partition("..")
    field = NUMBERS[name]
    if separator:
        ends = [_read_number(end) if end else None for end in (low, high)]
        if (low and ends[0] is None) or (high and ends[1] is None) or not (low or high):
            return None
        return Range(field, ends[0], ends[1])
    match = _BOUND.fullmatch(value)
    number = _read_number(match[2]) if match else None
    if match is None or number is None:
        return None
    return _bounded(field, match[1], number, number)


def _bounded(field: str, sign: str, low: int | float, high: int | float, half_open: bool = False) -> Range:
    """What the sign says of a value that reaches from `low` to `high`, which is not in it itself if `half_open`."""
    return {
        ">": Range(field, low=high, low_open=not half_open),
        ">=": Range(field, low=low),
        "<": Range(field, high=low, high_open=True),
        "<=": Range(field, high=high, high_open=half_open),
    }.get(sign, Range(field, low, high, high_open=half_open))


def _read_number(text: str) -> int | float | None:
    if not _NUMBER.fullmatch(text):
        return None
    number = float(text) if "." in text else int(text)
    return number if math.isfinite(number) else None


def _size(name: str, value: str, day: date) -> Term | None:
    match = _SIZE.fullmatch(value)
    return Size(int(match[1]), int(match[2])) if match else None


def _date(name: str, value: str, day: date) -> Term | None:
    sign = {"before": "<", "after": ">"}.get(name, "")
    first, separator, last = value.partition("..")
    if separator:
        spans = [_span(end, day) if end else None for end in (first, last)]
        if sign or (first and spans[0] is None) or (last and spans[1] is None) or not (first or last):
            return None
        low, high = spans
        return Range(
            "created", low[0] if low else None, high[1] if high else None, high_open=high is not None
        )
    match = _BOUND.fullmatch(value)
    span = _span(match[2], day) if match else None
    if match is None or span is None or (sign and match[1]):
        return None
    return _bounded("created", sign or match[1], *span, half_open=True)


def _span(text: str, day: date) -> tuple[float, float] | None:
    """When the year, month or day begins, and when the next does, in epoch seconds; None if it is none of these."""
    word = text.casefold()
    match = _DATE.fullmatch(text)
    try:
        if word in _DAYS:
            first = day - timedelta(days=_DAYS[word])
            return _epoch(first), _epoch(first + timedelta(days=1))
        if match is None:
            return None
        year, month, number = (int(part) if part else None for part in match.groups())
        first = date(year or 0, month or 1, number or 1)
        if number:
            last = first + timedelta(days=1)
        elif month:
            last = date(first.year + month // 12, month % 12 + 1, 1)
        else:
            last = date(first.year + 1, 1, 1)
        return _epoch(first), _epoch(last)
    except (ValueError, OverflowError, OSError):  # no such day, or one that no clock reaches
        return None


def _epoch(day: date) -> float:
    return datetime(day.year, day.month, day.day).timestamp()


_DAYS: Final = {"today": 0, "yesterday": 1}
_A_DATE: Final = "a date such as 2026-03"
_READERS: Final[dict[str, tuple[Callable[[str, str, date], Term | None], str]]] = {
    **dict.fromkeys(NUMBERS, (_number, "a number such as 20, >20 or 20..30")),
    "size": (_size, "a size such as 512x768"),
    "date": (_date, f"{_A_DATE} or 2026-03..2026-05"),
    "before": (_date, _A_DATE),
    "after": (_date, _A_DATE),
}
"""The fields that take more than text: who reads their value, and what that is."""

FIELDS: Final = (*_READERS, *NAMES, *_TEXTS)
"""All fields that can be typed before a colon."""
