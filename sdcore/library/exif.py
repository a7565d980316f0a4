"""The texts in a block of EXIF, read without a library: a hostile block costs no more than its own size.

Source: CIPA DC-008 (EXIF 2.32), sections 4.5 and 4.6.5 "User Comment"; TIFF 6.0, section 2.
"""

from __future__ import annotations

import struct
from typing import Final

_TAGS: Final = {
    0x010E: "ImageDescription",
    0x010F: "Make",
    0x0110: "Model",
    0x0131: "Software",
    0x927C: "MakerNote",
    0x9286: "UserComment",
}
_BELOW: Final = 0x8769
"""Where the second directory is, which holds the user comment."""
_BYTES: Final = (1, 2, 7)
_MOST_ENTRIES: Final = 512
_PREFIX: Final = b"Exif\0\0"
_CODE: Final = 8
"""Bytes before a user comment that name its character code."""


def exif_texts(block: bytes) -> dict[str, str]:
    """The texts by the names of their fields; what is broken says nothing. Never raises."""
    block = block.removeprefix(_PREFIX)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    if order is None:
        return {}
    found, below = _directory(block, order, 4)
    again, _ = _directory(block, order, below) if below else ({}, 0)
    return found | again


def _directory(block: bytes, order: str, pointer: int) -> tuple[dict[str, str], int]:
    """The texts of the directory that the four bytes at `pointer` lead to, and where the pointer to the next one is."""
    found: dict[str, str] = {}
    below = 0
    try:
        (start,) = struct.unpack_from(f"{order}I", block, pointer)
        (count,) = struct.unpack_from(f"{order}H", block, start)
        for index in range(min(count, _MOST_ENTRIES)):
            entry = start + 2 + 12 * index
            tag, kind, length = struct.unpack_from(f"{order}HHI", block, entry)
            if tag == _BELOW:
                below = entry + 8
            elif tag in _TAGS and _TAGS[tag] not in found and kind in _BYTES:
                (offset,) = struct.unpack_from(f"{order}I", block, entry + 8)
                offset = entry + 8 if length <= 4 else offset
                found[_TAGS[tag]] = _text(block[offset : offset + length], order)
    except struct.error:
        pass
    return {name: text for name, text in found.items() if text}, below


def _text(data: bytes, order: str) -> str:
    """A field's text. A user comment names its code first; programs that write one as plain text leave that out."""
    code, rest = data[:_CODE], data[_CODE:]
    if code == b"UNICODE\0":
        return _utf16(rest, order)
    if code in (b"ASCII\0\0\0", b"\0" * _CODE):
        data = rest
    return data.decode("utf-8", "replace").rstrip("\0")


def _utf16(data: bytes, order: str) -> str:
    """Some programs write big-endian whatever the block's order is: the zero bytes of the ASCII in it tell."""
    marks = {b"\xfe\xff": "utf-16-be", b"\xff\xfe": "utf-16-le"}
    if mark := marks.get(data[:2]):
        return data[2:].decode(mark, "replace").rstrip("\0")
    big, little = data[0::2].count(0), data[1::2].count(0)
    fallback = "utf-16-le" if order == "<" else "utf-16-be"
    name = fallback if big == little else "utf-16-be" if big > little else "utf-16-le"
    return data.decode(name, "replace").rstrip("\0")
