"""Many small images that say how they were made, written quickly: for measuring the library."""

from __future__ import annotations

import math
import os
import random
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sdcore.library import record
from sdcore.spec import infotext
from sdcore.spec.recipe import Recipe

SIDE: Final = 64
_DAYS: Final = 400
_START: Final = 1_750_000_000
_SAMPLERS: Final = ("Euler", "Euler a", "DPM++ 2M", "DPM++ 2M SDE", "LMS", "UniPC", "DDIM", "Heun")
_STYLES: Final = ("masterpiece", "best quality", "highly detailed", "radiant light", "8k", "sharp focus")
_SYLLABLES: Final = ("ka", "lo", "mi", "ren", "tas", "vu", "she", "dor", "quil", "bra", "est", "on", "fi")


def vocabulary(count: int = 3000) -> list[str]:
    """Words, the most frequent first."""
    rng = random.Random(1)
    return ["".join(rng.choices(_SYLLABLES, k=rng.randint(2, 4))) for _ in range(count)]


def recipe(rng: random.Random, words: Sequence[str], models: Sequence[str]) -> Recipe:
    """A recipe as varied as those of a person."""
    picked = [frequent(rng, words) for _ in range(rng.randint(6, 30))]
    return Recipe(
        prompt=", ".join([*picked, *rng.sample(_STYLES, 3)]),
        negative_prompt=" ".join(("blurry, low quality", *rng.choices(words, k=6))),
        width=SIDE,
        height=SIDE,
        steps=rng.choice((8, 20, 25, 30, 40, 50)),
        guidance_scale=rng.choice((1.0, 4.5, 5.0, 7.0, 7.5, 9.0)),
        seed=rng.randrange(2**40),
        sampler=rng.choice(_SAMPLERS),
        model=rng.choice(models),
    )


def frequent(rng: random.Random, words: Sequence[str]) -> str:
    """A word as frequent as its place says, after Zipf: the first is one in a dozen."""
    return words[min(len(words) - 1, int(math.exp(rng.uniform(0, math.log(len(words))))) - 1)]


def make(folder: Path, count: int) -> None:
    """Write `count` PNG files (our own and, every third, A1111's), a few hundred in each folder of a day, with times
    of change that are spread over a year."""
    rng = random.Random(2)
    words = vocabulary()
    models = [f"model-{name}" for name in words[:40]]
    pixels = [_pixels(rng) for _ in range(64)]
    for number in range(count):
        made = recipe(rng, words, models)
        day = folder / f"day-{number % _DAYS:03d}"
        if number < _DAYS:
            day.mkdir(parents=True, exist_ok=True)
        texts = [("parameters", infotext.write(made, model_hash="0123456789", version="v1.10"))]
        if number % 3:
            kept = record.ImageRecord(version=record.VERSION, recipe=made, software="sdtui")
            texts.append((record.CHUNK, record.encode(kept)))
        path = day / f"{number:06d}-{made.seed}.png"
        path.write_bytes(png(rng.choice(pixels), texts))
        when = _START + (number % _DAYS) * 86_400 + number // _DAYS
        os.utime(path, ns=(when * 10**9 + number, when * 10**9 + number))


def png(pixels: bytes, texts: Sequence[tuple[str, str]]) -> bytes:
    """A PNG file: compressed `pixels` of SIDE x SIDE RGB after PNG's filter type 0, and text chunks."""
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    notes = b"".join(_chunk(b"tEXt", key.encode() + b"\0" + text.encode("latin-1")) for key, text in texts)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + notes
        + _chunk(b"IDAT", pixels)
        + _chunk(b"IEND", b"")
    )


def _pixels(rng: random.Random) -> bytes:
    rows = (b"\0" + bytes((rng.randrange(256), y * 4 % 256, 90)) * SIDE for y in range(SIDE))
    return zlib.compress(b"".join(rows))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
