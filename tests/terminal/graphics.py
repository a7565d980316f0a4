"""What a terminal makes of the graphics protocols: pictures out of the bytes that a program wrote."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import dataclass

from PIL import Image

from tui.term.graphics.kitty import DIACRITICS, PLACEHOLDER

_TMUX = re.compile(rb"\x1bPtmux;((?:[^\x1b]|\x1b\x1b)*)\x1b\\", re.S)
_APC = re.compile(rb"\x1b_G([^;\x1b]*)(?:;([A-Za-z0-9+/=]*))?\x1b\\")
_OSC_1337 = re.compile(rb"\x1b\[(\d+);(\d+)H\x1b\]1337;File=([^:]*):([A-Za-z0-9+/=]*)\x07")
_SIXEL = re.compile(rb'\x1bP[0-9;]*q"1;1;(\d+);(\d+)([^\x1b]*)\x1b\\')


def unwrapped(output: bytes) -> bytes:
    """`output` with what is handed through tmux taken out of its wrapping."""
    return _TMUX.sub(lambda found: found[1].replace(b"\x1b\x1b", b"\x1b"), output)


@dataclass
class Stored:
    """An image in the terminal, and the cells that it is drawn in."""

    image: Image.Image
    columns: int
    rows: int


class KittyStore:
    """The images that a terminal with Kitty graphics holds after these bytes."""

    def __init__(self, output: bytes) -> None:
        self.images: dict[int, Stored] = {}
        self.transmitted: list[int] = []
        self.errors: list[str] = []
        self._control: dict[str, str] = {}
        self._data: list[bytes] = []
        for found in _APC.finditer(unwrapped(output)):
            control = dict(part.split("=", 1) for part in found[1].decode().split(",") if part)
            self._take(control, found[2] or b"")

    def _take(self, control: dict[str, str], payload: bytes) -> None:
        if len(payload) > 4096:
            self.errors.append("a chunk is too long")
        if control.get("a") == "d":
            self.images.pop(int(control["i"]), None)
            return
        if control.get("a") == "q":
            return
        if self._control and "a" in control:
            self.errors.append("a transmission begins within another")
        self._control = self._control or control
        self._data.append(payload)
        if control.get("m") == "1":
            return
        whole, first = b"".join(self._data), self._control
        self._control, self._data = {}, []
        try:
            image = Image.open(io.BytesIO(base64.b64decode(whole)))
            image.load()
        except Exception as fault:
            self.errors.append(f"image {first.get('i')}: {fault}")
            return
        number = int(first["i"])
        self.transmitted.append(number)
        self.images[number] = Stored(image.convert("RGB"), int(first["c"]), int(first["r"]))


def placeholders(line: str) -> list[tuple[int, int]]:
    """Row and column of each letter of an image in a line of text; those without marks follow the one before."""
    found: list[tuple[int, int]] = []
    for letter in line.split(PLACEHOLDER)[1:]:
        marks = [DIACRITICS.index(mark) for mark in letter if mark in DIACRITICS]
        if len(marks) == 2:
            found.append((marks[0], marks[1]))
        else:
            row, column = found[-1]
            found.append((row, column + 1))
    return found


@dataclass
class Inline:
    """An image of iTerm2's protocol, where it was drawn (from 1), and in how many cells."""

    image: Image.Image
    column: int
    row: int
    columns: int
    rows: int


def inline_images(output: bytes) -> list[Inline]:
    """All inline images that were drawn."""
    images = []
    for found in _OSC_1337.finditer(output):
        control = dict(part.split("=", 1) for part in found[3].decode().split(";"))
        data = base64.b64decode(found[4])
        assert len(data) == int(control["size"])
        image = Image.open(io.BytesIO(data)).convert("RGB")
        images.append(
            Inline(image, int(found[2]), int(found[1]), int(control["width"]), int(control["height"]))
        )
    return images


def sixel_images(output: bytes) -> list[Image.Image]:
    """All sixel images that were drawn."""
    return [_sixel(int(found[1]), int(found[2]), found[3].decode()) for found in _SIXEL.finditer(output)]


def _sixel(width: int, height: int, text: str) -> Image.Image:
    image = Image.new("RGB", (width, height))
    colours: dict[int, tuple[int, ...]] = {}
    x = y = colour = 0
    for token in re.finditer(r"#(\d+)(?:;2;(\d+);(\d+);(\d+))?|!(\d+)(.)|([$-])|([?-~])", text):
        if token[1]:
            colour = int(token[1])
            if token[2]:
                colours[colour] = tuple(round(int(part) * 255 / 100) for part in token.group(2, 3, 4))
        elif token[7]:
            x, y = 0, y + (6 if token[7] == "-" else 0)
        else:
            count, letter = (int(token[5]), token[6]) if token[5] else (1, token[8])
            bits = ord(letter) - 63
            for place in range(6):
                if bits >> place & 1 and y + place < height:
                    image.paste(colours[colour], (x, y + place, x + count, y + place + 1))  # type: ignore[arg-type]
            x += count
    return image
