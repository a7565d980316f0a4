"""The text of a TOML file that a person keeps: on which line a setting is, and the text with some things changed.

What is not changed stays to the letter: comments, order, spaces, line ends. So lines are put in and taken out here, and
tomlkit only gives a value another one in its place: it would put a new setting below the comment of the next table,
end its line as Unix does whatever the others, and take a comment away with its setting. Whatever was done, the text is
read again, and is given back only if it says what it should.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from sdcore.library.setting import MISSING

_CLOSES: Final = ("]", "}", '"""', "'''")
"""A line that ends a value of many lines holds one of these."""


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

    One that is `MISSING` is taken out, its comment stays. An empty table is made where there is none. Raises
    `UnsafeError`.
    """
    wanted = tomllib.loads(text)
    for way, new in _leaves(values):
        text = _put(text, way, wanted, new)
    return _checked(text, wanted)


def without_table(text: str, *way: str) -> str:
    """`text`, which is valid, without a table and what is in it; what is said above it stays. Raises `UnsafeError`."""
    wanted = tomllib.loads(text)
    _table_of(wanted, way[:-1]).pop(way[-1], None)
    lines = _lines(text)
    gone: set[int] = set()
    after: set[int] = set()
    inside = False
    for each in statements(text):
        span = set(range(each.begin, each.end))
        if each.table[: len(way)] != way and not _all_in(each, way):
            inside, after = False, set()
        elif each.header or each.names:
            gone |= span | after
            inside, after = True, set()
        elif inside:
            after |= span  # a comment here may be of the next table
    if not gone:
        return _checked(_with_tomlkit(text, way, MISSING), wanted)
    for line in sorted(gone):
        between = line + 1 not in gone and line + 1 < len(lines)
        first = next(index for index in range(line, -2, -1) if index not in gone)
        if between and not lines[line + 1].strip() and (first < 0 or not lines[first].strip()):
            gone.add(line + 1)
    return _checked("".join(line for index, line in enumerate(lines) if index not in gone), wanted)


def with_table_renamed(text: str, way: tuple[str, ...], name: str) -> str:
    """`text`, which is valid, with another name for a table, which stays where it is; one without a header of its own
    is written anew. Raises `UnsafeError`."""
    wanted = tomllib.loads(text)
    around = _table_of(wanted, way[:-1])
    if way[-1] not in around or name in around:
        raise UnsafeError
    around[name] = around.pop(way[-1])
    lines = _lines(text)
    headers = [each for each in statements(text) if each.header and each.table[: len(way)] == way]
    if not headers:
        return _checked(_with_value(without_table(text, *way), (*way[:-1], name), around[name]), wanted)
    for each in headers:
        line = lines[each.begin]
        end = next(at for at, mark in enumerate(line, 1) if mark == "]" and _parses(line[:at]))
        lines[each.begin] = f"[{_dotted((*way[:-1], name, *each.table[len(way) :]))}]{line[end:]}"
    return _checked("".join(lines), wanted)


def _with_value(text: str, way: tuple[str, ...], value: Any) -> str:
    """The text with a new table in it, among others that may be written in one line."""
    said = value
    for name in reversed(way):
        said = {name: said}
    try:
        return changed(text, said)
    except UnsafeError:
        return _with_tomlkit(text, way, value)


def _leaves(values: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from (((name, *way), new) for way, new in _leaves(value))
        else:
            yield (name,), value


def _table_of(plain: dict[str, Any], way: tuple[str, ...]) -> dict[str, Any]:
    for name in way:
        plain = plain.setdefault(name, {})
        if not isinstance(plain, dict):
            raise UnsafeError
    return plain


def _put(text: str, way: tuple[str, ...], wanted: dict[str, Any], new: Any) -> str:
    """The text with one setting set, and `wanted` likewise."""
    table = _table_of(wanted, way[:-1])
    old = table.get(way[-1], MISSING)
    if new == {}:
        if old is not MISSING and not isinstance(old, dict):
            raise UnsafeError
        return _with_header(text, way) if old is MISSING else text
    table.pop(way[-1], None)
    if new is not MISSING:
        table[way[-1]] = new
    if old is new or (old == new and type(old) is type(new)):
        return text
    if old is MISSING:
        return _inserted(text, way, new)
    return _removed(text, way) if new is MISSING else _with_tomlkit(text, way, new)


def _with_tomlkit(text: str, way: tuple[str, ...], value: Any) -> str:
    """The text with a value in the place of another, or within a table that has no line of its own."""
    import tomlkit

    *tables, name = way
    try:
        place: Any = tomlkit.parse(text)
        document = place
        for table in tables:
            place = place[table]
        if value is MISSING:
            del place[name]
        elif isinstance(value, list) and isinstance(place.get(name), tomlkit.items.Array):
            _make_equal(place[name], value)
        else:
            place[name] = value
        return tomlkit.dumps(document)
    except (tomlkit.exceptions.TOMLKitError, KeyError, TypeError, ValueError, AttributeError) as fault:
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
    known = statements(text)
    found = [each for each in known if _all_in(each, way)]
    if not found or any(each.header and each.table[: len(way)] == way for each in known):
        return _with_tomlkit(text, way, MISSING)
    lines = _lines(text)
    for each in reversed(found):
        lines[each.begin : each.end] = [_comment_behind(lines[each.begin : each.end])]
    return "".join(lines)


def _comment_behind(lines: list[str]) -> str:
    """What a statement says behind its end, with the end of its line."""
    said = "".join(lines)
    last = len(said) - len(lines[-1])
    marks = [end for end, mark in enumerate(said) if mark == "#" and end >= last]
    value_end = next((end for end in marks if _same(said[:end], said)), 0)
    return said[value_end:] if value_end else ""


def _inserted(text: str, way: tuple[str, ...], value: object) -> str:
    """After the last setting of its table, or where its table begins."""
    *table, name = way
    lines = _lines(text)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    end = _line_end(text)
    line = f"{_assignment(name, value)}{end}"
    known = statements(text)
    own = [each.end for each in known if list(each.table) == table and (each.header or each.names)]
    if own:
        return "".join([*lines[: own[-1]], line, *lines[own[-1] :]])
    if table:
        below = _with_header(text, tuple(table)) + line
        return below if _parses(below) else _with_tomlkit(text, way, value)
    first = next((each.begin for each in known if each.header), len(lines))
    at = first
    while first < len(lines) and at and lines[at - 1].lstrip().startswith("#"):
        at -= 1  # what is said of the table stays above it
    return "".join([*lines[:at], line, *([end] if at < len(lines) else []), *lines[at:]])


def _with_header(text: str, way: tuple[str, ...]) -> str:
    """The text with a table that begins at its end."""
    end = _line_end(text)
    before = text if not text or text.endswith("\n") else f"{text}\n"
    return f"{before}{end if before else ''}[{_dotted(way)}]{end}"


def _line_end(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _assignment(name: str, value: object) -> str:
    import tomlkit

    try:
        return tomlkit.dumps({name: value}).strip()
    except (tomlkit.exceptions.TOMLKitError, TypeError, ValueError) as fault:
        raise UnsafeError from fault


def _dotted(way: Sequence[str]) -> str:
    import tomlkit

    return ".".join(tomlkit.key(name).as_string() for name in way)


def _lines(text: str) -> list[str]:
    """TOML's lines: fewer signs end one than in other texts."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _all_in(each: Statement, way: tuple[str, ...]) -> bool:
    return bool(each.names) and all(name[: len(way)] == way for name in each.names)


def _checked(text: str, wanted: Mapping[str, Any]) -> str:
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise UnsafeError from fault
    if _filled(found) != _filled(wanted):
        raise UnsafeError
    return text


def _filled(found: Mapping[str, Any]) -> dict[str, Any]:
    """Without empty tables, which say nothing."""
    full = {name: _filled(value) if isinstance(value, dict) else value for name, value in found.items()}
    return {name: value for name, value in full.items() if value != {}}


def _ways(found: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for name, value in found.items():
        value = value[0] if isinstance(value, list) and value and isinstance(value[0], dict) else value
        if isinstance(value, dict) and value:
            yield from ((name, *way) for way in _ways(value))
        else:
            yield (name,)


def _parses(text: str) -> bool:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True


def _same(begin: str, line: str) -> bool:
    """Whether the rest of the line is a comment."""
    try:
        return tomllib.loads(begin) == tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return False
