"""Texts that are hidden in the pixels of an image: NovelAI writes them into its PNG files, and extensions of the web UI
into theirs, so that they outlive programs that drop every text.

The lowest bits of one channel, column by column from the top left, are a mark of 15 letters, the number of bits that
follow (32 bits, the highest first), and so many bits of text, packed with gzip where the mark ends in "comp". The
channel is transparency, or in images without it red, green and blue in turn.

Hardly any image has such texts, and to decode one takes tens of milliseconds. So a PNG is asked first for the bits of
its mark alone: they lie in the first column, which is known without the others, and mostly the first row has the
answer.

Sources: NovelAI's `novelai-image-metadata`, the extension stealth-pnginfo of the web UI.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sdcore.library.headers import MAX_TEXT

if TYPE_CHECKING:
    from PIL.Image import Image

_ALPHA_MARKS: Final = (b"stealth_pnginfo", b"stealth_pngcomp")
_RGB_MARKS: Final = (b"stealth_rgbinfo", b"stealth_rgbcomp")
_MARK: Final = 15
_HEAD: Final = 8 * (_MARK + 4)
"""Bits before the text."""

MOST_PIXELS: Final = 1 << 25
"""An image of more of them is not decoded for its texts: that many take 128 MB."""
_WIDEST: Final = 1 << 16
_MOST_CHUNKS: Final = 1_000
_PORTION: Final = 4096
_IHDR: Final = struct.Struct(">IIBBBBB")
_CHANNELS: Final = {2: 3, 6: 4}
"""By the PNG's type of colour: of those with a palette or greys no program hides anything in."""
_SUB, _UP, _AVERAGE, _PAETH = 1, 2, 3, 4
_LOWEST: Final = bytes(b"01"[value & 1] for value in range(256))


def may_hide(path: Path | str, format: str) -> bool:
    """Whether the pixels of an image file are worth decoding for their texts.

    True for a PNG that bears a mark, and for a lossless WebP with transparency, which cannot be asked for less than all
    its pixels. Nothing is decoded. Images of fewer rows than a mark needs, and of more than `MOST_PIXELS`, say no.
    """
    if format not in _ASKED:
        return False
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - `Path.open` costs as much as all the rest
            return _ASKED[format](file.fileno())
    except (OSError, struct.error, zlib.error):
        return False


def hidden_text(image: Image) -> str | None:
    """The text in the pixels of `image`, None where there is none; what is longer than `MAX_TEXT` is none."""
    if image.width * image.height > MOST_PIXELS:
        return None
    found = _channel(image)
    if found is None:
        return None
    channel, packed = found
    length = int(_bits(channel, 8 * _MARK, 32), 2)
    if not 8 <= length <= min(8 * MAX_TEXT, _room(channel) - _HEAD):
        return None
    length -= length % 8
    data = int(_bits(channel, _HEAD, length), 2).to_bytes(length // 8)
    text = _unpacked(data) if packed else data
    return None if text is None else text.decode("utf-8", "replace")


def without_hidden_text(image: Image) -> Image:
    """`image`, or where it hides a text the same without the bits that hold it: no value changes by more than 1."""
    found = _channel(image)
    if found is None:
        return image
    from PIL import Image as images

    bands = list(image.split())
    if found[0].mode == "L":
        return images.merge(image.mode, [*bands[:3], bands[3].point(lambda value: value | 1)])
    return images.merge(
        image.mode, [*(band.point(lambda value: value & 254) for band in bands[:3]), *bands[3:]]
    )


def _channel(image: Image) -> tuple[Image, bool] | None:
    """What of the image holds a text, and whether that is packed."""
    for channel, marks in (
        (image.getchannel("A") if image.mode == "RGBA" else None, _ALPHA_MARKS),
        (image.convert("RGB") if image.mode in ("RGB", "RGBA") else None, _RGB_MARKS),
    ):
        if channel is not None and _room(channel) > _HEAD:
            said = int(_bits(channel, 0, 8 * _MARK), 2).to_bytes(_MARK)
            if said in marks:
                return channel, said == marks[1]
    return None


def _room(channel: Image) -> int:
    return channel.width * channel.height * len(channel.getbands())


def _bits(channel: Image, begin: int, count: int) -> bytes:
    """Bits of the text as "0" and "1"."""
    from PIL.Image import Transpose

    depth = len(channel.getbands())
    columns = -(-(begin + count) // (channel.height * depth))
    standing = channel.crop((0, 0, min(columns, channel.width), channel.height))
    return standing.transpose(Transpose.TRANSPOSE).tobytes()[begin : begin + count].translate(_LOWEST)


def _unpacked(data: bytes) -> bytes | None:
    unpacking = zlib.decompressobj(wbits=31)
    try:
        text = unpacking.decompress(data, MAX_TEXT + 1)
    except zlib.error:
        return None
    return text if len(text) <= MAX_TEXT else None


def _png_bears_mark(descriptor: int) -> bool:
    head = os.pread(descriptor, 33, 0)
    width, height, depth, colour, _, _, interlaced = _IHDR.unpack_from(head, 16)
    channels = _CHANNELS.get(colour, 0)
    if depth != 8 or interlaced or not channels or not width < _WIDEST or width * height > MOST_PIXELS:
        return False
    marks = [(mark, slice(0, 3)) for mark in _RGB_MARKS]
    marks += [(mark, slice(3, 4)) for mark in _ALPHA_MARKS] if channels == 4 else []
    left = [("".join(f"{letter:08b}" for letter in mark).encode(), place) for mark, place in marks]
    for pixel in _first_column(descriptor, width, height, channels):
        bits = pixel.translate(_LOWEST)
        left = [(mark[len(bits[place]) :], place) for mark, place in left if mark.startswith(bits[place])]
        if not left or any(not mark for mark, _ in left):
            break
    return any(not mark for mark, _ in left)


def _first_column(descriptor: int, width: int, height: int, channels: int) -> Iterator[bytes]:
    """The first pixel of each row. Nothing is left of it, so its filter needs the pixel above and no other."""
    row = 1 + width * channels
    above = bytes(channels)
    unpacking = zlib.decompressobj()
    held = b""
    packed = _image_data(descriptor)
    for _ in range(height):
        while len(held) < row:
            more = unpacking.unconsumed_tail or next(packed, b"")
            got = unpacking.decompress(more, row - len(held))
            if not got and (not more or unpacking.eof):
                return
            held += got
        kind, now, held = held[0], held[1 : 1 + channels], b""
        if kind in (_UP, _PAETH):
            now = bytes((a + b) & 255 for a, b in zip(now, above, strict=True))
        elif kind == _AVERAGE:
            now = bytes((a + b // 2) & 255 for a, b in zip(now, above, strict=True))
        elif kind > _PAETH:
            return
        yield now
        above = now


def _image_data(descriptor: int) -> Iterator[bytes]:
    """The packed pixels, in small portions."""
    offset = 8
    for _ in range(_MOST_CHUNKS):
        head = os.pread(descriptor, 8, offset)
        if len(head) < 8 or head[4:] == b"IEND":
            return
        (length,) = struct.unpack_from(">I", head)
        for begin in range(0, length if head[4:] == b"IDAT" else 0, _PORTION):
            yield os.pread(descriptor, min(_PORTION, length - begin), offset + 8 + begin)
        offset += 12 + length


def _webp_is_lossless(descriptor: int) -> bool:
    """Lossless with transparency: after the size, VP8L has a bit for it."""
    offset = 12
    for _ in range(_MOST_CHUNKS):
        head = os.pread(descriptor, 13, offset)
        if len(head) < 13:
            return False
        if head[:4] == b"VP8L":
            (bits,) = struct.unpack_from("<I", head, 9)
            pixels = ((bits & 0x3FFF) + 1) * ((bits >> 14 & 0x3FFF) + 1)
            return bool(bits >> 28 & 1) and pixels <= MOST_PIXELS
        (length,) = struct.unpack_from("<I", head, 4)
        offset += 8 + length + length % 2
    return False


_ASKED: Final = {"PNG": _png_bears_mark, "WEBP": _webp_is_lossless}
