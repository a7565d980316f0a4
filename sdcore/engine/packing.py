"""What is known of many images, as few bytes: for the line to a library on another machine.

Ids of neighbours are close to one another and prompts repeat themselves, so zlib leaves a fraction of both. Nothing is
unpacked beyond a bound, whoever packed it.
"""

from __future__ import annotations

import os
import zlib
from array import array
from collections.abc import Iterable, Mapping
from itertools import accumulate, pairwise
from typing import Any, Final, TypeVar

import msgspec

from sdcore.library.index import Row

_T = TypeVar("_T")

MOST_BYTES: Final = 8 << 20
"""Of what is unpacked."""
MOST_IDS: Final = 200_000
"""In one message."""

_SHORT: Final = {"prompt": 300, "negative_prompt": 100}
"""Characters of what is cut short: a screen shows no more of it."""
_FIELDS: Final = tuple(name for name in Row.__struct_fields__ if name != "path")
_SEED: Final = _FIELDS.index("seed")


class PackingError(ValueError):
    """What came is not packed as it should be."""


def pack_ids(ids: array[int]) -> bytes:
    """Ids as the differences from each to the next."""
    return _deflated([after - before for before, after in pairwise((0, *ids))])


def unpack_ids(data: bytes) -> array[int]:
    """What `pack_ids` packed. Raises `PackingError`."""
    try:
        return array("q", accumulate(_inflated(data, list[int])))
    except OverflowError as fault:
        raise PackingError(str(fault)) from fault


def pack_rows(rows: Iterable[Row], *, whole: bool = True, room: int = MOST_BYTES) -> tuple[bytes, int]:
    """Rows, with long texts cut short unless they are to be `whole`, and how many of them there are: all that take at
    most `room` bytes before they are packed, and one at least."""
    packed: list[tuple[bytes, list[Any]]] = []
    for row in rows:
        fields = [getattr(row, name) for name in _FIELDS]
        fields[_SEED] = None if row.seed is None else str(row.seed)  # msgpack's whole numbers end at 2**64
        if not whole:
            fields = [
                value[: _SHORT[name]] if name in _SHORT else value
                for name, value in zip(_FIELDS, fields, strict=True)
            ]
        room -= sum(4 * len(value) if isinstance(value, str) else 9 for value in fields) + len(row.path)
        if room < 0 and packed:
            break
        packed.append((os.fsencode(row.path), fields))
    return _deflated(packed), len(packed)


def unpack_rows(data: bytes) -> list[Row]:
    """What `pack_rows` packed. Raises `PackingError`."""
    try:
        return [_row(path, fields) for path, fields in _inflated(data, list[tuple[bytes, list[Any]]])]
    except ValueError as fault:  # msgspec's are ValueErrors, too
        raise PackingError(str(fault)) from fault


def _row(path: bytes, fields: list[Any]) -> Row:
    said = dict(zip(_FIELDS, fields, strict=True))
    seed = said["seed"]
    return msgspec.convert(
        {**said, "path": os.fsdecode(path), "seed": None if seed is None else int(seed)}, Row
    )


def pack_texts(texts: Mapping[str, str]) -> bytes:
    """The texts of an image, word for word: half a character stays one. Raises `PackingError` where they are longer
    than can be unpacked."""
    said = {_bytes(name): _bytes(text) for name, text in texts.items()}
    if sum(len(name) + len(text) + 10 for name, text in said.items()) > MOST_BYTES:
        raise PackingError("The image says too much of itself to be sent over the line.")
    return _deflated(said)


def unpack_texts(data: bytes) -> dict[str, str]:
    """What `pack_texts` packed. Raises `PackingError`."""
    try:
        said = _inflated(data, dict[bytes, bytes])
        return {
            name.decode("utf-8", "surrogatepass"): text.decode("utf-8", "surrogatepass")
            for name, text in said.items()
        }
    except UnicodeDecodeError as fault:
        raise PackingError(str(fault)) from fault


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _deflated(value: object) -> bytes:
    return zlib.compress(msgspec.msgpack.encode(value), 6)


def _inflated(data: bytes, kind: type[_T]) -> _T:
    unpacking = zlib.decompressobj()
    try:
        said = unpacking.decompress(data, MOST_BYTES + 1)
        if len(said) > MOST_BYTES:
            raise PackingError("That is more than can be unpacked.")
        return msgspec.msgpack.decode(said, type=kind)
    except (zlib.error, msgspec.DecodeError, RecursionError) as fault:
        raise PackingError(str(fault)) from fault
