"""How was this image made? Reads what image files say, whatever state they are in."""

from __future__ import annotations

import stat
import struct
import warnings
from pathlib import Path
from typing import Any, Final

import msgspec
from PIL import Image, UnidentifiedImageError

from sdcore.library import hidden, record
from sdcore.library.headers import Header, NotAnImageError, read_header
from sdcore.spec import foreign
from sdcore.spec.facts import ImageFacts
from sdcore.spec.foreign.reading import load_object
from sdcore.spec.recipe import Recipe, at_rest
from sdcore.spec.sanitise import sanitise

__all__ = [
    "ImageFacts", "MetadataError", "facts_of", "in_bytes", "open_image", "read_image", "read_pixels", "read_texts",
]  # fmt: skip

_MOST_PIXELS: Final = 178_956_970
"""The pixels above which Pillow, too, refuses an image."""

_FIELDS_OF_FACTS: Final = frozenset({"version", "recipe", "model_hash", "vae_hash"})
"""What of our own record is not among the extras."""
_WIDE: Final = ("I;16", "I;16L", "I;16B", "I;16N")

_FORMATS: Final = ("PNG", "JPEG", "WEBP")
_TELLING: Final = foreign.NAMES | {record.CHUNK}
"""The texts that can say how an image was made."""
BROKEN: Final = (UnidentifiedImageError, SyntaxError, ValueError, EOFError, struct.error, OverflowError)
"""What Pillow raises for broken files, besides OSError."""


class MetadataError(Exception):
    """An image could not be read; the message is one sentence that says what to do."""


def read_image(path: Path | str) -> ImageFacts:
    """What the image at `path` says about how it was made; no field is set when it says nothing.

    A file whose pixels are cut off still answers. Raises `MetadataError`.
    """
    return facts_of(read_texts(path).texts)


def read_texts(path: Path | str) -> Header:
    """The format, the size and the texts of the image at `path`; raises `MetadataError`.

    They are read from its header alone. Only of an image that says nothing there, and bears the mark of texts that are
    hidden in the pixels, are those read.
    """
    name = sanitise(str(path), newlines=False)
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):
            raise MetadataError(f"{name} is not an image file; name a PNG, JPEG or WebP file.")
        header = read_header(path)
    except NotAnImageError as fault:
        raise MetadataError(_damaged(name)) from fault
    except (OSError, ValueError) as fault:
        raise _unreadable(name, fault) from fault
    if header.width * header.height > _MOST_PIXELS:
        raise MetadataError(_monstrous(name))
    if not _TELLING & header.texts.keys() and hidden.may_hide(path, header.format):
        return msgspec.structs.replace(header, texts={**header.texts, **_hidden_texts(path)})
    return header


def _hidden_texts(path: Path | str) -> dict[str, str]:
    """What is hidden in the pixels: the chunks that the file had, as one JSON object, or the text of the web UI."""
    try:
        with open_image(path) as image:
            text = hidden.hidden_text(image)
    except (OSError, MemoryError, MetadataError, *BROKEN):
        return {}
    if text is None:
        return {}
    texts = load_object(text)
    if texts is None:
        return {"parameters": text}
    return {
        name: said if isinstance(said, str) else msgspec.json.encode(said).decode()
        for name, said in texts.items()
    }


def facts_of(texts: foreign.Texts) -> ImageFacts:
    """What the texts of an image say, our own record first; never raises."""
    own = _from_record(texts[record.CHUNK]) if record.CHUNK in texts else None
    return own or foreign.read(texts) or ImageFacts()


def open_image(path: Path | str) -> Image.Image:
    """The image at `path` with its header read and its pixels not yet; raises `MetadataError`."""
    name = sanitise(str(path), newlines=False)
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):
            raise MetadataError(f"{name} is not an image file; name a PNG, JPEG or WebP file.")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of large images; only the header is read here
            return Image.open(path, formats=_FORMATS)
    except Image.DecompressionBombError as fault:
        raise MetadataError(_monstrous(name)) from fault
    except (OSError, *BROKEN) as fault:
        raise _unreadable(name, fault) from fault


def in_bytes(image: Image.Image) -> Image.Image:
    """An image whose greys have 16 bits each as L, or as LA where one of them is transparent; any other as it is.

    Pillow itself would take all but the darkest of them for white.
    """
    if image.mode not in _WIDE:
        return image
    wide = image.convert("I")
    grey = wide.point([round(value / 257) for value in range(1 << 16)], "L")
    clear = grey.info.pop("transparency", None)
    if not isinstance(clear, int):
        return grey
    there = [255] * (1 << 16)
    there[clear] = 0
    return Image.merge("LA", (grey, wide.point(there, "L")))


def _unreadable(name: str, fault: Exception) -> MetadataError:
    if isinstance(fault, BROKEN):
        return MetadataError(_damaged(name))
    if isinstance(fault, FileNotFoundError):
        return MetadataError(f"There is no file {name}; check the path.")
    if isinstance(fault, PermissionError):
        return MetadataError(f"{name} may not be read; change its permissions.")
    reason = fault.strerror if isinstance(fault, OSError) and fault.strerror else str(fault)
    return MetadataError(f"{name} could not be read: {sanitise(reason)}.")


def _damaged(name: str) -> str:
    return f"{name} is damaged or is no PNG, JPEG or WebP image."


def _monstrous(name: str) -> str:
    return f"{name} claims to be a monstrous image; it was not opened."


def read_pixels(path: Path | str) -> Image.Image:
    """The whole image at `path` as RGB; raises `MetadataError`."""
    with open_image(path) as image:
        try:
            return in_bytes(image).convert("RGB")
        except (OSError, MemoryError, *BROKEN) as fault:
            name = sanitise(str(path), newlines=False)
            raise MetadataError(f"{name} is cut off or damaged; its pixels cannot be read.") from fault


def _from_record(text: str) -> ImageFacts | None:
    """What our own lossless chunk says."""
    try:
        made = record.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None
    said: dict[str, Any] = msgspec.to_builtins(made)
    extra = {key: value for key, value in said.items() if key not in _FIELDS_OF_FACTS}
    unsaid = at_rest(made.recipe)
    fields = {name: getattr(made.recipe, name) for name in Recipe.__struct_fields__ if name not in unsaid}
    fields |= {"model_hash": made.model_hash or None, "vae_hash": made.vae_hash or None}
    return ImageFacts(**fields, writer="sdtui", extra=extra, exact=True)
