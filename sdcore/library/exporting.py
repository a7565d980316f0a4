"""An image as another file, to be given away: PNG, JPEG or WebP, with what it says of itself or without.

In JPEG and WebP the `parameters` text stands in EXIF's user comment, where A1111, Forge and Civitai look for it. All
texts that the image had stand word for word in XMP beside it, our record among them: so its recipe is read back
exactly, even though the pixels of a JPEG are not those that were made.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from PIL import Image, ImageOps

from sdcore.atomic import write_new
from sdcore.library import hidden, record, xmp
from sdcore.library.metadata import BROKEN, MetadataError, facts_of, in_bytes, open_image, read_texts
from sdcore.library.outputs import text_chunks
from sdcore.library.png import AS_PNG
from sdcore.spec import infotext
from sdcore.spec.facts import ImageFacts
from sdcore.spec.sanitise import sanitise

Format = Literal["PNG", "JPEG", "WEBP"]

SUFFIXES: Final[dict[str, Format]] = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
QUALITY: Final = 92

_SOFTWARE, _DETAILS, _USER_COMMENT = 0x0131, 0x8769, 0x9286


class ExportError(Exception):
    """An image could not be exported; the message is one sentence that says what to do."""


def export(
    image_path: Path | str,
    target: Path | str,
    format: Format,
    quality: int = QUALITY,
    keep_metadata: bool = True,
) -> Path:
    """Write the image at `image_path` as a new file `target` (0600) and return its absolute path.

    `quality` is 1..100 for JPEG and WebP, where 100 is lossless WebP. The file is there whole or not at all, and never
    in place of another. Raises `ExportError` and `MetadataError`.
    """
    path = Path(target).expanduser().absolute()
    shown = sanitise(str(path), newlines=False)
    texts = read_texts(image_path).texts if keep_metadata else {}
    picture = _picture(image_path, format)
    picture = picture if keep_metadata else hidden.without_hidden_text(picture)
    try:
        data = _encode(picture, format, quality, texts)
    except ValueError as fault:
        # A segment of a JPEG holds 64 KiB, and Pillow says so.
        raise ExportError(
            f"What {shown} would say of itself is too long for a {format}; export a PNG, or leave it out."
        ) from fault
    try:
        write_new(path, data)
    except FileExistsError as fault:
        raise ExportError(f"There is a file {shown} already; choose another name.") from fault
    except OSError as fault:
        reason = sanitise(fault.strerror or str(fault), newlines=False)
        raise ExportError(f"{shown} could not be written: {reason}.") from fault
    return path


def _picture(path: Path | str, format: Format) -> Image.Image:
    """The pixels, upright; a JPEG has no transparency, so white shows through."""
    with open_image(path) as image:
        try:
            upright = in_bytes(ImageOps.exif_transpose(image))
            clear = upright.has_transparency_data
            if not clear or format == "JPEG":
                return _on_white(upright) if clear else upright.convert("RGB")
            return upright.convert("RGBA")
        except (OSError, MemoryError, *BROKEN) as fault:
            name = sanitise(str(path), newlines=False)
            raise MetadataError(f"{name} is cut off or damaged; its pixels cannot be read.") from fault


def _on_white(image: Image.Image) -> Image.Image:
    clear = image.convert("RGBA")
    white = Image.new("RGBA", clear.size, "white")
    return Image.alpha_composite(white, clear).convert("RGB")


def _encode(picture: Image.Image, format: Format, quality: int, texts: Mapping[str, str]) -> bytes:
    file = io.BytesIO()
    options: dict[str, Any] = dict(AS_PNG) if format == "PNG" else {"quality": max(1, min(100, quality))}
    if format == "WEBP":
        options |= {"lossless": quality >= 100, "method": 4}
    if format == "JPEG":
        options["subsampling"] = 0 if quality >= QUALITY else 2
    options |= _chunks(texts) if format == "PNG" else _fields(texts)
    picture.save(file, format, **options)
    return file.getvalue()


def _chunks(texts: Mapping[str, str]) -> dict[str, Any]:
    """The texts as PNG chunks. What a JPEG has as its user comment, programs look for as `parameters` in a PNG."""
    if not texts:
        return {}
    comment = {"parameters": texts.get("UserComment", "")}
    moved = "parameters" not in texts and facts_of(comment) == facts_of(texts) != ImageFacts()
    return {"pnginfo": text_chunks({**texts, **(comment if moved else {})})}


def _fields(texts: Mapping[str, str]) -> dict[str, Any]:
    """All the texts as XMP, and the user comment that programs look for; where there is none it is made of what the
    image says."""
    if not texts:
        return {}
    exif = Image.Exif()
    exif[_SOFTWARE] = record.software()
    if comment := texts.get("parameters") or texts.get("UserComment") or _as_infotext(facts_of(texts)):
        exif[_DETAILS] = {_USER_COMMENT: b"UNICODE\0" + comment.encode("utf-16-be", "replace")}
    return {"exif": exif.tobytes(), "xmp": xmp.packet(texts)}


def _as_infotext(facts: ImageFacts) -> str:
    if facts == ImageFacts():
        return ""
    return infotext.write(
        facts.recipe(),
        model_hash=facts.model_hash or "",
        vae_hash=facts.vae_hash or "",
        version=facts.writer or "",
    )
