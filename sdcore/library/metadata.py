"""How was this image made? Reads what image files say, whatever state they are in."""

from __future__ import annotations

import stat
import struct
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec
from PIL import Image, UnidentifiedImageError

from sdcore.library import record
from sdcore.spec import infotext
from sdcore.spec.facts import ImageFacts
from sdcore.spec.recipe import Recipe, at_rest
from sdcore.spec.sanitise import sanitise

__all__ = ["ImageFacts", "MetadataError", "open_image", "read_image", "read_pixels"]

MAX_CHUNK: Final = 1024 * 1024
"""Characters of a text chunk above which it is not looked at."""

_FORMATS: Final = ("PNG", "JPEG", "WEBP")
BROKEN: Final = (UnidentifiedImageError, SyntaxError, ValueError, EOFError, struct.error, OverflowError)
"""What Pillow raises for broken files, besides OSError."""


class MetadataError(Exception):
    """An image could not be read; the message is one sentence that says what to do."""


def read_image(path: Path | str) -> ImageFacts:
    """What the image at `path` says about how it was made; no field is set when it says nothing.

    Reads the header alone, so a file whose pixels are cut off still answers. Raises `MetadataError`.
    """
    with open_image(path) as image:
        said = image.info.items()
    # str(): Pillow has kinds of text of its own, which other libraries refuse
    texts = {key: str(text) for key, text in said if isinstance(text, str) and len(text) <= MAX_CHUNK}
    for chunk, reader in _READERS:
        if chunk in texts and (facts := reader(texts[chunk])) is not None:
            return facts
    return ImageFacts()


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
        raise MetadataError(f"{name} claims to be a monstrous image; it was not opened.") from fault
    except FileNotFoundError as fault:
        raise MetadataError(f"There is no file {name}; check the path.") from fault
    except PermissionError as fault:
        raise MetadataError(f"{name} may not be read; change its permissions.") from fault
    except BROKEN as fault:
        raise MetadataError(f"{name} is damaged or is no PNG, JPEG or WebP image.") from fault
    except OSError as fault:
        raise MetadataError(f"{name} could not be read: {sanitise(fault.strerror or str(fault))}.") from fault


def read_pixels(path: Path | str) -> Image.Image:
    """The whole image at `path` as RGB; raises `MetadataError`."""
    with open_image(path) as image:
        try:
            return image.convert("RGB")
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
    extra = {key: value for key, value in said.items() if key not in {"version", "recipe", "model_hash"}}
    unsaid = at_rest(made.recipe)
    fields = {name: getattr(made.recipe, name) for name in Recipe.__struct_fields__ if name not in unsaid}
    return ImageFacts(**fields, model_hash=made.model_hash or None, writer="sdtui", extra=extra, exact=True)


_READERS: Final[tuple[tuple[str, Callable[[str], ImageFacts | None]], ...]] = (
    (record.CHUNK, _from_record),
    ("parameters", infotext.read),
)
"""Which text chunk is understood by whom, the most telling first."""
