"""Images on disk: private, atomic, numbered by the day, never over another file."""

from __future__ import annotations

import errno
import os
import re
import tempfile
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final, cast

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from sdcore.atomic import held, place_new
from sdcore.library import config, record
from sdcore.library.png import AS_PNG
from sdcore.library.record import BatchPlace
from sdcore.spec import infotext
from sdcore.spec.lineage import Parent, Segment
from sdcore.spec.prompt import take_extras
from sdcore.spec.recipe import Recipe
from sdcore.spec.sanitise import sanitise
from sdcore.spec.sweep.typed import Template

__all__ = ["BatchPlace", "OutputError", "save_image", "save_png", "slug"]

SLUG_LENGTH: Final = 40
_NUMBER: Final = re.compile(r"([0-9]{5,9})-")
_WORD: Final = re.compile(r"[a-z0-9]+")

_REASONS: Final = {
    errno.ENOSPC: "there is no space left on that disk; make room or choose another folder",
    errno.EDQUOT: "your disk quota is used up; make room or choose another folder",
    errno.EACCES: "you may not write there; change the permissions or choose another folder",
    errno.EPERM: "you may not write there; change the permissions or choose another folder",
    errno.EROFS: "that disk is read-only; choose another folder",
    errno.ENOTDIR: "a part of that path is a file; choose another folder",
    errno.EEXIST: "there is a file of that name; choose another folder",
}


class OutputError(Exception):
    """An image could not be saved; the message is one sentence that says what to do."""


def save_image(
    image: Image.Image,
    recipe: Recipe,
    *,
    folder: Path | None = None,
    model_hash: str = "",
    vae_hash: str = "",
    family: str = "",
    batch: BatchPlace | None = None,
    cancelled_at: int | None = None,
    parent: Parent | None = None,
    segments: tuple[Segment, ...] = (),
    addons: tuple[record.AddonUse, ...] = (),
    group: str = "",
    label: str = "",
    template: Template | None = None,
    styles: tuple[str, ...] = (),
    varied_from: str = "",
    job: str = "",
    device: str = "",
    dtype: str = "",
    torch: str = "",
    threads: int = 0,
    instructions: str = "",
    sparing: str = "",
    faster: str = "",
) -> Path:
    """Write `image` as `folder/YYYY-MM-DD/NNNNN-seed-slug.png` and return the absolute path.

    `recipe` is that of this one image (`Recipe.for_image`); `folder` is that of the settings when None. The
    file appears whole or not at all, and never in place of another, whatever other processes write there.
    Raises `OutputError`.
    """
    now = datetime.now().astimezone()
    made = record.ImageRecord(
        version=record.VERSION,
        recipe=recipe,
        model_hash=model_hash,
        vae_hash=vae_hash,
        family=family,
        batch=batch,
        cancelled_at=cancelled_at,
        parent=parent,
        segments=segments if len(segments) > 1 else (),
        addons=addons,
        group=group,
        label=label,
        template=template,
        styles=styles,
        varied_from=varied_from,
        job=job,
        device=device,
        dtype=dtype,
        torch=torch,
        threads=threads,
        instructions=instructions,
        sparing=sparing,
        faster=faster,
        software=record.software(),
        created=now.isoformat(timespec="seconds"),
    )
    text = infotext.write(
        recipe,
        model_hash=model_hash,
        vae_hash=vae_hash,
        version=made.software,
        extras=record.addon_hashes(addons),
    )
    texts = {"parameters": text, record.CHUNK: record.encode(made)}
    return save_png(image, texts, f"{recipe.seed}-{slug(take_extras(recipe.prompt)[0])}", folder)


def save_png(image: Image.Image, texts: Mapping[str, str], name: str, folder: Path | None = None) -> Path:
    """Write any image as `folder/YYYY-MM-DD/NNNNN-name.png` with these text chunks; as `save_image` does otherwise."""
    chunks = text_chunks(texts)
    place = folder
    try:
        place = config.load()[0].outputs_dir() if folder is None else folder
        day = place.absolute() / f"{datetime.now().astimezone():%Y-%m-%d}"
        day.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _write(image, chunks, day, name)
    except OSError as fault:
        where = sanitise(str(place or "the outputs folder"), newlines=False)
        reason = _REASONS.get(fault.errno or 0, sanitise(fault.strerror or str(fault), newlines=False))
        raise OutputError(f"The image could not be saved in {where}: {reason}.") from fault


def slug(prompt: str) -> str:
    """The first words of a prompt as lower-case ASCII joined by hyphens, at most `SLUG_LENGTH` characters."""
    plain = unicodedata.normalize("NFKD", prompt[: 8 * SLUG_LENGTH]).encode("ascii", "ignore").decode()
    name = ""
    for word in _WORD.findall(plain.lower()):
        longer = f"{name}-{word}" if name else word[:SLUG_LENGTH]
        if len(longer) > SLUG_LENGTH:
            break
        name = longer
    return name or "image"


def text_chunks(texts: Mapping[str, str]) -> PngInfo:
    """The texts for a PNG. What is not ASCII goes into chunks of UTF-8: many programs take the others for UTF-8, though
    they are Latin-1."""
    chunks = PngInfo()
    for key, text in texts.items():
        if text.isascii():
            chunks.add_text(key, text)
        else:
            chunks.add_itxt(key, text)
    return chunks


def _write(image: Image.Image, chunks: PngInfo, day: Path, rest: str) -> Path:
    """Write beside the target, make it durable, then give it the next free number."""
    descriptor, name = tempfile.mkstemp(dir=day, prefix=".", suffix=".part")  # 0600
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            image.save(cast(BinaryIO, file), "PNG", pnginfo=chunks, **AS_PNG)
            file.flush()
            os.fsync(file.fileno())
        # Some network file systems cannot lock a folder. Names stay safe there, only numbers may repeat.
        with held(day) as folder:
            target = _place(part, day, rest)
            os.fsync(folder)
    finally:
        part.unlink(missing_ok=True)
    return target


def _place(part: Path, day: Path, rest: str) -> Path:
    number = _highest(day) + 1
    while True:
        target = day / f"{number:05d}-{rest}.png"
        try:
            place_new(part, target)
        except FileExistsError:
            number += 1
        else:
            return target


def _highest(day: Path) -> int:
    found = (_NUMBER.match(entry.name) for entry in os.scandir(day))
    return max((int(match[1]) for match in found if match), default=0)
