"""The values of an axis as they are typed: lists, ranges and counts, as in the X/Y/Z plot of AUTOMATIC1111's web UI.

20, 30, 50            these
1-10                  each whole number from 1 to 10; of numbers with a point, one by one
10-50 (+20)           10, 30, 50; 10-1 and 10-1 (-3) count down
1-10 [5]              five of them, evenly spaced, both ends among them
"a, b", c             two: what is quoted keeps its comma
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

MAX_TYPED: Final = 20_000
MAX_VALUES: Final = 1000
_DIGITS: Final = 12

_NUMBER: Final = r"[+-]?\d{1,19}(?:\.\d{1,12})?"
_SINGLE: Final = re.compile(rf"\s*({_NUMBER})\s*")
_RANGE: Final = re.compile(
    rf"\s*({_NUMBER})\s*-\s*({_NUMBER})\s*(?:\(\s*({_NUMBER})\s*\)|\[\s*(\d{{1,6}})\s*\])?\s*"
)


class ValuesError(ValueError):
    """What was typed is no list of values; the message says what is wrong, for a sentence that names the field."""


def split(text: str) -> list[str]:
    """The parts between commas without the blanks around them, none of them empty; quoted ones keep their commas."""
    if len(text) > MAX_TYPED:
        raise ValuesError(f"more than {MAX_TYPED:,} characters were typed")
    try:
        line = next(csv.reader([text.replace("\n", " ").replace("\r", " ")], skipinitialspace=True), [])
    except csv.Error as fault:
        raise ValuesError(str(fault)) from fault
    return [part.strip() for part in line if part.strip()]


def wholes(text: str) -> list[int]:
    """Whole numbers. Raises `ValuesError`."""
    numbers = _numbers(text, "a whole number")
    for number in numbers:
        if number != int(number):
            raise ValuesError(f"{number} is not a whole number")
    return [int(number) for number in numbers]


def reals(text: str) -> list[float]:
    """Numbers. Raises `ValuesError`."""
    return [round(float(number), _DIGITS) for number in _numbers(text, "a number", whole=False)]


def _numbers(text: str, wanted: str, *, whole: bool = True) -> list[Decimal]:
    numbers: list[Decimal] = []
    for part in split(text):
        for number in _part(part, wanted, whole=whole):
            numbers.append(number)
            if len(numbers) > MAX_VALUES:
                raise ValuesError(f"{part[:40]!r} makes more than {MAX_VALUES:,} values")
    return numbers


def _part(part: str, wanted: str, *, whole: bool) -> Iterator[Decimal]:
    if single := _SINGLE.fullmatch(part):
        return iter([Decimal(single[1])])
    found = _RANGE.fullmatch(part)
    if found is None:
        raise ValuesError(f"{part[:40]!r} is not {wanted}, nor a range like 1-10, 1-10 (+2) or 1-10 [5]")
    first, last = Decimal(found[1]), Decimal(found[2])
    if found[4]:
        return _spaced(first, last, int(found[4]), whole=whole)
    step = Decimal(found[3] or (1 if last >= first else -1))
    if step == 0 or (last - first) * step < 0:
        raise ValuesError(f"{part[:40]!r} never arrives: its step leads away from its end")
    return _stepped(first, last, step)


def _stepped(first: Decimal, last: Decimal, step: Decimal) -> Iterator[Decimal]:
    # decimals, so that 0.1 three times is 0.3
    for index in range(min(MAX_VALUES + 1, math.floor((last - first) / step) + 1)):
        yield first + index * step


def _spaced(first: Decimal, last: Decimal, count: int, *, whole: bool) -> Iterator[Decimal]:
    if count == 1:
        yield first
        return
    for index in range(min(MAX_VALUES + 1, count)):
        number = first + (last - first) * index / (count - 1)
        # toward the first, as the web UI cuts it
        yield Decimal(int(number)) if whole else number
