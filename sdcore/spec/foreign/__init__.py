"""What images of other programs say: one reader a file, and the table of which text is understood by whom.

A reader gets the text and all the texts of the image, and returns facts, or None where it was not written by the
program that the reader knows. None of them ever raises; each takes time in proportion to the text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sdcore.spec import infotext
from sdcore.spec.facts import ImageFacts
from sdcore.spec.foreign import comfy, diffusers, fooocus, invokeai, novelai, sdcpp, swarm
from sdcore.spec.foreign.reading import Texts

__all__ = ["NAMES", "READERS", "Texts", "read"]

Reader = Callable[[str, Texts], ImageFacts | None]


def _web_ui(text: str, texts: Texts) -> ImageFacts | None:
    return infotext.read(text)


_PARAMETERS: Final[tuple[Reader, ...]] = (swarm.read, sdcpp.read, fooocus.read, _web_ui, diffusers.read)
"""Whoever writes one text names it `parameters`, and in JPEG and WebP puts it where a person's comment would be."""

READERS: Final[tuple[tuple[str, tuple[Reader, ...]], ...]] = (
    ("invokeai_metadata", (invokeai.read,)),
    ("sd-metadata", (invokeai.read_older,)),
    ("Dream", (invokeai.read_dream,)),
    ("parameters", _PARAMETERS),
    ("prompt", (comfy.read,)),
    ("Comment", (novelai.read, fooocus.read, diffusers.read)),
    ("XMP UserComment", (diffusers.read_draw_things,)),
    ("Make", (comfy.read,)),
    ("Model", (comfy.read,)),
    ("ImageDescription", (comfy.read, _web_ui, diffusers.read)),
    ("workflow", (comfy.read_workflow,)),
    ("Make", (comfy.read_workflow,)),
    ("ImageDescription", (comfy.read_workflow,)),
    ("comment", (*_PARAMETERS, comfy.read)),
    ("metadata", (diffusers.read,)),
    ("generation_data", (diffusers.read,)),
    ("Description", (diffusers.read,)),
    ("prompt", (diffusers.read_apart,)),
    (
        "UserComment",
        (*_PARAMETERS[:-1], novelai.read, comfy.read, diffusers.read_draw_things, diffusers.read),
    ),
)
"""Chunks of PNG, fields of EXIF ("UserComment" …), a JPEG's comment ("comment") and who may have written them; the most
telling first."""

NAMES: Final = frozenset(name for name, _ in READERS)
"""The texts that a reader looks at."""


def read(texts: Texts) -> ImageFacts | None:
    """What the first reader that understands one of the texts says; None where none does."""
    for name, readers in READERS:
        for reader in readers if name in texts else ():
            if (found := reader(texts[name], texts)) is not None:
                return found
    return None
