"""The images that others are made from: init images and masks, kept so that a recipe still means the same later."""

from __future__ import annotations

import hashlib
import io
import re
from pathlib import Path
from typing import Final

import msgspec
from PIL import Image, ImageOps

from sdcore.atomic import write_atomically
from sdcore.library import paths
from sdcore.library.metadata import BROKEN, MetadataError, in_bytes, open_image
from sdcore.library.png import AS_PNG
from sdcore.spec.recipe import Recipe
from sdcore.spec.sanitise import sanitise

PREFIX: Final = "input:"
"""What the name of a kept copy begins with."""

_ORIENTATION: Final = 0x0112
_LYING: Final = (5, 6, 7, 8)
"""Values of EXIF's orientation with which width and height change places."""
_NAME: Final = re.compile(r"input:([0-9a-f]{16})")


class InputError(Exception):
    """An image to start from cannot be had; the message is one sentence that says what to do."""


def keep_input(source: Path | str | Image.Image) -> str:
    """Keep a copy of an image, given as such, by its path or by its kept name; returns that name.

    The name is "input:" and the first 16 hex digits of the SHA-256 of mode, size and pixels, so the same picture is
    kept once. The copy is a PNG (RGB, or L where the image is grey), there whole or not at all, for its owner alone.
    Raises `InputError`.
    """
    image = _plain(source) if isinstance(source, Image.Image) else read_input(source)
    said = f"{image.mode} {image.width}x{image.height}\n".encode()
    name = hashlib.sha256(said + image.tobytes()).hexdigest()[:16]
    path = paths.inputs_dir() / f"{name}.png"
    if not path.exists():
        file = io.BytesIO()
        image.save(file, "PNG", **AS_PNG)
        try:
            write_atomically(path, file.getvalue())
        except OSError as fault:
            reason = fault.strerror or fault
            raise InputError(f"The image could not be kept in {path.parent}: {reason}.") from fault
    return f"{PREFIX}{name}"


def input_path(ref: str) -> Path:
    """The file that `ref`, the name of a kept copy or a path, stands for; raises `InputError` if there is none."""
    shown = sanitise(ref, newlines=False)
    if ref.startswith(PREFIX):
        match = _NAME.fullmatch(ref)
        path = paths.inputs_dir() / f"{match[1]}.png" if match else None
        if path is None or not path.is_file():
            raise InputError(f"The kept image {shown} is not on this machine; name the file itself.")
        return path
    try:
        path = Path(ref).expanduser()
        if path.is_file():
            return path
    except (OSError, RuntimeError, ValueError):
        pass  # a name that no file can have is that of no file
    raise InputError(f"There is no image {shown}; check the path.")


def input_size(ref: str) -> tuple[int, int]:
    """Width and height in pixels of the image that `ref` stands for, from its header alone, as it is to be seen;
    raises `InputError`."""
    try:
        with open_image(input_path(ref)) as image:
            width, height = image.size
            return (height, width) if image.getexif().get(_ORIENTATION) in _LYING else (width, height)
    except MetadataError as fault:
        raise InputError(str(fault)) from fault


def keep_inputs(recipe: Recipe) -> Recipe:
    """A recipe whose images are kept copies. Raises `InputError`."""
    named = {name: getattr(recipe, name) for name in ("init_image", "mask_image")}
    kept = {name: keep_input(ref) for name, ref in named.items() if ref and not ref.startswith(PREFIX)}
    return msgspec.structs.replace(recipe, **kept) if kept else recipe


def read_input(ref: Path | str) -> Image.Image:
    """The whole image that `ref` stands for, upright, on white, as RGB, or as L where it is grey; raises
    `InputError`."""
    path = input_path(str(ref))
    try:
        with open_image(path) as image:
            return _plain(ImageOps.exif_transpose(image))
    except MetadataError as fault:
        raise InputError(str(fault)) from fault
    except (OSError, MemoryError, *BROKEN) as fault:
        name = sanitise(str(path), newlines=False)
        raise InputError(f"{name} is cut off or damaged; its pixels cannot be read.") from fault


def _plain(image: Image.Image) -> Image.Image:
    """An image on white, as L where it is grey, else as RGB."""
    image = in_bytes(image)
    if image.has_transparency_data:
        seen = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen)
    return image.convert("L" if image.mode in ("1", "L") else "RGB")
