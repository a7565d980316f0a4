"""What an image file says beside its pixels: its format, its size and its texts, read without decoding anything.

PNG chunks, JPEG segments and WebP chunks are walked from one to the next, so that a file costs a few small reads
whatever its size. What is broken or too large is left out; only a file that is none of the three is refused.

Sources: PNG (ISO/IEC 15948) section 11; ITU-T T.81 annex B; the WebP container specification (RFC 9649).
"""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from typing import Final

import msgspec

from sdcore.library.exif import exif_texts
from sdcore.library.record import CHUNK
from sdcore.library.xmp import xmp_texts

MAX_TEXT: Final = 1024 * 1024
"""Bytes of a text above which it is not looked at."""
MOST_TEXTS: Final = 256
MOST_BYTES: Final = 16 * MAX_TEXT
"""Bytes of all texts of a file, packed and unpacked: what comes after them is not looked at."""

_MOST_PIECES: Final = 100_000
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_XMP_CHUNK: Final = "XML:com.adobe.xmp"
_XMP_SEGMENT: Final = b"http://ns.adobe.com/xap/1.0/\0"
_STANDALONE: Final = frozenset({0x01, *range(0xD0, 0xD9)})
_FRAMES: Final = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_APP1, _COMMENT, _SCAN, _END = 0xE1, 0xFE, 0xDA, 0xD9


class Header(msgspec.Struct, frozen=True):
    """A file's format ("PNG", "JPEG" or "WEBP"), the size of its picture in pixels, and its texts by the names that PNG
    chunks and EXIF fields have; a JPEG's comment is "comment"."""

    format: str
    width: int
    height: int
    texts: dict[str, str]


class NotAnImageError(ValueError):
    """The file is damaged at its beginning, or no PNG, JPEG or WebP image."""


def read_header(path: Path | str) -> Header:
    """The header of the file at `path`. Raises `NotAnImageError` and OSError."""
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - `Path.open` costs as much as all the rest
        return _Walk(file.fileno()).header()


class _Walk:
    """A walk through one file."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._start = os.pread(descriptor, 4096, 0)
        self._left = MOST_BYTES
        self.texts: dict[str, str] = {}

    def header(self) -> Header:
        start = self._start
        try:
            if start.startswith(_PNG):
                return self._png()
            if start.startswith(b"\xff\xd8\xff"):
                return self._jpeg()
            if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
                return self._webp()
        except struct.error:
            pass
        raise NotAnImageError

    def _read(self, offset: int, length: int) -> bytes:
        held = self._start[offset : offset + length]
        return held if len(held) == length else os.pread(self._descriptor, length, offset)

    def _piece(self, offset: int, length: int) -> bytes | None:
        """A piece that holds texts, None where it is too large or there were enough before it."""
        if length > MAX_TEXT or length > self._left:
            return None
        self._left -= length
        return self._read(offset, length)

    def _keep(self, name: str, text: str) -> None:
        if len(self.texts) < MOST_TEXTS and len(text) <= MAX_TEXT:
            self.texts.setdefault(name, text)

    def _keep_all(self, texts: dict[str, str]) -> None:
        for name, text in texts.items():
            self._keep(name, text)

    def _keep_exported(self, texts: dict[str, str]) -> None:
        """Texts that we moved here from another file are as they were there, whatever else the file says."""
        self.texts = {**self.texts, **texts} if len(texts) <= MOST_TEXTS else self.texts

    def _png(self) -> Header:
        if self._read(12, 4) != b"IHDR":
            raise NotAnImageError
        width, height = struct.unpack(">II", self._read(16, 8))
        offset = len(_PNG)
        for _ in range(_MOST_PIECES):
            head = self._read(offset, 8)
            if len(head) < 8 or head[4:] == b"IEND":
                break
            (length,) = struct.unpack_from(">I", head)
            if (read := _CHUNKS.get(head[4:])) and (data := self._piece(offset + 8, length)) is not None:
                found = read(data)
                # what unpacks to too much costs as much as what is kept
                self._left -= sum(map(len, found.values())) if found else MAX_TEXT
                self._keep_all(found)
            offset += 12 + length
        return Header("PNG", width, height, self.texts)

    def _jpeg(self) -> Header:
        width = height = 0
        offset = 2
        for _ in range(_MOST_PIECES):
            head = self._read(offset, 4)
            if len(head) < 2 or head[0] != 0xFF or head[1] in (_SCAN, _END):
                break
            kind = head[1]
            if kind == 0xFF or kind in _STANDALONE:
                offset += 1 if kind == 0xFF else 2
                continue
            (length,) = struct.unpack_from(">H", head, 2)
            if kind in _FRAMES:
                height, width = struct.unpack(">HH", self._read(offset + 5, 4))
            elif (
                kind in (_APP1, _COMMENT)
                and (data := self._piece(offset + 4, max(0, length - 2))) is not None
            ):
                self._segment(kind, data)
            offset += 2 + length
        return Header("JPEG", width, height, self.texts)

    def _segment(self, kind: int, data: bytes) -> None:
        if kind == _COMMENT:
            self._keep("comment", data.decode("utf-8", "replace").rstrip("\0"))
        elif data.startswith(_XMP_SEGMENT):
            self._keep_exported(xmp_texts(data.removeprefix(_XMP_SEGMENT)))
        else:
            self._keep_all(exif_texts(data))

    def _webp(self) -> Header:
        width = height = 0
        offset = 12
        for _ in range(_MOST_PIECES):
            head = self._read(offset, 8)
            if len(head) < 8:
                break
            kind, (length,) = head[:4], struct.unpack_from("<I", head, 4)
            if kind in _WEBP_SIZES and not width:
                width, height = _WEBP_SIZES[kind](self._read(offset + 8, 10))
            elif kind == b"EXIF" and (data := self._piece(offset + 8, length)) is not None:
                self._keep_all(exif_texts(data))
            elif kind == b"XMP " and (data := self._piece(offset + 8, length)) is not None:
                self._keep_exported(xmp_texts(data))
            offset += 8 + length + length % 2
        if not width:
            raise NotAnImageError
        return Header("WEBP", width, height, self.texts)


def _plain_text(data: bytes) -> dict[str, str]:
    """tEXt. It is Latin-1 by the standard, which our own record keeps to, and UTF-8 by many programs."""
    name, _, text = data.partition(b"\0")
    key = name.decode("latin-1")
    return {key: text.decode("latin-1") if key == CHUNK else _decode(text)}


def _decode(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1")


def _packed_text(data: bytes) -> dict[str, str]:
    """zTXt."""
    name, _, rest = data.partition(b"\0")
    text = _unpack(rest[1:])
    return {} if text is None else {name.decode("latin-1"): _decode(text)}


def _international_text(data: bytes) -> dict[str, str]:
    """iTXt: name, whether it is packed, method, language, the name in that language, text in UTF-8."""
    name, _, rest = data.partition(b"\0")
    packed = rest[:1] == b"\1"
    _, _, rest = rest[2:].partition(b"\0")
    _, _, rest = rest.partition(b"\0")
    text = _unpack(rest) if packed else rest
    if text is None:
        return {}
    key = name.decode("latin-1")
    return xmp_texts(text) if key == _XMP_CHUNK else {key: text.decode("utf-8", "replace")}


def _unpack(data: bytes) -> bytes | None:
    """What zlib packed, None if it is broken or unpacks to more than `MAX_TEXT` bytes."""
    unpacking = zlib.decompressobj()
    try:
        text = unpacking.decompress(data, MAX_TEXT + 1)
    except zlib.error:
        return None
    return text if len(text) <= MAX_TEXT else None


_CHUNKS: Final = {
    b"tEXt": _plain_text,
    b"zTXt": _packed_text,
    b"iTXt": _international_text,
    b"eXIf": exif_texts,
}


def _lossy_size(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from("<HH", data, 6)
    return width & 0x3FFF, height & 0x3FFF


def _lossless_size(data: bytes) -> tuple[int, int]:
    (bits,) = struct.unpack_from("<I", data, 1)
    return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1


def _extended_size(data: bytes) -> tuple[int, int]:
    if len(data) < 10:
        raise NotAnImageError
    return int.from_bytes(data[4:7], "little") + 1, int.from_bytes(data[7:10], "little") + 1


_WEBP_SIZES: Final = {b"VP8 ": _lossy_size, b"VP8L": _lossless_size, b"VP8X": _extended_size}
