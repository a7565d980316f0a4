"""The text of a settings file: on which line a setting is, and the text with some of them changed.

What is not changed stays to the letter: comments, order, spaces, line ends.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

_CLOSES: Final = ("]", "}", '"""', "'''")
"""A line that ends a value of many lines holds one of these."""

MISSING: Final = object()
"""In the place of a value: the setting is not in the file."""


class UnsafeError(Exception):
    """The text is written in a way that cannot be changed safely."""


class Statement(msgspec.Struct, frozen=True):
    """Lines `begin` to `end` (counted from 0, the latter not among them): a table's header, settings, or neither."""

    begin: int
    end: int
    table: tuple[str, ...]
    header: bool
    names: tuple[tuple[str, ...], ...]
    """The settings that it assigns, each by the way to it from the root."""


@functools.lru_cache(maxsize=2)
def statements(text: str) -> tuple[Statement, ...]:
    """The statements of a valid file, in order."""
    return tuple(_statements(text))


def _statements(text: str) -> Iterator[Statement]:
    lines = _lines(text)
    table: tuple[str, ...] = ()
    begin = 0
    for end, line in enumerate(lines, 1):
        if end - begin > 1 and not any(mark in line for mark in _CLOSES):
            continue  # a long list must not be read again for each of its lines
        try:
            found = tomllib.loads("".join(lines[begin:end]))
        except tomllib.TOMLDecodeError:
            continue
        header = lines[begin].lstrip().startswith("[")
        ways = tuple(_ways(found))
        if header:
            table = ways[0]
        yield Statement(begin, end, table, header, () if header else tuple((*table, *way) for way in ways))
        begin = end


def line_of(text: str, *names: str) -> int:
    """The line, counted from 1, on which a setting is assigned or its table begins; 0 where there is none."""
    for found in statements(text):
        if (found.header and found.table == names) or any(way[: len(names)] == names for way in found.names):
            return found.begin + 1
    return 0


def changed(text: str, values: Mapping[str, Any]) -> str:
    """`text`, which is valid, with these settings set; of a table, those of its entries that are given.

    One that is `MISSING` is taken out, its comment stays. Raises `UnsafeError`.
    """
    wanted = tomllib.loads(text)
    for name, value in values.items():
        table = wanted.setdefault(name, {}) if isinstance(value, Mapping) else wanted
        if not isinstance(table, dict):
            raise UnsafeError
        way = (name,) if table is not wanted else ()
        for key, new in (value if way else {name: value}).items():
            text = _put(text, (*way, key), table.pop(key, MISSING), new)
            if new is not MISSING:
                table[key] = new
    if _filled(_read(text)) != _filled(wanted):
        raise UnsafeError
    return text


def _put(text: str, way: tuple[str, ...], old: object, new: object) -> str:
    if old is new or (old == new and type(old) is type(new)):
        return text
    if old is MISSING:
        return _inserted(text, way, new)
    return _removed(text, way) if new is MISSING else _replaced(text, way, new)


def _replaced(text: str, way: tuple[str, ...], value: Any) -> str:
    import tomlkit

    *tables, name = way
    try:
        place: Any = tomlkit.parse(text)
        document = place
        for table in tables:
            place = place[table]
        if isinstance(value, list) and isinstance(place[name], tomlkit.items.Array):
            _make_equal(place[name], value)
        else:
            place[name] = value
        return tomlkit.dumps(document)
    except (tomlkit.exceptions.TOMLKitError, KeyError, TypeError) as fault:
        raise UnsafeError from fault


def _make_equal(array: Any, wanted: list[Any]) -> None:
    """Entry by entry, so that the comments of those that stay do so, too."""
    for index in reversed([index for index, entry in enumerate(array) if entry not in wanted]):
        del array[index]
    for index, entry in enumerate(wanted):
        if index >= len(array):
            array.append(entry)
        elif array[index] != entry:
            array.insert(index, entry)
    for _ in range(len(array) - len(wanted)):
        del array[len(array) - 1]


def _removed(text: str, way: tuple[str, ...]) -> str:
    lines = _lines(text)
    found = next((each for each in statements(text) if each.names == (way,)), None)
    if found is None or found.end - found.begin > 1:
        raise UnsafeError
    line = lines[found.begin]
    value_end = min(
        (end for end, mark in enumerate(line) if mark == "#" and _same(line[:end], line)), default=0
    )
    comment = line[value_end:] if value_end else ""
    return "".join([*lines[: found.begin], comment, *lines[found.end :]])


def _inserted(text: str, way: tuple[str, ...], value: object) -> str:
    """After the last setting of its table, or where its table begins."""
    import tomlkit

    *table, name = way
    lines = _lines(text)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    end = "\r\n" if "\r\n" in text else "\n"
    line = f"{tomlkit.dumps({name: value}).strip()}{end}"
    known = statements(text)
    own = [each.end for each in known if list(each.table) == table and (each.header or each.names)]
    if own:
        return "".join([*lines[: own[-1]], line, *lines[own[-1] :]])
    if table:
        return "".join([*lines, *([end] if lines else []), f"[{'.'.join(table)}]{end}", line])
    first = next((each.begin for each in known if each.header), len(lines))
    at = first
    while first < len(lines) and at and lines[at - 1].lstrip().startswith("#"):
        at -= 1  # what is said of the table stays above it
    return "".join([*lines[:at], line, *([end] if at < len(lines) else []), *lines[at:]])


def _lines(text: str) -> list[str]:
    """TOML's lines: fewer signs end one than in other texts."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _filled(found: Mapping[str, Any]) -> dict[str, Any]:
    """Without empty tables, which say nothing."""
    return {name: value for name, value in found.items() if value != {}}


def _ways(found: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for name, value in found.items():
        value = value[0] if isinstance(value, list) and value and isinstance(value[0], dict) else value
        if isinstance(value, dict) and value:
            yield from ((name, *way) for way in _ways(value))
        else:
            yield (name,)


def _read(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise UnsafeError from fault


def _same(begin: str, line: str) -> bool:
    """Whether the rest of the line is a comment."""
    try:
        return tomllib.loads(begin) == tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return False
